# Gaussian mixtures: ember beside mclust and sklearn. Same data, same start, same number of
# iterations, all in one run; `make bench` calls it. CPU seconds, since the machine may be shared.

if (!requireNamespace("mclust", quietly = TRUE)) {
  stop("The benchmark compares with mclust: install it.")
}
suppressPackageStartupMessages({
  library(ember)
  library(mclust)
})

read_module <- function(name) {
  module <- new.env()
  sys.source(sprintf("bench/lib/%s.R", name), module)
  module
}
cases <- read_module("cases")
programs <- read_module("programs")
clock <- read_module("clock")
report <- read_module("report")

# Numbers of iterations whose difference is timed; all give the log-likelihood after ten.
counts <- list(
  ember = list(A = c(10, 50), B = c(10, 50), C = c(10, 40), D = c(10, 130)),
  mclust = list(A = c(10, 15), B = c(10, 15), C = c(10, 15), D = c(10, 20)),
  sklearn = list(A = c(10, 25), B = c(10, 16), C = c(10, 30), D = c(10, 20))
)
repeats <- c(ember = 5L, mclust = 3L, sklearn = 3L)

# Seconds of one pass that arithmetic alone takes on one core, by case, from the Rust benchmark.
one_core_limits <- function(binary) {
  lines <- system2(binary, stdout = TRUE)
  sets <- grep("Gflop/s", lines)
  block <- lines[sets[[1L]]:(c(sets, length(lines) + 1L)[[2L]] - 1L)]
  rows <- utils::read.table(text = grep("^[A-Z]+[0-9]* +[0-9]", block, value = TRUE))
  report$section("Kernels against the arithmetic limit", "```", block, "```")
  first <- rows[!duplicated(rows$V1), ]
  stats::setNames(first$V5 / 1000, first$V1)
}

# One case: seconds per iteration of every program, and whether all reach the same log-likelihood.
compare_case <- function(case, limit, sklearn_file) {
  slope <- function(program, iterate) {
    clock$iteration_seconds(iterate, case, counts[[program]][[case$name]], repeats[[program]])
  }
  long <- counts$ember[[case$name]][[2L]]
  one <- slope("ember", programs$ember_iterate(1L))
  two <- slope("ember", programs$ember_iterate(2L))
  mclust <- slope("mclust", programs$mclust_iterate)
  sklearn <- list(cpu = NA, log_lik = NA)
  if (!is.null(sklearn_file)) {
    cases$write_case(case, sklearn_file)
    sklearn <- do.call(programs$sklearn_call, as.list(
      c("time", sklearn_file, counts$sklearn[[case$name]], repeats[["sklearn"]])
    ))
  }
  list(
    name = case$name, one = one, two = two, mclust = mclust, sklearn = sklearn, limit = limit,
    same_bits = same_bits(case),
    copies = clock$copies_speed_up(\() programs$ember_iterate(1L)(case, long)),
    difference = max(abs(c(mclust$log_lik, sklearn$log_lik) / one$log_lik - 1), na.rm = TRUE)
  )
}

same_bits <- function(case) {
  parts <- c("weights", "means", "covariances", "loglik", "trace")
  fit <- function(threads) programs$ember_fit(case, programs$ember_control(10L, threads))
  identical(unclass(fit(1L))[parts], unclass(fit(2L))[parts])
}

iteration_table <- function(found) {
  column <- function(part) vapply(found, part, 0)
  one <- column(\(case) case$one$cpu)
  difference <- column(\(case) case$difference)
  data.frame(
    case = vapply(found, \(case) case$name, ""),
    ember = report$milliseconds(one),
    mclust = report$milliseconds(column(\(case) case$mclust$cpu)),
    sklearn = report$milliseconds(column(\(case) case$sklearn$cpu)),
    "mclust / ember" = report$times(column(\(case) case$mclust$cpu) / one),
    "goal" = c("40x", "30x", "20x", "50x"),
    "sklearn / ember" = report$times(column(\(case) case$sklearn$cpu) / one),
    "goal " = c("12x", "30x", "4x", NA),
    "ember / limit" = report$times(one / column(\(case) case$limit)),
    "goal  " = c("2.5x", "3x", "2.5x", "1.5x"),
    "log-likelihoods differ by" = formatC(difference, digits = 1, format = "e"),
    check.names = FALSE
  )
}

thread_table <- function(found) {
  column <- function(part) vapply(found, part, 0)
  data.frame(
    case = vapply(found, \(case) case$name, ""),
    "1 thread, wall" = report$milliseconds(column(\(case) case$one$wall)),
    "2 threads, wall" = report$milliseconds(column(\(case) case$two$wall)),
    "speed-up" = report$times(column(\(case) case$one$wall / case$two$wall)),
    "two copies" = report$times(column(\(case) case$copies)),
    "CPU of 2 / CPU of 1" = report$digits(column(\(case) case$two$cpu / case$one$cpu)),
    "same bits" = vapply(found, \(case) if (case$same_bits) "yes" else "NO", ""),
    check.names = FALSE
  )
}

