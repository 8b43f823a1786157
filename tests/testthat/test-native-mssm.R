# The sample-selection functions of the core, on Mroz's data (AER's PSID1976).

mroz_rows <- function(transform = identity, data = "PSID1976") {
  skip_if_not_installed("AER")
  space <- new.env()
  utils::data(list = data, package = "AER", envir = space)
  d <- space[[data]]
  works <- d$participation == "yes"
  d$kids <- as.numeric(d$youngkids + d$oldkids > 0)
  native_mssm_rows(
    list(stats::model.matrix(~ experience + I(experience^2) + education + city, d)),
    list(stats::model.matrix(~ age + I(age^2) + fincome + kids + education, d)),
    cbind(ifelse(works, transform(d$wage), NA)), cbind(works)
  )
}

native_test_control <- function(...) native_mssm_control(mssm_control(...), c(1, 1))

rho_of <- function(fit) stats::cov2cor(fit$omega)[[1L, 2L]]

native_mroz_fit <- function(rows, search = TRUE, start = NULL) {
  native_mssm_fit(rows, start, search, native_test_control(), rlang::current_env())
}

test_that("both modes of Mroz's wages are found, and the higher is the answer", {
  fit <- native_mroz_fit(mroz_rows())
  expect_identical(fit$status, "converged")
  expect_equal(fit$loglik, -1479.653923, tolerance = 1e-9)
  expect_equal(sqrt(fit$omega[[1L, 1L]]), 4.21329, tolerance = 1e-6)
  expect_equal(rho_of(fit), 0.99308, tolerance = 1e-5)
  expect_equal(sqrt(fit$vcov[13L, 13L]), 0.00316, tolerance = 1e-3)
  expect_lt(fit$decrement, 1e-6)
  kinds <- vapply(fit$modes, `[[`, "", "kind")
  heights <- vapply(fit$modes, `[[`, 0, "loglik")[kinds == "maximum"]
  expect_equal(heights, c(-1479.653923, -1581.25767552), tolerance = 1e-9)
  scan <- fit$scans[[1L]]
  expect_false(is.unsorted(scan$rho))
  expect_true(all(scan$loglik <= fit$loglik + 1e-8))
  expect_gt(max(scan$rho), 0.9998)
  expect_lt(min(scan$rho), -0.9998)
})

test_that("the textbook mode is reached from its neighbourhood, with its published estimates", {
  rows <- mroz_rows()
  modes <- native_mroz_fit(rows)$modes
  mode <- modes[[length(modes)]]
  start <- mode[c("coefficients", "omega")]
  start$omega[1L, 1L] <- 1.2 * start$omega[1L, 1L]
  fit <- native_mroz_fit(rows, search = FALSE, start = start)
  expect_equal(fit$loglik, -1581.25767552, tolerance = 1e-10)
  expect_equal(
    fit$coefficients[[1L]],
    c(-1.9630242, 0.0278683, -0.0001038605, 0.4570051, 0.4465290), tolerance = 1e-5
  )
  expect_equal(
    fit$coefficients[[2L]],
    c(-4.1196920, 0.1840154, -0.0024086973, 5.67969e-6, -0.4506149, 0.0952808), tolerance = 1e-5
  )
  expect_equal(sqrt(fit$omega[[1L, 1L]]), 3.1083762, tolerance = 1e-6)
  expect_equal(rho_of(fit), -0.1319586, tolerance = 1e-5)
  expect_length(fit$modes, 1L)
  expect_length(fit$scans, 0L)
})

test_that("log wages have one mode", {
  fit <- native_mroz_fit(mroz_rows(log))
  expect_equal(fit$loglik, -911.666867, tolerance = 1e-9)
  expect_equal(rho_of(fit), -0.823061, tolerance = 1e-6)
  expect_identical(vapply(fit$modes, `[[`, "", "kind"), "maximum")
})

test_that("scores, information and log-likelihoods of rows belong to the fit", {
  rows <- mroz_rows(log)
  fit <- native_mroz_fit(rows)
  at <- fit[c("coefficients", "omega")]
  control <- native_test_control()
  call <- rlang::current_env()
  scores <- native_mssm_scores(rows, at, control, call)
  errors <- sqrt(diag(fit$vcov))
  expect_lt(max(abs(colSums(scores) * errors)), 1e-4)
  expect_equal(native_mssm_information(rows, at, control, call), fit$information, tolerance = 1e-6)
  expect_equal(fit$vcov %*% fit$information, diag(13L), tolerance = 1e-6)
  rows_loglik <- native_mssm_log_likelihood(rows, at, control, call)
  expect_equal(sum(rows_loglik), fit$loglik, tolerance = 1e-12)
})

test_that("profiles touch the maximum, and without selection there are two regressions", {
  rows <- mroz_rows(log)
  fit <- native_mroz_fit(rows)
  at <- fit[c("coefficients", "omega")]
  control <- native_test_control()
  call <- rlang::current_env()
  rho <- rho_of(fit)
  profile <- native_mssm_profile(rows, at, 2L, c(0, rho, -0.95), control, call)
  expect_equal(profile$loglik[[2L]], fit$loglik, tolerance = 1e-10)
  expect_true(all(profile$loglik <= fit$loglik + 1e-8))
  expect_equal(profile$naturals[, 13L], c(0, rho, -0.95), tolerance = 1e-12)
  constrained <- native_mssm_constrained(rows, NULL, control, call)
  expect_equal(constrained$loglik, profile$loglik[[1L]], tolerance = 1e-9)
  expect_equal(rho_of(constrained), 0)
  seen <- rows$selected[, 1L] == 1L
  regression <- stats::lm.fit(rows$outcome[[1L]][seen, ], rows$y[seen, 1L])
  expect_equal(
    constrained$coefficients[[1L]], unname(regression$coefficients), tolerance = 1e-6
  )
  probit <- stats::glm.fit(
    rows$selection[[1L]], rows$selected[, 1L], family = stats::binomial("probit"),
    control = list(epsilon = 1e-12)
  )
  expect_equal(constrained$coefficients[[2L]], unname(probit$coefficients), tolerance = 1e-5)
})

test_that("a malformed start is an error that names it", {
  rows <- mroz_rows(log)
  start <- native_mroz_fit(rows)[c("coefficients", "omega")]
  start$omega[1L, 2L] <- 5
  expect_error(native_mroz_fit(rows, FALSE, start), class = "ember_error_argument")
  start$coefficients <- start$coefficients[1L]
  expect_error(native_mroz_fit(rows, FALSE, start), "start", class = "ember_error_argument")
})
