# CPU seconds of this process and its threads, and peak memory of a process of its own.

seconds <- function(run) {
  gc()
  before <- proc.time()
  value <- run()
  spent <- proc.time() - before
  list(cpu = spent[["user.self"]] + spent[["sys.self"]], wall = spent[["elapsed"]], value = value)
}

# Seconds of one iteration: the slope between a short and a long run, which starting up and
# finishing do not enter. Median of CPU, best of wall time; `log_lik` is that of the short run.
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

# Medians over `repeats` of the seconds of one of `calls` calls; with several, one before warms up.
time_of <- function(run, repeats, calls) {
  value <- if (calls > 1L) run()
  times <- lapply(seq_len(repeats), function(i) {
    value <<- NULL
    spent <- seconds(function() for (call in seq_len(calls)) value <<- run())
    c(cpu = spent$cpu, wall = spent$wall) / calls
  })
  middle <- apply(do.call(rbind, times), 2L, stats::median)
  list(cpu = middle[["cpu"]], wall = middle[["wall"]], value = value)
}

median_cpu <- function(run, repeats) {
  median(vapply(seq_len(repeats), function(i) seconds(run)$cpu, 0))
}

# How much faster two processes do the run at once than one after the other: 2 on two free cores.
copies_speed_up <- function(run, repeats = 5L) {
  at_once <- function(cores) parallel::mclapply(seq_len(cores), \(i) run(), mc.cores = cores)
  wall <- function(cores) {
    min(vapply(seq_len(repeats), \(i) seconds(\() at_once(cores))$wall, 0))
  }
  if (.Platform$OS.type == "windows") NA_real_ else 2 * wall(1L) / wall(2L)
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
