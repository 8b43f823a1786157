# The tables of package parameters.

#' @rdname lmm_insight
#' @param ci_method Degrees of freedom of the Wald intervals and tests: `"residual"` (as parameters
#'   has it for lme4), `"normal"`, `"satterthwaite"`, `"kenward"`; or `"profile"` or `"boot"`
#'   intervals, also of the random effects' standard deviations.
#' @param exponentiate Exponentiate the fixed effects?
#' @param group_level List the random effects of every level instead of their standard deviations?
#' @exportS3Method parameters::model_parameters
model_parameters.ember_mixed <- function(model, ci = 0.95, ci_method = c(
  "residual", "wald", "normal", "satterthwaite", "kenward", "profile", "boot"
),
                                       effects = c("all", "fixed", "random"),
                                       group_level = FALSE, exponentiate = FALSE, ...) {
  call <- rlang::current_env()
  ci_method <- match_choice("ci_method", call)
  effects <- match_choice("effects", call)
  parts <- list(
    if (effects != "random") fixed_parameters(model, ci, ci_method, exponentiate),
    if (effects != "fixed" && group_level) level_parameters(model, ci),
    if (effects != "fixed" && !group_level) variance_parameters(model, ci, ci_method)
  )
  table <- stack_parameters(parts[lengths(parts) > 0L])
  if (effects == "fixed") table$Group <- NULL
  if (effects == "random") table[c("Statistic", "df_error", "p")] <- NULL
  names(table)[names(table) == "Statistic"] <- statistic_letter(model)
  described_parameters(table, model, ci, ci_method, exponentiate, group_level)
}

fixed_parameters <- function(fit, ci, method, exponentiate) {
  table <- wald_parameters(fit, method)
  limits <- if (method %in% c("profile", "boot")) {
    stats::confint(fit, "beta_", level = ci, method = method)
  } else {
    table$Coefficient + outer(stats::qt((1 + ci) / 2, table$df_error) * table$SE, c(-1, 1))
  }
  table$CI_low <- unname(limits[, 1L])
  table$CI_high <- unname(limits[, 2L])
  if (exponentiate) {
    shown <- c("Coefficient", "CI_low", "CI_high")
    table[shown] <- exp(table[shown])
    table$SE <- table$SE * table$Coefficient
  }
  data.frame(table, CI = ci, Effects = "fixed", Group = "")
}

wald_parameters <- function(fit, method) {
  if (method %in% c("satterthwaite", "kenward")) {
    refuse_glmm(fit, "degrees of freedom", rlang::caller_env())
  } else if (inherits(fit, "ember_glmm")) {
    method <- "normal"
  }
  ddf <- switch(method, satterthwaite = "Satterthwaite", kenward = "Kenward-Roger", "none")
  cells <- stats::coef(summary(fit, ddf = ddf))
  df <- switch(method,
    satterthwaite = , kenward = cells[, "df"],
    residual = , wald = rep(stats::df.residual(fit), nrow(cells)),
    rep(Inf, nrow(cells))
  )
  statistic <- unname(cells[, paste(statistic_letter(fit), "value")])
  data.frame(
    Parameter = rownames(cells), Coefficient = unname(cells[, "Estimate"]),
    SE = unname(cells[, "Std. Error"]), Statistic = statistic, df_error = unname(df),
    p = 2 * stats::pt(-abs(statistic), unname(df))
  )
}

# Standard deviations come before correlations in each group.
variance_parameters <- function(fit, ci, method) {
  table <- as.data.frame(VarCorr(fit), order = "lower.tri")
  limits <- variance_limits(fit, table, ci, method)
  pair <- !is.na(table$var2)
  first <- ifelse(is.na(table$var1), "Observations", table$var1)
  name <- ifelse(pair,
    paste0("Cor (", sub("(Intercept)", "Intercept", first, fixed = TRUE), "~", table$var2, ")"),
    paste0("SD (", sub("(Intercept)", "Intercept", first, fixed = TRUE), ")")
  )
  out <- data.frame(
    Parameter = name, Coefficient = table$sdcor, CI = ci, CI_low = limits[, 1L],
    CI_high = limits[, 2L], Effects = "random", Group = table$grp
  )
  out[order(match(out$Group, unique(out$Group)), pair), ]
}

