# Heckman's two-step estimator: published values, plain probits, and the covariance by hand.

mroz_outcome <- wage ~ experience + I(experience^2) + education + city
mroz_selection <- participation ~ age + I(age^2) + fincome + kids + education

two_step <- function(x, w, y, s, weights = NULL) {
  if (!is.list(x)) {
    x <- list(x)
    w <- list(w)
  }
  rows <- native_mssm_rows(x, w, as.matrix(y), as.matrix(s), weights)
  native_mssm_two_step(rows, native_mssm_control(mssm_control(), c(1, 1)), NULL)
}

mroz_matrices <- function(data) {
  list(
    x = unname(model.matrix(mroz_outcome[-2L], data)),
    w = unname(model.matrix(mroz_selection[-2L], data)), y = data$wage,
    s = as.integer(data$participation == "yes")
  )
}

# One equation of three; z shifts only the selection.
simulated_rows <- function(n = 400) {
  set.seed(7)
  x <- rnorm(n)
  z <- rnorm(n)
  v <- rnorm(n)
  s <- as.integer(0.3 + 0.5 * x + z + v > 0)
  y <- ifelse(s == 1L, 1 + 2 * x + 0.8 * v + rnorm(n), NA)
  list(x = cbind(1, x), w = cbind(1, x, z), y = y, s = s)
}

test_that("Mroz's wages are those of the published two-step fit", {
  # Toomet and Henningsen (2008), Journal of Statistical Software 27(7), digits of version 1.2-12.
  data <- mroz_matrices(mroz())
  fit <- two_step(data$x, data$w, data$y, data$s)$equations[[1L]]
  expect_equal(
    fit$outcome, c(-0.9712003, 0.0210610, 0.0001370769, 0.4170174, 0.4438379), tolerance = 1e-6
  )
  expect_equal(
    sqrt(diag(fit$vcov_outcome)),
    c(2.0593505, 0.0624646, 0.001878187, 0.1002497, 0.3158984, 1.2659856), tolerance = 1e-6
  )
  expect_equal(fit$inverse_mills, -1.0976194, tolerance = 1e-7)
  expect_equal(c(fit$sigma, fit$rho), c(3.2000643, -0.3429992), tolerance = 1e-7)
})

test_that("the selection equation is the probit of glm()", {
  data <- mroz()
  peer <- glm(mroz_selection, binomial("probit"), data, control = list(epsilon = 1e-14))
  matrices <- mroz_matrices(data)
  fit <- two_step(matrices$x, matrices$w, matrices$y, matrices$s)$equations[[1L]]
  # Fisher scoring ends a little before the maximum; the score of a probit is zero there.
  expect_equal(fit$selection, unname(coef(peer)), tolerance = 1e-7)
  expect_equal(fit$probit_loglik, as.numeric(logLik(peer)), tolerance = 1e-12)
  w <- matrices$w
  q <- 2 * matrices$s - 1
  score <- crossprod(w, q * dnorm(w %*% fit$selection) / pnorm(q * (w %*% fit$selection)))
  expect_lt(sqrt(sum(score * (fit$vcov_selection %*% score))), 1e-10)
  loglik <- function(g) sum(pnorm((2 * matrices$s - 1) * (w %*% g), log.p = TRUE))
  scaled <- function(g) loglik(g / c(1, 10, 1000, 1e4, 1, 10))
  skip_if_not_installed("numDeriv")
  hessian <- numDeriv::hessian(scaled, fit$selection * c(1, 10, 1000, 1e4, 1, 10))
  scale <- c(1, 10, 1000, 1e4, 1, 10)
  expect_equal(
    fit$vcov_selection * outer(scale, scale), -solve(hessian), tolerance = 1e-4,
    ignore_attr = TRUE
  )
})

test_that("the corrected covariance is Greene's, computed by hand", {
  rows <- simulated_rows()
  fit <- two_step(rows$x, rows$w, rows$y, rows$s)$equations[[1L]]
  eta <- drop(rows$w %*% fit$selection)
  chosen <- rows$s == 1L
  ratio <- (dnorm(eta) / pnorm(eta))[chosen]
  delta <- ratio * (ratio + eta[chosen])
  x <- cbind(rows$x[chosen, ], ratio)
  ols <- lm.fit(x, rows$y[chosen])
  b <- ols$coefficients[[3L]]
  variance <- mean(ols$residuals^2) + b^2 * mean(delta)
  bread <- solve(crossprod(x))
  through <- crossprod(x, delta * rows$w[chosen, ])
  meat <- crossprod(x, (variance - b^2 * delta) * x) +
    b^2 * through %*% fit$vcov_selection %*% t(through)
  expect_equal(c(fit$outcome, fit$inverse_mills), unname(ols$coefficients), tolerance = 1e-10)
  expect_equal(fit$sigma, sqrt(variance), tolerance = 1e-10)
  expect_equal(fit$rho, b / sqrt(variance), tolerance = 1e-10)
  expect_equal(fit$vcov_outcome, bread %*% meat %*% bread, tolerance = 1e-9, ignore_attr = TRUE)
  expect_equal(
    fit$collinearity, summary(lm(ratio ~ rows$x[chosen, -1L]))$r.squared, tolerance = 1e-10
  )
})

