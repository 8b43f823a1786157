# The verdict on draws whose variances fall, or do not.

# A fit whose draws are normal with this covariance matrix at every number of clones.
fit_with <- function(covariance_at, clones = c(1, 10, 25), ...) {
  run <- function(...) {
    k <- list(...)[[6]]
    # Far from zero, so that derived logs exist and no variance is at the boundary.
    normal_run(c(2.5, 4, 4), covariance_at(k) * k)(...)
  }
  local_core(run)
  note_fit(clones = clones, n_iter = 500, ...)
}

regular <- diag(c(2.5e-3, 3e-5, 1.4e-3))

test_that("what falls like 1/K is estimable", {
  verdict <- estimability(fit_with(function(k) regular / k))
  expect_true(verdict$estimable)
  expect_identical(ncol(verdict$directions), 0L)
  expect_lt(max(abs(verdict$parameters$slope + 1) / verdict$parameters$std.error), 4)
  off <- abs(verdict$lambda$ratio - c(1, 0.1, 0.04))
  expect_lt(max(off[-1] / verdict$lambda$mc.error[-1]), 4)
  expect_match(verdict$words, "All parameters are estimable")
  expect_output(print(verdict), "lambda.max by number of clones")
})

test_that("a direction that does not shrink is named, and what is constant along it", {
  ridge <- function(k) regular / k + 4e-5 * tcrossprod(c(0, 1, -1))
  fit <- fit_with(ridge, derived = list(sum = ~ sigma_sq + tau_sq), clones = c(1, 20, 400))
  verdict <- estimability(fit)
  expect_false(verdict$estimable)
  expect_identical(unname(verdict$directions[, 1]), c(0, 1, -1))
  expect_identical(verdict$functions$parameter, "sigma_sq + tau_sq")
  table <- verdict$parameters
  expect_identical(table$estimable[table$parameter %in% c("(Intercept)", "sum")], c(TRUE, TRUE))
  expect_match(
    verdict$words, "sigma_sq and tau_sq cannot be told apart.*sigma_sq - tau_sq.*Estimable"
  )
})

test_that("a single parameter that does not shrink is named", {
  stuck <- function(k) diag(c(2.5e-3 / k, 3e-5 / k, 1.4e-3))
  verdict <- estimability(fit_with(stuck))
  expect_false(verdict$estimable)
  expect_match(verdict$words, "tau_sq cannot be estimated")
})

test_that("the verdict does not depend on units", {
  ridge <- function(k) {
    unit <- diag(c(1, 100, 1))
    unit %*% (regular / k + 4e-5 * tcrossprod(c(0, 1, -1))) %*% unit
  }
  verdict <- estimability(fit_with(ridge, clones = c(1, 20, 400)))
  expect_false(verdict$estimable)
  expect_equal(unname(verdict$directions[, 1]), c(0, 1, -0.01), tolerance = 0.2)
  expect_match(verdict$words, "sigma_sq and tau_sq cannot be told apart")
})

test_that("one number of clones has no verdict", {
  verdict <- estimability(fit_with(function(k) regular / k, clones = 5))
  expect_identical(verdict$estimable, NA)
  expect_match(verdict$words, "at least two numbers")
})

test_that("variances at the boundary are named", {
  set.seed(3)
  flat <- data.frame(y = stats::rnorm(60), g = gl(12, 5))
  fit <- data_clone(y ~ 1 + (1 | g), flat, clones = c(1, 10, 50), seed = 1)
  verdict <- estimability(fit)
  expect_identical(verdict$boundary, "tau_sq")
  expect_match(paste(verdict$words, collapse = " "), "tau_sq is at the boundary")
  expect_false(isFALSE(verdict$estimable))
  expect_error(estimability(1), class = "ember_error_argument")
})
