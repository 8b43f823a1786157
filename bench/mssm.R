# Sample selection: mssm() beside sampleSelection (or, where that is not installed, the same model
# by maxLik in R, bench/lib/heckman-peer.R), then what no other R package fits; `make bench` calls
# it.
# CPU seconds of the whole call, standard errors and the search for modes included.
#   EMBER_BENCH_QUICK=true     smaller data, one run each, 50 replicates of the coverage
#   EMBER_BENCH_RESULTS=file   writes there instead of bench/results.md
library(ember)
compare <- new.env()
sys.source("bench/lib/mixed-compare.R", compare)
report <- compare$report
clock <- compare$clock
cases <- compare$read_module("mssm-cases")
peer <- compare$read_module("heckman-peer")
published <- compare$read_module("mssm-published")

peer_name <- "sampleSelection"
if (!requireNamespace(peer_name, quietly = TRUE)) peer_name <- "maxLik"

fit_peer <- function(data) {
  if (peer_name == "maxLik") {
    return(peer$heckman_peer(data, cases$heckman_formulas)$loglik)
  }
  formulas <- cases$heckman_formulas
  as.numeric(logLik(sampleSelection::selection(formulas$selection, formulas$outcome, data = data)))
}

seconds_goal <- function(goal) ifelse(is.na(goal), "-", paste("<", goal, "s"))

fit_ember <- function(data, formulas, ...) {
  mssm(formulas$outcome, formulas$selection, data = data, ...)
}

one_equation <- function() {
  goals <- c("1e5" = 0.3, "1e6" = 3)
  if (compare$quick) goals <- c("1e4" = NA, "1e5" = 0.3)
  rows <- lapply(names(goals), function(name) {
    data <- cases$heckman_data(as.numeric(name))
    ours <- clock$time_of(\() fit_ember(data, cases$heckman_formulas), 3L, 1L)
    theirs <- clock$time_of(\() fit_peer(data), 1L, 1L)
    programs <- c("ember", if (peer_name != "maxLik") peer_name)
    memory <- vapply(programs, function(p) {
      clock$peak_memory(function(what) {
        as.numeric(clock$run_script("bench/lib/mssm-child.R", p, what, name))
      }, 1L)
    }, 0)
    data.frame(
      rows = name, ember = report$digits(ours$cpu), peer = report$digits(theirs$cpu),
      ratio = report$times(theirs$cpu / ours$cpu), goal = seconds_goal(goals[[name]]),
      met = report$verdict(ours$cpu < goals[[name]]),
      "log-likelihood, ember - peer" = signif(ours$value$loglik - theirs$value, 2),
      "MB, ember" = round(memory[[1L]]), "MB, peer" = round(memory[2L]),
      check.names = FALSE
    )
  })
  report$say_table(do.call(rbind, rows))
}

# Largest distance of estimates to those of `exact`, in its standard errors.
distance <- function(fit, exact) max(abs(coef(fit) - coef(exact)) / sqrt(diag(vcov(exact))))

several_equations <- function() {
  plan <- data.frame(equations = 2:4, rows = c(1e4, 1e4, 2e3), goal = c(0.5, 5, NA))
  rows <- lapply(seq_len(nrow(plan)), function(i) {
    case <- plan[i, ]
    data <- cases$system_data(case$equations, case$rows)
    ours <- clock$time_of(\() fit_ember(data, cases$system_formulas(case$equations)), 3L, 1L)
    data.frame(
      equations = case$equations, rows = case$rows, parameters = length(coef(ours$value)),
      ember = report$digits(ours$cpu), goal = seconds_goal(case$goal),
      met = report$verdict(ours$cpu < case$goal), passes = ours$value$passes,
      status = ours$value$status, modes = nrow(modes(ours$value))
    )
  })
  report$say_table(do.call(rbind, rows))
}

monte_carlo_case <- function(sampler, rows, tolerance, goal) {
  formulas <- cases$system_formulas(2L)
  data <- cases$system_data(2L, rows)
  exact <- fit_ember(data, formulas)
  set.seed(1)
  control <- mssm_control(sampler = sampler, mc_tol = tolerance)
  ours <- clock$time_of(
    \() fit_ember(data, formulas, method = "px-mcem", control = control), 1L, 1L
  )
  fit <- ours$value
  error <- distance(fit, exact)
  se <- sqrt(diag(vcov(exact)))
  data.frame(
    sampler = sampler, rows = rows, mc_tol = tolerance, "CPU s" = report$digits(ours$cpu),
    goal = ifelse(is.na(goal), "-", paste("<", goal, "s, < 0.05 SE")),
    met = report$verdict(if (is.na(goal)) NA else ours$cpu < goal && error < 0.05),
    "error, SE" = report$digits(error),
    "claimed, SE" = report$digits(max(fit$mc$mc_error / se)),
    "SE / exact SE" = paste(report$digits(range(sqrt(diag(vcov(fit))) / se)), collapse = " - "),
    draws = fit$mc$draws, sweeps = fit$mc$sweeps, status = fit$status, check.names = FALSE
  )
}

