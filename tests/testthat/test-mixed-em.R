# EM and PX-EM of mixed models against the profiled criterion. The steps themselves are checked in
# the core, against dense posteriors.

methods <- c("em", "px-em")
accelerations <- c("none", "squarem", "anderson")

fit_by <- function(case, method, accelerate, reml) {
  control <- em_control(accelerate = accelerate, max_iter = 20000L)
  fit_mixed_case(case, lmm, REML = reml, method = method, control = control)
}

# The fit by `profile` of a case, or NULL where there are no data or no interior optimum.
interior_optimum <- function(case, reml) {
  if (case$slow || is.null(mixed_data(case$data))) {
    return(NULL)
  }
  fit <- suppressMessages(fit_mixed_case(case, lmm, REML = reml))
  if (!isSingular(fit)) fit
}

expect_same_optimum <- function(case, profile, reml, what) {
  for (method in methods) {
    for (accelerate in accelerations) {
      label <- paste(what, if (reml) "REML" else "ML", method, accelerate)
      fit <- fit_by(case, method, accelerate, reml)
      expect_identical(fit$status, "converged", label = label)
      expect_lt(abs(fit$criterion - profile$criterion), 1e-6, label = label)
      expect_equal(fixef(fit), fixef(profile), tolerance = 1e-4, label = label)
    }
  }
}

test_that("every method reaches the same interior optimum", {
  cases <- mixed_cases()
  reached <- 0L
  for (name in names(cases)) {
    for (reml in c(TRUE, FALSE)) {
      profile <- interior_optimum(cases[[name]], reml)
      if (is.null(profile)) next
      expect_same_optimum(cases[[name]], profile, reml, name)
      reached <- reached + 1L
    }
  }
  expect_gt(reached, 8L)
})

test_that("the trace of plain EM and PX-EM is monotone, with the bound between", {
  case <- mixed_case("herd", y ~ 1 + (1 | animal))
  for (method in methods) {
    trace <- em_trace(fit_by(case, method, "none", TRUE))
    noise <- 1e-9
    expect_gt(nrow(trace), 3L)
    expect_true(all(diff(trace$loglik) > -noise))
    expect_true(all(trace$bound[-1L] >= head(trace$loglik, -1L) - noise))
    expect_true(all(trace$loglik[-1L] >= trace$bound[-1L] - noise))
  }
})

test_that("EM on its way to a variance of zero says so", {
  skip_if_not_installed("lme4")
  case <- mixed_case("Dyestuff2", Yield ~ 1 + (1 | Batch))
  profile <- suppressMessages(fit_mixed_case(case, lmm))
  crawling <- suppressMessages(suppressWarnings(fit_mixed_case(
    case, lmm, method = "em", control = em_control(accelerate = "none", max_iter = 500L)
  )))
  expect_identical(crawling$status, "iteration_limit")
  expect_gt(crawling$criterion, profile$criterion)
  quick <- suppressMessages(fit_by(case, "px-em", "none", TRUE))
  expect_identical(quick$status, "converged")
  expect_lt(abs(quick$criterion - profile$criterion), 1e-6)
})

test_that("known variances and residual variances by group are held by every method", {
  data <- mixed_nested()
  data$half <- factor(data$x > 100)
  fit_it <- function(...) lmm(y ~ x + (1 | school) + (1 | class), data = data, ...)
  for (method in methods) {
    control <- em_control(max_iter = 20000L)
    known <- list(sigma = 1.2)
    expect_lt(
      abs(fit_it(known = known, method = method, control = control)$criterion -
        fit_it(known = known)$criterion), 1e-6
    )
    known <- list(sd = c(school = 0.8))
    expect_lt(
      abs(fit_it(known = known, method = method, control = control)$criterion -
        fit_it(known = known)$criterion), 1e-6
    )
    expect_lt(
      abs(fit_it(dispersion = ~half, method = method, control = control)$criterion -
        fit_it(dispersion = ~half)$criterion), 1e-6
    )
  }
})
