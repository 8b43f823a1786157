# Tests of generalized linear mixed models.

#' Analysis of deviance of generalized linear mixed models
#'
#' Of one fit: lme4's sequential table of the fixed effects. Of several fits: likelihood ratio
#' tests.
#'
#' @details
#' The table of one fit has, for each term after those before it in the formula, the Wald statistic
#' of the working linear model at the fit, and no test: `car::Anova()` has Wald tests, [drop1()]
#' likelihood ratio tests.
#'
#' Likelihood ratios are of models whose likelihoods are approximated alike: give all fits the same
#' `n_agq`. The p-value for a variance that is zero under the smaller model is too large (Self and
#' Liang 1987).
#'
#' @param object A fit of [glmm()].
#' @param ... More fits of [glmm()], [stats::glm()] or [stats::lm()] to the same data.
#' @param model.names Names for the rows; by default what was typed.
#' @returns A data frame of class `anova`.
#' @references Self, S. G. and Liang, K.-Y. (1987). Asymptotic properties of maximum likelihood
#'   estimators and likelihood ratio tests under nonstandard conditions. *Journal of the American
#'   Statistical Association* 82, 605-610.
#' @examples
#' data <- transform(InsectSprays, row = factor(1:72))
#' fit <- glmm(count ~ spray + (1 | row), data = data, family = poisson())
#' without <- update(fit, . ~ . - spray)
#' anova(fit, without)
#' @export
anova.ember_glmm <- function(object, ..., model.names = NULL) { # nolint: object_name_linter.
  call <- rlang::current_env()
  others <- list(...)
  if (length(others) == 0L) {
    return(sequential_table(object))
  }
  is_fit <- vapply(others, inherits, NA, c("ember_glmm", "lm"))
  if (!all(is_fit) || any(nzchar(names(others)))) {
    abort_argument("...", "must be fits of `glmm()` or `glm()`.", NULL, call)
  }
  expressions <- as.list(match.call(expand.dots = FALSE))
  labels <- if (is.null(model.names)) {
    vapply(c(expressions["object"], expressions[["..."]]), deparse1, "")
  } else {
    model.names
  }
  fits <- c(list(object), others)
  warn_approximations(fits, call)
  compare_likelihoods(fits, labels, refit = FALSE, call)
}

warn_approximations <- function(fits, call) {
  mixed <- Filter(function(fit) inherits(fit, "ember_glmm"), fits)
  points <- vapply(mixed, `[[`, 0L, "n_agq")
  if (length(unique(points)) > 1L) {
    ember_warn(
      "The fits differ in `n_agq`: the likelihoods are approximated differently.", "comparison",
      c(i = "Fit them all with the same number of points."), call
    )
  }
  names <- vapply(mixed, function(fit) fit$distribution$name, "")
  links <- vapply(mixed, function(fit) fit$distribution$link, "")
  if (length(unique(links[names == "binomial"])) > 1L) {
    rlang::inform(
      "The fits differ in their link: they are not nested, and AIC says which is better.",
      class = "ember_message_comparison"
    )
  }
}

# The log-likelihood of the generalized linear model without random effects.
glm_likelihood <- function(fit) {
  rows <- mixed_rows(fit)
  x <- as.matrix(fixed_matrix(fit, rows))
  weights <- if (is.null(rows$weights)) rep(1, length(rows$y)) else rows$weights
  likelihood <- function(shape) {
    family <- family_with_shape(fit$family, fit$distribution$name, shape)
    # Proportions whose successes are whole up to rounding are no reason for a warning.
    mu <- suppressWarnings(
      stats::glm.fit(x, rows$y, weights, offset = rows$offset, family = family)
    )$fitted.values
    sum(log_density(fit$distribution$name, rows$y, weights, mu, shape))
  }
  estimated <- has_estimated_shape(fit$distribution)
  value <- if (estimated) {
    stats::optimize(
      function(log_shape) likelihood(exp(log_shape)), log(fit$shape) + c(-10, 10), maximum = TRUE,
      tol = 1e-8
    )$objective
  } else {
    likelihood(fit$shape)
  }
  structure(value, df = ncol(x) + estimated, nobs = length(rows$y), class = "logLik")
}

log_density <- function(name, y, weights, mu, shape) {
  switch(name,
    binomial = stats::dbinom(round(y * weights), round(weights), mu, log = TRUE),
    poisson = weights * stats::dpois(y, mu, log = TRUE),
    negative_binomial = weights * stats::dnbinom(y, size = shape, mu = mu, log = TRUE),
    Gamma = weights * stats::dgamma(y, shape, shape / mu, log = TRUE)
  )
}
