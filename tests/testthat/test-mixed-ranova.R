test_that("tests of the random effects are lmerTest's", {
  skip_if_not_installed("lmerTest")
  data <- study()
  formulas <- list(
    y ~ day + (day | person), y ~ day + (1 | person) + (1 | site), y ~ day + (1 | person),
    y ~ day + (day | person) + (1 | site), y ~ day + (1 | person) + (0 + day | person)
  )
  for (formula in formulas) {
    for (reml in c(TRUE, FALSE)) {
      fit <- eval(bquote(lmm(.(formula), data = data, REML = .(reml))))
      peer <- eval(bquote(lmerTest::lmer(.(formula), data = data, REML = .(reml))))
      mine <- suppressMessages(ranova(fit))
      theirs <- suppressMessages(lmerTest::ranova(peer))
      expect_equal(mine, theirs, tolerance = 1e-4, ignore_attr = TRUE, info = deparse1(formula))
      # lmerTest calls what is left of `0 + day` without day an intercept, and so do not we.
      expect_identical(rownames(mine), sub("day in (0", "(0", rownames(theirs), fixed = TRUE))
      expect_identical(attr(mine, "heading"), attr(theirs, "heading"))
      whole <- suppressMessages(ranova(fit, reduce.terms = FALSE))
      expect_equal(
        whole, suppressMessages(lmerTest::ranova(peer, reduce.terms = FALSE)), tolerance = 1e-4,
        ignore_attr = TRUE
      )
    }
  }
})

test_that("without random effects the likelihood is that of lm()", {
  data <- study()
  for (reml in c(TRUE, FALSE)) {
    plain <- stats::lm(y ~ day + kind, data = data, weights = weight)
    x <- stats::model.matrix(plain)
    mine <- linear_likelihood(x, data$y, data$weight, reml)
    expect_equal(as.numeric(mine), as.numeric(stats::logLik(plain, REML = reml)))
    expect_equal(attr(mine, "df"), 5)
  }
  expect_error(ranova(stats::lm(y ~ day, data = data)), class = "ember_error_argument")
})
