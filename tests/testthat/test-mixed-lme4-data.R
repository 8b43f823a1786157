test_that("everything printed of lme4's data is what lme4 prints", {
  options <- options(width = 120)
  on.exit(options(options))
  with_peers(function(ours, peer, name, case) {
    plain <- as(peer, "lmerMod")
    shown <- function(value) comparable_lines(capture.output(suppressMessages(print(value))))
    expect_identical(shown(ours), shown(plain), info = name)
    expect_identical(shown(summary(ours, ddf = "none")), shown(summary(plain)), info = name)
    expect_identical(shown(summary(ours)), shown(summary(peer)), info = name)
    expect_identical(shown(VarCorr(ours)), shown(lme4::VarCorr(peer)), info = name)
    mine <- shown(ranef(ours))
    theirs <- shown(lme4::ranef(peer))
    last <- length(mine)
    expect_identical(mine[-last], theirs[seq_len(last - 1L)], info = name)
    expect_identical(
      shown(unclass(coef(ours))), shown(unclass(coef(peer))), info = name
    )
    if (length(fixef(ours)) > 1L) {
      expect_identical(shown(anova(ours)), shown(stats::anova(peer)), info = name)
    }
  }, lme4_cases())
})

test_that("published numbers are met without lme4", {
  # Bates et al. (2015), sections 1 and 5: sleepstudy, the parts that the paper prints.
  skip_if_not_installed("lme4") # for the data
  fit <- lmm(Reaction ~ Days + (Days | Subject), data = lme4::sleepstudy)
  expect_equal(fit$criterion, 1743.628, tolerance = 1e-6)
  expect_equal(unname(fixef(fit)), c(251.405, 10.467), tolerance = 1e-5)
  expect_equal(unname(sqrt(diag(vcov(fit)))), c(6.825, 1.546), tolerance = 1e-3)
  expect_equal(
    as.data.frame(VarCorr(fit))$vcov[c(1, 2, 4)], c(612.09, 35.07, 654.94), tolerance = 1e-3
  )
  expect_equal(as.data.frame(VarCorr(fit))$sdcor[[3L]], 0.066, tolerance = 1e-2)
})

test_that("a summary is known without any peer", {
  # nlme::lme(score ~ Machine, random = ~1 | Worker, Machines): Pinheiro and Bates (2000), page 21f.
  fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
  expect_equal(unname(attr(VarCorr(fit)$Worker, "stddev")), 5.146552, tolerance = 1e-5)
  expect_equal(sigma(fit), 3.161647, tolerance = 1e-5)
  expect_equal(unname(fixef(fit)), c(52.35556, 7.96667, 13.91667), tolerance = 1e-6)
  table <- coef(summary(fit))
  expect_equal(unname(table[, "Std. Error"]), c(2.229312, 1.053883, 1.053883), tolerance = 1e-5)
  expect_equal(unname(table[2:3, "df"]), c(46, 46), tolerance = 1e-5)
  larger <- lmm(score ~ Machine + (1 | Worker / Machine), data = nlme::Machines)
  expect_equal(as.numeric(logLik(larger)), -107.8438, tolerance = 1e-6)
  ratio <- anova(fit, larger, refit = FALSE)
  expect_equal(ratio$Chisq[[2L]], 71.19063, tolerance = 1e-5)
})
