# Generalized linear mixed models with known answers: what people fit to the example data of lme4
# (loaded from there, never copied), and simulated data of every family.

# Linear predictor with an intercept (and a slope) for each group: rows, their groups and x.
grouped_rows <- function(groups, rows, sd = 0.8, slope_sd = 0) {
  data <- data.frame(g = factor(rep(seq_len(groups), each = rows)), x = rnorm(groups * rows))
  data$eta <- 0.5 * data$x + (rnorm(groups, sd = sd)[data$g]) +
    (rnorm(groups, sd = slope_sd)[data$g]) * data$x
  data
}

glmm_bernoulli <- function() {
  withr_seed(11, {
    data <- grouped_rows(60L, 12L, sd = 1, slope_sd = 0.7)
    data$y <- rbinom(nrow(data), 1L, plogis(data$eta - 0.3))
  })
  data
}

# Many failures, so that a log link stays away from probabilities of one.
glmm_proportion <- function() {
  withr_seed(12, {
    data <- grouped_rows(40L, 5L, sd = 0.4)
    data$trials <- sample(5:30, nrow(data), replace = TRUE)
    data$share <- rbinom(nrow(data), data$trials, exp(-2.5 + 0.4 * data$eta)) / data$trials
  })
  data
}

# Counts with an exposure and prior weights; two crossed factors.
glmm_counts <- function() {
  withr_seed(13, {
    data <- grouped_rows(50L, 8L, sd = 0.5, slope_sd = 0.3)
    data$h <- factor(sample.int(15L, nrow(data), replace = TRUE))
    data$exposure <- runif(nrow(data), 0.5, 3)
    data$w <- runif(nrow(data), 0.5, 2)
    data$eta <- data$eta + rnorm(15L, sd = 0.4)[data$h] + 0.6
    data$y <- rpois(nrow(data), data$exposure * exp(data$eta))
    data$z <- rnbinom(nrow(data), size = 1.5, mu = exp(data$eta))
    # For the links sqrt and identity, on whose scale these effects are small.
    data$level <- rpois(nrow(data), (3 + 0.4 * data$eta)^2)
  })
  data
}

glmm_times <- function() {
  withr_seed(14, {
    data <- grouped_rows(45L, 7L, sd = 0.5, slope_sd = 0.25)
    data$w <- runif(nrow(data), 0.5, 2)
    data$y <- rgamma(nrow(data), shape = 3, rate = 3 / exp(1 + data$eta))
    data$pace <- rgamma(nrow(data), shape = 6, rate = 6 * (2 + 0.25 * data$eta))
  })
  data
}

glmm_data <- function(name) {
  own <- list(
    bernoulli = glmm_bernoulli, proportion = glmm_proportion, counts = glmm_counts,
    times = glmm_times
  )
  if (name %in% names(own)) {
    return(own[[name]]())
  }
  if (requireNamespace("lme4", quietly = TRUE)) {
    data <- get(utils::data(list = name, package = "lme4", envir = environment()))
    data$row <- factor(seq_len(nrow(data)))
    data
  }
}

# `family`: its name and link. `shape`: known. `arguments`: more for glmm() and its peers.
glmm_case <- function(data, formula, family, link, n_agq = 1L, shape = NULL, arguments = list()) {
  list(
    data = data, formula = formula, family = family, link = link, n_agq = n_agq, shape = shape,
    arguments = arguments
  )
}

glmm_cases <- function() {
  herds <- cbind(incidence, size - incidence) ~ period + (1 | herd)
  list(
    cbpp = glmm_case("cbpp", herds, "binomial", "logit"),
    cbpp_agq5 = glmm_case("cbpp", herds, "binomial", "logit", 5L),
    cbpp_agq9 = glmm_case("cbpp", herds, "binomial", "logit", 9L),
    cbpp_agq25 = glmm_case("cbpp", herds, "binomial", "logit", 25L),
    cbpp_probit = glmm_case("cbpp", herds, "binomial", "probit"),
    cbpp_cloglog = glmm_case("cbpp", herds, "binomial", "cloglog"),
    cbpp_observations = glmm_case("cbpp", update(herds, ~ . + (1 | row)), "binomial", "logit"),
    grouseticks = glmm_case("grouseticks",
      TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION), "poisson", "log"),
    verbagg = glmm_case("VerbAgg",
      r2 ~ Anger + Gender + btype + situ + (1 | id) + (1 | item), "binomial", "logit"),
    bernoulli_slope = glmm_case("bernoulli", y ~ x + (x | g), "binomial", "logit"),
    bernoulli_slope_agq25 = glmm_case("bernoulli", y ~ x + (x | g), "binomial", "logit", 25L),
    bernoulli_cauchit_agq25 = glmm_case("bernoulli", y ~ x + (1 | g), "binomial", "cauchit", 25L),
    proportion_log = glmm_case("proportion", share ~ x + (1 | g), "binomial", "log",
      arguments = list(weights = quote(trials))),
    counts_offset = glmm_case("counts", y ~ x + offset(log(exposure)) + (1 | g), "poisson", "log"),
    counts_weights = glmm_case("counts", y ~ x + (x | g) + (1 | h), "poisson", "log",
      arguments = list(weights = quote(w), offset = quote(log(exposure)))),
    counts_independent = glmm_case("counts", y ~ x + (x || g), "poisson", "log"),
    counts_agq9 = glmm_case("counts", y ~ x + (1 | g), "poisson", "log", 9L),
    counts_sqrt = glmm_case("counts", level ~ x + (1 | g) + (1 | h), "poisson", "sqrt"),
    counts_identity = glmm_case("counts", level ~ x + (1 | g), "poisson", "identity"),
    overdispersed = glmm_case("counts", z ~ x + (1 | g) + (1 | h), "negative_binomial", "log"),
    overdispersed_slope = glmm_case("counts", z ~ x + (x | g), "negative_binomial", "log",
      arguments = list(weights = quote(w))),
    overdispersed_known = glmm_case("counts", z ~ x + (1 | g), "negative_binomial", "log",
      shape = 1.5),
    overdispersed_agq25 = glmm_case("counts", z ~ x + (1 | g), "negative_binomial", "log", 25L),
    times_log = glmm_case("times", y ~ x + (x | g), "Gamma", "log"),
    times_inverse = glmm_case("times", pace ~ x + (1 | g), "Gamma", "inverse",
      arguments = list(weights = quote(w))),
    times_identity = glmm_case("times", y ~ 1 + (1 | g), "Gamma", "identity")
  )
}

# The family as glmm() takes it.
ember_family <- function(case) {
  if (case$family == "negative_binomial") {
    negative_binomial(case$shape, case$link)
  } else {
    get(case$family, asNamespace("stats"))(case$link)
  }
}

# One case fitted by `fit`, or NULL where the data are not to be had.
fit_glmm_case <- function(case, fit, ...) {
  data <- glmm_data(case$data)
  if (!is.null(data)) {
    call <- rlang::call2(fit, case$formula, quote(data), !!!case$arguments, ...)
    suppressWarnings(suppressMessages(rlang::eval_tidy(call)))
  }
}

# Everything that is compared, of a fit of glmm(), as a table like mixed_values().
glmm_values <- function(fit) {
  values <- mixed_values(fit)
  values <- values[!(values$quantity == "sd" & values$name == "Residual"), ]
  estimated <- if (is.null(fit$distribution$shape)) fit$shape
  rbind(values, mixed_rows_of("shape", rep("shape", length(estimated)), estimated))
}
