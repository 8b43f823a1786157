# What must not matter: where zero is, units, order, and how the work is shared out.

start <- as.integer(iris$Species)
# Multiples of 1/64, so that adding 1e7 is exact.
x <- round(as.matrix(iris[, 1:4]) * 64) / 64
fit_iris <- function(x, model, labels = start, ...) {
  gaussian_mixture(
    x, model = model, start = labels, control = em_control(tol = 1e-10, max_iter = 5000), ...
  )
}
base <- lapply(stats::setNames(nm = mclust_models), function(model) fit_iris(x, model))

test_that("adding 1e7 moves the means and nothing else", {
  for (model in mclust_models) {
    shifted <- fit_iris(x + 1e7, model)
    expect_equal(shifted$loglik, base[[model]]$loglik, tolerance = 1e-9, label = model)
    expect_lt(max(abs(shifted$means - 1e7 - base[[model]]$means)), 1e-5, label = model)
    expect_equal(shifted$covariances, base[[model]]$covariances, tolerance = 1e-5, label = model)
  }
})

test_that("units of columns change the log-likelihood by their Jacobian where the model allows", {
  scales <- c(1e-6, 1e6, 1, 1e3)
  scaled_x <- sweep(x, 2, scales, "*")
  for (model in c("EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVV", "VVV")) {
    scaled <- fit_iris(scaled_x, model)
    expect_equal(
      scaled$loglik + nrow(x) * sum(log(scales)), base[[model]]$loglik, tolerance = 1e-9,
      label = model
    )
    expect_equal(
      sweep(scaled$means, 2, scales, "/"), base[[model]]$means, tolerance = 1e-5, label = model
    )
  }
})

test_that("one unit for all columns is free in every model", {
  for (scale in c(1e-6, 1e6)) {
    for (model in mclust_models) {
      scaled <- fit_iris(x * scale, model)
      jacobian <- length(x) * log(scale)
      expect_equal(
        scaled$loglik + jacobian, base[[model]]$loglik, tolerance = 1e-9,
        label = paste(model, scale)
      )
    }
    waiting <- faithful$waiting
    labels <- 1L + (waiting > 66)
    for (model in c("E", "V")) {
      one <- gaussian_mixture(waiting, model = model, start = labels)
      scaled <- gaussian_mixture(waiting * scale, model = model, start = labels)
      expect_equal(
        scaled$loglik + length(waiting) * log(scale), one$loglik, tolerance = 1e-9, label = model
      )
    }
  }
})

test_that("the order of rows, columns and components does not matter", {
  set.seed(1)
  rows <- sample(nrow(x))
  columns <- c(3, 1, 4, 2)
  components <- c(2, 3, 1)
  for (model in mclust_models) {
    expect_equal(
      fit_iris(x[rows, ], model, start[rows])$means, base[[model]]$means, tolerance = 1e-5,
      label = model
    )
    turned <- fit_iris(x[, columns], model)
    expect_equal(turned$loglik, base[[model]]$loglik, tolerance = 1e-9, label = model)
    expect_equal(turned$means, base[[model]]$means[, columns], tolerance = 1e-5, label = model)
    renamed <- fit_iris(x, model, components[start])
    expect_equal(renamed$loglik, base[[model]]$loglik, tolerance = 1e-9, label = model)
    expect_equal(
      unname(renamed$means[components, ]), unname(base[[model]]$means), tolerance = 1e-5,
      label = model
    )
  }
})

test_that("whole weights are repeated rows, and weight 0 is a row left out", {
  weights <- rep(c(0, 1, 2, 3), length.out = nrow(x))
  rows <- rep(seq_len(nrow(x)), weights)
  for (model in mclust_models) {
    weighted <- fit_iris(x, model, weights = weights)
    repeated <- fit_iris(x[rows, ], model, start[rows])
    expect_equal(weighted$loglik, repeated$loglik, tolerance = 1e-9, label = model)
    expect_equal(weighted$means, repeated$means, tolerance = 1e-5, label = model)
    expect_equal(BIC(weighted), BIC(repeated), tolerance = 1e-9, label = model)
  }
})

test_that("threads change no bit of a search, of predictions or of the bootstrap", {
  set.seed(2)
  many <- matrix(stats::rnorm(12000), ncol = 3) + rep(c(0, 3), 2000)
  holes <- replace(many, sample(length(many), 500), NA)
  weights <- stats::runif(nrow(many))
  results <- function(threads) {
    set.seed(3)
    control <- em_control(threads = threads)
    fits <- list(
      gaussian_mixture(
        many, k = 1:3, model = c("VVV", "EEE", "VEI"), n_starts = 3, control = control
      ),
      gaussian_mixture(
        many, k = 2, n_starts = 2, weights = weights, noise = TRUE, model = "VVI", control = control
      ),
      gaussian_mixture(holes, k = 2, n_starts = 2, model = c("VVV", "EEI"), control = control),
      gaussian_mixture(
        many, k = 2, n_starts = 2, model = "VVV", prior = mixture_prior(), control = control
      )
    )
    list(
      parts = lapply(
        fits, `[`,
        c(
          "weights", "means", "covariances", "noise", "loglik", "trace", "table", "starts", "passes"
        )
      ),
      posterior = lapply(fits, stats::predict, type = "posterior"),
      covariance = stats::vcov(fits[[1L]]),
      bootstrap = attr(
        bootstrap_lrt(faithful$waiting, k = 1, replicates = 9, control = control), "samples"
      )
    )
  }
  one <- results(1)
  expect_identical(results(2), one)
  expect_identical(results(3), one)
  expect_identical(results(1), one)
})

test_that("set.seed() decides what is drawn", {
  fit <- gaussian_mixture(faithful, model = "VVV", start = 1L + (faithful$waiting > 66))
  drawn <- function(seed) {
    set.seed(seed)
    list(
      gaussian_mixture(iris[, 1:4], k = 5, model = "VVV", n_starts = 2)[c("means", "starts")],
      stats::simulate(fit, n = 5), stats::runif(1)
    )
  }
  expect_identical(drawn(4), drawn(4))
  expect_false(identical(drawn(4), drawn(5)))
  expect_identical(stats::simulate(fit, seed = 6), stats::simulate(fit, seed = 6))
})

test_that("a search is equivariant too: units and origin do not change what is found", {
  search <- function(x) {
    set.seed(7)
    gaussian_mixture(x, k = 1:4, model = c("VVV", "EEE", "VVI"), n_starts = 5)
  }
  plain <- search(faithful)
  scales <- c(2^20, 2^-20)
  moved <- search(sweep(as.matrix(faithful), 2, scales, "*"))
  expect_identical(c(moved$k, moved$model), c(plain$k, plain$model))
  expect_equal(moved$table$loglik + 272 * sum(log(scales)), plain$table$loglik, tolerance = 1e-8)
  shifted <- search(round(as.matrix(faithful) * 64) / 64 + 1e7)
  expect_equal(
    shifted$table$loglik, search(round(as.matrix(faithful) * 64) / 64)$table$loglik,
    tolerance = 1e-8
  )
})
