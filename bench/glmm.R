# Generalized linear mixed models: glmm() beside lme4::glmer(), same data, both by Laplace's
# approximation (the default of both), all in one run; `make bench` calls it. Settings as in
# bench/mixed.R, cases in bench/lib/glmm-cases.R.

if (!requireNamespace("lme4", quietly = TRUE)) {
  stop("The benchmark compares with lme4: install it.")
}
compare <- new.env()
sys.source("bench/lib/mixed-compare.R", compare)
report <- compare$report
cases <- compare$read_module("glmm-cases")

run <- function(results_file) {
  report$say(
    "# ember: benchmarks of generalized linear mixed models", "",
    "Written by `make bench`. CPU seconds, medians; the machine may be doing other work.", "",
    sprintf("%s, %s. %s, ember %s, lme4 %s.", report$processor(), Sys.Date(), R.version.string,
      packageVersion("ember"), packageVersion("lme4")),
    "", "cbpp: 56 rows, binomial. grouseticks: 403 rows, Poisson, three factors, one of them the",
    "rows. VerbAgg: 7584 rows, Bernoulli, 316 persons by 24 items. bernoulli: 1e6 rows, 1e4",
    "groups. glmer() runs once in the last two."
  )
  all_cases <- cases$glmm_cases()
  found <- compare$compare_cases(all_cases)
  report$section(
    "Whole fits, each program's defaults",
    "Seconds. `criterion`: ember's -2 log-likelihood minus glmer's, below 0 where ember's is",
    "better. glmer() stops its inner iterations at a tolerance of 1e-7, which shows in the last",
    "column; `evaluations` of ember include those of the gradient."
  )
  compare$compare_fits(found, "glmer")
  report$section(
    "Memory of these fits",
    "MB that one fit adds to the peak of a process that reads the data and has fitted eight rows."
  )
  compare$compare_memory(found, "glmer")
  report$write_results(results_file)
}

if (!interactive()) run(Sys.getenv("EMBER_BENCH_RESULTS", "bench/results.md"))
