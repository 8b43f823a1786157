# Rounded, and iterations not counted: no snapshot should depend on the machine's arithmetic.
expect_summary <- function(fit) {
  testthat::expect_snapshot(
    print(summary(fit), digits = 3),
    transform = \(lines) sub("in [0-9]+ iterations", "in some iterations", lines)
  )
}

test_that("the summary of two, one and many dimensions", {
  labels <- 1L + (faithful$waiting > 66)
  expect_summary(gaussian_mixture(faithful, model = "VVV", start = labels))
  expect_summary(gaussian_mixture(~waiting, model = "E", data = faithful, start = labels))
  expect_summary(gaussian_mixture(iris[, 1:4], model = "VEI", start = as.integer(iris$Species)))
})

test_that("missing values, weights, known parameters and noise are told", {
  x <- faithful
  x$eruptions[c(1, 5)] <- NA
  x[7, ] <- NA
  fit <- suppressMessages(gaussian_mixture(
    x, weights = rep(2, 272), known = list(weights = c(0.4, 0.6)), model = "EEE", start = 1L + (
      faithful$waiting > 66
    )
  ))
  output <- capture.output(print(summary(fit)))
  expect_match(output, "Missing: 2 of 542 values, in 2 rows", all = FALSE)
  expect_match(output, "Left out: 1 rows", all = FALSE)
  expect_match(output, "Known: weights", all = FALSE)
  expect_match(output, "Number of observations: 542 \\(sum of weights of 271 rows\\)", all = FALSE)
})

test_that("standard errors are those of vcov", {
  fit <- gaussian_mixture(faithful, model = "VVV", start = 1L + (faithful$waiting > 66))
  table <- summary(fit, "sandwich")$coefficients
  expect_equal(table$std_error, unname(sqrt(diag(vcov(fit, "sandwich", scale = "sd")))))
  expect_equal(table$estimate, unname(coef(fit, scale = "sd")))
  expect_equal(summary(fit, "none")$type, "none")
  expect_snapshot(error = TRUE, summary(fit, "bootstrap"))
})
