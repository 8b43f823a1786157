# Whole fits of glmm(): what the core says of the optimum it finds, beside the stored optima of
# test-glmm-oracles.R.

# Infections of cattle by herd and period: cbpp of lme4 (Lesnoff et al. 2004).
herds <- data.frame(
  herd = factor(rep(1:15, c(4, 3, 4, 4, 4, 4, 4, 1, 4, 4, 4, 4, 4, 4, 4))),
  period = factor(c(1:4, 1:3, rep(1:4, 5), 1, rep(1:4, 7))),
  ill = c(
    2, 3, 4, 0, 3, 1, 1, 8, 2, 0, 2, 2, 0, 2, 0, 5, 0, 0, 1, 3, 0, 0, 1, 8, 1, 3, 0, 12, 2, 0, 0, 0,
    1, 1, 0, 2, 0, 5, 3, 1, 2, 1, 0, 0, 1, 2, 0, 0, 11, 0, 0, 0, 1, 1, 1, 0
  ),
  size = c(
    14, 12, 9, 5, 22, 18, 21, 22, 16, 16, 20, 10, 10, 9, 6, 18, 25, 24, 4, 17, 17, 18, 20, 16, 10,
    9, 5, 34, 9, 6, 8, 6, 22, 22, 18, 22, 25, 27, 22, 22, 10, 8, 6, 5, 21, 24, 19, 23, 19, 2, 3, 2,
    19, 15, 15, 15
  )
)

counts <- function(seed = 11) {
  set.seed(seed)
  g <- factor(rep(1:30, each = 10))
  x <- stats::rnorm(300)
  b <- stats::rnorm(30)
  data.frame(
    g, x,
    flat = stats::rpois(300, exp(0.3 + 0.2 * x)),
    level = stats::rpois(300, exp(0.3 + 0.2 * x + b[g])),
    slope = stats::rpois(300, exp(0.3 + 0.8 * b[g] + (0.2 + 0.5 * stats::rnorm(30)[g]) * x)),
    over = stats::rnbinom(
      300, size = 2, mu = exp(0.5 + 0.8 * b[g] + (0.2 + 0.5 * stats::rnorm(30)[g]) * x)
    ),
    under = stats::rbinom(300, 10, stats::plogis(-1 + 0.2 * x + 0.5 * b[g]))
  )
}

test_that("the optimum is reached in a few steps, from anywhere", {
  fit <- glmm(level ~ x + (1 | g), counts(), family = poisson())
  expect_identical(fit$status, "converged")
  expect_lt(fit$iterations, 8L)
  facts <- convergence(fit)
  expect_lt(facts$distance, 1e-12)
  starts <- list(
    list(theta = 3), list(theta = 0.01), list(beta = c(3, -1)), list(theta = 0, beta = c(0, 0))
  )
  for (start in starts) {
    other <- glmm(level ~ x + (1 | g), counts(), family = poisson(), start = start)
    expect_identical(other$status, "converged")
    expect_lt(abs(other$criterion - fit$criterion), 1e-9)
    expect_equal(other$beta, fit$beta, tolerance = 1e-6)
  }
})

test_that("a variance of zero is exactly zero and said", {
  expect_message(
    fit <- glmm(flat ~ x + (1 | g), counts(), family = poisson()), "singular"
  )
  expect_identical(fit$theta, 0)
  plain <- stats::glm(flat ~ x, poisson(), counts())
  expect_equal(fit$beta, stats::coef(plain), tolerance = 1e-6)
  expect_equal(fit$vcov_beta, stats::vcov(plain), tolerance = 1e-5, ignore_attr = TRUE)
  expect_equal(fit$criterion, -2 * as.numeric(stats::logLik(plain)), tolerance = 1e-10)
  # A start on the other side of the saddle comes back to it.
  suppressMessages(
    other <- glmm(flat ~ x + (1 | g), counts(), family = poisson(), start = list(theta = 2))
  )
  expect_identical(other$theta, 0)
})

test_that("a start at zero is left where the variance is not zero", {
  fit <- glmm(level ~ x + (1 | g), counts(), family = poisson(), start = list(theta = 0))
  expect_gt(fit$theta, 0.5)
})

test_that("the covariance is twice the inverse of the criterion's own curvature", {
  fit <- glmm(slope ~ x + (1 + x | g), counts(), family = poisson())
  expect_identical(fit$status, "converged")
  rows <- mixed_rows(fit)
  at <- c(fit$theta, fit$beta)
  criterion <- function(point) {
    native_glmm_criterion(rows, fit$distribution, fit$structure, 1L, point, NULL)$criterion
  }
  k <- length(at)
  step <- 2e-3
  curvature <- matrix(0, k, k)
  for (i in seq_len(k)) {
    for (j in seq_len(k)) {
      e <- replace(numeric(k), i, step)
      f <- replace(numeric(k), j, step)
      curvature[i, j] <- (criterion(at + e + f) - criterion(at + e - f) - criterion(at - e + f) +
        criterion(at - e - f)) / (4 * step^2)
    }
  }
  expect_equal(unname(fit$vcov_parameters), 2 * solve(curvature), tolerance = 1e-4)
  expect_equal(
    native_glmm_criterion(rows, fit$distribution, fit$structure, 1L, at, NULL)$gradient[, 1],
    numeric(k), tolerance = 1e-5
  )
})

