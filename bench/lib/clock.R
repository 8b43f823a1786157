# CPU seconds of this process and its threads, and peak memory of a process of its own.

seconds <- function(run) {
  gc()
  before <- proc.time()
  value <- run()
  spent <- proc.time() - before
  list(cpu = spent[["user.self"]] + spent[["sys.self"]], wall = spent[["elapsed"]], value = value)
}

# Seconds of one iteration: the slope between a short and a long run, which starting up and
# finishing do not enter. Medians over repeats; `log_lik` is that of the run with `counts[[1]]`
# iterations.
iteration_seconds <- function(iterate, case, counts, repeats) {
  runs <- lapply(seq_len(repeats), function(i) {
    lapply(counts, function(count) seconds(function() iterate(case, count)))
  })
  slope <- function(clock) {
    slopes <- vapply(runs, function(run) run[[2L]][[clock]] - run[[1L]][[clock]], 0)
    slopes / diff(counts)
  }
  list(cpu = median(slope("cpu")), wall = min(slope("wall")), log_lik = runs[[1L]][[1L]]$value)
}

median_cpu <- function(run, repeats) {
  median(vapply(seq_len(repeats), function(i) seconds(run)$cpu, 0))
}

# MB that a fit adds to the peak of a process that reads the same data and packages, and ends.
peak_memory <- function(child, repeats = 3L) {
  median(vapply(seq_len(repeats), function(i) child("fit") - child("none"), 0)) / 1024
}

r_peak <- function(program, file) {
  function(what) as.numeric(run_script("bench/lib/peak-memory.R", program, what, file))
}

run_script <- function(...) {
  system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", ...), stdout = TRUE)
}
