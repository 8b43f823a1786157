test_that("estimated marginal means are linear predictors on the grid", {
  skip_if_not_installed("emmeans")
  fit <- one_equation()
  means <- as.data.frame(emmeans::emmeans(fit, "group"))
  at <- cbind(1, mean(workers()$x1), c(0, 1, 0), c(0, 0, 1))
  expect_equal(means$emmean, drop(at %*% fit$coefficients$y1), tolerance = 1e-8)
  covariance <- vcov(fit, component = "outcome")
  expect_equal(means$SE, sqrt(diag(at %*% covariance %*% t(at))), tolerance = 1e-8)
  index <- as.data.frame(
    emmeans::emmeans(fit, "z1", component = "selection", at = list(z1 = c(0, 1)), type = "response")
  )
  grid <- cbind(1, mean(workers()$x1), c(0, 1))
  expect_equal(index$prob, pnorm(drop(grid %*% fit$coefficients$s1)), tolerance = 1e-8)
  robust <- as.data.frame(
    emmeans::emmeans(fit, "group", vcov. = \(x, ...) vcov(x, type = "HC0"))
  )
  sandwich <- vcov(fit, type = "HC0", component = "outcome")
  expect_equal(robust$SE, sqrt(diag(at %*% sandwich %*% t(at))), tolerance = 1e-8)
})

test_that("an equation can be chosen", {
  skip_if_not_installed("emmeans")
  fit <- households_fit()
  means <- as.data.frame(emmeans::emmeans(fit, "x1", equation = "y2", at = list(x1 = 2)))
  expect_equal(means$emmean, sum(fit$coefficients$y2 * c(1, 2)), tolerance = 1e-8)
  expect_error(recover_data.ember_mssm(fit, equation = 3), class = "ember_error_argument")
})
