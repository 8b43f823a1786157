test_that("likelihood methods agree with their definitions", {
  fit <- fit_linkage(nobs = 197)
  expect_equal(as.numeric(logLik(fit)), linkage$log_lik(0.6268214980), tolerance = 1e-10)
  expect_identical(attributes(logLik(fit))[c("df", "nobs")], list(df = 1L, nobs = 197))
  expect_identical(nobs(fit), 197)
  expect_equal(AIC(fit), -2 * fit$loglik + 2)
  expect_equal(BIC(fit), -2 * fit$loglik + log(197))
})

test_that("the trace is a table and only fits have one", {
  fit <- fit_linkage()
  trace <- em_trace(fit)
  expect_named(trace, c("iteration", "loglik", "bound", "step"))
  expect_identical(nrow(trace), fit$iterations + 1L)
  expect_identical(trace$step[[1L]], "start")
  expect_false(is.unsorted(trace$loglik))
  expect_error(em_trace(1), class = "ember_error_argument")
})

test_that("the trace plots", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  fit <- fit_linkage()
  expect_identical(plot(fit), fit)
})

test_that("every ending has its words, remedy and warning class", {
  fit <- list(iterations = 7L, message = "two rows left.", component = 2L)
  endings <- c("converged", "iteration_limit", "degenerate", "saddle", "interrupted")
  words <- vapply(endings, function(status) status_words(c(fit, status = status)), "")
  expect_snapshot(unname(words))
  for (status in endings[-1L]) {
    expect_warning(
      warn_status(c(fit, status = status), rlang::current_env()),
      class = paste0("ember_warning_", status)
    )
  }
  expect_silent(warn_status(c(fit, status = "converged"), rlang::current_env()))
})
