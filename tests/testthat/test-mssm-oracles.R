# mssm() against maxima found otherwise: published values, and those of oracles/mssm.R, whose
# log-likelihood is plain R with the normal probabilities of mvtnorm. Cases: helper-mssm-cases.R.

case_fit <- function(name, ...) {
  case <- mssm_cases()[[name]]
  if (!is.null(case$package)) skip_if_not_installed(case$package)
  mssm(case$outcome, case$selection, data = case$data(), ...)
}

stored_maximum <- function(name) {
  stored <- utils::read.csv(test_path("oracles", "mssm.csv"))
  stored <- stored[stored$case == name, ]
  list(
    loglik = stored$estimate[stored$position == 0L],
    estimate = stored$estimate[stored$position > 0L],
    std.error = stored$std.error[stored$position > 0L]
  )
}

# Estimates within `se` standard errors, standard errors within a part in 1e4, log-likelihood 1e-6.
expect_maximum <- function(fit, stored, se = 1e-4) {
  expect_equal(fit$loglik, stored$loglik, tolerance = 1e-6 / abs(stored$loglik))
  expect_lt(max(abs(coef(fit) - stored$estimate) / stored$std.error), se)
  expect_equal(
    unname(sqrt(diag(vcov(fit)))), stored$std.error,
    tolerance = 1e-4
  )
}

test_that("Mroz's wages have the maximum of the textbooks and a better one", {
  fit <- case_fit("wage")
  expect_identical(fit$status, "converged")
  expect_maximum(fit, stored_maximum("wage_high"))
  found <- modes(fit)
  expect_gte(nrow(found), 2L)
  expect_equal(fit$loglik, -1479.653923, tolerance = 1e-5 / 1479)
  expect_lt(abs(coef(fit)[["rho(wage,participation)"]] - 0.99308), 5e-6)
  expect_lt(abs(coef(fit)[["sigma(wage)"]] - 4.21329), 5e-6)
  textbook <- which(abs(found$loglik + 1581.25767552) < 1e-5)
  expect_length(textbook, 1L)
  expect_maximum(modes(fit, which = textbook), stored_maximum("wage"))
})

test_that("the textbook maximum of Mroz's wages has the published digits", {
  # sampleSelection 1.2-12, as in its vignette; the published standard errors are BHHH's.
  fit <- case_fit("wage")
  textbook <- modes(fit, which = which(abs(modes(fit)$loglik + 1581.25767552) < 1e-5))
  published <- c(
    -1.9630242, 0.0278683, -0.0001038605, 0.4570051, 0.4465290, -4.1196920, 0.1840154,
    -0.0024086973, 5.67969e-6, -0.4506149, 0.0952808, 3.1083762, -0.1319586
  )
  error <- c(
    1.1982209, 0.0615514, 0.00183878, 0.0732299, 0.3159209, 1.4005164, 0.0658673, 0.000772297,
    4.41593e-6, 0.1301854, 0.0231534, 0.1138328, 0.1651271
  )
  expect_lt(max(abs(coef(textbook) / published - 1)), 2e-6)
  expect_lt(max(abs(sqrt(diag(vcov(textbook))) / error - 1)), 0.01)
})

test_that("Mroz's log wages have one maximum", {
  fit <- case_fit("lwage")
  expect_maximum(fit, stored_maximum("lwage"))
  expect_equal(fit$loglik, -911.666867, tolerance = 1e-6 / 911)
  expect_lt(abs(coef(fit)[["rho(lwage,participation)"]] + 0.823061), 1e-6)
  expect_identical(nrow(modes(fit)), 1L)
})

expect_row_by_row <- function(name) {
  skip_if_not_installed("mvtnorm")
  fit <- case_fit(name)
  genz <- selection_log_likelihood(unname(coef(fit)), selection_design(mssm_cases()[[name]]))
  expect_lt(abs(fit$loglik - genz), 1e-7)
}

test_that("log-likelihoods of systems are those of row-by-row normal probabilities", {
  expect_row_by_row("two")
  expect_row_by_row("earnings")
  expect_row_by_row("three")
})

test_that("a simulated system of two equations has the stored maximum", {
  expect_maximum(case_fit("two"), stored_maximum("two"))
})

test_that("the likelihood in plain R has no slope at the fit of three equations", {
  skip_if_not_installed("mvtnorm")
  fit <- case_fit("three")
  design <- selection_design(mssm_cases()$three)
  error <- unname(sqrt(diag(vcov(fit))))
  at <- unname(coef(fit))
  # Per standard error, so that half its square is what is left to gain.
  slope <- vapply(seq_along(at), function(i) {
    step <- replace(numeric(length(at)), i, 0.01 * error[[i]])
    rise <- selection_log_likelihood(at + step, design) -
      selection_log_likelihood(at - step, design)
    rise / 0.02
  }, 0)
  expect_lt(max(abs(slope)), 1e-3)
})
