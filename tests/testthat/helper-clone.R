# The herd of Solymos and Lele's note: n animals, m offspring each.
note_herd <- function(n = 100, m = 2) {
  set.seed(1234)
  noise <- stats::rnorm(n * m, 0, 0.2)
  effects <- stats::rnorm(n, 0, 0.5)
  structure(
    data.frame(Y = 2.5 + effects + noise, animal = factor(rep(seq_len(n), m))), effects = effects
  )
}

note_fit <- function(..., seed = 1) {
  data_clone(Y ~ 1 + (1 | animal), note_herd(), seed = seed, ...)
}

# The maximum of the likelihood of the balanced one-way layout, in closed form, and its inverse
# information: mu, residual variance, variance of the groups.
one_way_maximum <- function(y, group) {
  m <- length(y) / nlevels(group)
  n <- nlevels(group)
  means <- tapply(y, group, mean)
  within <- sum((y - means[group])^2) / (n * (m - 1))
  between <- m * sum((means - mean(means))^2) / n
  information <- diag(c(
    n * m / between, n * (m - 1) / (2 * within^2) + n / (2 * between^2), n * m^2 / (2 * between^2)
  ))
  information[2, 3] <- information[3, 2] <- n * m / (2 * between^2)
  list(
    estimates = c(mean(y), within, (between - within) / m), covariance = solve(information)
  )
}

# Puts another function in the place of native_clone_run() until the caller ends.
local_core <- function(run, env = parent.frame()) {
  namespace <- asNamespace("ember")
  put <- function(value) {
    unlockBinding("native_clone_run", namespace)
    assign("native_clone_run", value, namespace)
    lockBinding("native_clone_run", namespace)
  }
  old <- get("native_clone_run", namespace)
  do.call(
    on.exit, list(bquote(.(put)(.(old))), add = TRUE, after = FALSE), envir = env
  )
  put(run)
}

# What the core would return: chains of draws of N(mean, covariance / clones).
normal_run <- function(mean, covariance, failures = NA, lengths = NULL, interrupted = FALSE) {
  function(rows, family, structure, known, prior, clones, sampler, start, mcmc, call) {
    set.seed(clones)
    draw <- function(count) {
      z <- matrix(stats::rnorm(count * length(mean)), count, length(mean))
      sweep(z %*% chol(covariance / clones), 2L, mean, "+")
    }
    if (is.null(lengths)) lengths <- rep(mcmc$iterations %/% mcmc$thin, mcmc$chains)
    list(
      draws = lapply(lengths, draw), acceptance = rep(1, mcmc$chains),
      failures = rep_len(as.character(failures), mcmc$chains), interrupted = interrupted,
      mode = list(natural = mean, covariance = covariance / clones, regular = TRUE)
    )
  }
}
