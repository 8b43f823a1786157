# Runs the R tests against the installed package and writes the line that sums them up to the file
# given; the exit status says whether all is well.
result_file <- commandArgs(trailingOnly = TRUE)[[1L]]

Sys.setenv(NOT_CRAN = "true")
results <- as.data.frame(testthat::test_dir(
  "tests/testthat",
  package = "ember", load_package = "installed", reporter = "check",
  stop_on_failure = FALSE
))
passed <- sum(results$passed)
failed <- sum(results$failed) + sum(results$error)
skipped <- sum(results$skipped)
writeLines(sprintf("%d passed, %d failed, %d skipped", passed, failed, skipped), result_file)
quit(save = "no", status = as.integer(failed > 0L || passed == 0L))
