# The GLMM functions of the core. `rows` is the list made by mixed_rows() (binomial: y proportions,
# weights numbers of trials), `family` is list(name, link, shape), shape NULL if it is estimated;
# `structure` as for lmm(), `n_agq` points of the quadrature, 1 for Laplace's approximation.

# `start` is list(theta, beta (columns kept), shape), any of them NULL, or NULL.
native_glmm_fit <- function(rows, family, structure, n_agq, start, control, call) {
  control <- native_control(control)
  native_result(
    suspendInterrupts(glmm_fit(
      rows, family, structure, as.integer(n_agq), lapply(start, as_double_or_null), control
    )),
    call
  )
}

# list(criterion, gradient) at the columns of `points`, a matrix (theta, beta kept, shape if it is
# estimated) x points.
native_glmm_criterion <- function(rows, family, structure, n_agq, points, call) {
  native_result(
    glmm_criterion(rows, family, structure, as.integer(n_agq), as.double(points)), call
  )
}

# list(score, observed, expected) of each row at `eta`: d log density / d eta, and minus its second
# derivative, observed and expected, with prior weights in them. `shape` is its value, or NULL.
native_glmm_working <- function(rows, family, shape, eta, call) {
  family["shape"] <- list(shape)
  native_result(
    glmm_working(as.double(rows$y), as_double_or_null(rows$weights), as.double(eta), family), call
  )
}

# A fit as the core reads it: what it is a model of, and the estimates.
native_glmm_model <- function(fit) {
  list(
    rows = mixed_rows(fit), family = fit$distribution, structure = fit$structure,
    n_agq = as.double(fit$n_agq)
  )
}

native_glmm_estimate <- function(fit) {
  list(
    theta = as.double(fit$theta), beta = as.double(fit$beta), shape = as_double_or_null(fit$shape),
    covariance = as.double(fit$vcov_parameters)
  )
}

# Profiles `parameters` (a data frame of `kind`: "random", "shape" or "coefficient", and `place`)
# at these values of |zeta|; columns of the parameters: random, shape if estimated, coefficients.
native_glmm_profile <- function(fit, parameters, zetas, control, call) {
  control <- native_control(control)
  if (!is.null(control$show)) control$show <- show_share_done
  native_result(
    suspendInterrupts(glmm_profile(
      native_glmm_model(fit), native_glmm_estimate(fit), parameters$kind,
      as.integer(parameters$place), as.double(zetas), control
    )),
    call
  )
}

# Fits to `responses` (rows x responses, as the core takes them) from the estimates of `fit`:
# `theta`, `beta` (one row per response), `shape`, `criterion`, `status`; fewer than asked for if
# the user pressed Ctrl-C.
native_glmm_refit <- function(fit, responses, control, call) {
  start <- native_glmm_estimate(fit)[c("theta", "beta", "shape")]
  native_result(
    suspendInterrupts(glmm_refit(
      native_glmm_model(fit), as.double(responses), start, native_control(control)
    )),
    call
  )
}
