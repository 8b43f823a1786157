# Intervals over simulated systems: they cover what they say, and no fit fails.

test_that("95% intervals of two equations cover the truth in about 95% of the samples", {
  skip_on_cran()
  correlations <- c(0.4, 0.5, 0.2, 0.1, -0.4, 0.3)
  truth <- c(1, 0.8, -0.5, -0.5, 0.4, 1, 0.3, 0.5, 1, -0.2, -0.4, 0.8, 1.5, 0.8, correlations)
  case <- mssm_cases()$two
  found <- lapply(1:100, function(number) {
    data <- withr_seed(number, selection_system(
      1000L,
      beta = list(truth[1:3], truth[4:6]), gamma = list(truth[7:9], truth[10:12]),
      omega = error_covariance(truth[13:14], correlations)
    ))
    fit <- mssm(case$outcome, case$selection, data = data)
    limits <- confint(fit)
    list(inside = limits[, 1L] < truth & truth < limits[, 2L], status = fit$status)
  })
  expect_true(all(vapply(found, `[[`, "", "status") == "converged"))
  covered <- rowMeans(vapply(found, `[[`, logical(length(truth)), "inside"))
  # Standard errors of these shares: 0.7% on average (parameters are correlated), 2.2% each.
  expect_gt(mean(covered), 0.93)
  expect_lt(mean(covered), 0.97)
  expect_gt(min(covered), 0.87)
})
