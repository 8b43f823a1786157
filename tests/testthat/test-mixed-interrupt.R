# Ctrl-C during a bootstrap keeps the replicates that are done, and R goes on with the next line.

skip_on_os("windows")
skip_on_cran()

interrupted_bootstrap <- function(arguments) {
  lines_after_interrupt(c(
    "data <- data.frame(y = c(outer(1:5, 1:20, '+')) + sin(1:100), g = gl(20, 5))",
    "fit <- lmm(y ~ 1 + (1 | g), data = data)",
    "set.seed(1)",
    "tell('started')",
    "begun <- proc.time()[[3]]",
    "draws <- withCallingHandlers(",
    paste0("  bootstrap(fit, ", arguments, "),"),
    "  warning = function(warning) {",
    "    tell(class(warning)[[1]])",
    "    invokeRestart('muffleWarning')",
    "  }",
    ")",
    "tell(draws$R > 0 && draws$R < 1e6 && nrow(draws$t) == draws$R)",
    "tell(proc.time()[[3]] - begun < 10)",
    "tell(fit$status)"
  ), 5L)
}

test_that("replicates that are done are kept", {
  wanted <- c("started", "ember_warning_interrupted", "TRUE", "TRUE", "converged")
  expect_identical(interrupted_bootstrap("1e6, threads = 2"), wanted)
  expect_identical(interrupted_bootstrap("1e6, statistic = sigma"), wanted)
})
