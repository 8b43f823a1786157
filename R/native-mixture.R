# The Gaussian mixture functions of the core: storage modes and seeds on the way in, classed errors
# on the way out. Shapes are those of the fit: x n x d, means k x d, covariances d x d x k,
# posterior n x (k + noise).

native_mixture_search <- function(x, weights, k, models, criterion, start, n_starts, known, noise,
                                  prior, floor, control, call) {
  control <- seeded(control)
  control$floor <- floor
  native_result(
    suspendInterrupts(mixture_search(
      x, as_double_or_null(weights), as.integer(k), as.character(models), criterion, start,
      as.integer(n_starts), known, noise, native_prior(prior, ncol(x)), control
    )),
    call
  )
}

native_mixture_posterior <- function(x, fit, call) {
  native <- native_result(mixture_posterior(x, native_mixture(fit), fit_threads(fit)), call)
  native$posterior <- matrix(native$posterior, nrow(x))
  native
}

native_mixture_information <- function(x, weights, fit, known, type, scale, call) {
  native_result(
    mixture_information(
      x, as_double_or_null(weights), native_mixture(fit), known, type, scale, fit_threads(fit)
    ),
    call
  )
}

native_mixture_merge <- function(x, weights, fit, call) {
  native_result(
    mixture_merge(x, as_double_or_null(weights), native_mixture(fit), fit_threads(fit)), call
  )
}

native_mixture_simulate <- function(n, fit, call) {
  native_result(mixture_simulate(as.integer(n), native_mixture(fit), draw_seed()), call)
}

native_mixture_cdf <- function(q, fit, call) {
  native_result(mixture_cdf(as.double(q), native_mixture(fit)), call)
}

native_mixture_quantile <- function(p, fit, call) {
  native_result(mixture_quantile(as.double(p), native_mixture(fit)), call)
}

native_mixture_bootstrap_lrt <- function(x, weights, model, k_null, k_alternative, replicates,
                                         n_starts, control, call) {
  control <- seeded(control)
  native_result(
    suspendInterrupts(mixture_bootstrap_lrt(
      x, as_double_or_null(weights), model, as.integer(k_null), as.integer(k_alternative),
      as.integer(replicates), as.integer(n_starts), control
    )),
    call
  )
}

# Sufficient statistics of rows at a mixture, as a plain list; NULL stands for no rows.
native_mixture_expect <- function(x, weights, mixture, threads, call) {
  native_result(
    mixture_expect(x, as_double_or_null(weights), native_mixture(mixture), as.integer(threads)),
    call
  )
}

native_mixture_stats_merge <- function(first, second, call) {
  if (is.null(first)) {
    return(second)
  }
  native_result(mixture_stats_merge(first, second), call)
}

# Counts (k), means (k x d) and pooled scatter (d x d) in the coordinates of the data.
native_mixture_moments <- function(stats, mixture, call) {
  native_result(mixture_moments(stats, native_mixture(mixture)), call)
}

native_mixture_maximize <- function(stats, mixture, rules, call) {
  native_result(mixture_maximize(stats, native_mixture(mixture), rules), call)
}

# EM whose E-steps are `expect()`, a guarded function of the parameters that returns statistics.
native_mixture_fit_stats <- function(start, rules, expect, control, call) {
  control <- native_control(control)
  start <- native_mixture(start)
  native_result(suspendInterrupts(mixture_fit_stats(start, rules, expect, control)), call)
}

# The core takes the scale of a prior as a matrix.
native_prior <- function(prior, d) {
  prior <- unclass(prior)
  if (!is.null(prior$scale) && !is.matrix(prior$scale)) prior$scale <- diag(prior$scale, d)
  prior
}

# The parameters of a fit as the core reads them.
native_mixture <- function(fit) {
  list(
    model = fit$model, weights = as.double(fit$weights), means = unname(fit$means),
    covariances = unname(fit$covariances), noise = fit$noise
  )
}
