# Runs the R tests against the installed package and writes the line that sums them up to the file
# given; the exit status says whether all is well.
result_file <- commandArgs(trailingOnly = TRUE)[[1L]]

Sys.setenv(NOT_CRAN = "true")
results <- testthat::test_dir(
  "tests/testthat",
  package = "ember", load_package = "installed", reporter = "check",
  stop_on_failure = FALSE
)
# Each expectation counts, as in testthat's own summary.
outcomes <- unlist(lapply(results, function(test) {
  vapply(test$results, function(outcome) class(outcome)[[1L]], "")
}))
passed <- sum(outcomes == "expectation_success")
failed <- sum(outcomes %in% c("expectation_failure", "expectation_error"))
skipped <- sum(outcomes == "expectation_skip")
writeLines(sprintf("%d passed, %d failed, %d skipped", passed, failed, skipped), result_file)
quit(save = "no", status = as.integer(failed > 0L || passed == 0L))
