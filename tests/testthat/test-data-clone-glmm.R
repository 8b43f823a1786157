# data_clone() with binomial, Poisson, negative binomial and Gamma responses.

test_that("a binomial model agrees with maximum likelihood by quadrature", {
  skip_if_not_installed("lme4")
  formula <- cbind(incidence, size - incidence) ~ period + (1 | herd)
  ml <- glmm(formula, lme4::cbpp, binomial(), n_agq = 25)
  fit <- data_clone(formula, lme4::cbpp, binomial(), clones = c(1, 10, 100), seed = 1)
  both <- compare_fits(ml, fit, effects = FALSE)$estimates
  wide <- split(both, both$fit)
  expect_identical(wide$ml$parameter, wide$fit$parameter)
  off <- abs(wide$fit$estimate - wide$ml$estimate)
  expect_lt(max(off - 4 * wide$fit$mc.error - 0.03 * wide$fit$std.error), 0)
  expect_lt(max(abs(log(wide$fit$std.error / wide$ml$std.error))), 0.15)
  expect_true(estimability(fit)$estimable)
  expect_output(print(fit), "binomial, logit")
  expect_identical(fit$sampler, "gibbs")
})

test_that("counts have a shape where they need one", {
  set.seed(2)
  counts <- data.frame(g = gl(40, 6), x = stats::rnorm(240))
  effects <- rep(stats::rnorm(40, 0, 0.5), each = 6)
  counts$y <- stats::rnbinom(240, size = 3, mu = exp(1 + 0.5 * counts$x + effects))
  ml <- glmm(y ~ x + (1 | g), counts, negative_binomial(), n_agq = 15)
  fit <- data_clone(y ~ x + (1 | g), counts, negative_binomial(), clones = c(5, 50), seed = 1)
  both <- compare_fits(ml, fit, effects = FALSE)$estimates
  wide <- split(both, both$fit)
  expect_identical(as.character(wide$fit$parameter), c("(Intercept)", "x", "tau_sq", "shape"))
  expect_identical(wide$ml$parameter, wide$fit$parameter)
  off <- abs(wide$fit$estimate - wide$ml$estimate)
  expect_lt(max(off - 4 * wide$fit$mc.error - 0.05 * wide$fit$std.error), 0)
  expect_lt(max(abs(log(wide$fit$std.error / wide$ml$std.error))), 0.2)
  poisson <- data_clone(y ~ x + (1 | g), counts, poisson(), clones = 10, n_iter = 200, seed = 1)
  expect_identical(names(coef(poisson)), c("(Intercept)", "x", "tau_sq"))
})

test_that("effects and predictions are on the scale of the link, or the response", {
  skip_if_not_installed("lme4")
  formula <- cbind(incidence, size - incidence) ~ period + (1 | herd)
  fit <- data_clone(formula, lme4::cbpp, binomial(), clones = c(1, 50), seed = 1)
  ml <- glmm(formula, lme4::cbpp, binomial())
  effects <- as.data.frame(ranef(fit, seed = 2))
  modes <- as.data.frame(ranef(ml))
  expect_lt(max(abs(effects$condval - modes$condval) / modes$condsd), 0.5)
  link <- predict(fit, interval = "confidence", seed = 3)
  response <- predict(fit, type = "response", interval = "confidence", seed = 3)
  expect_equal(response[, "lwr"], stats::plogis(link[, "lwr"]), tolerance = 0.02)
  expect_true(all(response > 0 & response < 1))
  expect_error(predict(fit, interval = "prediction"), class = "ember_error_argument")
})

test_that("responses that are no counts and separated data are said", {
  counts <- data.frame(y = c(1.5, 2, 3, 4, 5, 6), g = gl(3, 2))
  expect_error(
    data_clone(y ~ 1 + (1 | g), counts, poisson(), clones = 1), class = "ember_error_data"
  )
  set.seed(3)
  apart <- data.frame(x = rep(0:1, each = 30), g = gl(12, 5))
  apart$y <- c(stats::rbinom(30, 1, 0.5), rep(1, 30))
  conditions <- testthat::capture_warnings(
    data_clone(y ~ x + (1 | g), apart, binomial(), clones = c(1, 2), n_iter = 100, seed = 1)
  )
  expect_true(any(grepl("separated", conditions)))
})

test_that("the collapsed sampler agrees with real clones and says how well it integrates", {
  skip_if_not_installed("lme4")
  formula <- cbind(incidence, size - incidence) ~ period + (1 | herd)
  fits <- lapply(c("collapsed", "gibbs"), function(sampler) {
    data_clone(formula, lme4::cbpp, binomial(), clones = 25, sampler = sampler, seed = 1)
  })
  tables <- lapply(fits, function(fit) summary(fit)$coefficients)
  error <- sqrt(tables[[1]][, "MC error"]^2 + tables[[2]][, "MC error"]^2)
  expect_true(all(abs(tables[[1]][, "Mean"] - tables[[2]][, "Mean"]) < 4.5 * error))
  accuracy <- summary(fits[[1]])$accuracy
  expect_lt(25 * accuracy$error, 1e-3)
  expect_output(print(summary(fits[[1]])), "quadrature with [0-9]+ nodes; error about")
  expect_null(summary(fits[[2]])$accuracy)
})
