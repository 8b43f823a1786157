test_that("without the correction the penalty is the sum of the leverages", {
  fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
  plain <- conditional_aic(fit, corrected = FALSE)
  expect_equal(attr(plain, "df"), sum(hatvalues(fit)) + 1)
  loglik <- sum(stats::dnorm(nlme::Machines$score, fitted(fit), sigma(fit), log = TRUE))
  expect_equal(as.numeric(plain), 2 * (attr(plain, "df") - loglik))
})

test_that("with it, the penalty is the sum of the derivatives of the fitted values by refits", {
  data <- study()
  for (reml in c(TRUE, FALSE)) {
    fit <- lmm(y ~ day + (day | person), data = data, weights = weight, REML = reml)
    expect_false(isSingular(fit))
    corrected <- conditional_aic(fit)
    step <- 0.5
    derivatives <- vapply(seq_len(120), function(i) {
      moved <- vapply(c(step, -step), function(change) {
        y <- data$y
        y[[i]] <- y[[i]] + change
        fitted(refit(fit, y))[[i]]
      }, 0)
      (moved[[1L]] - moved[[2L]]) / (2 * step)
    }, 0)
    expect_equal(attr(corrected, "df") - 1, sum(derivatives), tolerance = 1e-4)
    expect_gt(attr(corrected, "df"), attr(conditional_aic(fit, corrected = FALSE), "df"))
  }
})

test_that("only fits of lmm() have one", {
  expect_error(conditional_aic(stats::lm(dist ~ speed, cars)), class = "ember_error_argument")
  fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
  expect_error(conditional_aic(fit, corrected = NA), class = "ember_error_argument")
})
