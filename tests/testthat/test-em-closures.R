callback_error <- function(code) expect_error(code, class = "ember_error_callback")

test_that("an error of a step comes back with its message, percent signs and all", {
  for (step in names(linkage)) {
    steps <- setNames(list(function(...) stop("50% no %s %n {x}")), step)
    error <- callback_error(do.call(fit_linkage, steps))
    expect_match(conditionMessage(error), "50% no %s %n {x}", fixed = TRUE)
    expect_match(conditionMessage(error), paste0("`", step, "()` failed"), fixed = TRUE)
    expect_s3_class(error$error, "simpleError")
  }
})

test_that("an error in a later iteration is the same", {
  calls <- 0
  e_step <- function(p) {
    calls <<- calls + 1
    if (calls == 5) stop("the fifth")
    linkage$e_step(p)
  }
  callback_error(fit_linkage(0.01, e_step = e_step, control = em_control(accelerate = "none")))
})

test_that("results that cannot be used are named", {
  start <- list(p = c(a = 1, b = 2), q = 3)
  with_step <- function(result) em(start, function(p) p, function(h) result)
  expect_snapshot(error = TRUE, {
    with_step(NULL)
    with_step("a")
    with_step(c(1, 2, 3))
    with_step(list(p = c(1, 2)))
    with_step(list(p = c(1, 2), r = 3))
    with_step(list(p = c(1, 2, 3), q = 3))
    with_step(list(p = c(1, NA), q = 3))
    with_step(list(p = c(1, Inf), q = 3))
    with_step(list(p = c("a", "b"), q = 3))
    with_step(sum)
    em(1, identity, identity, function(p) c(1, 2))
    em(1, identity, identity, function(p) "a")
    em(1, identity, identity, function(p) NULL)
    em(1, identity, identity, function(p) NA)
    em(1, identity, identity, function(p) -Inf)
    em(1, function() 1, identity)
  })
})

test_that("names may come in another order or not at all", {
  start <- list(p = 1, q = 2)
  shrink <- function(h) list(q = h$q / 2, p = h$p / 4)
  fit <- em(start, function(p) p, shrink, function(p) -sum(unlist(p)^2))
  expect_identical(names(fit$params), c("p", "q"))
  expect_lt(max(abs(coef(fit))), 1e-3)
})

test_that("a log-likelihood that stops being finite keeps the last parameters", {
  calls <- 0
  log_lik <- function(p) {
    calls <<- calls + 1
    if (calls > 3) NaN else linkage$log_lik(p)
  }
  warning <- expect_warning(
    fit <- fit_linkage(0.01, log_lik = log_lik),
    class = "ember_warning_degenerate"
  )
  expect_match(conditionMessage(warning), "the log-likelihood became NaN")
  expect_identical(fit$loglik, linkage$log_lik(coef(fit)[[1L]]))
})

test_that("warnings of the steps are shown once, after the run", {
  e_step <- function(p) {
    warning("careful, 5%")
    linkage$e_step(p)
  }
  caught <- list()
  withCallingHandlers(
    fit <- fit_linkage(e_step = e_step),
    warning = function(w) {
      caught[[length(caught) + 1L]] <<- conditionMessage(w)
      invokeRestart("muffleWarning")
    }
  )
  expect_identical(caught, list("careful, 5%"))
  expect_identical(fit$status, "converged")
})

test_that("hidden expectations may be any R object", {
  objects <- list(
    NULL, quote(a + b), y ~ x, new.env(), sum, as.name("unbound"), expression(stop())
  )
  for (hidden in objects) {
    received <- NULL
    fit <- em(8, function(p) list(hidden, p), function(h) {
      received <<- h[[1L]]
      h[[2L]] / 2
    }, function(p) -p^2)
    expect_identical(received, hidden)
    expect_identical(em(1, function(p) hidden, function(h) 1)$status, "converged")
  }
})

test_that("an interrupt inside a step keeps what was reached", {
  calls <- 0
  e_step <- function(p) {
    calls <<- calls + 1
    if (calls == 4) rlang::interrupt()
    linkage$e_step(p)
  }
  expect_warning(
    fit <- fit_linkage(0.01, e_step = e_step, control = em_control(accelerate = "none")),
    class = "ember_warning_interrupted"
  )
  expect_identical(fit$iterations, 2L)
  expect_identical(fit$loglik, linkage$log_lik(coef(fit)[[1L]]))
})

test_that("Ctrl-C during a long fit returns it, and R lives on", {
  skip_on_os("windows")
  skip_on_cran()
  out <- tempfile()
  script <- tempfile(fileext = ".R")
  writeLines(c(
    sprintf(".libPaths(%s)", paste(deparse(.libPaths()), collapse = "")),
    "library(ember)",
    "calls <- 0",
    "e_step <- function(p) {",
    "  calls <<- calls + 1",
    "  if (calls == 50) cat('started\\n', file = commandArgs(TRUE)[[1]])",
    "  p",
    "}",
    "fit <- withCallingHandlers(",
    "  em(1, e_step, function(h) h + 1e-3, function(p) log(p),",
    "     em_control(max_iter = 1e8, accelerate = 'none')),",
    "  warning = function(w) {",
    "    cat(class(w)[[1]], '\\n', file = commandArgs(TRUE)[[1]], append = TRUE)",
    "    invokeRestart('muffleWarning')",
    "  }",
    ")",
    "cat(fit$status, '\\n', file = commandArgs(TRUE)[[1]], append = TRUE)"
  ), script)
  rscript <- file.path(R.home("bin"), "Rscript")
  pid <- system2("sh", c("-c", shQuote(sprintf(
    "%s --vanilla %s %s > /dev/null 2>&1 & echo $!", shQuote(rscript), shQuote(script), shQuote(out)
  ))), stdout = TRUE)
  wait_for <- function(lines, seconds) {
    until <- Sys.time() + seconds
    written <- function() if (file.exists(out)) length(readLines(out)) else 0L
    while (Sys.time() < until && written() < lines) Sys.sleep(0.1)
  }
  on.exit(tools::pskill(as.integer(pid), tools::SIGKILL))
  wait_for(1L, 30)
  Sys.sleep(0.5)
  tools::pskill(as.integer(pid), tools::SIGINT)
  wait_for(3L, 10)
  expect_identical(trimws(readLines(out)), c("started", "ember_warning_interrupted", "interrupted"))
})
