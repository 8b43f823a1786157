test_that("modes are listed, the highest first, with the fit's own marked", {
  fit <- mroz_fit()
  table <- modes(fit)
  expect_s3_class(table, "ember_modes")
  expect_gte(nrow(table), 2L)
  expect_false(is.unsorted(-table$loglik))
  expect_identical(table$difference[[1]], 0)
  expect_equal(table$loglik[[1]], fit$loglik)
  expect_equal(
    table[["rho(wage,participation)"]][[1]], coef(fit)[["rho(wage,participation)"]]
  )
  expect_output(print(table), "modes of the likelihood, the highest first")
  expect_output(print(table), "* this fit", fixed = TRUE)
})

test_that("a fit at a mode is there, and keeps the list", {
  fit <- mroz_fit()
  local <- modes(fit, 2)
  expect_equal(local$loglik, modes(fit)$loglik[[2]], tolerance = 1e-8)
  expect_identical(local$mode, 2L)
  expect_equal(modes(local)$loglik, modes(fit)$loglik)
  expect_identical(modes(fit, 1), fit)
  expect_equal(coef(modes(local, 1)), coef(fit), tolerance = 1e-4)
})

test_that("a mode that is not there is refused", {
  expect_error(modes(people_fit(), 99), "1 to", class = "ember_error_argument")
  expect_error(modes(lm(1 ~ 1)), "mssm", class = "ember_error_argument")
})
