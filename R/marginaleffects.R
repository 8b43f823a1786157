# Methods that package marginaleffects asks for, and the option by which it learns of the classes.

#' Marginal effects and residual checks of a mixed model
#'
#' Methods that let packages marginaleffects (`predictions()`, `comparisons()`, `slopes()`),
#' DHARMa (`simulateResiduals()`) and effects work on fits of [lmm()] and [glmm()] as they do on
#' those of lme4.
#' DHARMa notes that it does not know the class; its residuals are right nevertheless.
#'
#' @param model,object,mod A fit of [lmm()] or [glmm()].
#' @param coefs Named fixed effects to put in the place of those of the fit.
#' @param vcov A covariance matrix or a function of the fit that gives one; by default `vcov()`.
#' @param newdata New data to predict, by default that of the fit.
#' @param type For `get_predict()` the scale, `"response"` or `"link"`; for
#'   `getSimulations()`, `"normal"` (a matrix) or `"refit"` (a data frame).
#' @param ... Passed on to [predict()][predict.ember_lmm] (such as `re.form = NA` for predictions
#'   without random effects) or [simulate()][simulate.ember_mixed].
#' @returns What the packages ask for.
#' @examplesIf requireNamespace("effects", quietly = TRUE)
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' effects::Effect("Machine", fit)
#' @name lmm_hooks
#' @keywords internal
NULL

#' @rdname lmm_hooks
#' @exportS3Method marginaleffects::get_coef
get_coef.ember_mixed <- function(model, ...) fixef(model)

#' @rdname lmm_hooks
#' @exportS3Method marginaleffects::set_coef
set_coef.ember_mixed <- function(model, coefs, ...) {
  names <- if (is.null(names(coefs))) names(model$beta) else names(coefs)
  model$beta[names] <- as.vector(coefs)
  model
}

#' @rdname lmm_hooks
#' @exportS3Method marginaleffects::get_vcov
get_vcov.ember_mixed <- function(model, vcov = NULL, ...) {
  if (is.null(vcov) || isTRUE(vcov)) {
    return(stats::vcov(model))
  }
  if (!is.function(vcov) && !is.matrix(vcov)) {
    abort_argument("vcov", "must be a covariance matrix or a function of the fit.")
  }
  as.matrix(value_or_call(vcov, model))
}

#' @rdname lmm_hooks
#' @exportS3Method marginaleffects::get_predict
get_predict.ember_mixed <- function(model, newdata = NULL, type = "response", ...) {
  # marginaleffects passes on arguments of other models as well.
  given <- list(...)
  given <- given[intersect(names(given), c("re.form", "allow.new.levels"))]
  if (!"allow.new.levels" %in% names(given)) given$allow.new.levels <- TRUE
  if (inherits(model, "ember_glmm")) given$type <- type
  estimate <- do.call(stats::predict, c(list(model, newdata), given))
  rowid <- if ("rowid" %in% names(newdata)) newdata$rowid else seq_along(estimate)
  data.frame(rowid = rowid, estimate = as.vector(estimate))
}

# marginaleffects takes on classes that this option names.
register_marginaleffects_classes <- function() {
  known <- getOption("marginaleffects_model_classes")
  ours <- c("ember_lmm", "ember_glmm", "ember_mssm")
  options(marginaleffects_model_classes = union(known, ours))
}

.onLoad <- function(libname, pkgname) register_marginaleffects_classes()
