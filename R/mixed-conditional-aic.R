# The conditional AIC: the likelihood given the random effects, with their effective number of
# parameters.

#' Conditional AIC
#'
#' Akaike's criterion for predicting new observations of the *same* groups, where the random effects
#' are parameters of interest. [AIC()] is for new groups.
#'
#' @details
#' \eqn{-2 \log f(y \mid \hat\beta, \hat b, \hat\sigma) + 2 (\rho + 1)}: the 1 is for the residual
#' variance (fewer or more with known or several ones). Without a correction \eqn{\rho} is the sum
#' of the leverages (Vaida and Blanchard 2005), which ignores that the variances of the random
#' effects were estimated, and so prefers the larger model too often. With the correction (Greven
#' and Kneib 2010) it is \eqn{\sum_i \partial \hat y_i / \partial y_i}, with the variances estimated
#' again as the data change; variances at zero are taken to stay there.
#'
#' @param object A fit of [lmm()].
#' @param corrected Count the estimation of the variances?
#' @param ... Not used.
#' @returns A number; attribute `df` holds \eqn{\rho} plus the number of residual variances,
#'   `loglik` the conditional log-likelihood.
#' @references Vaida, F. and Blanchard, S. (2005). Conditional Akaike information for mixed-effects
#'   models. *Biometrika* 92, 351-370.
#'
#'   Greven, S. and Kneib, T. (2010). On the behaviour of marginal and conditional AIC in linear
#'   mixed models. *Biometrika* 97, 773-789.
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' conditional_aic(fit)
#' @export
conditional_aic <- function(object, corrected = TRUE, ...) {
  call <- rlang::current_env()
  if (!inherits(object, "ember_lmm")) {
    abort_argument("object", "must be a fit of `lmm()`.", NULL, call)
  }
  if (!is_flag(corrected)) abort_argument("corrected", "must be TRUE or FALSE.", NULL, call)
  effective <- sum(stats::hatvalues(object), na.rm = TRUE)
  if (corrected) effective <- effective + estimation_df(object, call)
  variances <- length(object$dispersion)
  if (variances == 0L) variances <- 1L
  if (!is.null(object$known$sigma)) variances <- variances - 1L
  df <- effective + variances
  loglik <- conditional_likelihood(object)
  structure(2 * (df - loglik), df = df, loglik = loglik)
}

# log f(y | beta, b, sigma).
conditional_likelihood <- function(fit) {
  rows <- mixed_rows(fit)
  precisions <- row_precisions(fit, rows)
  if (is.null(precisions)) precisions <- rep(1, length(rows$y))
  deviations <- fit$sigma / sqrt(precisions)
  sum(stats::dnorm(rows$y, linear_predictor(fit, rows), deviations, log = TRUE))
}

# sum_i (d y-hat_i / d theta)' d theta / d y_i. With f(theta, y) the criterion, theta(y) has the
# derivative - f_tt^-1 f_ty; f depends on y through r^2(theta, y), whose derivative is 2 W e, with e
# the residuals at theta. So f_ty needs only the derivatives of the fitted values by theta.
estimation_df <- function(fit, call) {
  free <- free_parameters(fit)
  if (length(free) == 0L) {
    return(0)
  }
  rows <- mixed_rows(fit)
  precisions <- row_precisions(fit, rows)
  weight <- if (is.null(precisions)) 1 else precisions
  derivatives <- vapply(free, function(k) fitted_derivative(fit, rows, k, call), rows$y)
  residual <- rows$y - linear_predictor(fit, rows)
  pwrss <- fit$pwrss
  m <- fit$nobs - if (fit$REML) length(fit$beta) else 0L
  known <- fit$known$sigma
  # d r^2 / d theta = -2 (W e)' d y-hat / d theta + the penalty's part; at a fixed y its mixed
  # derivative is -2 W d y-hat / d theta.
  mixed <- if (is.null(known)) {
    rates <- pwrss_derivatives(fit, free, call)
    -2 * m * weight * (derivatives / pwrss + outer(residual, rates) / pwrss^2)
  } else {
    -2 * weight * derivatives / known^2
  }
  hessian <- fit$convergence$hessian[free, free, drop = FALSE]
  -sum(derivatives * t(solve(hessian, t(mixed))))
}

# Positions in theta that are not known and not on the boundary.
free_parameters <- function(fit, tolerance = 1e-4) {
  diagonal <- fit$structure$row == fit$structure$column
  known <- paste(fit$structure$term, fit$structure$row) %in%
    paste(fit$known$term, fit$known$index)
  zero <- diagonal & fit$theta < tolerance
  # An effect without variance has no covariances either.
  key <- paste(fit$structure$term, fit$structure$column)
  which(!known & !zero & !key %in% key[zero])
}

# Central differences of the fitted values by one element of theta.
fitted_derivative <- function(fit, rows, k, call) {
  step <- 1e-4 * max(1, abs(fit$theta[[k]]))
  moved <- lapply(c(step, -step), function(change) {
    linear_predictor(at_theta(fit, replace(fit$theta, k, fit$theta[[k]] + change), call), rows)
  })
  (moved[[1L]] - moved[[2L]]) / (2 * step)
}

pwrss_derivatives <- function(fit, free, call) {
  vapply(free, function(k) {
    step <- 1e-4 * max(1, abs(fit$theta[[k]]))
    moved <- vapply(c(step, -step), function(change) {
      at_theta(fit, replace(fit$theta, k, fit$theta[[k]] + change), call)$pwrss
    }, 0)
    (moved[[1L]] - moved[[2L]]) / (2 * step)
  }, 0)
}
