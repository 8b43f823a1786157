# One case fitted by ember and by lme4, each in a process of its own, and the tables of all cases.
# Those who read this file say how many runs: `quick` is one, and none of lme4's where that is slow.

read_module <- function(name) {
  module <- new.env()
  sys.source(sprintf("bench/lib/%s.R", name), module)
  module
}
clock <- read_module("clock")
report <- read_module("report")

quick <- identical(Sys.getenv("EMBER_BENCH_QUICK"), "true")
chosen <- strsplit(Sys.getenv("EMBER_BENCH_CASES"), ",")[[1L]]
wanted <- function(name) length(chosen) == 0L || name %in% chosen

nothing <- data.frame(cpu = NA, wall = NA, criterion = NA, evaluations = NA, peak = NA)

# What a child process measured; nothing if it failed, which it says itself.
measure <- function(program, task, case, threads = 1L, repeats = 1L, calls = 1L) {
  lines <- clock$run_script(
    "bench/lib/mixed-child.R", program, task, threads, if (quick) 1L else repeats, calls, case$file
  )
  if (is.null(attr(lines, "status"))) {
    utils::read.table(text = lines, header = TRUE)
  } else {
    nothing
  }
}

with_file <- function(case) {
  case$file <- tempfile(fileext = ".rds")
  content <- list(formula = case$formula, data = case$data(), family = case$family)
  saveRDS(content, case$file, compress = FALSE)
  case
}

compare_case <- function(name, case) {
  case <- with_file(case)
  on.exit(unlink(case$file))
  fit <- function(program, threads = 1L, repeats = 5L) {
    measure(program, "fit", case, threads, repeats, case$calls)
  }
  # One fit in a process: the peak of several holds what R has not yet collected.
  extra <- function(program) {
    measure(program, "fit", case)$peak - measure(program, "none", case)$peak
  }
  one <- fit("ember")
  skipped <- quick && case$slow
  lme4 <- if (skipped) nothing else fit("lme4", repeats = if (case$slow) 1L else 5L)
  # Memory of a fit of minutes: the one that was timed, the only one of its process, tells it.
  lme4_memory <- if (is.na(lme4$cpu)) {
    NA
  } else if (case$slow && case$calls == 1L) {
    lme4$peak - measure("lme4", "none", case)$peak
  } else {
    extra("lme4")
  }
  list(
    name = name, goal = case$goal, one = one, two = fit("ember", threads = 2L), lme4 = lme4,
    ember_memory = extra("ember"), lme4_memory = lme4_memory
  )
}

compare_cases <- function(cases) {
  lapply(Filter(wanted, names(cases)), \(name) compare_case(name, cases[[name]]))
}

# `peer`: the name of lme4's function in the tables.
compare_fits <- function(found, peer) {
  column <- function(part) vapply(found, \(case) as.numeric(part(case)), 0)
  ratio <- column(\(case) case$lme4$cpu / case$one$cpu)
  table <- data.frame(
    case = vapply(found, \(case) case$name, ""),
    ember = report$digits(column(\(case) case$one$cpu)),
    two = report$digits(column(\(case) case$two$cpu)),
    wall = report$digits(column(\(case) case$two$wall)),
    peer = report$digits(column(\(case) case$lme4$cpu)),
    ratio = report$times(ratio),
    goal = report$times(column(\(case) case$goal)),
    met = report$verdict(ratio >= column(\(case) case$goal)),
    evaluations = column(\(case) case$one$evaluations),
    of_peer = column(\(case) case$lme4$evaluations),
    criterion = formatC(
      column(\(case) case$one$criterion - case$lme4$criterion), digits = 1, format = "e"
    )
  )
  names(table) <- c(
    "case", "ember, CPU", "2 threads, CPU", "2 threads, wall", paste0(peer, ", CPU"),
    paste(peer, "/ ember"), "goal", "met", "evaluations", paste("of", peer), "criterion"
  )
  report$say_table(table)
}

compare_memory <- function(found, peer) {
  column <- function(part) sprintf("%.1f", vapply(found, \(case) as.numeric(case[[part]]), 0))
  table <- data.frame(
    vapply(found, \(case) case$name, ""), column("ember_memory"), column("lme4_memory")
  )
  report$say_table(stats::setNames(table, c("case", "ember", peer)))
}
