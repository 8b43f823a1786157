test_that("imputations have the moments of the missing outcomes", {
  made <- truth_fit(2L, 40L)
  fit <- made$fit
  drawn <- impute(fit, m = 3000, proper = FALSE, seed = 2)
  moments <- native_mssm_missing_moments(
    fit$rows, fit$parameters, native_mssm_control(fit$control, fit$seed), NULL
  )
  expect_equal(unname(predict(fit, type = "missing")), moments$expectation)
  for (j in 1:2) {
    values <- vapply(drawn, function(data) data[[paste0("y", j)]], numeric(40L))
    seen <- fit$rows$selected[, j] == 1L
    expect_true(all(values[seen, ] == fit$rows$y[seen, j]))
    variance <- moments$covariance[, j, j]
    z <- (rowMeans(values) - moments$expectation[, j])[!seen] / sqrt(variance[!seen] / 3000)
    expect_lt(max(abs(z)), 4.5)
    expect_lt(max(abs(apply(values[!seen, ], 1L, var) / variance[!seen] - 1)), 0.15)
    expect_true(all(variance[seen] == 0))
  }
  both <- rowSums(fit$rows$selected) == 0L
  y1 <- vapply(drawn, function(data) data$y1, numeric(40L))[both, ]
  y2 <- vapply(drawn, function(data) data$y2, numeric(40L))[both, ]
  covariance <- vapply(seq_len(sum(both)), function(i) cov(y1[i, ], y2[i, ]), 0)
  scale <- sqrt(moments$covariance[both, 1L, 1L] * moments$covariance[both, 2L, 2L])
  expect_lt(max(abs(covariance - moments$covariance[both, 1L, 2L]) / scale), 0.1)
})

test_that("proper imputations also carry the error of the estimates", {
  fit <- truth_fit(1L, 400L)$fit
  total <- function(drawn) vapply(drawn, function(data) mean(data$y1), 0)
  improper <- var(total(impute(fit, m = 400, proper = FALSE, seed = 1)))
  covariance <- 16 * fit$vcov
  proper <- var(total(impute(fit, m = 400, seed = 1, vcov = covariance)))
  # To first order the mean of the missing outcomes varies with the parameters.
  skip_if_not_installed("numDeriv")
  slope <- numDeriv::grad(function(values) {
    at <- fit_with_naturals(fit, stats::setNames(values, natural_names(fit)))
    mean(predict(at, type = "missing"))
  }, unname(naturals_of(fit)))
  expected <- improper + drop(crossprod(slope, covariance %*% slope))
  expect_gt(expected, 1.3 * improper)
  expect_lt(abs(proper / expected - 1), 0.3)
})

test_that("drawn parameters have the mean and the covariance of the estimates", {
  fit <- truth_fit(2L, 20L)$fit
  draws <- withr_seed(4L, replicate(
    2000L, {
      point <- drawn_parameters(fit, fit$vcov / 25, NULL)
      c(unlist(point$coefficients), error_naturals(point$omega))
    }
  ))
  spread <- stats::cov(t(draws))
  scale <- sqrt(diag(fit$vcov / 25))
  expect_lt(max(abs(rowMeans(draws) - naturals_of(fit)) / scale), 0.12)
  expect_lt(max(abs(spread - fit$vcov / 25) / tcrossprod(scale)), 0.12)
})

test_that("completed frames, seeds and arguments", {
  data <- truth_fit(1L, 30L)$data
  model <- model_of(log(exp(y1)) ~ x1, s1 ~ x1 + z1, data)
  fit <- fit_at(model, list(c(1, 1), c(0.25, 0.5, 1)), matrix(c(1, .5, .5, 1), 2))
  drawn <- impute(fit, m = 2, seed = 9)
  expect_s3_class(drawn, "ember_imputations")
  expect_named(drawn, c("imputation_1", "imputation_2"))
  expect_false(anyNA(drawn[[1L]][["log(exp(y1))"]]))
  expect_identical(impute(fit, m = 2, seed = 9), drawn)
  expect_output(print(drawn), "2 imputations of 30 rows")
  expect_error(impute(fit, m = 0), class = "ember_error_argument")
  expect_error(impute(fit, proper = 2), class = "ember_error_argument")
  expect_error(
    impute(fit, vcov = matrix(0, 7L, 7L)), "positive definite", class = "ember_error_argument"
  )
})
