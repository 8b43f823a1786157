# Data cloning: data_clone() beside JAGS, which runs as dclone runs it (bench/lib/jags.R); `make
# bench` calls it. Every run in a process of its own, CPU seconds. Where rjags is installed JAGS is
# measured in the same run, and its figures replace those in bench/jags.csv; elsewhere the tables
# have the figures that are stored there.
#   EMBER_BENCH_JAGS=stored    JAGS's stored figures, though rjags is there
#   EMBER_BENCH_QUICK=true     the same, one run of ember each, 50 herds
#   EMBER_BENCH_RESULTS=file   writes there instead of bench/results.md
compare <- new.env()
sys.source("bench/lib/mixed-compare.R", compare)
report <- compare$report
clock <- compare$clock
coverage <- compare$read_module("coverage")

jags_file <- "bench/jags.csv"
jags_runs <- list(
  unsmoothed = 1, smoothed = 1, herd = c(1, 10, 25, 50), herd_single = c(1, 10, 25), poisson = 20
)

figures_from <- function(...) {
  lines <- clock$run_script(...)
  if (is.null(attr(lines, "status"))) utils::read.csv(text = lines) else NULL
}

jags_is_run <- !compare$quick && Sys.getenv("EMBER_BENCH_JAGS") != "stored" &&
  requireNamespace("rjags", quietly = TRUE)

measure_jags <- function() {
  if (!jags_is_run) {
    return(utils::read.csv(jags_file))
  }
  tables <- lapply(names(jags_runs), function(name) {
    do.call(rbind, lapply(jags_runs[[name]], function(clones) {
      figures_from("bench/lib/jags-child.R", name, clones)
    }))
  })
  figures <- do.call(rbind, tables)
  utils::write.csv(figures, jags_file, row.names = FALSE)
  figures
}

measure_ember <- function(case, sampler, clones, repeats = 5L) {
  if (compare$quick) repeats <- 1L
  figures_from("bench/lib/cloning-child.R", case, sampler, repeats, clones)
}

# One number of a table of figures; NA if it was not measured.
value_of <- function(figures, quantity, name = "", clones = max(figures$clones)) {
  found <- figures$quantity == quantity & figures$name == name & figures$clones %in% clones
  if (any(found)) sum(figures$value[found]) else NA_real_
}

compare_sweep <- function(jags, samplers) {
  clones <- jags_runs$herd
  rows <- function(program, figures, cpu) {
    ess <- function(name) vapply(clones, \(K) value_of(figures, "ess", name, K), 0)
    diagnostic <- function(name, set = "mu, sigma_sq, tau_sq") {
      vapply(clones, \(K) value_of(figures, name, set, K), 0)
    }
    data.frame(
      program = program, K = clones, "CPU s" = cpu,
      "ESS of mu" = round(ess("mu")), "sigma_sq" = round(ess("sigma_sq")),
      "tau_sq" = round(ess("tau_sq")),
      lambda.max = formatC(diagnostic("lambda.max"), digits = 2, format = "e"),
      r.hat = sprintf("%.3f", diagnostic("r.hat")),
      "lambda.max (mu, sum)" =
        formatC(diagnostic("lambda.max", "mu, sum"), digits = 2, format = "e"),
      check.names = FALSE
    )
  }
  by_clones <- report$digits(vapply(clones, \(K) value_of(jags, "cpu", "", K), 0))
  ours <- Map(function(sampler, figures) rows(paste0("ember, ", sampler), figures, "-"),
    names(samplers), samplers)
  report$section(
    "The herd of the note: K = 1, 10, 25, 50",
    "3 chains of 1000 draws after burn-in. The effective sample sizes are of 3000 draws."
  )
  report$say_table(do.call(rbind, c(ours, list(rows("JAGS", jags, by_clones)))))
  total <- value_of(jags, "cpu", "", clones)
  cpu <- vapply(samplers, value_of, 0, "cpu")
  mixing <- vapply(samplers, \(figures) {
    min(vapply(clones, \(K) {
      value_of(figures, "ess", "mu", K) / value_of(jags, "ess", "mu", K)
    }, 0))
  }, 0)
  report$section(
    "The whole sweep", sprintf("JAGS takes %s CPU seconds, compiling included.",
      report$digits(total))
  )
  report$say_table(data.frame(
    sampler = names(samplers), "ember, CPU s" = report$digits(cpu),
    "JAGS / ember" = report$times(total / cpu), goal = "200x",
    met = report$verdict(total / cpu >= 200),
    "ESS of mu, ember / JAGS, smallest" = report$times(mixing), goal = "5x",
    met = report$verdict(mixing >= 5), check.names = FALSE
  ))
}

