# Ctrl-C during a long computation ends it, and R goes on with the next line.

skip_on_os("windows")
skip_on_cran()

large <- c(
  "set.seed(1)",
  "x <- matrix(rnorm(4e5), ncol = 4)"
)

test_that("a search of mixtures can be interrupted", {
  lines <- lines_after_interrupt(c(
    large,
    "tell('started')",
    "begun <- proc.time()[[3]]",
    "ended <- tryCatch(",
    "  suppressWarnings(gaussian_mixture(",
    "    x, k = 8:9, control = em_control(tol = 0, max_iter = 1e6, threads = 2)",
    "  )),",
    "  interrupt = identity, error = identity",
    ")",
    "tell(if (inherits(ended, 'ember_mixture')) ended$status",
    "     else if (inherits(ended, 'interrupt')) 'interrupted'",
    "     else class(ended)[[1]])",
    "tell(proc.time()[[3]] - begun < 10)",
    "tell(gaussian_mixture(faithful, k = 1, model = 'VVV')$status)"
  ), 4L)
  expect_identical(lines, c("started", "interrupted", "TRUE", "converged"))
})

test_that("one long fit can be interrupted", {
  lines <- lines_after_interrupt(c(
    large,
    "start <- rep_len(1:6, nrow(x))",
    "tell('started')",
    "ended <- tryCatch(",
    "  suppressWarnings(gaussian_mixture(",
    "    x, model = 'VVV', start = start, control = em_control(tol = 0, max_iter = 1e6)",
    "  )),",
    "  interrupt = identity, error = identity",
    ")",
    "tell(if (inherits(ended, 'ember_mixture')) ended$status",
    "     else if (inherits(ended, 'interrupt')) 'interrupted'",
    "     else class(ended)[[1]])",
    "tell(gaussian_mixture(faithful, k = 1, model = 'VVV')$status)"
  ), 3L)
  expect_identical(lines, c("started", "interrupted", "converged"))
})

test_that("the bootstrap test can be interrupted", {
  lines <- lines_after_interrupt(c(
    "set.seed(1)",
    "x <- c(rnorm(2000), rnorm(2000, 4))",
    "tell('started')",
    "ended <- withCallingHandlers(",
    "  bootstrap_lrt(x, k = 2:3, level = 0.9, replicates = 1e5),",
    "  warning = function(w) {",
    "    tell(class(w)[[1]])",
    "    invokeRestart('muffleWarning')",
    "  }",
    ")",
    "samples <- attr(ended, 'samples')",
    "tell(nrow(ended) == 1 && ended$replicates > 0 &&",
    "     length(samples[[1]]) < 1e5 && !anyNA(samples[[1]]))",
    "tell(gaussian_mixture(faithful, k = 1, model = 'VVV')$status)"
  ), 4L)
  expect_identical(lines, c("started", "ember_warning_interrupted", "TRUE", "converged"))
})

test_that("before the first sample of the bootstrap test there is nothing to keep", {
  lines <- lines_after_interrupt(c(
    large,
    "tell('started')",
    "control <- em_control(tol = 0, max_iter = 1e6)",
    "ended <- tryCatch(",
    "  bootstrap_lrt(x, k = 5, control = control), interrupt = identity, error = identity",
    ")",
    "tell(class(ended)[[1]])",
    "tell(gaussian_mixture(faithful, k = 1, model = 'VVV')$status)"
  ), 3L)
  expect_identical(lines, c("started", "interrupt", "converged"))
})
