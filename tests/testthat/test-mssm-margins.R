test_that("one equation has Greene's effects", {
  made <- truth_fit(1L, 200L)
  fit <- made$fit
  wg <- predict(fit, type = "latent")
  ratio <- predict(fit, type = "mills")
  covariance <- fit$omega[1L, 2L]
  bend <- mean(ratio * (ratio + wg))
  effects <- marginal_effects(fit, newdata = made$data)
  expect_equal(effects$variable, c("x1", "z1"))
  expected <- c(1 - covariance * 0.5 * bend, -covariance * bend)
  expect_equal(effects$estimate, expected, tolerance = 1e-8)
  density <- mean(dnorm(wg))
  effects <- marginal_effects(fit, "probability", newdata = made$data)
  expect_equal(effects$estimate, c(0.5, 1) * density, tolerance = 1e-8)
})

# Means of predictions at shifted data, and their derivatives by the parameters, by other means.
by_hand <- function(fit, data, type, variable, pattern = NULL) {
  step <- 1e-4
  shifted <- function(by) {
    data[[variable]] <- data[[variable]] + by
    data
  }
  effect <- function(at) {
    mean_of <- function(by) {
      colMeans(as.matrix(predict(at, shifted(by), type = type, pattern = pattern)))
    }
    (mean_of(step) - mean_of(-step)) / (2 * step)
  }
  slopes <- numDeriv::jacobian(function(values) {
    effect(fit_with_naturals(fit, stats::setNames(values, natural_names(fit))))
  }, unname(naturals_of(fit)), method = "simple", method.args = list(eps = 1e-5))
  list(estimate = effect(fit), error = sqrt(rowSums((slopes %*% fit$vcov) * slopes)))
}

test_that("effects and errors are numerical derivatives of the mean prediction", {
  skip_if_not_installed("numDeriv")
  made <- truth_fit(2L, 30L)
  for (type in c("selected", "not_selected", "pattern", "probability", "joint", "mills")) {
    pattern <- if (type %in% c("pattern", "joint")) c(0, 1)
    found <- marginal_effects(
      made$fit, type, variables = "x1", pattern = pattern, newdata = made$data
    )
    expected <- by_hand(made$fit, made$data, type, "x1", pattern)
    expect_equal(found$estimate, unname(expected$estimate), tolerance = 1e-6, info = type)
    expect_equal(found$std.error, unname(expected$error), tolerance = 1e-4, info = type)
  }
})

test_that("powers, factors and logical variables count in all their terms", {
  data <- truth_fit(1L, 90L)$data
  data$g <- factor(rep(c("a", "b", "c"), 30L))
  data$t <- rep(c(TRUE, FALSE), 45L)
  model <- model_of(y1 ~ x1 + I(x1^2) + g, s1 ~ z1 + t, data)
  fit <- fit_at(
    model, list(c(1, 0.5, -0.3, 2, 1), c(0.2, 1, 0.7)), matrix(c(1, .5, .5, 1), 2)
  )
  outcome <- marginal_effects(fit, "outcome", newdata = data)
  expect_identical(outcome$variable, c("x1", "g", "g", "z1", "t"))
  expect_identical(outcome$contrast, c("dy/dx", "b - a", "c - a", "dy/dx", "TRUE - FALSE"))
  expect_equal(outcome$estimate, c(0.5 - 0.6 * mean(data$x1), 2, 1, 0, 0), tolerance = 1e-8)
  expect_equal(outcome$std.error[2:3], unname(sqrt(diag(fit$vcov)[4:5])), tolerance = 1e-8)
  index <- 0.2 + data$z1
  chance <- marginal_effects(fit, "probability", variables = "t", newdata = data)
  expect_equal(chance$estimate, mean(pnorm(index + 0.7) - pnorm(index)), tolerance = 1e-10)
})

test_that("the table prints, and is a data frame", {
  made <- truth_fit(2L, 40L)
  effects <- marginal_effects(made$fit, newdata = made$data)
  # z2 has no part in the first outcome and its selection.
  apart <- effects[effects$equation == "y1" & effects$variable == "z2", ]
  expect_identical(c(apart$estimate, apart$std.error, apart$p.value), c(0, 0, NA))
  expect_output(print(effects), "Average marginal effects, type \"selected\"")
  expect_output(print(effects), "y2:")
  expect_equal(sqrt(diag(attr(effects, "vcov"))), effects$std.error, ignore_attr = TRUE)
  plain <- as.data.frame(effects)
  expect_identical(class(plain), "data.frame")
  expect_identical(as.data.frame(tidy(effects)), plain)
  expect_equal(effects$conf.high - effects$estimate, qnorm(0.975) * effects$std.error)
})

test_that("the data of the fit are found, with its weights", {
  data <- truth_fit(1L, 60L)$data
  data$x1[3L] <- NA
  weights <- rep(1:3, 20L)
  model <- model_of(y1 ~ x1 + I(x1^2), s1 ~ x1 + z1, data, weights = weights)
  fit <- fit_at(model, list(c(1, 1, 0.5), c(0.25, 0.5, 1)), matrix(c(1, .5, .5, 1), 2))
  fit$call <- quote(mssm(data = data))
  environment(fit$formulas$outcome[[1L]]) <- environment()
  found <- marginal_effects(fit, "outcome", variables = "x1")
  expected <- 1 + stats::weighted.mean(data$x1[-3L], weights[-3L])
  expect_equal(found$estimate, expected, tolerance = 1e-8)
  fit$call <- quote(mssm(data = nowhere))
  expect_error(marginal_effects(fit), "newdata", class = "ember_error_argument")
})

test_that("arguments are checked", {
  made <- truth_fit(1L, 20L)
  fails <- function(...) {
    expect_error(marginal_effects(...), class = "ember_error_argument")
  }
  fails(lm(1:3 ~ 1))
  fails(made$fit, variables = "w", newdata = made$data)
  fails(made$fit, newdata = made$data["x1"])
  fails(made$fit, type = "missing", newdata = made$data)
  fails(made$fit, newdata = made$data[0L, ])
})