compare_poisson <- function(jags, ember) {
  per_draw <- function(figures, name) value_of(figures, "cpu") / value_of(figures, "ess", name)
  names <- c("beta0", "beta1", "tau_sq")
  ours <- vapply(names, \(name) per_draw(ember, name), 0)
  theirs <- vapply(names, \(name) per_draw(jags, name), 0)
  cpu <- value_of(ember, "cpu")
  report$section(
    "Poisson, random intercept: 1e4 rows, 500 groups, K = 20",
    sprintf(
      "ember, 3 chains of 1000 draws: %s CPU seconds in all (goal 20: %s).",
      report$digits(cpu), if (cpu < 20) "met" else "NOT met"
    ),
    sprintf(
      "JAGS, one chain from the estimates, %g draws after 200 steps that are not counted: %s.",
      value_of(jags, "draws"), report$digits(value_of(jags, "cpu"))
    ),
    "CPU seconds per effective draw:"
  )
  report$say_table(data.frame(
    parameter = names, ember = report$digits(ours), JAGS = report$digits(theirs),
    "JAGS / ember" = report$times(theirs / ours), goal = "50x",
    met = report$verdict(theirs / ours >= 50),
    "estimate, ember" = report$digits(vapply(names, \(name) value_of(ember, "mean", name), 0), 4),
    "of JAGS" = report$digits(vapply(names, \(name) value_of(jags, "mean", name), 0), 4),
    check.names = FALSE
  ))
}

report_coverage <- function(herds) {
  spent <- clock$seconds(function() coverage$coverage(herds))
  found <- spent$value
  report$section(
    "Coverage",
    sprintf("%d herds like that of the note, K = 50, 95%% intervals, %s CPU seconds.", herds,
      report$digits(spent$cpu)),
    "Animals: intervals of the 100 random effects of each herd. The goal is 93 to 97."
  )
  report$say_table(data.frame(
    interval = found$what, "covered, %" = sprintf("%.1f", found$covered),
    "standard error" = sprintf("%.2f", found$error),
    met = report$verdict(found$covered >= 93 & found$covered <= 97), check.names = FALSE
  ))
}

run <- function(results_file) {
  report$say(
    "# ember: benchmarks of data cloning", "",
    "Written by `make bench`. CPU seconds, medians; the machine may be doing other work. JAGS ran",
    paste0("once, with dclone's settings, ", if (jags_is_run) "now" else "earlier (bench/jags.csv)",
      "."), "",
    sprintf("%s, %s. %s, ember %s.", report$processor(), Sys.Date(), R.version.string,
      packageVersion("ember"))
  )
  jags <- measure_jags()
  samplers <- c("collapsed", "gibbs")
  compare_sweep(
    jags[jags$case == "herd", ],
    stats::setNames(lapply(samplers, \(name) measure_ember("herd", name, jags_runs$herd)), samplers)
  )
  compare_poisson(jags[jags$case == "poisson", ], measure_ember("poisson", "auto", 20, 1L))
  report_coverage(if (compare$quick) 50L else 500L)
  report$write_results(results_file)
}

if (!interactive()) run(Sys.getenv("EMBER_BENCH_RESULTS", "bench/results.md"))
