# Short answers about a generalized linear mixed model, where they differ from those about a linear
# one (mixed-methods.R).

#' Parts of a generalized linear mixed model
#'
#' The answers of R's generics, and those of lme4, that are particular to fits of [glmm()]; the
#' others are those for all mixed models, see [ember_mixed_methods].
#'
#' @param object A fit of [glmm()].
#' @param type `"prior"` (numbers of trials, or the weights that were given) or `"working"`
#'   (\eqn{w \mu'(\eta)^2 / V(\mu)} at the fit, as [stats::glm()] has them).
#' @param ... Not used.
#' @returns
#' * `family()`: the family; that of a negative binomial fit has the estimate of theta.
#' * `deviance()`: the sum of squared deviance residuals, given the random effects, as in lme4; it
#'   is not -2 log-likelihood.
#' * `sigma()`: 1, or for the Gamma family the residual coefficient of variation.
#' * `weights()`: see `type`. `isGLMM()`: `TRUE`.
#' @examples
#' data <- transform(InsectSprays, row = factor(1:72))
#' fit <- glmm(count ~ spray + (1 | row), data = data, family = poisson())
#' deviance(fit)
#' family(fit)
#' @name ember_glmm_methods
NULL

#' @rdname ember_glmm_methods
#' @export
family.ember_glmm <- function(object, ...) object$family

#' @rdname ember_glmm_methods
#' @export
deviance.ember_glmm <- function(object, ...) {
  sum(glmm_residuals(object, "deviance")^2)
}

#' @rdname ember_glmm_methods
#' @export
weights.ember_glmm <- function(object, type = c("prior", "working"), ...) {
  type <- match_choice("type", rlang::current_env())
  rows <- mixed_rows(object)
  prior <- if (is.null(rows$weights)) rep(1, object$nobs) else rows$weights
  if (type == "prior") {
    return(prior)
  }
  eta <- linear_predictor(object, rows)
  family <- object$family
  prior * family$mu.eta(eta)^2 / family$variance(family$linkinv(eta))
}

#' @export
#' @rawNamespace S3method(lme4::isLMM,ember_glmm)
isLMM.ember_glmm <- function(x, ...) FALSE # nolint: object_name_linter.

#' @export
#' @rawNamespace S3method(lme4::isGLMM,ember_glmm)
isGLMM.ember_glmm <- function(x, ...) TRUE # nolint: object_name_linter.
