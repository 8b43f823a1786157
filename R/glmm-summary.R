# summary() of a generalized linear mixed model; printed as that of a linear one.

#' Summarise a generalized linear mixed model
#'
#' The summary known from lme4: the criteria, quantiles of the scaled residuals, the variances of
#' the random effects, and the fixed effects with standard errors and z tests. What a reader must
#' know before trusting them stands at the end: an end that is no maximum, separation, a singular
#' fit, overdispersion.
#'
#' @details
#' Standard errors are from the observed information of all parameters, that is, they count the
#' estimation of the variances. Overdispersion is mentioned where its test (see
#' [overdispersion()]) has a p-value below 0.01 and the ratio is above 1.2.
#'
#' @param object A fit of [glmm()].
#' @param correlation Keep the correlations of the fixed effects? By default for up to 12 of them.
#' @param ... Not used.
#' @returns An object of class `summary.ember_glmm`, a list with `coefficients` (matrix: `Estimate`,
#'   `Std. Error`, `z value`, `Pr(>|z|)`), `family`, `overdispersion`, and the other elements of
#'   [summary.ember_lmm()].
#' @examples
#' data <- transform(InsectSprays, row = factor(1:72))
#' summary(glmm(count ~ spray + (1 | row), data = data, family = poisson()))
#' @export
summary.ember_glmm <- function(object, correlation = NULL, ...) {
  call <- rlang::current_env()
  if (!is.null(correlation) && !is_flag(correlation)) {
    abort_argument("correlation", "must be NULL, TRUE or FALSE.", NULL, call)
  }
  columns <- object$design$columns
  dispersion <- overdispersion(object)
  structure(
    list(
      methTitle = method_words(object), objClass = class(object)[[1L]], family = object$family,
      coefficients = z_table(object),
      aliased = stats::setNames(columns %in% object$design$aliased, columns),
      varcor = VarCorr(object), sigma = object$sigma, vcov = object$vcov_beta,
      ngrps = ngrps(object), logLik = stats::logLik(object), AICtab = criterion_table(object),
      residuals = scaled_quantiles(object), overdispersion = dispersion,
      remarks = overdispersion_remark(dispersion), correlation = correlation, call = object$call,
      fit = object
    ),
    class = c("summary.ember_glmm", "summary.ember_mixed")
  )
}

# A row per estimated coefficient.
z_table <- function(fit) {
  estimates <- fixef(fit)
  errors <- sqrt(diag(fit$vcov_beta))
  z <- estimates / errors
  cbind(
    Estimate = estimates, "Std. Error" = errors,
    if (length(estimates) > 0L) {
      cbind("z value" = z, "Pr(>|z|)" = 2 * stats::pnorm(-abs(z)))
    }
  )
}
