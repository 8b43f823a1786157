# Package marginaleffects need not be installed: these are the methods that it calls.

test_that("coefficients go out and come back", {
  fit <- households_fit()
  estimates <- get_coef.ember_mssm(fit)
  expect_identical(estimates, coef(fit))
  moved <- set_coef.ember_mssm(fit, estimates + 0.01)
  expect_equal(get_coef.ember_mssm(moved), estimates + 0.01, tolerance = 1e-12)
  one <- set_coef.ember_mssm(fit, c("y2:x1" = 5))
  expect_equal(one$coefficients$y2[["x1"]], 5)
  expect_equal(get_coef.ember_mssm(one)[-4L], estimates[-4L], tolerance = 1e-12)
  expect_identical(get_vcov.ember_mssm(fit), vcov(fit))
  expect_identical(get_vcov.ember_mssm(fit, "HC0"), vcov(fit, type = "HC0"))
  expect_true("ember_mssm" %in% getOption("marginaleffects_model_classes"))
})

test_that("predictions move with the coefficients", {
  fit <- households_fit()
  new <- fit$frame[1:5, ]
  both <- get_predict.ember_mssm(fit, new)
  expect_identical(both$group, rep(c("y1", "y2"), each = 5L))
  expect_equal(both$estimate[6:10], as.vector(cbind(1, new$x1) %*% fit$coefficients$y2))
  second <- get_predict.ember_mssm(fit, new, equation = 2)
  expect_equal(second$estimate, both$estimate[6:10])
  moved <- set_coef.ember_mssm(fit, c("y2:x1" = 5))
  difference <- get_predict.ember_mssm(moved, new, equation = 2)$estimate - second$estimate
  expect_equal(difference, (5 - fit$coefficients$y2[["x1"]]) * new$x1)
  probability <- get_predict.ember_mssm(fit, new, type = "probability", equation = "s1")
  index <- drop(model.matrix(~ x1 + z1, new) %*% fit$coefficients$s1)
  expect_equal(probability$estimate, unname(pnorm(index)), tolerance = 1e-10)
})
