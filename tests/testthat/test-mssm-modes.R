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
  which <- which(modes(fit)$kind == "maximum")[[2]]
  local <- modes(fit, which)
  expect_equal(local$loglik, modes(fit)$loglik[[which]], tolerance = 1e-8)
  expect_identical(local$mode, which)
  expect_equal(modes(local)$loglik, modes(fit)$loglik)
  expect_identical(modes(fit, 1), fit)
  expect_equal(coef(modes(local, 1)), coef(fit), tolerance = 1e-4)
})

test_that("a supremum at the edge is listed as one, and the fit there is no maximum", {
  fit <- mroz_fit()
  edge <- which(modes(fit)$kind == "boundary")
  expect_length(edge, 1L)
  expect_warning(there <- modes(fit, edge), class = "ember_warning_degenerate")
  expect_gt(abs(coef(there)[["rho(wage,participation)"]]), 0.9999)
  expect_equal(modes(there)$loglik[[edge]], there$loglik)
  expect_match(there$message, "`wage` and `participation`")
})

test_that("a mode that is not there is refused", {
  expect_error(modes(people_fit(), 99), "1 to", class = "ember_error_argument")
  expect_error(modes(lm(1 ~ 1)), "mssm", class = "ember_error_argument")
})
