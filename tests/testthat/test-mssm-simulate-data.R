test_that("moments are those of the parameters", {
  rho <- diag(4)
  rho[lower.tri(rho)] <- c(0.3, -0.5, 0.1, 0.2, 0.6, -0.2)
  rho[upper.tri(rho)] <- t(rho)[upper.tri(rho)]
  data <- withr_seed(3, simulate_mssm(
    1e5, outcome = list(c("(Intercept)" = 2, a = -1), c(b = 3)),
    selection = list(c("(Intercept)" = 0.3, a = 1), c("(Intercept)" = -0.2, c = 0.5)),
    sigma = c(2, 0.5), rho = rho
  ))
  truth <- attr(data, "truth")
  expect_equal(unname(cov2cor(truth$omega)), rho)
  expect_equal(unname(diag(truth$omega)), c(4, 0.25, 1, 1))
  latent <- attr(data, "latent")
  errors <- latent - cbind(2 - data$a, 3 * data$b, 0.3 + data$a, -0.2 + 0.5 * data$c)
  # Four standard errors of a correlation, of a standard deviation.
  expect_lt(max(abs(cor(errors) - rho)), 4 / sqrt(1e5))
  expect_lt(max(abs(apply(errors, 2, sd) / c(2, 0.5, 1, 1) - 1)), 4 / sqrt(2e5))
  expect_lt(max(abs(colMeans(errors) / c(2, 0.5, 1, 1))), 4 / sqrt(1e5))
  expect_identical(data$s1, as.integer(latent[, "s1"] > 0))
  expect_identical(data$y2, ifelse(data$s2 == 1L, latent[, "y2"], NA))
  # P(s1) = Phi(0.3 / sqrt(2)).
  expect_lt(abs(mean(data$s1) - pnorm(0.3 / sqrt(2))), 4 * 0.5 / sqrt(1e5))
})

test_that("names, truth and formulas are those of a fit", {
  data <- withr_seed(4, simulate_mssm(20, equations = 2))
  expect_named(data, c("y1", "y2", "s1", "s2", "x1", "z1", "z2"))
  truth <- attr(data, "truth")$coefficients
  expect_identical(truth[["s2:z2"]], 1)
  expect_identical(truth[["rho(y1,s2)"]], 0.5)
  expect_length(truth, 18L)
  formulas <- attr(data, "formulas")
  expect_identical(deparse1(formulas$selection[[2]]), "s2 ~ x1 + z2")
})

test_that("set.seed() rules", {
  expect_identical(withr_seed(5, simulate_mssm(10)), withr_seed(5, simulate_mssm(10)))
})

test_that("regressors can be given", {
  data <- withr_seed(6, simulate_mssm(
    mtcars, outcome = c("(Intercept)" = 40, wt = -5), selection = c("(Intercept)" = -1, hp = 0.01)
  ))
  expect_identical(data$wt, mtcars$wt)
  expect_equal(
    attr(data, "latent")[, "y1"] - (40 - 5 * mtcars$wt),
    withr_seed(6, (matrix(rnorm(64), 32) %*% chol(matrix(c(1, 0.5, 0.5, 1), 2)))[, 1])
  )
})

test_that("parameters that cannot be are refused", {
  expect_error(simulate_mssm(0), "`n`", class = "ember_error_argument")
  expect_error(simulate_mssm(10, equations = 11), "1 to 10", class = "ember_error_argument")
  expect_error(simulate_mssm(10, rho = 1), "`rho`", class = "ember_error_argument")
  expect_error(simulate_mssm(10, 2, rho = -0.5), "`rho`", class = "ember_error_argument")
  expect_error(simulate_mssm(10, 2, rho = diag(3)), "4 by 4", class = "ember_error_argument")
  expect_error(simulate_mssm(10, sigma = 0), "`sigma`", class = "ember_error_argument")
  expect_error(simulate_mssm(10, outcome = c(1, 2)), "named", class = "ember_error_argument")
  expect_error(simulate_mssm(mtcars, outcome = c(no = 1)), "`no`", class = "ember_error_argument")
  expect_error(simulate_mssm(9, outcome = c(s1 = 1)), "`s1`", class = "ember_error_argument")
})
