# Simulation from mixed models, and the bootstrap, in the core.

# Fits to simulated responses: `theta` (replicates x parameters), `beta` (replicates x columns
# kept), `sigma`, `dispersion` (replicates x groups), `criterion`, `status`; fewer replicates than
# asked for if the user pressed Ctrl-C.
native_mixed_bootstrap <- function(fit, replicates, use_u, control, call) {
  native_result(
    suspendInterrupts(mixed_bootstrap(
      mixed_rows(fit), fit$structure, fit$known, fit$REML, native_law(fit, use_u),
      as.integer(replicates), seeded(control)
    )),
    call
  )
}

# Responses number `first` and the next of a seed, n x count.
native_mixed_simulate <- function(fit, first, count, use_u, seed, call) {
  native_result(
    mixed_simulate(
      mixed_rows(fit), fit$structure, native_law(fit, use_u), as.integer(first), as.integer(count),
      as.double(seed)
    ),
    call
  )
}

# What responses are drawn from; the random effects are kept at their modes, or else drawn.
native_law <- function(fit, use_u) {
  columns <- fit$design$columns
  beta <- stats::setNames(numeric(length(columns)), columns)
  beta[names(fit$beta)] <- fit$beta
  list(
    theta = as.double(fit$theta), beta = unname(beta), sigma = fit$sigma,
    dispersion = as.double(unname(fit$dispersion)), effects = if (use_u) kept_modes(fit)
  )
}

# The conditional modes of each core term, effects x levels.
kept_modes <- function(fit) {
  widths <- fit$structure$widths
  effects <- vector("list", length(widths))
  for (k in seq_along(fit$random)) {
    term <- fit$random[[k]]
    if (is.null(effects[[term$core]])) {
      effects[[term$core]] <- matrix(0, widths[[term$core]], nrow(fit$b[[k]]))
    }
    effects[[term$core]][term$positions, ] <- t(fit$b[[k]])
  }
  effects
}
