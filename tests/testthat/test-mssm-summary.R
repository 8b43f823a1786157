test_that("tables have z tests of estimates and their standard errors", {
  fit <- people_fit()
  summary <- summary(fit)
  table <- summary$coefficients$s1
  expect_identical(rownames(table), c("(Intercept)", "x1", "z1"))
  errors <- sqrt(diag(vcov(fit)))
  expect_equal(table[, "Std. Error"], errors[3:5], ignore_attr = TRUE)
  expect_equal(table[, "z value"], coef(fit)[3:5] / errors[3:5], ignore_attr = TRUE)
  expect_equal(
    table[["x1", "Pr(>|z|)"]], 2 * pnorm(-abs(table[["x1", "z value"]])), ignore_attr = TRUE
  )
  expect_identical(rownames(summary$errors), c("sigma(y1)", "rho(y1,s1)"))
  expect_equal(summary$errors[, "Std. Error"], errors[6:7], ignore_attr = TRUE)
})

test_that("the kind of covariance matrix can be chosen", {
  fit <- people_fit()
  expect_equal(
    summary(fit, type = "HC0")$coefficients$y1[, "Std. Error"],
    sqrt(diag(vcov(fit, type = "HC0")))[1:2], ignore_attr = TRUE
  )
  expect_error(summary(fit, robust = TRUE), class = "ember_error_argument")
})