compare_iterations <- function(cases, limits, sklearn_file) {
  found <- lapply(cases, \(case) compare_case(case, limits[[case$name]], sklearn_file))
  report$section(
    "One EM iteration, one thread, CPU milliseconds",
    "A: n = 1e5, d = 10, K = 8, full. B: 1e6, 2, 3, full. C: 1e4, 50, 10, full.",
    "D: 1e6, 1-D, K = 2, equal variance. The limit is what arithmetic alone takes on one core. The",
    "last column: largest relative difference of the log-likelihoods after 10 iterations."
  )
  report$say_table(iteration_table(found))
  report$section(
    "Two threads",
    "Wall milliseconds per iteration, best of the repeats. The goal on A and C is 1.8x.",
    "Two copies: two processes of one thread at once against one after the other. Below 1.8x",
    "the machine had no second core to give, and the speed-up says nothing about ember."
  )
  report$say_table(thread_table(found))
}

compare_memory <- function(case, sklearn_file) {
  if (!file.exists("/proc/self/status")) {
    return(report$say("", "Peak memory: measured on Linux only."))
  }
  file <- tempfile(fileext = ".rds")
  saveRDS(case, file, compress = FALSE)
  peaks <- c(
    ember = clock$peak_memory(clock$r_peak("ember", file)),
    mclust = clock$peak_memory(clock$r_peak("mclust", file)), sklearn = NA
  )
  unlink(file)
  if (!is.null(sklearn_file)) {
    cases$write_case(case, sklearn_file)
    peak <- \(what) programs$sklearn_call("peak", sklearn_file, what)$kilobytes
    peaks[["sklearn"]] <- clock$peak_memory(peak)
  }
  report$section(
    "Peak memory beyond the data (16 MB), case B, ten iterations",
    "What the fit adds to the peak of a process that only reads the data. The goal is below 20 MB."
  )
  report$say_table(data.frame(program = names(peaks), MB = sprintf("%.1f", peaks)))
}

# Of every cell that mclust could fit: is ember's BIC as good? Below `slack`, two runs that stopped
# at the same maximum cannot be told apart.
compare_cells <- function(fit, theirs, slack = 1e-4) {
  cells <- as.data.frame(as.table(unclass(theirs)), stringsAsFactors = FALSE)
  names(cells) <- c("k", "model", "mclust")
  cells <- merge(fit$table, cells[is.finite(cells$mclust), ], by = c("k", "model"))
  cells$shortfall <- cells$BIC + cells$mclust
  worse <- cells[!is.na(cells$shortfall) & cells$shortfall > slack, ]
  list(
    cells = nrow(cells), absent = cells[is.na(cells$shortfall), ], worse = worse,
    better = sum(cells$shortfall < -slack, na.rm = TRUE)
  )
}

compare_search <- function() {
  set.seed(1)
  fit <- gaussian_mixture(faithful, k = 1:9)
  cells <- compare_cells(fit, mclustBIC(faithful, verbose = FALSE))
  ember <- clock$median_cpu(\() gaussian_mixture(faithful, k = 1:9), 9L)
  mclust <- clock$median_cpu(\() Mclust(faithful, verbose = FALSE), 9L)
  report$section("A whole search: faithful, k = 1 to 9, all 14 models", "The goal is 5x mclust.")
  report$say_table(data.frame(
    program = c("ember", "mclust"), "CPU s" = report$digits(c(ember, mclust)),
    ratio = c(report$times(mclust / ember), NA), check.names = FALSE
  ))
  report$say("", sprintf(
    "Of %d cells that mclust fits, ember's BIC is better in %d, worse in %d, absent in %d.",
    cells$cells, cells$better, nrow(cells$worse), nrow(cells$absent)
  ))
  if (nrow(cells$worse) > 0L) {
    report$say_table(data.frame(
      k = cells$worse$k, model = cells$worse$model,
      "BIC of ember" = sprintf("%.5f", cells$worse$BIC),
      "worse by" = report$digits(cells$worse$shortfall), check.names = FALSE
    ))
  }
  if (nrow(cells$absent) > 0L) report$say_table(cells$absent[c("k", "model", "status", "mclust")])
}

