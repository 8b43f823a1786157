fit_faithful <- function(...) gaussian_mixture(faithful, ...)

test_that("every argument that cannot be used has an error that names it", {
  x <- faithful$waiting
  expect_snapshot(error = TRUE, gaussian_mixture())
  for (bad in list(0, -1, 1.5, NA, "two", integer(), Inf)) {
    expect_error(fit_faithful(k = bad), class = "ember_error_argument")
  }
  expect_snapshot(error = TRUE, fit_faithful(k = 1.5))
  expect_snapshot(error = TRUE, fit_faithful(k = 2, model = "VVX"))
  expect_snapshot(error = TRUE, fit_faithful(k = 2, model = "E"))
  expect_snapshot(error = TRUE, gaussian_mixture(x, k = 2, model = "VVV"))
  expect_snapshot(error = TRUE, fit_faithful(k = 2, model = 3))
  expect_snapshot(error = TRUE, fit_faithful(k = 2, noise = "some"))
  expect_snapshot(error = TRUE, gaussian_mixture(cbind(a = x, b = 1), k = 2, noise = TRUE))
  expect_snapshot(
    error = TRUE, gaussian_mixture(cbind(a = x, b = c(NA, x[-1])), k = 2, noise = TRUE)
  )
  expect_snapshot(error = TRUE, fit_faithful(k = 2, n_starts = 0))
  expect_snapshot(error = TRUE, fit_faithful(k = 2, select = "CAIC"))
  expect_snapshot(error = TRUE, fit_faithful(k = 2, control = list()))
  expect_snapshot(error = TRUE, fit_faithful(k = 2, prior = 1))
  expect_snapshot(error = TRUE, fit_faithful(k = 2, G = 3))
})

test_that("known parameters are checked", {
  x <- faithful$waiting
  expect_snapshot(error = TRUE, gaussian_mixture(x, known = 1))
  expect_snapshot(error = TRUE, gaussian_mixture(x, known = list(1)))
  expect_snapshot(error = TRUE, gaussian_mixture(x, known = list(mu = 1)))
  expect_snapshot(error = TRUE, gaussian_mixture(x, known = list(weights = c(0.5, 0.6))))
  expect_snapshot(error = TRUE, gaussian_mixture(x, known = list(weights = c(0.5, 0.4))))
  expect_snapshot(error = TRUE, gaussian_mixture(x, known = list(weights = c(1, 0))))
  expect_snapshot(error = TRUE, gaussian_mixture(x, known = list(means = c(1, NA))))
  expect_snapshot(error = TRUE, fit_faithful(known = list(means = matrix(0, 2, 3))))
  expect_snapshot(error = TRUE, gaussian_mixture(x, k = 2, known = list(covariances = -1)))
  expect_snapshot(error = TRUE, gaussian_mixture(x, known = list(covariances = 1)))
  expect_snapshot(error = TRUE, fit_faithful(k = 2, known = list(covariances = 1)))
  expect_snapshot(error = TRUE, fit_faithful(k = 2, known = list(covariances = matrix(1:4, 2))))
  expect_snapshot(error = TRUE, gaussian_mixture(x, k = 3, known = list(weights = c(0.5, 0.5))))
  expect_snapshot(
    error = TRUE, gaussian_mixture(x, known = list(weights = c(0.5, 0.5), means = c(1, 2, 3)))
  )
  expect_snapshot(
    error = TRUE, gaussian_mixture(x, model = "E", known = list(covariances = c(1, 2)))
  )
  expect_snapshot(
    error = TRUE, gaussian_mixture(x, model = c("E", "V"), known = list(covariances = c(1, 2)))
  )
})

