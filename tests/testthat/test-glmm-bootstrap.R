test_that("the bootstrap is of all parameters, and set.seed() rules it", {
  fit <- fit_glmm_peer_case(glmm_peer_cases()$counts_of_two)
  set.seed(1)
  draws <- suppressWarnings(bootstrap(fit, 20))
  expect_identical(
    names(draws$t0),
    c("sd_(Intercept)|herd", "(Intercept)", "period2", "period3", "period4")
  )
  expect_equal(draws$t0[[1L]], sqrt(VarCorr(fit)$herd[[1L]]))
  set.seed(1)
  # A statistic that draws numbers changes no response.
  same <- suppressWarnings(bootstrap(fit, 20, function(fit) {
    rnorm(1)
    fixef(fit)
  }))
  # Refits in the core end without the last Newton step of a fit.
  expect_equal(same$t, draws$t[, -1L], ignore_attr = TRUE, tolerance = 1e-5)
  expect_gt(sd(draws$t[, 2L]), 0.1)
  limits <- confint(draws)
  expect_identical(rownames(limits), names(draws$t0))
  set.seed(1)
  expect_identical(
    rownames(suppressWarnings(confint(fit, method = "boot", nsim = 10))),
    c(".sig01", names(fixef(fit)))
  )
})

test_that("an estimated shape is among the parameters, a known one is not", {
  counts <- glmm_counts()[1:120, ]
  set.seed(2)
  free <- suppressWarnings(bootstrap(glmm(z ~ x + (1 | g), counts, negative_binomial()), 4))
  expect_true("shape" %in% names(free$t0))
  known <- suppressWarnings(bootstrap(glmm(z ~ x + (1 | g), counts, negative_binomial(1.5)), 4))
  expect_false("shape" %in% names(known$t0))
})

test_that("Wald intervals are of the fixed effects", {
  fit <- fit_glmm_peer_case(glmm_peer_cases()$counts_of_two)
  limits <- confint(fit, method = "Wald")
  error <- sqrt(diag(vcov(fit)))
  expect_equal(limits[-1L, 1L], fixef(fit) - qnorm(0.975) * error)
  expect_true(all(is.na(limits[".sig01", ])))
})
