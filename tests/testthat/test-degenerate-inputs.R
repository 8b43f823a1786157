# Two thousand calls that users make by mistake (helper-fuzz.R): each returns, or ends in a classed
# error.

test_that("degenerate inputs give a value or a classed error", {
  # Every third case, so that each function meets each argument and each value; locally all of them
  # pass.
  cases <- fuzz_cases()
  cases <- cases[seq(1L, length(cases), by = 3L)]
  expect_gt(length(cases), 2000L)
  set.seed(1)
  failures <- unlist(lapply(cases, outcome_of))
  expect_identical(failures, NULL)
})

test_that("the judge of fits sees what is wrong", {
  fit <- gaussian_mixture(faithful, model = "VVV", start = 1L + (faithful$waiting > 66))
  expect_length(unsound(fit), 0L)
  broken <- function(...) unsound(utils::modifyList(fit, list(...)))
  expect_match(broken(means = fit$means * NaN), "not finite")
  expect_match(broken(loglik = NaN), "no log-likelihood")
  expect_match(broken(weights = c(0.5, 0.4)), "sum to 1")
  expect_match(broken(covariances = -fit$covariances), "positive definite", all = FALSE)
  expect_match(broken(status = "fine"), "status")
})

test_that("a fit that was tampered with is an error, not a crash", {
  fit <- gaussian_mixture(faithful, model = "VVV", start = 1L + (faithful$waiting > 66))
  uses <- list(stats::predict, stats::vcov, stats::simulate, merge_components)
  values <- list(
    NULL, "a", 1, numeric(), list(1), array(1, c(3, 3, 2)), fit$means[, 1, drop = FALSE]
  )
  for (field in c("weights", "means", "covariances", "model", "data", "noise")) {
    for (value in values) {
      broken <- fit
      broken[field] <- list(value)
      for (use in uses) {
        # R's own errors are fair here: the list is no longer a fit.
        message <- tryCatch(
          suppressWarnings({
            use(broken)
            ""
          }),
          error = conditionMessage
        )
        expect_no_match(message, "panic", ignore.case = TRUE)
      }
    }
  }
})

test_that("no two functions of the package share a name", {
  sources <- test_path("../../R")
  skip_if_not(dir.exists(sources), "sources")
  lines <- unlist(lapply(list.files(sources, "[.]R$", full.names = TRUE), readLines))
  names <- sub(
    " <- function.*", "", grep("^[A-Za-z][A-Za-z0-9._]* <- function\\(", lines, value = TRUE)
  )
  expect_identical(names[duplicated(names)], character())
})
