# Fitted values and residuals of a generalized linear mixed model.

#' Fitted values and residuals of a generalized linear mixed model
#'
#' Fitted values are means given the random effects; for binomial models they are proportions.
#'
#' @param object A fit of [glmm()].
#' @param type With y the response (a proportion for binomial models), w the prior weights and V the
#'   variance function of the family: `"deviance"` (the default, as in lme4): signed roots of the
#'   contributions to the deviance; `"pearson"`: \eqn{(y - \mu) \sqrt{w / V(\mu)}}; `"working"`:
#'   \eqn{(y - \mu) / \mu'(\eta)}; `"response"`: \eqn{y - \mu}; `"scaled"`: Pearson residuals
#'   divided by [sigma()].
#' @param scaled Divide by [sigma()]?
#' @param ... Not used.
#' @returns Numeric vectors with the names of the rows; `NA` where `na.exclude` left a row out.
#' @examples
#' data <- transform(InsectSprays, row = factor(1:72))
#' fit <- glmm(count ~ spray + (1 | row), data = data, family = poisson())
#' head(residuals(fit, type = "pearson"))
#' @export
residuals.ember_glmm <- function(object,
                                 type = c("deviance", "pearson", "working", "response", "scaled"),
                                 scaled = FALSE, ...) {
  type <- match_choice("type", rlang::current_env())
  values <- glmm_residuals(object, type)
  if (scaled && type != "scaled") values <- values / object$sigma
  expand_rows(object, values)
}

#' @rdname residuals.ember_glmm
#' @export
fitted.ember_glmm <- function(object, ...) {
  expand_rows(object, object$family$linkinv(linear_predictor(object)))
}

# Without names, of the rows that were fitted.
glmm_residuals <- function(fit, type, rows = mixed_rows(fit)) {
  eta <- linear_predictor(fit, rows)
  family <- fit$family
  mu <- family$linkinv(eta)
  difference <- rows$y - mu
  weights <- if (is.null(rows$weights)) rep(1, length(mu)) else rows$weights
  switch(type,
    response = difference,
    working = difference / family$mu.eta(eta),
    pearson = difference * sqrt(weights / family$variance(mu)),
    scaled = difference * sqrt(weights / family$variance(mu)) / fit$sigma,
    deviance = sign(difference) * sqrt(pmax(family$dev.resids(rows$y, mu, weights), 0))
  )
}
