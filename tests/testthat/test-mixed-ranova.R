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
  varied <- lmm(y ~ day + (1 | person), data = data, dispersion = ~kind)
  expect_error(ranova(varied), class = "ember_error_unsupported")
})

test_that("the heterogeneity of a meta-analysis can be tested", {
  set.seed(3)
  trials <- data.frame(variance = stats::runif(12, 0.01, 0.05), trial = factor(1:12))
  trials$effect <- stats::rnorm(12, 0.3, sqrt(trials$variance + 0.04))
  fit <- lmm(
    effect ~ 1 + (1 | trial), data = trials, weights = 1 / variance, known = list(sigma = 1),
    REML = FALSE
  )
  mean <- stats::weighted.mean(trials$effect, 1 / trials$variance)
  without <- sum(stats::dnorm(trials$effect, mean, sqrt(trials$variance), log = TRUE))
  table <- ranova(fit)
  expect_equal(table$logLik[[2L]], without, tolerance = 1e-10)
  expect_equal(table$Df[[2L]], 1)
  expect_gt(table$LRT[[2L]], 0)
})