test_that("known parameters imply the number of components and the model", {
  expect_equal(
    implied_components(check_known(list(weights = c(0.2, 0.8)), 1L, NULL)), list(weights = 2L)
  )
  expect_equal(
    implied_components(check_known(list(means = c(1, 2, 3)), 1L, NULL)), list(means = 3L)
  )
  expect_equal(
    implied_components(check_known(list(means = c(1, 2, 3)), 3L, NULL)), list(means = 1L)
  )
  expect_length(implied_components(check_known(list(covariances = 4), 1L, NULL)), 0L)
  expect_equal(
    implied_components(check_known(list(covariances = c(4, 2)), 1L, NULL)), list(covariances = 2L)
  )
  expect_equal(
    expand_covariances(check_known(list(covariances = diag(2)), 2L, NULL), 3L)$covariances, array(
      diag(2), c(2, 2, 3)
    )
  )
  common <- array(4, c(1, 1, 2))
  expect_equal(model_of_known(common, c("E", "V"), 1L, FALSE, NULL), "E")
  expect_equal(model_of_known(array(1:2, c(1, 1, 2)), c("E", "V"), 1L, FALSE, NULL), "V")
  expect_equal(
    model_of_known(array(diag(2), c(2, 2, 2)), multivariate_models, 2L, FALSE, NULL), "EEE"
  )
})

test_that("the volume of the noise is that of mclust", {
  skip_if_not_installed("mclust")
  for (case in mixture_cases()[c("faithful2", "iris", "precip")]) {
    expect_equal(log_volume(case$x), log(mclust::hypvol(case$x)), tolerance = 1e-10)
  }
})

test_that("the prior is checked", {
  expect_s3_class(mixture_prior(), "ember_mixture_prior")
  expect_snapshot(mixture_prior(dof = 4))
  expect_snapshot(error = TRUE, mixture_prior(shrinkage = -1))
  expect_snapshot(error = TRUE, mixture_prior(mean = NA))
  expect_snapshot(error = TRUE, mixture_prior(dof = 0))
  expect_snapshot(error = TRUE, mixture_prior(scale = "one"))
  expect_snapshot(error = TRUE, mixture_prior(scale = matrix(1:4, 2)))
  expect_snapshot(error = TRUE, gaussian_mixture(faithful, k = 2, prior = mixture_prior(mean = 1)))
  expect_snapshot(error = TRUE, gaussian_mixture(faithful, k = 2, prior = mixture_prior(dof = 0.5)))
})

test_that("keep_data is a flag", {
  for (bad in list(NULL, NA, "yes", c(TRUE, FALSE), 1)) {
    expect_error(
      gaussian_mixture(faithful, k = 1, keep_data = bad), "keep_data",
      class = "ember_error_argument"
    )
  }
})

test_that("a floor keeps variances up, in any units", {
  spread <- qnorm(ppoints(40))
  x <- cbind(c(rep(0, 6), spread), c(seq_len(6) / 1e4, spread[c(21:40, 1:20)]))
  floor <- 1e-3
  fit <- suppressWarnings(
    gaussian_mixture(x, k = 2, model = "VVV", start = rep(1:2, c(6, 40)), floor = floor)
  )
  total <- stats::cov(x) * (nrow(x) - 1) / nrow(x)
  shares <- apply(fit$covariances, 3L, function(sigma) min(eigen(solve(total, sigma))$values))
  expect_true(all(shares >= floor * (1 - 1e-8)))
  expect_equal(min(shares), floor, tolerance = 1e-6)
  units <- c(1e6, 1e-6)
  scaled <- suppressWarnings(gaussian_mixture(
    sweep(x, 2L, units, "*"), k = 2, model = "VVV", start = rep(1:2, c(6, 40)), floor = floor
  ))
  expect_equal(scaled$loglik, fit$loglik - nrow(x) * sum(log(units)), tolerance = 1e-8)
  error <- expect_error(
    gaussian_mixture(x, k = 2, model = "VVE", floor = floor), class = "ember_error_argument"
  )
  expect_match(conditionMessage(error), "VVE", fixed = TRUE)
  expect_error(gaussian_mixture(x, k = 2, floor = 2), class = "ember_error_argument")
})
