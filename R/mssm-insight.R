# What packages insight and parameters ask of a sample selection model.

#' Sample selection models in packages insight and parameters
#'
#' Methods that let insight's functions, and with them `parameters::model_parameters()`, work on
#' fits of [mssm()]. The components are `"outcome"`, `"selection"` and `"auxiliary"` (the errors).
#'
#' @param x,model A fit of [mssm()].
#' @param component Which parameters: `"all"`, `"outcome"`, `"selection"` or `"auxiliary"`.
#' @param flatten A vector instead of a list?
#' @param ci Coverage of the intervals.
#' @param source,verbose,... As insight has them; not used.
#' @returns What the packages' own methods return.
#' @name mssm_insight
#' @keywords internal
NULL

insight_components <- c("all", "outcome", "selection", "auxiliary")

# Rows of tidy() by insight's names of components.
insight_table <- function(fit, component, call, ...) {
  if (!rlang::is_string(component) || !component %in% insight_components) {
    abort_argument("component", paste0("must be one of ", quoted(insight_components), "."), NULL,
      call
    )
  }
  table <- as.data.frame(tidy.ember_mssm(fit, ...))
  table$Parameter <- names(stats::coef(fit))
  table$Component <- ifelse(table$component == "error", "auxiliary", table$component)
  if (component == "all") table else table[table$Component == component, ]
}

#' @rdname mssm_insight
#' @exportS3Method insight::find_formula
find_formula.ember_mssm <- function(x, verbose = TRUE, ...) {
  parts <- lapply(x$formulas, function(formulas) {
    if (length(formulas) == 1L) formulas[[1L]] else formulas
  })
  structure(
    list(conditional = parts$outcome, selection = parts$selection),
    class = c("insight_formula", "list")
  )
}

#' @rdname mssm_insight
#' @exportS3Method insight::find_parameters
find_parameters.ember_mssm <- function(x, component = "all", flatten = FALSE, ...) {
  table <- insight_table(x, component, rlang::current_env())
  parts <- split(table$Parameter, factor(table$Component, unique(table$Component)))
  if (flatten) unlist(parts, use.names = FALSE) else parts
}

#' @rdname mssm_insight
#' @exportS3Method insight::get_parameters
get_parameters.ember_mssm <- function(x, component = "all", ...) {
  table <- insight_table(x, component, rlang::current_env())
  data.frame(
    Parameter = table$Parameter, Estimate = table$estimate, Component = table$Component,
    row.names = NULL
  )
}

#' @rdname mssm_insight
#' @exportS3Method insight::get_statistic
get_statistic.ember_mssm <- function(x, component = "all", ...) {
  table <- insight_table(x, component, rlang::current_env())
  out <- data.frame(
    Parameter = table$Parameter, Statistic = table$statistic, Component = table$Component,
    row.names = NULL
  )
  structure(out, statistic = "z-statistic")
}

#' @rdname mssm_insight
#' @exportS3Method insight::n_parameters
n_parameters.ember_mssm <- function(x, ...) x$df

#' @rdname mssm_insight
#' @exportS3Method insight::get_data
get_data.ember_mssm <- function(x, source = "environment", verbose = TRUE, ...) {
  frame <- x$frame
  attr(frame, "terms") <- NULL
  frame
}

#' @rdname mssm_insight
#' @exportS3Method insight::is_converged
is_converged.ember_mssm <- function(x, ...) x$status == "converged"

#' @rdname mssm_insight
#' @exportS3Method parameters::model_parameters
model_parameters.ember_mssm <- function(model, ci = 0.95, component = "all", ...) {
  call <- rlang::current_env()
  table <- insight_table(model, component, call, conf.int = TRUE, conf.level = ci)
  out <- data.frame(
    Parameter = table$Parameter, Coefficient = table$estimate, SE = table$std.error, CI = ci,
    CI_low = table$conf.low, CI_high = table$conf.high, z = table$statistic, df_error = Inf,
    p = table$p.value, Component = table$Component, row.names = NULL
  )
  labels <- stats::setNames(nm = out$Parameter)
  structure(
    out,
    pretty_names = labels, pretty_labels = labels, ci = ci, ci_method = "wald", df_method = "wald",
    verbose = TRUE, exponentiate = FALSE, ordinal_model = FALSE, linear_model = FALSE,
    mixed_model = FALSE, n_obs = model$nobs, model_class = class(model)[[1L]], bootstrap = FALSE,
    iterations = 1000, robust_vcov = FALSE, show_summary = FALSE, log_link = FALSE,
    test_statistic = "z-statistic", log_response = FALSE, log_predictors = FALSE,
    weighted_nobs = model$nobs,
    model_formula = paste(vapply(unlist(model$formulas), plain_formula, ""), collapse = ", "),
    coefficient_name = "Coefficient", zi_coefficient_name = "Log-Odds", digits = 2, ci_digits = 2,
    p_digits = 3, footer_digits = 3, object_name = "model",
    class = c("parameters_model", "see_parameters_model", "data.frame")
  )
}
