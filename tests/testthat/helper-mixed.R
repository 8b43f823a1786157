# Linear mixed models with known answers: what people fit to the example data of lme4 and nlme
# (loaded from there, never copied), the seed's simulated herd, and data of our own.

# 100 animals with two offspring each (Solymos and Lele 2016), random numbers as in their notes.
mixed_herd <- function(n = 100L, m = 2L) {
  withr_seed(1234, {
    noise <- rnorm(n * m, mean = 0, sd = 0.2)
    alpha <- rnorm(n, mean = 0, sd = 0.5)
  })
  data.frame(y = 2.5 + alpha + noise, animal = factor(rep(seq_len(n), m)), alpha = alpha)
}

# Subjects by items, two crossed conditions inside both: a maximal model has 20 variance parameters.
mixed_crossed <- function(subjects = 40L, items = 24L) {
  withr_seed(20160716, {
    data <- expand.grid(item = factor(seq_len(items)), subject = factor(seq_len(subjects)))
    n <- nrow(data)
    data$a <- sample(c(-0.5, 0.5), n, replace = TRUE)
    data$b <- sample(c(-0.5, 0.5), n, replace = TRUE)
    x <- cbind(1, data$a, data$b, data$a * data$b)
    effects <- function(levels, sd) matrix(rnorm(4L * levels), levels) %*% correlated_root(sd)
    by_subject <- effects(subjects, c(1, 0.8, 0.6, 0.7))
    by_item <- effects(items, c(0.7, 0.5, 0.8, 0.6))
    data$y <- drop(x %*% c(5, 0.4, -0.3, 0.2)) + rowSums(x * by_subject[data$subject, ]) +
      rowSums(x * by_item[data$item, ]) + rnorm(n)
  })
  data
}

correlated_root <- function(sd) chol(diag(sd) %*% (0.3 + 0.7 * diag(length(sd))) %*% diag(sd))

# Three nested levels of unequal sizes, weights and an offset.
mixed_nested <- function() {
  withr_seed(7, {
    sizes <- sample(1:6, 60L, replace = TRUE)
    data <- data.frame(class = factor(rep(seq_along(sizes), sizes)))
    data$school <- factor(as.integer(data$class) %% 12L)
    n <- nrow(data)
    data$x <- rnorm(n, 100, 5)
    data$w <- runif(n, 0.5, 4)
    data$known <- runif(n)
    data$y <- 3 + 0.1 * data$x + data$known + rnorm(12L)[data$school] +
      0.7 * rnorm(60L)[data$class] + rnorm(n) / sqrt(data$w)
  })
  data
}

# The generators of R 3.6 and later, whatever the session uses; the session's own state stays.
withr_seed <- function(seed, code) {
  old <- get0(".Random.seed", globalenv(), inherits = FALSE)
  on.exit(if (is.null(old)) {
    rm(".Random.seed", envir = globalenv())
  } else {
    assign(".Random.seed", old, globalenv())
  })
  set.seed(seed, "Mersenne-Twister", "Inversion", "Rejection")
  force(code)
}

mixed_data <- function(name) {
  own <- list(herd = mixed_herd, crossed = mixed_crossed, nested = mixed_nested)
  if (name %in% names(own)) {
    return(own[[name]]())
  }
  package <- if (name == "Machines") "nlme" else "lme4"
  if (requireNamespace(package, quietly = TRUE)) {
    get(utils::data(list = name, package = package, envir = environment()))
  }
}

# `slow`: lme4 needs more than a second. `arguments`: more for both lmm() and lmer().
mixed_case <- function(data, formula, arguments = list(), slow = FALSE) {
  list(data = data, formula = formula, arguments = arguments, slow = slow)
}

