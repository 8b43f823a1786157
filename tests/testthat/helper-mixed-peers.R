# Models that the tests of the methods of mixed models share, each beside lme4's fit at the same
# variances: what is compared is the method, not the optimizer.

# Like sleepstudy, with more to group by: every variance of the cases is well away from zero.
study <- function() {
  set.seed(42)
  data <- expand.grid(day = 0:9, person = factor(sprintf("p%02d", 1:12)))
  data$kind <- factor(rep_len(c("a", "b", "c"), 120))
  data$twin <- data$kind
  data$age <- stats::rnorm(120, 40, 9)
  data$shift <- stats::rnorm(120)
  data$site <- factor(rep_len(1:7, 120))
  data$weight <- stats::runif(120, 0.5, 2)
  cell <- interaction(data$kind, data$person)
  data$y <- stats::rnorm(12, 250, 25)[data$person] + stats::rnorm(7, 0, 20)[data$site] +
    stats::rnorm(36, 0, 20)[cell] + stats::rnorm(12, 10, 6)[data$person] * data$day +
    stats::rnorm(120, 0, 15)
  data
}

gappy_study <- function() {
  data <- study()
  data$y[c(3L, 50L)] <- NA
  data$day[77L] <- NA
  data
}

# Models of lme4's own data sets.
lme4_cases <- function() {
  skip_if_not_installed("lme4")
  list(
    sleepstudy = list(Reaction ~ Days + (Days | Subject), lme4::sleepstudy),
    Penicillin = list(diameter ~ 1 + (1 | plate) + (1 | sample), lme4::Penicillin, REML = FALSE),
    Pastes = list(strength ~ 1 + (1 | batch / cask), lme4::Pastes),
    cake = list(angle ~ recipe * temperature + (1 | recipe:replicate), lme4::cake)
  )
}

# Formula, data and further arguments of lmm() and lmer().
peer_cases <- function() {
  list(
    slope = list(y ~ day + (day | person), study()),
    split = list(y ~ day + (1 | person) + (0 + day | person), study()),
    crossed = list(y ~ day + (1 | person) + (1 | site), study(), REML = FALSE),
    weighted = list(
      y ~ day + (day | person) + (1 | site), gappy_study(), weights = quote(weight),
      na.action = quote(na.exclude)
    ),
    offset = list(y ~ 0 + kind + day + offset(shift) + (1 | person), gappy_study()),
    aliased = list(y ~ kind + twin + day + (1 | person), study()),
    bases = list(y ~ poly(age, 2) + (1 + day | person), study()),
    nested = list(y ~ kind * day + (1 | person / kind), study())
  )
}

# The call finds its data where the formula was written, as lmerTest wants it.
fit_case <- function(case, fitter = quote(lmm), ...) {
  here <- list2env(list(data = case[[2L]], control = fixed_theta_of(fitter)))
  formula <- case[[1L]]
  environment(formula) <- here
  eval(as.call(c(fitter, list(formula, data = quote(data)), case[-(1:2)], list(...))), here)
}

fixed_theta_of <- function(fitter) if (!identical(fitter, quote(lmm))) fixed_theta()

fixed_theta <- function() lme4::lmerControl(optimizer = NULL, calc.derivs = FALSE)

# lme4's fit (as lmerTest has it) at the variances of a fit of ours.
peer_of <- function(case, fit) {
  skip_if_not_installed("lmerTest")
  suppressMessages(
    fit_case(case, quote(lmerTest::lmer), start = fit$theta, control = quote(control))
  )
}

# Runs a check on every case: check(ours, lme4's, case).
with_peers <- function(check, cases = peer_cases()) {
  skip_if_not_installed("lme4")
  for (name in names(cases)) {
    ours <- suppressMessages(fit_case(cases[[name]]))
    check(ours, peer_of(cases[[name]], ours), name, cases[[name]])
  }
}

# Lines of output without what only lme4 says: the arguments of the peer's call, its optimizer, the
# class, and the empty lines it ends with.
comparable_lines <- function(lines) {
  lines <- lines[!grepl("^Control:|optimizer|isSingular|rank deficient|^fit warnings", lines)]
  lines <- gsub("lmerModLmerTest|lmerMod", "ember_lmm", lines)
  lines <- sub("likelihood . t-tests", "likelihood. t-tests", lines, fixed = TRUE)
  lines[seq_len(max(which(nzchar(lines))))]
}
