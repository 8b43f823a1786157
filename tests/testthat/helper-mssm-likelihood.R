# The log-likelihood of a sample selection model in plain R, for oracles/mssm.R and the tests: cases
# of helper-mssm-cases.R, normal probabilities by any function of bounds and correlations.

selection_design <- function(case) {
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
selection_omega <- function(errors, equations) {
  error_covariance(errors[seq_len(equations)], errors[-seq_len(equations)])
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

selection_log_likelihood <- function(naturals, design, probability = genz_probability) {
  equations <- design$equations
  widths <- vapply(design$designs, ncol, 0L)
  ends <- cumsum(widths)
  predictors <- mapply(
    function(x, end, width) drop(x %*% naturals[end - width + seq_len(width)]),
    design$designs, ends, widths
  )
  omega <- selection_omega(naturals[-seq_len(sum(widths))], equations)
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
