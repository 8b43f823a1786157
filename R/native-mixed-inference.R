# Inference in the core for mixed models: a fit goes over as rows, structure and parameters, and the
# cross-products are taken again in one pass over the rows.

# The fit as the core reads it; of a generalized one the working model.
native_mixed_model <- function(fit) {
  model <- if (inherits(fit, "ember_glmm")) {
    working_model(fit)
  } else {
    list(rows = mixed_rows(fit), known = fit$known)
  }
  list(
    rows = model$rows, structure = fit$structure, known = model$known,
    reml = as.double(fit$REML), theta = as.double(fit$theta), sigma = as.double(random_scale(fit)),
    dispersion = as.double(fit$dispersion), threads = fit_threads(fit)
  )
}

# The criterion at other theta, one after the other in `theta`; what the criterion does not profile
# out stays as it is in the fit.
native_mixed_criterion <- function(fit, theta, call) {
  native_result(mixed_criterion(native_mixed_model(fit), as.double(theta)), call)
}

# list(vcov, vcov_adjusted, derivatives (p x p x r), covariance (r x r)); r are the variances and
# covariances of the random terms that were estimated, then the residual variance.
native_mixed_kenward_roger <- function(fit, call) {
  stacked_derivatives(native_result(mixed_kenward_roger(native_mixed_model(fit)), call))
}

# list(vcov, derivatives (p x p x r), covariance (r x r), flat, falling); r are the coordinates of
# the optimizer (free theta, ...), then log sigma.
native_mixed_satterthwaite <- function(fit, call) {
  stacked_derivatives(native_result(mixed_satterthwaite(native_mixed_model(fit)), call))
}

stacked_derivatives <- function(native) {
  dim(native$derivatives) <- c(dim(native$vcov), nrow(native$covariance))
  native
}

# For each core term an array q x q x levels; times sigma^2 the covariance of its effects given the
# data and the fixed effects.
native_mixed_effect_variances <- function(fit, call) {
  blocks <- native_result(mixed_conditional_variances(native_mixed_model(fit)), call)
  Map(
    function(block, width) array(block, c(width, width, length(block) / width^2)),
    blocks, fit$structure$widths
  )
}

# Variance of x'beta-hat + z'b-hat - (x'beta + z'b) for rows list(x, terms) in the form of
# mixed_rows(); x has the columns that the fit kept. Code 0 is a new level, NA leaves the term out.
native_mixed_error_variances <- function(fit, newdata, fixed = TRUE, call) {
  n <- nrow(newdata$x)
  all <- matrix(0, n, length(fit$design$columns))
  all[, match(names(fit$beta), fit$design$columns)] <- as.matrix(newdata$x)
  rows <- list(y = numeric(n), x = all, terms = newdata$terms)
  unscaled <- native_result(
    mixed_prediction_variances(native_mixed_model(fit), rows, fixed), call
  )
  random_scale(fit)^2 * unscaled
}

# The diagonal of the hat matrix.
native_mixed_leverages <- function(fit, call) {
  native_result(mixed_leverages(native_mixed_model(fit)), call)
}

# Profiles `parameters` (a data frame of `kind`, `place`, see mixed_profile()) at these values of
# |zeta|.
native_mixed_profile <- function(fit, parameters, zetas, control, call) {
  native_result(
    suspendInterrupts(mixed_profile(
      native_mixed_model(fit), parameters$kind, as.integer(parameters$place), as.double(zetas),
      in_parts(control)
    )),
    call
  )
}
