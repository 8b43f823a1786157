# Makes lmm.csv: the best optimum of lme4's criterion for the cases of mixed_cases() in
# helper-mixed.R, by several tight optimizers from several starts, polished by Newton steps. Run
# from tests/testthat with lme4 (1.1-31 made the stored values), nlme, minqa, nloptr and numDeriv:
#   Rscript oracles/lmm.R [case ...]      only these cases are replaced
source("helper-mixed.R")
# nolint start: object_usage_linter. The helper's functions are not lintr's to find.

optimizers <- list(
  bobyqa = function(theta, criterion, lower) {
    found <- minqa::bobyqa(theta, criterion, lower,
      control = list(rhobeg = 0.2, rhoend = 1e-9, maxfun = 20000))
    list(theta = found$par, criterion = found$fval)
  },
  nloptwrap = function(theta, criterion, lower) {
    found <- nloptr::nloptr(theta, criterion, lb = lower, opts = list(
      algorithm = "NLOPT_LN_BOBYQA", ftol_abs = 1e-14, ftol_rel = 1e-15, xtol_rel = 1e-14,
      xtol_abs = 1e-14, maxeval = 20000))
    list(theta = found$solution, criterion = found$objective)
  },
  nelder_mead = function(theta, criterion, lower) {
    found <- lme4::Nelder_Mead(criterion, theta, lower = lower, control = list(
      maxfun = 20000, FtolAbs = 1e-12, FtolRel = 1e-15, XtolRel = 1e-12, warnOnly = TRUE))
    list(theta = found$par, criterion = found$fval)
  }
)

starts <- function(theta, lower, slow) {
  on_diagonal <- lower == 0
  if (slow) {
    return(list(theta))
  }
  c(list(theta, 0.3 * theta, 3 * theta), lapply(1:2, function(seed) {
    withr_seed(seed, ifelse(on_diagonal, exp(rnorm(length(theta))), rnorm(length(theta), sd = 0.3)))
  }))
}

# Newton steps on the coordinates that are not at a bound, as long as they lower the criterion or
# the gradient.
polish <- function(best, criterion, lower) {
  at_bound <- lower == 0 & best$theta < 1e-4
  bounded <- replace(best$theta, at_bound, 0)
  if (criterion(bounded) <= best$criterion + 1e-9) best$theta <- bounded
  free <- which(!(lower == 0 & best$theta == 0))
  if (length(free) == 0L) {
    best$criterion <- criterion(best$theta)
    return(best)
  }
  along <- function(x) criterion(replace(best$theta, free, x))
  slope <- function(x) numDeriv::grad(along, x, method.args = list(d = 1e-3))
  for (step in 1:3) {
    x <- best$theta[free]
    curvature <- eigen(numDeriv::hessian(along, x), symmetric = TRUE)
    if (any(curvature$values < 1e-4 * max(curvature$values))) break
    gradient <- slope(x)
    direction <- curvature$vectors %*% (crossprod(curvature$vectors, gradient) / curvature$values)
    moved <- x - drop(direction)
    if (any(moved < lower[free]) || sum(slope(moved)^2) >= sum(gradient^2)) break
    best$theta[free] <- moved
  }
  best$criterion <- criterion(best$theta)
  best
}

best_optimum <- function(case, reml) {
  lmer <- function(...) fit_mixed_case(case, lme4::lmer, REML = reml, ...)
  fit <- lmer(control = lme4::lmerControl(optimizer = NULL, check.conv.singular = "ignore"))
  criterion <- lmer(devFunOnly = TRUE)
  lower <- fit@lower
  begin <- lme4::getME(fit, "theta")
  used <- if (case$slow) optimizers[c("bobyqa", "nloptwrap")] else optimizers
  found <- list()
  for (start in starts(begin, lower, case$slow)) {
    for (optimizer in used) {
      found <- c(found, list(suppressWarnings(optimizer(start, criterion, lower))))
    }
  }
  reached <- vapply(found, \(one) one$criterion, 0)
  best <- polish(found[[which.min(reached)]], criterion, lower)
  if (best$criterion > min(reached) + 1e-9) best <- found[[which.min(reached)]]
  criterion(best$theta)
  message(sprintf("  %s: %.9f, %d of %d within 1e-6", if (reml) "REML" else "ML",
    best$criterion, sum(reached < best$criterion + 1e-6), length(reached)))
  optimum <- list(par = best$theta, fval = best$criterion, conv = 0, message = NULL)
  lme4::mkMerMod(environment(criterion), optimum, list(
    Zt = fit@pp$Zt, theta = begin, Lind = fit@pp$Lind, lower = lower, Lambdat = fit@pp$Lambdat,
    flist = fit@flist, cnms = fit@cnms, Gp = fit@Gp), fit@frame)
}

values_of_case <- function(name) {
  message(name)
  case <- mixed_cases()[[name]]
  do.call(rbind, lapply(c(TRUE, FALSE), function(reml) {
    values <- mixed_values(best_optimum(case, reml))
    values$value <- formatC(values$value, digits = 12, format = "g")
    cbind(case = name, REML = reml, values)
  }))
}

file <- "oracles/lmm.csv"
chosen <- commandArgs(TRUE)
if (length(chosen) == 0L) chosen <- names(mixed_cases())
kept <- if (file.exists(file)) utils::read.csv(file, colClasses = c(value = "character"))
for (name in chosen) {
  kept <- rbind(kept[kept$case != name, ], values_of_case(name))
  utils::write.csv(kept, file, row.names = FALSE)
}
# nolint end
