# Linear mixed models: lmm() beside lme4::lmer(), same data, same criterion, all in one run; `make
# bench` calls it. CPU seconds, since the machine may be shared; every program, case and task in a
# process of its own, whose peak memory is its own too.
#   EMBER_BENCH_CASES=sleepstudy,InstEval   these cases only (see bench/lib/mixed-cases.R)
#   EMBER_BENCH_QUICK=true                  one run each, and lmer not where it is slow
#   EMBER_BENCH_RESULTS=file                writes there instead of bench/results.md

if (!requireNamespace("lme4", quietly = TRUE)) {
  stop("The benchmark compares with lme4: install it.")
}

compare <- new.env()
sys.source("bench/lib/mixed-compare.R", compare)
report <- compare$report
cases <- compare$read_module("mixed-cases")

# Each figure with its goal: seconds of one run of a task, divided by how many things it does.
compare_parts <- function(all_cases) {
  parts <- list(
    list("refit in a bootstrap of 1000, herd, µs", "herd", "bootstrap", 1e3, 50),
    list("refit in a bootstrap of 1000, sleepstudy, µs", "sleepstudy", "bootstrap", 1e3, 50),
    list("refit() called from R, herd, µs", "herd", "refit", 1e6, NA, calls = 200L),
    list("refit() called from R, sleepstudy, µs", "sleepstudy", "refit", 1e6, NA, calls = 200L),
    list("one of 40 evaluations of the criterion, InstEval, ms", "InstEval", "evaluation", 25, 10),
    list("Kenward-Roger summary, 6,000 rows of InstEval, s", "InstEval", "kenward_roger", 1, 5)
  )
  parts <- Filter(\(part) compare$wanted(part[[2L]]), parts)
  if (length(parts) == 0L) {
    return(invisible())
  }
  rows <- lapply(parts, function(part) compare_part(part, all_cases[[part[[2L]]]]))
  report$section(
    "Parts",
    "CPU time, one thread. A bootstrap sample is drawn and fitted; lme4's `bootMer()` calls",
    "`refit()`. Kenward-Roger with pbkrtest, which needs n x n matrices, was not done after 170 s;",
    "it is not run here."
  )
  report$say_table(do.call(rbind, rows))
}

compare_part <- function(part, case) {
  task <- part[[3L]]
  if (task == "kenward_roger") case$data <- cases$few_evaluations
  case <- compare$with_file(case)
  on.exit(unlink(case$file))
  calls <- if (is.null(part$calls)) 1L else part$calls
  ember <- compare$measure("ember", task, case, repeats = 5L, calls = calls)$cpu * part[[4L]]
  lme4 <- NA
  if (task %in% c("refit", "evaluation")) {
    lme4 <- compare$measure("lme4", task, case, calls = calls)$cpu * part[[4L]]
  }
  data.frame(
    what = part[[1L]], ember = report$digits(ember), goal = part[[5L]],
    met = report$verdict(ember <= part[[5L]]), lme4 = report$digits(lme4)
  )
}

run <- function(results_file) {
  report$say(
    "# ember: benchmarks of linear mixed models", "",
    "Written by `make bench`. CPU seconds, medians; the machine may be doing other work.", "",
    sprintf("%s, %s. %s, ember %s, lme4 %s.", report$processor(), Sys.Date(), R.version.string,
      packageVersion("ember"), packageVersion("lme4")),
    "", "sleepstudy: slopes in days. herd: 100 animals, two offspring each. InstEval: 73,421 rows,",
    "three crossed factors. slope: 1e6 rows, 1e4 groups, intercept and slope. crossed: 1e5 rows,",
    "1e4 x 1e3 groups. maximal: 1792 rows, 56 x 32 groups, four effects in each, 20 variance",
    "parameters and sigma."
  )
  all_cases <- cases$mixed_cases()
  found <- compare$compare_cases(all_cases)
  report$section(
    "Whole fits, REML, each program's defaults",
    "Seconds. `criterion`: ember's REML criterion minus lmer's, below 0 where ember's is better."
  )
  compare$compare_fits(found, "lmer")
  report$section(
    "Memory of these fits",
    "MB that one fit adds to the peak of a process that reads the data and has fitted eight rows.",
    "The dense model matrix of `slope` (1e6 rows) has 16 MB; the goal there is 24 MB."
  )
  compare$compare_memory(found, "lmer")
  compare_parts(all_cases)
  report$write_results(results_file)
}

if (!interactive()) run(Sys.getenv("EMBER_BENCH_RESULTS", "bench/results.md"))
