# Makes mssm.csv: the maximum of the likelihood of each of mssm_cases() in helper-mssm-cases.R. The
# log-likelihood is written here in plain R; its maximum is found with numerical derivatives and
# polished by Newton steps, and there it is evaluated row by row with the normal probabilities of
# mvtnorm (Genz's TVPACK). Standard errors are those of the numerical Hessian in the naturals. Run from
# tests/testthat with mvtnorm (1.1-3 made the stored values), numDeriv and AER:
#   Rscript oracles/mssm.R [case ...]     only these cases are replaced
source("helper-mixed.R")
source("helper-mssm-cases.R")
# nolint start: object_usage_linter. The helper's functions are not lintr's to find.

design_of <- function(case) {
  data <- case$data()
  frame_of <- function(formula) model.frame(formula, data, na.action = na.pass)
  matrix_of <- function(formula) model.matrix(delete.response(terms(formula)), data)
  selected <- vapply(case$selection, function(formula) {
    as.integer(as.factor(model.response(frame_of(formula)))) == 2L
  }, logical(nrow(data)))
  y <- vapply(case$outcome, function(f) as.double(model.response(frame_of(f))), numeric(nrow(data)))
  list(
    designs = c(lapply(case$outcome, matrix_of), lapply(case$selection, matrix_of)),
    y = y, selected = selected, equations = length(case$outcome)
  )
}

# Covariance of the errors from standard deviations and the correlations, column by column.
omega_of <- function(errors, equations) {
  error_covariance(errors[seq_len(equations)], errors[-seq_len(equations)])
}

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
  total <- numeric(nrow(bounds))
  for (k in seq_along(gauss_legendre$nodes)) {
    at <- upper - width * gauss_legendre$nodes[[k]]
    given <- sweep(bounds[, -1L, drop = FALSE] - outer(at, slope), 2L, scale, "/")
    inner <- normal_probability(given, cov2cor(rest))
    total <- total + gauss_legendre$weights[[k]] * width * dnorm(at) * inner
  }
  total
}

genz_probability <- function(bounds, correlation) {
  algorithm <- mvtnorm::TVPACK(abseps = 1e-14)
  lower <- rep(-Inf, ncol(bounds))
  apply(bounds, 1L, function(upper) {
    mvtnorm::pmvnorm(lower, upper, corr = correlation, algorithm = algorithm)
  })
}

# log P(q z > 0) of z ~ N(mean, covariance), row by row.
log_orthant <- function(mean, covariance, signs, probability) {
  scale <- sqrt(diag(covariance))
  bounds <- sweep(mean, 2L, signs / scale, "*")
  if (ncol(mean) == 1L) {
    return(pnorm(bounds[, 1L], log.p = TRUE))
  }
  log(probability(bounds, cov2cor(covariance * outer(signs, signs))))
}

log_likelihood <- function(naturals, design, probability = normal_probability) {
  equations <- design$equations
  widths <- vapply(design$designs, ncol, 0L)
  ends <- cumsum(widths)
  predictors <- mapply(
    function(x, end, width) drop(x %*% naturals[end - width + seq_len(width)]),
    design$designs, ends, widths
  )
  omega <- omega_of(naturals[-seq_len(sum(widths))], equations)
  # A line search may leave what has a likelihood.
  wild <- any(!is.finite(omega)) || any(abs(log(diag(omega))) > 20) ||
    min(eigen(cov2cor(omega), TRUE, TRUE)$values) <= 1e-8
  if (wild) {
    return(-1e10)
  }
  latent <- equations + seq_len(equations)
  codes <- drop(design$selected %*% 2^(seq_len(equations) - 1L))
  total <- 0
  for (code in unique(codes)) {
    rows <- which(codes == code)
    seen <- which(design$selected[rows[[1L]], ])
    mean <- predictors[rows, latent, drop = FALSE]
    covariance <- omega[latent, latent, drop = FALSE]
    if (length(seen) > 0L) {
      residual <- design$y[rows, seen, drop = FALSE] - predictors[rows, seen, drop = FALSE]
      slope <- solve(omega[seen, seen, drop = FALSE], omega[seen, latent, drop = FALSE])
      mean <- mean + residual %*% slope
      covariance <- covariance - omega[latent, seen, drop = FALSE] %*% slope
      total <- total + sum(mvtnorm::dmvnorm(
        residual, sigma = omega[seen, seen, drop = FALSE], log = TRUE
      ))
    }
    signs <- 2 * design$selected[rows[[1L]], ] - 1
    total <- total + sum(log_orthant(mean, covariance, signs, probability))
  }
  if (is.finite(total)) total else -1e10
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
  omega <- omega_of(errors, design$equations)
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
  value <- function(free) -log_likelihood(naturals_of(free, scaled), scaled)
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

standard_errors <- function(naturals, design, scales) {
  scaled <- design
  scaled$designs <- lapply(design$designs, function(x) sweep(x, 2L, sqrt(colMeans(x^2)), "/"))
  hessian <- numDeriv::hessian(function(p) log_likelihood(p, scaled), naturals * scales)
  sqrt(diag(solve(-hessian))) / scales
}

rows_of <- function(name, case, rho) {
  design <- design_of(case)
  found <- maximum_of(design, start_of(design, rho))
  loglik <- log_likelihood(found$naturals, design)
  if (design$equations > 1L) {
    genz <- log_likelihood(found$naturals, design, genz_probability)
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
starts <- c(wage = 0, wage_high = 0.99, lwage = -0.5, two_wages = 0, two = 0, three = 0)
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
made$estimate <- formatC(as.double(made$estimate), digits = 12L, format = "g")
made$std.error <- formatC(as.double(made$std.error), digits = 7L, format = "g")
write.csv(made, path, row.names = FALSE)
# nolint end