monte_carlo <- function() {
  report$say_table(rbind(
    monte_carlo_case("collapsed", if (compare$quick) 2e3 else 1e4, 0.02, 15),
    monte_carlo_case("full", 500, 0.1, NA)
  ))
}

# One limited run: `sweeps` of the Gibbs sampler cost what they cost per row.
linear_cost <- function() {
  formulas <- cases$system_formulas(2L)
  grid <- data.frame(rows = c(1e4, 1e4, 1e4, 2e4, 4e4), draws = c(50, 100, 200, 50, 50))
  seconds <- vapply(seq_len(nrow(grid)), function(i) {
    data <- cases$system_data(2L, grid$rows[[i]])
    start <- cases$system_truth(2L)
    run <- function(iterations) {
      control <- mssm_control(draws = grid$draws[[i]], max_iter = iterations, search = FALSE)
      set.seed(1)
      fit <- function() {
        suppressWarnings(
          fit_ember(data, formulas, method = "px-mcem", start = start, control = control)
        )
      }
      ours <- clock$time_of(fit, 1L, 1L)
      c(ours$cpu, ours$value$mc$sweeps)
    }
    span <- run(12L) - run(4L)
    span[[1L]] / span[[2L]]
  }, 0)
  report$say_table(data.frame(
    rows = grid$rows, draws = grid$draws, "microseconds per sweep and row" =
      report$digits(1e6 * seconds / grid$rows), check.names = FALSE
  ))
}

coverage <- function(replicates) {
  truth <- cases$system_truth(2L)
  formulas <- cases$system_formulas(2L)
  found <- lapply(seq_len(replicates), function(number) {
    fit <- suppressWarnings(fit_ember(cases$system_data(2L, 1000L, seed = number), formulas))
    limits <- confint(fit)
    list(
      inside = limits[, 1L] < truth & truth < limits[, 2L], failed = fit$status != "converged",
      estimate = coef(fit), error = sqrt(diag(vcov(fit)))
    )
  })
  inside <- rowMeans(vapply(found, \(x) x$inside, logical(length(truth))))
  estimates <- vapply(found, \(x) x$estimate, truth)
  spread <- apply(estimates, 1L, stats::sd)
  ratio <- rowMeans(vapply(found, \(x) x$error, truth)) / spread
  report$say(
    "",
    sprintf(
      "%d replicates, %d parameters. Covered: %.1f%% on average (single ones %.1f to %.1f%%).",
      replicates, length(truth), 100 * mean(inside), 100 * min(inside), 100 * max(inside)),
    sprintf(
      "Fits that are no maximum: %d. Bias at most %.2f standard deviations; mean standard error /",
      sum(vapply(found, \(x) x$failed, TRUE)), max(abs(rowMeans(estimates) - truth) / spread)),
    sprintf(
      "standard deviation %.2f to %.2f. Goal: 93 to 97%% on average, no failure.", min(ratio),
      max(ratio)
    )
  )
}

run <- function(results_file) {
  report$say(
    "# ember: benchmarks of sample selection", "",
    "Written by `make bench`. CPU seconds; the machine may be doing other work.", "",
    sprintf("%s, %s. %s, ember %s, %s %s.", report$processor(), Sys.Date(), R.version.string,
      packageVersion("ember"), peer_name, packageVersion(peer_name))
  )
  report$section(
    "One equation",
    "Five coefficients of the outcome, six of the selection. ember includes the search for several",
    "modes, which the other has not. MB: what the fit adds to the peak of a process that has the",
    "data."
  )
  one_equation()
  report$section(
    "Several equations", "Three coefficients in each formula; standard errors and search included."
  )
  several_equations()
  report$section(
    "PX-MCEM proper: two equations",
    "Error: largest distance to the exact maximum, in standard errors; claimed: largest `mc_error`."
  )
  monte_carlo()
  report$section("Cost of PX-MCEM in rows and draws", "Constant if the cost is linear in both.")
  linear_cost()
  report$section("Coverage of 95% intervals: two equations, 1000 rows")
  coverage(if (compare$quick) 50L else 200L)
  report$section(
    "Published values",
    "Largest difference: estimates in units of the last printed digit or relative, see",
    "bench/lib/mssm-published.R. `-`: the data are not here."
  )
  report$say_table(published$compare_published())
  report$write_results(results_file)
}

if (!interactive()) run(Sys.getenv("EMBER_BENCH_RESULTS", "bench/results.md"))
