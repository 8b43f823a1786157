# Data cloning in the core: MCMC on the posterior of `clones` copies of the data. `rows`, `structure`
# and `known` are those of native_mixed_fit(). Parameters are counted in this order: fixed effects
# (kept columns), residual variance, dispersion ratios, then by core term and block the lower
# triangle of the covariance matrix (natural scale) or log standard deviations and then correlations
# (coordinates w); what is known is left out.

# `prior` is list(index, power, density, a, b) with a row for each coordinate that has one: the
# density is that of exp(power * w), of w itself for power 0, of the correlation for a correlation.
# `start` is list(theta, beta, sigma, dispersion, shape), the estimates. `mcmc` is list(iterations,
# burn_in, thin, chains, threads, seed, start, progress), where `start` is NULL or chains x
# parameters, the draws from which chains go on. Returns list(draws, acceptance, failures,
# interrupted, mode).
native_clone_run <- function(rows, family, structure, known, prior, clones, sampler, start, mcmc,
                             call) {
  mcmc <- in_parts(mcmc)
  native_result(
    suspendInterrupts(clone_run(
      rows, structure, known, native_clone_prior(prior), as.integer(clones), sampler, start, mcmc
    )),
    call
  )
}

# The mode of the posterior and its curvature, list(w, natural, covariance, covariance_w, regular).
# With one clone and no prior these are the maximum likelihood estimates and the inverse of the
# observed information.
native_clone_mode <- function(rows, family, structure, known, prior, clones, start, threads, call) {
  native_result(
    clone_mode(
      rows, structure, known, native_clone_prior(prior), as.integer(clones), start,
      as.integer(threads)
    ),
    call
  )
}

# The columns of a prior in the types of the core; NULL is flat.
native_clone_prior <- function(prior) {
  list(
    index = as.double(prior$index), power = as.double(prior$power),
    density = as.character(prior$density), a = as.double(prior$a), b = as.double(prior$b)
  )
}
