test_that("residuals have the moments that the model says", {
  made <- truth_fit(2L, 20000L)
  fit <- made$fit
  expect_equal(fitted(fit), predict(fit, type = "selected"))
  response <- residuals(fit)
  expect_identical(unname(is.na(response)), unname(fit$rows$selected == 0L))
  pearson <- residuals(fit, "pearson")
  for (j in 1:2) {
    r <- response[, j][!is.na(response[, j])]
    expect_lt(abs(mean(r)), 4 * sd(r) / sqrt(length(r)))
    z <- pearson[, j][!is.na(pearson[, j])]
    expect_lt(abs(mean(z^2) - 1), 4 * sd(z^2) / sqrt(length(z)))
    g <- residuals(fit, "generalized")[, j]
    expect_lt(abs(mean(g * made$data$x1)), 4 * sd(g * made$data$x1) / sqrt(length(g)))
  }
  expect_equal(
    residuals(fit, "latent"), response + predict(fit, type = "selected") -
      predict(fit, type = "outcome")
  )
})

test_that("generalized residuals are E[v | s], also in the tails", {
  made <- truth_fit(1L, 30L)
  fit <- made$fit
  index <- predict(fit, type = "latent")
  s <- made$data$s1
  q <- 2 * s - 1
  expect_equal(
    residuals(fit, "generalized"), q * dnorm(index) / pnorm(q * index), tolerance = 1e-12
  )
})
