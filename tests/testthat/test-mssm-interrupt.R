# Ctrl-C during a fit keeps the parameters reached, and update() goes on from there.

skip_on_os("windows")
skip_on_cran()

test_that("a Monte Carlo fit is kept, and goes on", {
  lines <- lines_after_interrupt(c(
    "set.seed(1)",
    "data <- simulate_mssm(2e4, equations = 2)",
    "tell('started')",
    "fit <- withCallingHandlers(",
    "  mssm(list(y1 ~ x1, y2 ~ x1), list(s1 ~ x1 + z1, s2 ~ x1 + z2), data = data,",
    "    method = 'px-mcem', control = mssm_control(mc_tol = 0.001)),",
    "  warning = function(warning) {",
    "    tell(class(warning)[[1]])",
    "    invokeRestart('muffleWarning')",
    "  }",
    ")",
    "tell(fit$status)",
    "tell(all(is.finite(coef(fit))))",
    "tell(update(fit, control = mssm_control(mc_tol = 0.2))$status)"
  ), 5L)
  expect_identical(
    lines, c("started", "ember_warning_interrupted", "interrupted", "TRUE", "converged")
  )
})
