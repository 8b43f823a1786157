# The four cases of the goals: overlapping components, so that 50 iterations do not converge, and a
# start near the truth. Everything follows from the seed.

mixture_cases <- function() {
  list(
    A = new_case("A", n = 1e5, d = 10, k = 8, spread = 0.7, model = "VVV"),
    B = new_case("B", n = 1e6, d = 2, k = 3, spread = 1.5, model = "VVV"),
    C = new_case("C", n = 1e4, d = 50, k = 10, spread = 0.3, model = "VVV"),
    D = new_case("D", n = 1e6, d = 1, k = 2, spread = 1, model = "E")
  )
}

new_case <- function(name, n, d, k, spread, model) {
  set.seed(20240601)
  means <- matrix(rnorm(k * d, sd = spread), k)
  root <- diag(d) + 0.3 * lower.tri(diag(d)) * matrix(rnorm(d * d), d)
  noise <- matrix(rnorm(n * d), n) %*% t(root)
  x <- means[sample(k, n, replace = TRUE), , drop = FALSE] + noise
  start <- list(
    weights = rep(1 / k, k), means = means + 0.1 * rnorm(k * d),
    covariances = array(1.2 * tcrossprod(root), c(d, d, k))
  )
  list(name = name, x = x, n = n, d = d, k = k, model = model, start = start)
}

# For Python: a header of three whole numbers, then rows, weights, means and covariances by rows.
write_case <- function(case, file) {
  connection <- file(file, "wb")
  on.exit(close(connection))
  writeBin(c(case$n, case$d, case$k), connection)
  start <- case$start
  writeBin(c(start$weights, t(start$means), start$covariances), connection)
  writeBin(as.vector(t(case$x)), connection)
}
