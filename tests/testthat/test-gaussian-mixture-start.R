x <- c(1, 2, 3, 11, 12, 13)
start_of <- function(start, noise = FALSE, dropped = NULL) {
  check_start(start, length(x), 1L, noise, dropped, NULL)
}

test_that("labels, responsibilities and parameters imply the number of components", {
  expect_equal(start_of(c(1, 1, 1, 2, 2, 2)), list(value = rep(1:2, each = 3L), k = 2L))
  expect_equal(start_of(factor(c("u", "u", "u", "v", "v", "v")))$k, 2L)
  expect_equal(start_of(c(0, 1, 1, 2, 2, 2), noise = TRUE)$value, c(0L, 1L, 1L, 2L, 2L, 2L))
  z <- cbind(c(1, 1, 1, 0, 0, 0), c(0, 0, 0, 1, 1, 1))
  expect_equal(start_of(z)$k, 2L)
  expect_equal(start_of(z, noise = TRUE)$k, 1L)
  expect_equal(start_of(list(means = c(2, 12)))$k, 2L)
  expect_equal(start_of("kmeans"), list(value = "kmeans", k = NULL))
  expect_equal(start_of(NULL), list(value = NULL, k = NULL))
})

test_that("rows that were left out lose their labels", {
  expect_equal(start_of(c(1, 1, 1, 2, 2, 2), dropped = c(1L, 6L))$value, c(1L, 1L, 2L, 2L))
})

test_that("a list of starting parameters is completed", {
  two <- start_of(list(means = c(2, 12)))$value
  design <- list(x = matrix(x))
  full <- complete_start(two, list(), 2L, design, FALSE)
  expect_equal(full$weights, c(0.5, 0.5))
  expect_equal(full$covariances, array(var(x), c(1, 1, 2)))
  known <- list(weights = c(0.3, 0.7), covariances = array(4, c(1, 1, 2)))
  full <- complete_start(two, known, 2L, design, FALSE)
  expect_equal(full$weights, known$weights)
  expect_equal(full$covariances, known$covariances)
})

test_that("starts that cannot be used say why", {
  expect_snapshot(error = TRUE, start_of("random"))
  expect_snapshot(error = TRUE, start_of(1:3))
  expect_snapshot(error = TRUE, start_of(c(1, 1, 1, 3, 3, 3)))
  expect_snapshot(error = TRUE, start_of(c(0, 1, 1, 2, 2, 2)))
  expect_snapshot(error = TRUE, start_of(c(NA, 1, 1, 2, 2, 2)))
  expect_snapshot(error = TRUE, start_of(rep(0, 6), noise = TRUE))
  expect_snapshot(error = TRUE, start_of(matrix(1, 6, 2)))
  expect_snapshot(error = TRUE, start_of(matrix(1, 3, 1)))
  expect_snapshot(error = TRUE, start_of(matrix(1, 6, 1), noise = TRUE))
  expect_snapshot(error = TRUE, start_of(matrix("a", 6, 1)))
  expect_snapshot(error = TRUE, start_of(list(weights = 1)))
  expect_snapshot(error = TRUE, start_of(list(means = 1:2, weights = 1)))
  expect_snapshot(error = TRUE, gaussian_mixture(x, k = 3, start = c(1, 1, 1, 2, 2, 2)))
})

test_that("known parameters stand, whatever the start says, so the first step cannot go down", {
  set.seed(1)
  y <- round(stats::rnorm(20), 1)
  fit <- gaussian_mixture(
    y, model = "V", start = list(means = 0.3), known = list(means = 1.3),
      control = em_control(accelerate = "none")
  )
  expect_gte(min(diff(fit$trace$loglik)), -1e-9)
  expect_equal(fit$trace$loglik[[1]], sum(stats::dnorm(y, 1.3, stats::sd(y), log = TRUE)))
})
