# Data cloning in the core: MCMC on the posterior of `clones` copies of the data. `rows`,
# `structure` and `known` are those of native_mixed_fit(); `family` is NULL for a linear mixed
# model, else that of native_glmm_fit(). Parameters are counted in this order: fixed effects (kept
# columns), residual variance, dispersion ratios, then by core term and block the lower triangle of
# the covariance matrix (natural scale) or log standard deviations and then correlations
# (coordinates w); what is known is left out. With sampler "independent" the effect of each level
# comes after the residual variance, its prior is that of the log standard deviation, and there is
# no mode.

# `prior` is list(index, power, density, a, b) with a row for each coordinate that has one: the
# density is that of exp(power * w), of w itself for power 0, of the correlation for a correlation.
# `start` is list(theta, beta, sigma, dispersion, shape), the estimates. `mcmc` is list(iterations,
# burn_in, thin, chains, threads, seed, start, progress), where `start` is NULL or chains x
# parameters, the draws from which chains go on. Returns list(draws, acceptance, failures,
# interrupted, mode).
native_clone_run <- function(rows, family, structure, known, prior, clones, sampler, start, mcmc,
                             call) {
  mcmc <- in_parts(mcmc)
  prior <- native_clone_prior(prior)
  clones <- as.integer(clones)
  native_result(
    suspendInterrupts(
      if (is.null(family)) {
        clone_run(rows, structure, known, prior, clones, sampler, start, mcmc)
      } else {
        clone_run_glmm(rows, family, structure, known, prior, clones, sampler, start, mcmc)
      }
    ),
    call
  )
}

# The mode of the posterior and its curvature, list(w, natural, covariance, covariance_w, regular).
# With one clone and no prior these are the maximum likelihood estimates and the inverse of the
# observed information.
native_clone_mode <- function(rows, family, structure, known, prior, clones, start, threads, call) {
  prior <- native_clone_prior(prior)
  clones <- as.integer(clones)
  threads <- as.integer(threads)
  native_result(
    if (is.null(family)) {
      clone_mode(rows, structure, known, prior, clones, start, threads)
    } else {
      clone_mode_glmm(rows, family, structure, known, prior, clones, start, threads)
    },
    call
  )
}

# Draws of the random effects: with method "conditional" at parameters from N(mean, covariance), on
# the scale of w; with "note" at draws from the posterior of the data with that as the prior. `mcmc`
# as in native_clone_run(). Returns list(w (draws x coordinates), effects (for each core term draws
# x (effects x levels), effects first)).
native_clone_predict <- function(rows, family, structure, known, mean, covariance, method, mcmc,
                                 call) {
  mcmc <- in_parts(mcmc)
  mean <- as.double(mean)
  covariance <- as.double(covariance)
  native_result(
    suspendInterrupts(
      if (is.null(family)) {
        clone_predict(rows, structure, known, mean, covariance, method, mcmc)
      } else {
        clone_predict_glmm(rows, family, structure, known, mean, covariance, method, mcmc)
      }
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
