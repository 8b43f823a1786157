# Makes mssm.csv: the maximum of the likelihood of each of mssm_cases() in helper-mssm-cases.R. The
# log-likelihood is written here in plain R; its maximum is found with numerical derivatives and
# polished by Newton steps, and there it is evaluated row by row with the normal probabilities of
# mvtnorm (Genz's TVPACK). Standard errors are those of a numerical Hessian. Run from
# tests/testthat with mvtnorm (1.1-3 made the stored values), numDeriv and AER:
#   Rscript oracles/mssm.R [case ...]     only these cases are replaced
source("helper-mixed.R")
source("helper-mssm-cases.R")
source("helper-mssm-likelihood.R")
# nolint start: object_usage_linter. The helper's functions are not lintr's to find.

# Nodes and weights on (0, 1): Golub and Welsch's eigenvalues of the Jacobi matrix of Legendre.
gauss_legendre <- local({
  k <- 1:47
  off <- k / sqrt(4 * k^2 - 1)
  jacobi <- matrix(0, 48L, 48L)
  jacobi[cbind(k, k + 1L)] <- jacobi[cbind(k + 1L, k)] <- off
  spectrum <- eigen(jacobi, symmetric = TRUE)
  list(nodes = (spectrum$values + 1) / 2, weights = spectrum$vectors[1L, ]^2)
})

# P(z < bounds) of standard normal z with these correlations, for each row of `bounds`: integrated
# over the first coordinate, nodes on its last 10 standard deviations.
normal_probability <- function(bounds, correlation) {
  if (ncol(bounds) == 1L) {
    return(pnorm(bounds[, 1L]))
  }
  upper <- pmin(bounds[, 1L], 10)
  width <- upper - (pmin(upper, 0) - 10)
  slope <- correlation[-1L, 1L]
  rest <- correlation[-1L, -1L, drop = FALSE] - tcrossprod(slope)
  scale <- sqrt(diag(rest))
  # All nodes of all rows at once: row by row within a node.
  at <- as.vector(upper - outer(width, gauss_legendre$nodes))
  rows <- rep(seq_len(nrow(bounds)), length(gauss_legendre$nodes))
  given <- sweep(bounds[rows, -1L, drop = FALSE] - outer(at, slope), 2L, scale, "/")
  inner <- matrix(dnorm(at) * normal_probability(given, cov2cor(rest)), nrow(bounds))
  width * drop(inner %*% gauss_legendre$weights)
}

# Naturals from free coordinates: log sigma, and a Cholesky factor of the correlations with rows of
# length one.
naturals_of <- function(free, design) {
  size <- 2L * design$equations
  count <- sum(vapply(design$designs, ncol, 0L))
  factor <- diag(size)
  factor[lower.tri(factor)] <- free[-seq_len(count + design$equations)]
  factor <- factor / sqrt(rowSums(factor^2))
  correlation <- tcrossprod(factor)
  c(
    free[seq_len(count)], exp(free[count + seq_len(design$equations)]),
    correlation[lower.tri(correlation)]
  )
}

free_of <- function(naturals, design) {
  count <- sum(vapply(design$designs, ncol, 0L))
  errors <- naturals[-seq_len(count)]
  omega <- selection_omega(errors, design$equations)
  factor <- t(chol(cov2cor(omega)))
  factor <- factor / diag(factor)
  c(
    naturals[seq_len(count)], log(errors[seq_len(design$equations)]), factor[lower.tri(factor)]
  )
}

# Least squares and probits; `rho` between every outcome and its own selection.
start_of <- function(design, rho) {
  equations <- design$equations
  sd <- numeric(equations)
  outcome <- selection <- list()
  for (j in seq_len(equations)) {
    rows <- design$selected[, j]
    fit <- lm.fit(design$designs[[j]][rows, , drop = FALSE], design$y[rows, j])
    outcome[[j]] <- fit$coefficients
    sd[[j]] <- sqrt(mean(fit$residuals^2))
    x <- design$designs[[equations + j]]
    selection[[j]] <- suppressWarnings(glm.fit(x, rows, family = binomial("probit"))$coefficients)
  }
  correlation <- diag(2L * equations)
  for (j in seq_len(equations)) {
    correlation[equations + j, j] <- rho
  }
  c(unlist(outcome), unlist(selection), sd, correlation[lower.tri(correlation)])
}