test_that("the gradient by theta, beta and shape is that of the criterion", {
  data <- counts()
  fit <- glmm(over ~ x + (1 + x | g), data, family = negative_binomial())
  rows <- mixed_rows(fit)
  at <- c(fit$theta, fit$beta, fit$shape) + c(0.1, -0.05, 0.2, 0.1, -0.1, 0.5)
  value <- function(point) {
    native_glmm_criterion(rows, fit$distribution, fit$structure, 1L, point, NULL)
  }
  differences <- vapply(seq_along(at), function(i) {
    h <- replace(numeric(length(at)), i, 1e-4)
    (value(at + h)$criterion - value(at - h)$criterion) / 2e-4
  }, 0)
  expect_equal(value(at)$gradient[, 1], differences, tolerance = 1e-6)
})

test_that("separated fixed effects are named, whatever the link", {
  herds$ill[herds$period == 4] <- 0
  for (link in c("logit", "probit", "cloglog")) {
    expect_warning(
      fit <- glmm(
        cbind(ill, size - ill) ~ period + (1 | herd), herds, family = stats::binomial(link)
      ),
      "period4", class = "ember_warning_separation"
    )
    expect_identical(fit$status, "degenerate")
    expect_identical(fit$separation$coefficients, 4L)
    # The others are as good as without these rows.
    others <- suppressMessages(glmm(
      cbind(ill, size - ill) ~ period + (1 | herd), droplevels(herds[herds$period != 4, ]),
      family = stats::binomial(link)
    ))
    expect_equal(fit$beta[1:3], others$beta, tolerance = 1e-3)
    errors <- sqrt(diag(fit$vcov_beta))
    expect_equal(errors[1:3], sqrt(diag(others$vcov_beta)), tolerance = 1e-3)
    expect_gt(errors[[4L]], 100)
  }
})

test_that("groups that are all alike have no finite variance", {
  data <- counts()
  data$alike <- as.numeric(as.integer(data$g) %% 2 == 0)
  expect_warning(
    fit <- glmm(alike ~ x + (1 | g), data, family = binomial()), "no finite estimate"
  )
  expect_identical(fit$status, "degenerate")
})

test_that("a negative binomial without overdispersion is a Poisson", {
  poisson <- glmm(under ~ x + (1 | g), counts(), family = stats::poisson())
  fit <- glmm(under ~ x + (1 | g), counts(), family = negative_binomial())
  expect_identical(fit$status, "converged")
  expect_gt(fit$shape, 1e3)
  expect_equal(fit$criterion, poisson$criterion, tolerance = 1e-6)
  expect_equal(fit$vcov_beta, poisson$vcov_beta, tolerance = 1e-3)
})

test_that("profiles of the same parameter by two roads agree", {
  data <- counts()
  data$one <- 1
  first <- glmm(over ~ x + (1 + x | g), data, family = negative_binomial())
  second <- glmm(over ~ x + (0 + x + one | g), data, family = negative_binomial())
  expect_equal(first$criterion, second$criterion, tolerance = 1e-9)
  ours <- confint(profile(first, which = "theta_"))
  theirs <- confint(profile(second, which = "theta_"))
  expect_equal(unname(ours[c(1, 2, 3, 4), ]), unname(theirs[c(3, 2, 1, 4), ]), tolerance = 1e-4)
})

test_that("a point of a profile is a constrained minimum", {
  fit <- glmm(cbind(ill, size - ill) ~ period + (1 | herd), herds, family = binomial())
  curves <- profile(fit, which = c(".sig01", "period2"))
  rows <- mixed_rows(fit)
  for (k in seq_len(nrow(curves))) {
    at <- unlist(curves[k, c(".sig01", names(fit$beta))])
    value <- native_glmm_criterion(rows, fit$distribution, fit$structure, 1L, at, NULL)
    expect_equal(value$criterion - fit$criterion, curves$.zeta[[k]]^2, tolerance = 1e-6)
    held <- if (curves$.par[[k]] == ".sig01") 1L else 3L
    expect_lt(max(abs(value$gradient[-held, 1])), 1e-4)
  }
  # glmer's intervals (lme4 1.1-31), to the accuracy of its optimizer.
  expect_equal(
    unname(confint(curves)), rbind(c(0.34607, 1.09997), c(-1.61678, -0.40776)), tolerance = 1e-4
  )
})

test_that("interrupts keep the last point", {
  control <- em_control()
  data <- counts()
  model <- glmm(level ~ x + (1 | g), data, family = poisson())
  fields <- unclass(control)
  fields$interrupted <- function() TRUE
  native <- glmm_fit(
    mixed_rows(model), model$distribution, model$structure, 1L, list(), fields
  )
  expect_true(native$status %in% c("interrupted", "converged")) # faster than a tenth of a second
  expect_true(is.finite(native$criterion))
})