test_that("a weight is a number of rows", {
  rows <- simulated_rows(200)
  times <- rep_len(c(1, 2, 3), 200)
  weighted <- two_step(rows$x, rows$w, rows$y, rows$s, times)
  all <- rep(1:200, times)
  repeated <- two_step(rows$x[all, ], rows$w[all, ], rows$y[all], rows$s[all])
  expect_equal(weighted, repeated, tolerance = 1e-9)
})

test_that("columns that others determine are NA, and units do not matter", {
  rows <- simulated_rows()
  plain <- two_step(rows$x, rows$w, rows$y, rows$s)
  rows$x <- cbind(rows$x, rows$x[, 2L] * 3 - 1)
  rows$w[, 3L] <- rows$w[, 3L] * 1e6
  other <- two_step(rows$x, rows$w, rows$y * 1e-5, rows$s)
  expect_equal(other$aliased, list(c(FALSE, FALSE, TRUE), logical(3)))
  expect_true(is.na(other$coefficients[[1L]][[3L]]))
  expect_equal(other$equations[[1L]]$outcome[1:2], plain$equations[[1L]]$outcome * 1e-5)
  expect_equal(other$equations[[1L]]$rho, plain$equations[[1L]]$rho)
  expect_equal(other$equations[[1L]]$vcov_outcome, plain$equations[[1L]]$vcov_outcome * 1e-10)
})

test_that("a ratio that the regressors determine has no coefficient", {
  rows <- simulated_rows()
  dummy <- as.numeric(rows$x[, 2L] > 0)
  fit <- two_step(cbind(1, dummy), cbind(1, dummy), rows$y, rows$s)$equations[[1L]]
  expect_true(is.na(fit$inverse_mills) && is.na(fit$rho))
  chosen <- rows$s == 1L
  ols <- lm(rows$y[chosen] ~ dummy[chosen])
  expect_equal(fit$outcome, unname(coef(ols)))
  expect_equal(fit$sigma^2, mean(residuals(ols)^2))
  expect_equal(
    fit$vcov_outcome, vcov(ols) * (1 - 2 / sum(chosen)), ignore_attr = TRUE, tolerance = 1e-9
  )
})

test_that("separation is an error that names the equation", {
  rows <- simulated_rows()
  y <- cbind(rows$y, rows$y)
  s <- cbind(rows$s, rows$s)
  w <- cbind(1, 2 * rows$s - 1 + 0.1 * sin(seq_along(rows$s)))
  error <- expect_error(
    two_step(list(rows$x, rows$x), list(rows$w, w), y, s), class = "ember_error_degenerate"
  )
  expect_identical(as.integer(error$component), 4L)
  expect_match(conditionMessage(error), "all rows perfectly")
  data <- data.frame(y = rows$y, s = rows$s, x = rows$x[, 2L], index = w[, 2L])
  expect_error(
    mssm(y ~ x, s ~ index, data, method = "two-step"),
    "selection equation `s`.*all rows perfectly", class = "ember_error_degenerate"
  )
})

test_that("several equations are one by one, and their correlations are admissible", {
  skip_if_not_installed("mvtnorm")
  set.seed(3)
  n <- 4000
  correlations <- diag(4)
  correlations[lower.tri(correlations)] <- c(0.5, 0.6, 0.2, 0.3, -0.4, 0.35)
  correlations[upper.tri(correlations)] <- t(correlations)[upper.tri(correlations)]
  errors <- mvtnorm::rmvnorm(n, sigma = correlations)
  x <- cbind(1, rnorm(n))
  w <- cbind(1, rnorm(n))
  s <- matrix(as.integer(drop(w %*% c(0.2, 1)) + errors[, 3:4] > 0), n)
  y <- drop(x %*% c(1, 1)) + errors[, 1:2] * rep(c(2, 0.5), each = n)
  y[s == 0L] <- NA
  both <- two_step(list(x, x), list(w, w), y, s)
  for (j in 1:2) {
    alone <- two_step(x, w, y[, j], s[, j])
    expect_equal(both$equations[[j]], alone$equations[[1L]], tolerance = 1e-12)
  }
  estimated <- cov2cor(both$omega)
  expect_gt(min(eigen(estimated)$values), 0)
  # Score steps from independence are a start, no estimator: near, on the right side.
  expect_lt(max(abs(estimated - correlations)), 0.2)
  expect_equal(sign(estimated), sign(correlations))
  expect_equal(sqrt(diag(both$omega)), c(2, 0.5, 1, 1), tolerance = 0.05)
})

test_that("threads do not change bits", {
  rows <- simulated_rows(5000)
  one <- two_step(rows$x, rows$w, rows$y, rows$s)
  native <- native_mssm_rows(list(rows$x), list(rows$w), as.matrix(rows$y), as.matrix(rows$s))
  two <- native_mssm_two_step(
    native, native_mssm_control(mssm_control(threads = 2), c(1, 1)), NULL
  )
  expect_identical(one, two)
})

test_that("a fit without a coefficient of the ratio is shown", {
  rows <- simulated_rows()
  data <- data.frame(y = rows$y, s = rows$s, dummy = as.numeric(rows$x[, 2L] > 0))
  fit <- mssm(y ~ dummy, s ~ dummy, data, method = "two-step")
  expect_true(is.na(coef(fit)[["rho(y,s)"]]))
  expect_output(print(summary(fit)), "Inverse Mills ratios")
  expect_output(print(fit), "two-step")
  expect_identical(tidy(fit)$std.error[5:6], c(NA_real_, NA_real_))
})
