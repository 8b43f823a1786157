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
# derivative - f_tt^-1 f_ty. f depends on y through r^2(theta, y), the penalised sum of squares,
# whose derivative by y is 2 W e, with e the residuals at theta.
estimation_df <- function(fit, call) {
  if (length(fit$dispersion) > 1L) {
    ember_abort(
      "The correction does not know models with several residual variances.",
      class = "unsupported", details = c(i = "`corrected = FALSE` gives the other criterion."),
      call = call
    )
  }
  free <- free_parameters(fit)
  if (length(free) == 0L) {
    return(0)
  }
  rows <- mixed_rows(fit)
  weight <- if (is.null(rows$weights)) 1 else rows$weights
  residual <- plain_residuals(fit, FALSE, rows)
  rates <- fitted_derivatives(fit, rows, weight, residual, free)
  mixed <- if (is.null(fit$known$sigma)) {
    m <- fit$nobs - if (fit$REML) length(fit$beta) else 0L
    -2 * m * weight * (rates$fitted / fit$pwrss + outer(residual, rates$pwrss) / fit$pwrss^2)
  } else {
    -2 * weight * rates$fitted / fit$known$sigma^2
  }
  hessian <- fit$convergence$hessian[free, free, drop = FALSE]
  -sum(rates$fitted * t(solve(hessian, t(mixed))))
}

# Derivatives of the fitted values (n x parameters) and of r^2 by theta. With A = Z Lambda, the
# effects solve M (u, beta) = (A, X)' W y, M = (A, X)' W (A, X) + diag(I, 0); hence
# d y-hat = dA u + (A, X) M^-1 [(dA, 0)' W e - (A, X)' W dA u], and d r^2 = -2 e' W dA u, since r^2
# is at its minimum in (u, beta).
fitted_derivatives <- function(fit, rows, weight, residual, free) {
  z <- random_matrix(fit, term_rows(fit, rows))
  x <- fixed_matrix(fit, rows)
  lambda <- relative_factors(fit)
  u <- spherical_effects(fit)
  basis <- cbind(z %*% lambda, x)
  penalty <- Matrix::Diagonal(x = rep(c(1, 0), c(ncol(z), ncol(x))))
  factor <- Matrix::Cholesky(
    Matrix::forceSymmetric(Matrix::crossprod(sqrt(weight) * basis) + penalty), LDL = FALSE
  )
  score <- as.vector(Matrix::crossprod(z, weight * residual))
  rates <- lapply(free, function(k) {
    places <- theta_positions(fit, k)
    moved <- numeric(length(u))
    moved[places$row] <- u[places$column]
    direct <- as.vector(z %*% moved)
    right <- -as.vector(Matrix::crossprod(basis, weight * direct))
    right[places$column] <- right[places$column] + score[places$row]
    indirect <- as.vector(basis %*% Matrix::solve(factor, right))
    list(fitted = direct + indirect, pwrss = -2 * sum(weight * residual * direct))
  })
  list(
    fitted = vapply(rates, `[[`, residual, "fitted"), pwrss = vapply(rates, `[[`, 0, "pwrss")
  )
}

# Rows and columns of Lambda, in lme4's order, at which an element of theta stands.
theta_positions <- function(fit, k) {
  first <- 0L
  for (term in fit$random) {
    q <- length(term$names)
    levels <- length(term$levels)
    if (k %in% term$theta) {
      shift <- first + q * (seq_len(levels) - 1L)
      return(list(
        row = shift + match(fit$structure$row[[k]], term$positions),
        column = shift + match(fit$structure$column[[k]], term$positions)
      ))
    }
    first <- first + q * levels
  }
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