mixed_cases <- function() {
  list(
    herd = mixed_case("herd", y ~ 1 + (1 | animal)),
    crossed_intercepts = mixed_case("crossed", y ~ a * b + (1 | subject) + (1 | item)),
    crossed_maximal = mixed_case(
      "crossed", y ~ a * b + (a * b | subject) + (a * b | item), slow = TRUE
    ),
    nested_weights = mixed_case(
      "nested", y ~ x + (1 | school / class), list(weights = quote(w), offset = quote(known))
    ),
    nested_slope = mixed_case("nested", y ~ scale(x) + (scale(x) | school) + (1 | class)),
    sleepstudy = mixed_case("sleepstudy", Reaction ~ Days + (Days | Subject)),
    sleepstudy_intercept = mixed_case("sleepstudy", Reaction ~ Days + (1 | Subject)),
    sleepstudy_independent = mixed_case("sleepstudy", Reaction ~ Days + (Days || Subject)),
    sleepstudy_two_terms = mixed_case(
      "sleepstudy", Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)
    ),
    sleepstudy_quadratic = mixed_case(
      "sleepstudy", Reaction ~ poly(Days, 2) + (poly(Days, 2) | Subject)
    ),
    sleepstudy_weights = mixed_case(
      "sleepstudy", Reaction ~ Days + (Days | Subject), list(weights = quote(Days + 1))
    ),
    dyestuff = mixed_case("Dyestuff", Yield ~ 1 + (1 | Batch)),
    dyestuff2 = mixed_case("Dyestuff2", Yield ~ 1 + (1 | Batch)),
    penicillin = mixed_case("Penicillin", diameter ~ 1 + (1 | plate) + (1 | sample)),
    pastes = mixed_case("Pastes", strength ~ 1 + (1 | batch / cask)),
    pastes_sample = mixed_case("Pastes", strength ~ 1 + (1 | sample) + (1 | batch)),
    cake = mixed_case("cake", angle ~ recipe * temperature + (1 | recipe:replicate)),
    cake_linear = mixed_case("cake", angle ~ recipe + temp + (1 | replicate / recipe)),
    cake_slope = mixed_case("cake", angle ~ recipe * temp + (1 + scale(temp) | recipe:replicate)),
    insteval = mixed_case("InstEval", y ~ service + (1 | s) + (1 | d) + (1 | dept), slow = TRUE),
    insteval_fixed_dept = mixed_case("InstEval", y ~ dept * service + (1 | s) + (1 | d),
      slow = TRUE),
    insteval_slope = mixed_case("InstEval", y ~ service + (1 | s) + (service | d), slow = TRUE),
    verbagg = mixed_case("VerbAgg",
      as.integer(resp) ~ Anger + Gender + btype + situ + mode + (1 | id) + (1 | item)),
    verbagg_slope = mixed_case("VerbAgg",
      as.integer(resp) ~ Anger + Gender + btype + situ + (mode | id) + (1 | item), slow = TRUE),
    arabidopsis = mixed_case("Arabidopsis",
      log(total.fruits + 1) ~ nutrient * amd + rack + status + (1 | popu) + (1 | gen)),
    arabidopsis_slope = mixed_case("Arabidopsis",
      log(total.fruits + 1) ~ factor(nutrient) * amd + rack + status + (1 | popu) +
        (factor(nutrient) | gen)),
    arabidopsis_maximal = mixed_case("Arabidopsis",
      log(total.fruits + 1) ~ factor(nutrient) * amd + rack + status +
        (factor(nutrient) * amd | popu) + (factor(nutrient) * amd | gen), slow = TRUE),
    grouseticks = mixed_case("grouseticks",
      log(TICKS + 1) ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | LOCATION)),
    grouseticks_nested = mixed_case("grouseticks",
      log(TICKS + 1) ~ YEAR * cHEIGHT + (1 | LOCATION / BROOD)),
    machines = mixed_case("Machines", score ~ Machine + (1 | Worker)),
    machines_nested = mixed_case("Machines", score ~ Machine + (1 | Worker / Machine)),
    machines_vector = mixed_case("Machines", score ~ Machine + (Machine | Worker)),
    machines_cells = mixed_case("Machines", score ~ 0 + Machine + (0 + Machine | Worker))
  )
}

# One case fitted by `fit` (lmm, lme4::lmer or another that takes their arguments), or NULL where
# the data are not to be had.
fit_mixed_case <- function(case, fit, ...) {
  data <- mixed_data(case$data)
  if (!is.null(data)) {
    rlang::eval_tidy(rlang::call2(fit, case$formula, quote(data), !!!case$arguments, ...))
  }
}

fit_quietly <- function(case, fit, ...) {
  suppressWarnings(suppressMessages(fit_mixed_case(case, fit, ...)))
}

# Everything that is compared, of a fit of either package, as a table: quantity, name, value.
mixed_values <- function(fit, levels = 4L) {
  components <- as.data.frame(nlme::VarCorr(fit))
  component <- function(rows, quantity) {
    name <- apply(components[rows, c("grp", "var1", "var2")], 1L, \(parts) {
      paste(stats::na.omit(parts), collapse = ":")
    })
    mixed_rows_of(quantity, as.vector(name, "character"), components$sdcor[rows])
  }
  deviations <- is.na(components$var2)
  modes <- nlme::ranef(fit, condVar = FALSE)
  first_modes <- function(group) {
    kept <- utils::head(modes[[group]], levels)
    names <- outer(rownames(kept), names(kept), \(level, name) paste(group, name, level, sep = ":"))
    mixed_rows_of("mode", c(names), unlist(kept))
  }
  coefficients <- nlme::fixef(fit)
  rbind(
    mixed_rows_of("criterion", "", -2 * as.numeric(stats::logLik(fit))),
    mixed_rows_of("coefficient", names(coefficients), coefficients),
    mixed_rows_of("std. error", names(coefficients), sqrt(diag(as.matrix(stats::vcov(fit))))),
    component(deviations, "sd"), component(!deviations, "correlation"),
    do.call(rbind, lapply(names(modes), first_modes))
  )
}

mixed_rows_of <- function(quantity, name, value) {
  data.frame(quantity = rep(quantity, length(value)), name = name, value = as.vector(value))
}
