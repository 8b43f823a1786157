# Methods that package marginaleffects asks for.

#' Sample selection models in package marginaleffects
#'
#' Methods that let package marginaleffects (`predictions()`, `comparisons()`, `slopes()`) work on
#' fits of [mssm()]. `type` is one of those of [predict()][predict.ember_mssm]; `"response"` stands
#' for `"outcome"`. Of several equations all are predicted, told apart by column `group`, unless
#' `equation` names one. [marginal_effects()] needs no other package.
#'
#' @param model A fit of [mssm()].
#' @param coefs Parameters, in the order of `vcov()`, to put in the place of those of the fit.
#' @param vcov A covariance matrix, a function of the fit that gives one, or a type of
#'   [vcov()][vcov.ember_mssm]; by default `vcov()`.
#' @param newdata New data to predict, by default that of the fit.
#' @param type What to predict.
#' @param ... `equation`, the number or name of one; the rest is not used.
#' @returns What marginaleffects asks for.
#' @name mssm_hooks
#' @keywords internal
NULL

#' @rdname mssm_hooks
#' @exportS3Method marginaleffects::get_coef
get_coef.ember_mssm <- function(model, ...) naturals_of(model)

#' @rdname mssm_hooks
#' @exportS3Method marginaleffects::set_coef
set_coef.ember_mssm <- function(model, coefs, ...) {
  values <- naturals_of(model)
  names <- if (is.null(names(coefs))) names(values) else names(coefs)
  values[names] <- as.vector(coefs)
  fit_with_naturals(model, values)
}

# The fit with other values of its parameters, for derivatives.
fit_with_naturals <- function(fit, naturals) {
  fit$parameters <- parameters_at(fit, naturals)
  fit$coefficients <- Map(
    function(old, new) stats::setNames(new, names(old)), fit$coefficients,
    fit$parameters$coefficients
  )
  fit$omega <- named_omega(fit$parameters$omega, names(fit$coefficients))
  fit
}

#' @rdname mssm_hooks
#' @exportS3Method marginaleffects::get_vcov
get_vcov.ember_mssm <- function(model, vcov = NULL, ...) {
  if (is.null(vcov) || isTRUE(vcov)) {
    return(stats::vcov(model))
  }
  if (rlang::is_string(vcov)) {
    return(stats::vcov(model, type = vcov))
  }
  if (!is.function(vcov) && !is.matrix(vcov)) {
    abort_argument("vcov", "must be a covariance matrix, a function of the fit or a type.")
  }
  as.matrix(value_or_call(vcov, model))
}

#' @rdname mssm_hooks
#' @exportS3Method marginaleffects::get_predict
get_predict.ember_mssm <- function(model, newdata = NULL, type = "response", ...) {
  if (identical(type, "response")) type <- "outcome"
  # marginaleffects passes on arguments of other models as well.
  equation <- list(...)$equation
  equations <- if (is.null(equation)) seq_along(model$equations$outcome) else equation
  tables <- lapply(equations, function(j) {
    estimate <- as.vector(stats::predict(model, newdata, type = type, equation = j))
    rowid <- if ("rowid" %in% names(newdata)) newdata$rowid else seq_along(estimate)
    place <- check_equation(model, j, rlang::caller_env())
    data.frame(
      rowid = rowid, group = model$equations$outcome[[place]], estimate = estimate
    )
  })
  out <- do.call(rbind, tables)
  if (length(equations) == 1L) out$group <- NULL
  out
}
