# Fits of glmm() for its methods, one of each kind, and lme4's object at the same estimates: what
# differs is then the methods alone.

glmm_herds <- function() {
  skip_if_not_installed("lme4")
  glmm_data("cbpp")
}

# Counts with missing values, weights and an offset.
glmm_gaps <- function() {
  data <- glmm_counts()[1:160, ]
  data$x[c(3, 50)] <- NA
  data$g <- droplevels(data$g)
  data
}

# Each a list: formula, data, family, more arguments.
glmm_peer_cases <- function() {
  herds <- glmm_herds()
  list(
    counts_of_two = list(
      cbind(incidence, size - incidence) ~ period + (1 | herd), herds, quote(binomial())
    ),
    proportions = list(
      incidence / size ~ period + (1 | herd), herds, quote(binomial()), weights = quote(size)
    ),
    bernoulli = list(y ~ x + (x | g), glmm_bernoulli(), quote(binomial())),
    offset = list(
      y ~ x + offset(log(exposure)) + (1 | g) + (1 | h), glmm_gaps(), quote(poisson()),
      na.action = quote(na.exclude)
    ),
    negative_binomial = list(z ~ x + (1 | g), glmm_gaps(), quote(negative_binomial(1.5)))
  )
}

# The call finds its data where the formula was written.
fit_glmm_peer_case <- function(case, ...) {
  here <- list2env(list(data = case[[2L]]))
  formula <- case[[1L]]
  environment(formula) <- here
  call <- as.call(c(
    quote(glmm), list(formula, data = quote(data), family = case[[3L]]), case[-(1:3)], list(...)
  ))
  suppressMessages(eval(call, here))
}

# Runs a check on every case: check(ours, lme4's, name).
with_glmm_peers <- function(check, cases = glmm_peer_cases()) {
  skip_if_not_installed("lme4")
  skip_if_not_installed("MASS")
  for (name in names(cases)) {
    ours <- fit_glmm_peer_case(cases[[name]])
    check(ours, as_merMod(ours), name)
  }
}