maximum_of <- function(design, start) {
  # Unit columns for the search.
  scales <- unlist(lapply(design$designs, function(x) sqrt(colMeans(x^2))))
  scaled <- design
  scaled$designs <- lapply(design$designs, function(x) sweep(x, 2L, sqrt(colMeans(x^2)), "/"))
  columns <- seq_along(scales)
  start[columns] <- start[columns] * scales
  value <- function(free) {
    -selection_log_likelihood(naturals_of(free, scaled), scaled, normal_probability)
  }
  gradient <- function(free) {
    vapply(seq_along(free), function(i) {
      step <- replace(numeric(length(free)), i, 1e-5)
      (value(free + step) - value(free - step)) / 2e-5
    }, 0)
  }
  control <- list(maxit = 500, reltol = 1e-13, fnscale = nrow(design$y))
  free <- optim(free_of(start, scaled), value, gradient, method = "BFGS", control = control)$par
  for (step in 1:2) {
    hessian <- numDeriv::jacobian(gradient, free, method = "simple")
    slope <- numDeriv::grad(value, free)
    free <- free - solve((hessian + t(hessian)) / 2, slope)
  }
  naturals <- naturals_of(free, scaled)
  naturals[columns] <- naturals[columns] / scales
  list(naturals = naturals, scales = c(scales, rep(1, length(naturals) - length(scales))))
}

# By the Hessian in the free coordinates, where differences do not leave the parameter space, and
# the Jacobian of the naturals: exact where the score is zero.
standard_errors <- function(naturals, design, scales) {
  scaled <- design
  scaled$designs <- lapply(design$designs, function(x) sweep(x, 2L, sqrt(colMeans(x^2)), "/"))
  free <- free_of(naturals * scales, scaled)
  value <- function(free) {
    selection_log_likelihood(naturals_of(free, scaled), scaled, normal_probability)
  }
  hessian <- numDeriv::hessian(value, free, method.args = list(d = 1e-2))
  jacobian <- numDeriv::jacobian(naturals_of, free, design = scaled)
  sqrt(diag(jacobian %*% solve(-hessian, t(jacobian)))) / scales
}

rows_of <- function(name, case, rho) {
  design <- selection_design(case)
  found <- maximum_of(design, start_of(design, rho))
  loglik <- selection_log_likelihood(found$naturals, design, normal_probability)
  if (design$equations > 1L) {
    genz <- selection_log_likelihood(found$naturals, design)
    cat(name, "Genz minus quadrature:", genz - loglik, "\n")
    stopifnot(abs(genz - loglik) < 1e-8)
    loglik <- genz
  }
  cat(name, format(loglik, digits = 12L), "\n")
  error <- standard_errors(found$naturals, design, found$scales)
  data.frame(
    case = name, position = c(0L, seq_along(found$naturals)),
    estimate = c(loglik, found$naturals), std.error = c(NA, error)
  )
}

# rho of the start; `wage` has two maxima, `wage_high` is the better one.
starts <- c(wage = 0, wage_high = 0.99, lwage = -0.5, two = 0)
wanted <- commandArgs(TRUE)
if (length(wanted) == 0L) wanted <- names(starts)
cases <- mssm_cases()
made <- do.call(rbind, lapply(wanted, function(name) {
  rows_of(name, cases[[sub("_high", "", name)]], starts[[name]])
}))
path <- "oracles/mssm.csv"
if (file.exists(path)) {
  stored <- read.csv(path)
  made <- rbind(stored[!stored$case %in% wanted, ], made)
}
digits <- function(x, digits) trimws(formatC(suppressWarnings(as.double(x)), digits, format = "g"))
made$estimate <- digits(made$estimate, 12L)
made$std.error <- digits(made$std.error, 7L)
write.csv(made, path, row.names = FALSE, quote = FALSE)
# nolint end
