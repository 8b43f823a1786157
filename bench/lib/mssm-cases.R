# Simulated sample selection models for bench/mssm.R.

# One equation with four regressors, five in its selection.
heckman_data <- function(n) {
  set.seed(6)
  x <- matrix(rnorm(4 * n), n, dimnames = list(NULL, paste0("x", 1:4)))
  z <- rnorm(n)
  v <- rnorm(n)
  e <- 1.5 * (0.6 * v + 0.8 * rnorm(n))
  s <- as.integer(drop(0.2 + x %*% c(0.5, -0.4, 0.3, 0) + 0.8 * z + v) > 0)
  y <- drop(1 + x %*% c(1, 0.5, 0, -0.5) + e)
  data.frame(y = ifelse(s == 1L, y, NA), s = s, x, z = z)
}

heckman_formulas <- list(
  outcome = y ~ x1 + x2 + x3 + x4, selection = s ~ x1 + x2 + x3 + x4 + z
)

# Correlations of (epsilon, v) of up to four equations, positive definite.
error_correlations <- function(equations) {
  own <- c(0.5, -0.4, 0.3, 0.2)
  r <- diag(2 * equations)
  for (j in seq_len(equations)) {
    for (k in seq_len(equations)[-seq_len(j)]) {
      r[j, k] <- r[k, j] <- 0.3
      r[equations + j, equations + k] <- r[equations + k, equations + j] <- 0.25
    }
    r[j, equations + j] <- r[equations + j, j] <- own[[j]]
  }
  r
}

# `equations` equations with two regressors each (one shared), and one of their own in the
# selection.
system_data <- function(equations, n, seed = 7) {
  set.seed(seed)
  errors <- matrix(rnorm(2 * equations * n), n) %*% chol(error_correlations(equations))
  data <- data.frame(x = rnorm(n), z = rnorm(n))
  for (j in seq_len(equations)) {
    own <- rnorm(n)
    data[[paste0("w", j)]] <- own
    s <- 0.2 + 0.4 * data$x + 0.9 * own + errors[, equations + j] > 0
    data[[paste0("s", j)]] <- as.integer(s)
    data[[paste0("y", j)]] <- ifelse(s, 1 + 0.8 * data$x - 0.5 * data$z + j * errors[, j], NA)
  }
  data
}

system_formulas <- function(equations) {
  list(
    outcome = lapply(seq_len(equations), \(j) stats::reformulate(c("x", "z"), paste0("y", j))),
    selection = lapply(seq_len(equations), function(j) {
      stats::reformulate(c("x", paste0("w", j)), paste0("s", j))
    })
  )
}

# What the estimates of system_data() are of, in the order of coef().
system_truth <- function(equations) {
  correlation <- error_correlations(equations)
  c(
    rep(c(1, 0.8, -0.5), equations), rep(c(0.2, 0.4, 0.9), equations), seq_len(equations),
    correlation[lower.tri(correlation)]
  )
}
