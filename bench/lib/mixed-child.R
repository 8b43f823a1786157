# Rscript mixed-child.R ember|lme4 TASK THREADS REPEATS CALLS FILE: does none, fit, refit,
# evaluation, bootstrap or kenward_roger to the case in FILE and prints a table of one line. `none`
# only reads, so that its peak is the memory that a fit starts from.
arguments <- commandArgs(TRUE)
program <- arguments[[1L]]
task <- arguments[[2L]]
counts <- as.integer(arguments[3:5])
case <- readRDS(arguments[[6L]])
suppressPackageStartupMessages(library(program, character.only = TRUE))
source("bench/lib/clock.R")
source("bench/lib/mixed-programs.R")
formula <- stats::as.formula(case$formula, globalenv())
fit_case <- fit_of(program, formula, case$data, threads = counts[[1L]], case$family)

# A program loads its own code when it is first called: that is not memory of the fit.
tiny <- data.frame(y = c(1, 3, 2, 5, 4, 7, 6, 8), x = c(1, 2, 1, 3, 4, 2, 5, 3), g = gl(4, 2))
if (identical(case$family, "binomial")) tiny$y <- c(0, 1, 1, 0, 1, 0, 0, 1)
warm_up <- fit_of(program, y ~ x + (1 | g), tiny, threads = 1L, case$family)
invisible(suppressMessages(suppressWarnings(warm_up())))

peak <- function() {
  if (!file.exists("/proc/self/status")) {
    return(NA)
  }
  line <- grep("^VmHWM:", readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}

answer <- list(cpu = NA, wall = NA, criterion = NA, evaluations = NA)
if (task == "fit") {
  answer <- time_of(fit_case, counts[[2L]], counts[[3L]])
  answer <- c(answer[c("cpu", "wall")], facts_of(program, answer$value))
} else if (task != "none") {
  action <- tasks[[task]](program, fit_case())
  answer[c("cpu", "wall")] <- time_of(action, counts[[2L]], counts[[3L]])[c("cpu", "wall")]
}
write.table(as.data.frame(c(answer, peak = peak())), row.names = FALSE)
