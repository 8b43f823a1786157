#' Simultaneous tests, robust tables and other tools for the fixed effects
#'
#' Methods that let packages multcomp ([multcomp::glht()]), lmtest ([lmtest::coeftest()]) and car
#' ([car::Anova()], [car::linearHypothesis()], [car::deltaMethod()]) work on fits of [lmm()] and
#' [glmm()] as they do on those of lme4. Fits of [glmm()] have z and chi-square tests only.
#'
#' @name lmm_fixed_tests
#' @keywords internal
NULL

#' @rdname lmm_fixed_tests
#' @param model,x,mod,object A fit of [lmm()] or [glmm()].
#' @param coef.,vcov. The fixed effects and their covariance matrix, or functions of the fit.
#' @param df Degrees of freedom of the t distribution; by default normal (multcomp).
#' @exportS3Method multcomp::modelparm
modelparm.ember_mixed <- function(model, coef. = fixef,
                                vcov. = stats::vcov,
                                df = NULL, ...) {
  estimates <- value_or_call(coef., model)
  covariance <- as.matrix(value_or_call(vcov., model))
  if (is.null(df)) df <- 0
  if (!is.numeric(df) || length(df) != 1L || is.na(df) || df < 0) {
    abort_argument("df", "must be a positive number.")
  }
  if (any(dim(covariance) != length(estimates))) {
    abort_argument("vcov.", "must have a row and a column for each of the fixed effects.")
  }
  structure(
    list(
      coef = estimates, vcov = covariance, df = df, estimable = rep(TRUE, length(estimates))
    ),
    class = "modelparm"
  )
}

value_or_call <- function(value, fit, ...) {
  if (is.function(value)) value(fit, ...) else value
}