# Passes over the data until the log-likelihood is within 1e-8 of the maximum.
compare_passes <- function() {
  x <- as.matrix(faithful)
  labels <- map(unmap(hclass(hc(x, "VVV"), 3)))
  fit <- function(method, ...) {
    suppressWarnings(gaussian_mixture(
      x,
      k = 3, model = "EEE", start = labels, control = em_control(accelerate = method, ...)
    ))
  }
  best <- max(fit("none", tol = 0)$loglik, fit("squarem", tol = 0)$loglik)
  arrival <- function(method) {
    trace <- fit(method, tol = 0)$trace
    there <- trace$iteration[which(trace$loglik >= best - 1e-8)[[1L]]]
    fit(method, tol = 0, max_iter = there)$passes
  }
  plain <- function(passes) {
    control <- emControl(tol = 0, itmax = passes)
    me(x, "EEE", unmap(labels), control = control)$loglik
  }
  mclust <- Find(\(passes) plain(passes) >= best - 1e-8, 2:300)
  default <- me(x, "EEE", unmap(labels))
  methods <- c("squarem", "anderson", "none")
  stopped <- lapply(methods, fit)
  report$section(
    "Passes to 1e-8 of the maximum: faithful, EEE, K = 3, mclust's start", "The goal is 40."
  )
  report$say_table(data.frame(
    program = c("ember, SQUAREM", "ember, Anderson", "ember, plain EM", "mclust"),
    "passes to 1e-8" = c(vapply(methods, arrival, 0), mclust),
    "passes until it stops" = c(
      vapply(stopped, \(fit) fit$passes, 0L), attr(default, "info")[["iterations"]]
    ),
    "short of the maximum" = formatC(
      best - c(vapply(stopped, \(fit) fit$loglik, 0), default$loglik),
      digits = 1, format = "e"
    ),
    check.names = FALSE
  ))
}

compare_convergence <- function(case, sklearn_file) {
  ember <- clock$seconds(\() programs$ember_fit(case, em_control()))
  mclust <- clock$seconds(\() em(case$x, case$model, programs$mclust_parameters(case)))
  sklearn <- list(cpu = NA, iterations = NA, log_lik = NA)
  if (!is.null(sklearn_file)) {
    cases$write_case(case, sklearn_file)
    sklearn <- programs$sklearn_call("converge", sklearn_file)
  }
  log_lik <- c(ember$value$loglik, mclust$value$loglik, sklearn$log_lik)
  report$section(
    "From the start to convergence, case A, each program's defaults",
    "The programs stop at different distances from the maximum: see the log-likelihoods."
  )
  report$say_table(data.frame(
    program = c("ember", "mclust", "sklearn"),
    "CPU s" = report$digits(c(ember$cpu, mclust$cpu, sklearn$cpu)),
    passes = c(ember$value$passes, attr(mclust$value, "info")[["iterations"]], sklearn$iterations),
    "log-likelihood" = ifelse(is.na(log_lik), "-", sprintf("%.4f", log_lik)), check.names = FALSE
  ))
}

compare_bootstrap <- function() {
  set.seed(1)
  ember <- clock$median_cpu(
    \() bootstrap_lrt(faithful, k = 1:2, model = "VVV", replicates = 99), 3L
  )
  mclust <- clock$seconds(\() {
    utils::capture.output(
      mclustBootstrapLRT(faithful, modelName = "VVV", nboot = 99, maxG = 2, verbose = FALSE)
    )
  })$cpu
  report$section(
    "Bootstrap likelihood ratio tests: faithful, VVV, 1 and 2 against one more, 99 samples",
    "ember fits each sample from three starts, to 1e-8."
  )
  report$say_table(data.frame(
    program = c("ember", "mclust"), "CPU s" = report$digits(c(ember, mclust)),
    ratio = c(report$times(mclust / ember), NA), check.names = FALSE
  ))
}

run <- function(binary, results_file) {
  version <- programs$sklearn_version()
  sklearn_file <- if (!is.null(version)) tempfile(fileext = ".bin")
  report$say(
    "# ember: benchmarks of Gaussian mixtures", "",
    "Written by `make bench`. CPU seconds, medians; the machine may be doing other work.", "",
    sprintf("%s, %s. %s, ember %s, mclust %s, sklearn %s.", report$processor(), Sys.Date(),
      R.version.string, packageVersion("ember"), packageVersion("mclust"),
      if (is.null(version)) "not found" else version)
  )
  if (is.null(version)) {
    report$say("", "sklearn is skipped: it needs python3 with numpy, sklearn and threadpoolctl.")
  }
  limits <- one_core_limits(binary)
  all_cases <- cases$mixture_cases()
  compare_iterations(all_cases, limits, sklearn_file)
  compare_memory(all_cases$B, sklearn_file)
  compare_search()
  compare_passes()
  compare_convergence(all_cases$A, sklearn_file)
  compare_bootstrap()
  report$write_results(results_file)
}

if (!interactive()) {
  run(binary = "bench/target/release/ember-bench", results_file = "bench/results.md")
}
