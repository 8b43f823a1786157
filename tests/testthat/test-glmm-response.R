# The rows that glmm() makes of a response, without a fit.
response_rows <- function(y, family = "binomial", weights = NULL) {
  data <- list(y = y, g = rep_len(1:3, NROW(y)))
  data$w <- weights
  quoted <- list(weights = if (!is.null(weights)) quote(w), offset = NULL, subset = NULL)
  glmm_model(y ~ 1 + (1 | g), data, family, quoted, na.omit, NULL, globalenv(), environment())$rows
}

test_that("binomial responses of every form are the same proportions and trials", {
  y <- c(0, 1, 1, 0, 1, 0)
  for (form in list(y, as.integer(y), y == 1, factor(y), factor(c("no", "yes")[y + 1]))) {
    rows <- response_rows(form)
    expect_identical(rows$y, y)
    expect_null(rows$weights)
  }
  success <- c(0, 2, 5, 1, 3, 4)
  trials <- c(4, 2, 9, 1, 6, 8)
  counts <- response_rows(cbind(success, trials - success))
  expect_equal(counts$y, success / trials)
  expect_identical(counts$weights, trials)
  shares <- response_rows(success / trials, weights = trials)
  expect_equal(shares[c("y", "weights")], counts[c("y", "weights")])
  doubled <- response_rows(cbind(success, trials - success), weights = rep(2, 6))
  expect_identical(doubled$weights, 2 * trials)
  # Weights of single trials need not be whole.
  expect_identical(response_rows(y, weights = y + 0.5)$weights, y + 0.5)
})

test_that("binomial responses that cannot be are errors that name the rows", {
  bad <- function(y, words, ...) {
    expect_error(response_rows(y, ...), words, class = "ember_error_data")
  }
  bad(c(1, 2, 1, 2, 1, 2), "outside of 0 to 1")
  bad(c(0, 1, -1, 0, 1, 0), "Row 3")
  bad(c(0.2, 0.5, 0, 1, 0, 1), "no numbers of trials")
  bad(c(0.2, 0.5, 0, 1, 0, 1), "no whole number", weights = c(4, 4, 4, 4, 4, 4))
  bad(factor(c("a", "b", "c", "a", "b", "c")), "3 levels")
  bad(factor(rep("a", 6)), "1 level;")
  bad(c("no", "yes", "no", "no", "no", "yes"), "character vector")
  bad(cbind(1:6, -1), "Rows 1, 2, 3, 4, 5 and 1 more")
  bad(cbind(c(1.5, 1:5), 1), "Row 1")
  bad(cbind(c(0, 1:5), 0), "no trials")
  bad(cbind(1:6, 1, 2), "double matrix")
  bad(rep(0, 6), "a failure in every row")
  bad(rep(TRUE, 6), "a success in every row")
  bad(cbind(1:6, 0), "a success in every row")
  bad(c(0, 1, Inf, 0, 1, 0), "not finite")
})

test_that("counts are whole and not negative", {
  expect_identical(response_rows(c(0L, 3L, 1L, 9L), "poisson")$y, c(0, 3, 1, 9))
  for (family in list("poisson", negative_binomial())) {
    bad <- function(y, words) {
      expect_error(response_rows(y, family), words, class = "ember_error_data")
    }
    bad(c(0, 1, 2.5, 1), "Row 3")
    bad(c(0, -1, 2, 1), "negative values")
    bad(rep(0, 5), "is 0 in every row")
    bad(factor(c("a", "b", "a", "b")), "must be a numeric vector")
    bad(cbind(1:4, 1:4), "must be a numeric vector")
  }
  # Equal counts, not zero, have an estimate.
  expect_identical(response_rows(rep(3, 4), "poisson")$y, rep(3, 4))
})

test_that("Gamma responses are positive", {
  expect_identical(response_rows(c(0.1, 2, 3), "Gamma")$y, c(0.1, 2, 3))
  expect_error(response_rows(c(1, 0, 3), "Gamma"), "Row 2", class = "ember_error_data")
  expect_error(response_rows(c(1, -2, 3), "Gamma"), "not positive", class = "ember_error_data")
  expect_error(response_rows(rep(2, 4), "Gamma"), "2 in every row", class = "ember_error_data")
})

test_that("rows at fault are named as in the data", {
  data <- data.frame(y = c(NA, 1, 2, 0.5), g = c(1, 2, 1, 2), row.names = c("a", "b", "c", "d"))
  expect_error(glmm(y ~ (1 | g), data, poisson()), "Row d", class = "ember_error_data")
})
