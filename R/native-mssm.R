# The sample-selection functions of the core: storage modes on the way in, classed errors on the way
# out. `rows` is list(outcome, selection (J matrices each), y, selected (n x J), weights (NULL or
# n)), made by native_mssm_rows(); `parameters` is list(coefficients (2J vectors, NA where
# aliased), omega); `control` is made by native_mssm_control().

# Rows in the storage modes of the core. Nothing is copied that already is in them.
native_mssm_rows <- function(outcome, selection, y, selected, weights = NULL) {
  list(
    outcome = lapply(outcome, as_stored, "double"),
    selection = lapply(selection, as_stored, "double"),
    y = as_stored(y, "double"), selected = as_stored(selected, "integer"),
    weights = as_double_or_null(weights)
  )
}

as_stored <- function(x, mode) {
  if (storage.mode(x) != mode) storage.mode(x) <- mode
  x
}

# The control list as the core reads it; `seed` fixes the points of the integration and the draws.
native_mssm_control <- function(control, seed, frame = rlang::caller_env()) {
  fields <- native_control(control, frame)
  fields$seed <- as.double(seed)
  fields
}

# Maximum likelihood. `start` is parameters, or NULL for a search over all modes; with `search`
# FALSE the fit comes from `start` alone.
native_mssm_fit <- function(rows, start, search, control, call) {
  native_result(suspendInterrupts(mssm_fit(rows, start, search, control)), call)
}

# Maximum likelihood without selection on the hidden: the errors of outcomes and of selections
# uncorrelated.
native_mssm_constrained <- function(rows, start, control, call) {
  native_result(
    suspendInterrupts(mssm_constrained(rows, "no_selection", start, control)), call
  )
}

# Profile log-likelihood of the error parameter `which` (1: sigma of the first outcome; then the
# other sigmas and the correlations) at `values`: list(values, loglik, naturals (one row each)).
native_mssm_profile <- function(rows, parameters, which, values, control, call) {
  native_result(
    suspendInterrupts(
      mssm_profile(rows, parameters, as.integer(which), as.double(values), control)
    ),
    call
  )
}

# n x K: scores of rows, in naturals, weighted.
native_mssm_scores <- function(rows, parameters, control, call) {
  native_result(mssm_scores(rows, parameters, control), call)
}

# K x K: the observed information in naturals.
native_mssm_information <- function(rows, parameters, control, call) {
  native_result(mssm_information(rows, parameters, control), call)
}

# n: log-likelihoods of rows, not weighted.
native_mssm_log_likelihood <- function(rows, parameters, control, call) {
  native_result(mssm_log_likelihood(rows, parameters, control), call)
}

# Maximum likelihood by Monte Carlo EM from `start` (NULL: two-step estimates), or where `state`,
# that of an earlier fit, left its chains. As native_mssm_fit(), with mc_error (K), draws, sweeps,
# history (columns) and state; what is not known, because the fit was stopped or did not converge,
# is NA.
native_mssm_monte_carlo <- function(rows, start, state, control, call) {
  native_result(suspendInterrupts(mssm_monte_carlo(rows, start, state, control)), call)
}

# Heckman's two-step estimates: list(coefficients, omega, aliased, equations), equations a list of
# list(outcome, selection, inverse_mills, sigma, rho, vcov_outcome (kept columns, then the inverse
# Mills ratio), vcov_selection, probit_loglik, collinearity (share of the variation of the ratio
# that the outcome's regressors explain)). A correlation within an equation may be outside [-1, 1];
# it and `inverse_mills` are NA where the regressors determine the ratio.
native_mssm_two_step <- function(rows, control, call) {
  native_result(mssm_two_step(rows, control), call)
}