level_parameters <- function(fit, ci) {
  table <- as.data.frame(ranef(fit, condVar = TRUE))
  half <- stats::qnorm((1 + ci) / 2) * table$condsd
  data.frame(
    Parameter = as.character(table$term), Level = as.character(table$grp),
    Coefficient = table$condval, SE = table$condsd, CI = ci, CI_low = table$condval - half,
    CI_high = table$condval + half, Effects = "random", Group = as.character(table$grpvar)
  )
}

stack_parameters <- function(tables) {
  columns <- c(
    "Parameter", "Level", "Coefficient", "SE", "CI", "CI_low", "CI_high", "Statistic", "df_error",
    "p", "Effects", "Group"
  )
  shown <- setdiff(columns, if (all(vapply(tables, \(x) is.null(x$Level), NA))) "Level")
  rows <- lapply(tables, function(table) {
    table[setdiff(shown, names(table))] <- NA
    table[shown]
  })
  out <- do.call(rbind, rows)
  row.names(out) <- NULL
  out
}

#' @rdname lmm_insight
#' @param method As `ci_method`.
#' @exportS3Method parameters::p_value
p_value.ember_mixed <- function(model, method = "residual", ...) {
  wald_parameters(model, method)[c("Parameter", "p")]
}

#' @rdname lmm_insight
#' @exportS3Method parameters::degrees_of_freedom
degrees_of_freedom.ember_mixed <- function(model, method = "residual", ...) {
  unname(get_df.ember_mixed(model, method))
}

#' @rdname lmm_insight
#' @exportS3Method bayestestR::ci
ci.ember_mixed <- function(x, ci = 0.95, method = "residual", ...) {
  table <- fixed_parameters(x, ci, method, exponentiate = FALSE)
  table[c("Parameter", "CI", "CI_low", "CI_high")]
}

# What parameters' own printing looks for.
described_parameters <- function(table, fit, ci, method, exponentiate, group_level) {
  fixed <- stats::setNames(nm = names(fixef(fit)))
  all <- stats::setNames(table$Parameter, table$Parameter)
  structure(
    table,
    pretty_names = fixed, pretty_labels = all, ci = ci, ci_method = method, df_method = method,
    verbose = TRUE, exponentiate = exponentiate, ordinal_model = FALSE,
    linear_model = inherits(fit, "ember_lmm"),
    mixed_model = TRUE, n_obs = stats::nobs(fit), model_class = class(fit)[[1L]],
    bootstrap = FALSE, iterations = 1000, robust_vcov = FALSE, ignore_group = !group_level,
    ran_pars = !group_level, ran_group_level = group_level, show_summary = FALSE,
    log_link = stats::family(fit)$link == "log",
    test_statistic = paste0(statistic_letter(fit), "-statistic"), log_response = FALSE,
    log_predictors = FALSE,
    weighted_nobs = stats::nobs(fit),
    model_formula = paste(deparse(stats::formula(stats::terms(fit))), collapse = " "),
    coefficient_name = coefficient_word(fit, exponentiate), zi_coefficient_name = "Log-Odds",
    digits = 2,
    ci_digits = 2, p_digits = 3, footer_digits = 3, object_name = "model",
    class = c("parameters_model", "see_parameters_model", "data.frame")
  )
}

# What a coefficient is called, as parameters has it.
coefficient_word <- function(fit, exponentiate) {
  link <- stats::family(fit)$link
  counts <- inherits(fit, "ember_glmm") && fit$distribution$name %in% c(
    "poisson", "negative_binomial"
  )
  if (link == "logit") {
    if (exponentiate) "Odds Ratio" else "Log-Odds"
  } else if (link == "log" && counts) {
    if (exponentiate) "IRR" else "Log-Mean"
  } else {
    "Coefficient"
  }
}
