# Intervals: Wald intervals by hand, profile intervals by brute force.

test_that("Wald intervals stay in the range of their parameter", {
  fit <- one_equation()
  estimates <- coef(fit)
  errors <- sqrt(diag(vcov(fit)))
  z <- qnorm(0.975)
  limits <- confint(fit)
  expect_identical(dimnames(limits), list(names(estimates), c("2.5 %", "97.5 %")))
  slope <- grep("^y1:|^s1:", names(estimates))
  expect_equal(unname(limits[slope, 2L]), unname(estimates + z * errors)[slope])
  sigma <- estimates[["sigma(y1)"]]
  expect_equal(
    unname(limits["sigma(y1)", ]), sigma * exp(c(-z, z) * errors[["sigma(y1)"]] / sigma)
  )
  rho <- estimates[["rho(y1,s1)"]]
  expect_equal(
    unname(limits["rho(y1,s1)", ]),
    tanh(atanh(rho) + c(-z, z) * errors[["rho(y1,s1)"]] / (1 - rho^2))
  )
  robust <- sqrt(diag(vcov(fit, type = "HC0")))
  expect_equal(
    unname(confint(fit, "y1:x1", level = 0.9, type = "HC0")[1L, ]),
    estimates[["y1:x1"]] + qnorm(c(0.05, 0.95)) * robust[["y1:x1"]]
  )
  expect_identical(confint(fit, 2), limits[2L, , drop = FALSE])
})

test_that("profile intervals end where the held likelihood has fallen by the quantile", {
  fit <- one_equation()
  for (name in c("sigma(y1)", "rho(y1,s1)")) {
    limits <- confint(fit, name, method = "profile")
    place <- match(name, names(coef(fit)))
    expect_true(limits[[1L]] < coef(fit)[[name]] && limits[[2L]] > coef(fit)[[name]])
    for (end in limits) {
      drop <- 2 * (fit$loglik - held_maximum(fit, place, end))
      expect_equal(drop, qchisq(0.95, 1), tolerance = 1e-4)
    }
  }
  both <- confint(fit, method = "profile")
  expect_identical(rownames(both), c("sigma(y1)", "rho(y1,s1)"))
})

test_that("the profile of two equations has its own correlations", {
  fit <- households_fit()
  curve <- profile(fit, "rho(y1,s1)")
  expect_identical(levels(droplevels(curve$.par)), "rho(y1,s1)")
  # On the curve the log-likelihood is the one that zeta says.
  k <- nrow(curve)
  naturals <- unlist(curve[k, names(coef(fit))])
  rows <- native_mssm_log_likelihood(
    fit$rows, parameters_at(fit, naturals), fit_control(fit), NULL
  )
  expect_equal(2 * (fit$loglik - sum(rows)), curve$.zeta[[k]]^2, tolerance = 1e-5)
})

test_that("what cannot be asked for is an error", {
  fit <- one_equation()
  expect_error(confint(fit, "x"), "`parm` must be names", class = "ember_error_argument")
  expect_error(confint(fit, level = 2), class = "ember_error_argument")
  expect_error(confint(fit, "y1:x1", method = "profile"), class = "ember_error_argument")
  two_step <- update(fit, method = "two-step")
  expect_error(confint(two_step, method = "profile"), class = "ember_error_unsupported")
  expect_true(all(is.na(confint(two_step)["rho(y1,s1)", ])))
})
