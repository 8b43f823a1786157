# The matrices of the model in lme4's order: terms as in the fit, within a term level by level,
# within a level effect by effect. Sparse, and made only when somebody asks for them.

# The columns of a core term as an n x q matrix.
core_columns <- function(rows, core) {
  columns <- rows$terms[[core]]$columns
  n <- length(rows$terms[[core]]$codes)
  # A bare integer points to a column of X, which is then dense.
  values <- vapply(columns, function(column) {
    if (is.null(column)) rep(1, n) else if (is.integer(column)) rows$x[, column] else column
  }, numeric(n))
  matrix(values, n)
}

# Per term of the fit: `columns` (n x q) and `codes` (1..levels).
term_rows <- function(fit, rows = mixed_rows(fit)) {
  cores <- lapply(seq_along(rows$terms), function(core) core_columns(rows, core))
  lapply(fit$random, function(term) {
    columns <- cores[[term$core]][, term$positions, drop = FALSE]
    colnames(columns) <- term$names
    list(columns = columns, codes = rows$terms[[term$core]]$codes)
  })
}

# Z of one term: n x (levels q), sparse. A code of NA is a level without effects.
sparse_effects <- function(part, levels) {
  q <- ncol(part$columns)
  known <- which(!is.na(part$codes))
  Matrix::sparseMatrix(
    i = rep(known, q), j = rep((part$codes[known] - 1L) * q, q) + rep(seq_len(q),
      each = length(known)
    ),
    x = as.vector(part$columns[known, , drop = FALSE]),
    dims = c(nrow(part$columns), q * length(levels)),
    dimnames = list(rownames(part$columns), rep(levels, each = q))
  )
}

# Z of all terms side by side.
random_matrix <- function(fit, parts = term_rows(fit)) {
  blocks <- Map(function(part, term) sparse_effects(part, term$levels), parts, fit$random)
  z <- do.call(cbind, unname(blocks))
  if (nrow(z) == fit$nobs) rownames(z) <- rownames(fit$frame)
  z
}

# Lambda of all terms: block diagonal, one small lower triangle per level.
relative_factors <- function(fit) {
  Matrix::bdiag(lapply(fit$random, function(term) {
    lambda <- relative_factor(fit, term)
    q <- nrow(lambda)
    levels <- length(term$levels)
    # Zeros that are estimates stay in the pattern.
    stored <- if (term$structure == "diag") diag(TRUE, q) else lower.tri(lambda, diag = TRUE)
    places <- which(stored, arr.ind = TRUE)
    shift <- rep(q * (seq_len(levels) - 1L), each = nrow(places))
    Matrix::sparseMatrix(
      i = places[, 1L] + shift, j = places[, 2L] + shift, x = rep(lambda[places], levels),
      dims = c(q, q) * levels
    )
  }))
}

# X of the kept columns, dense or sparse as it was fitted.
fixed_matrix <- function(fit, rows = mixed_rows(fit)) {
  x <- rows_matrix(rows$x, length(rows$y))
  columns <- fit$design$columns
  kept <- !columns %in% fit$design$aliased
  x <- x[, kept, drop = FALSE]
  dimnames(x) <- list(rownames(fit$frame), columns[kept])
  x
}

rows_matrix <- function(x, n) {
  if (is.matrix(x)) {
    return(x)
  }
  Matrix::sparseMatrix(i = x$i + 1L, p = x$p, x = x$x, dims = c(n, x$columns))
}

# Precision of every row relative to 1 / sigma^2: prior weights and the residual variance of its
# group; the working weights of a generalized model. NULL if all are 1.
row_precisions <- function(fit, rows = mixed_rows(fit)) {
  if (inherits(fit, "ember_glmm")) {
    return(working_precisions(fit, rows))
  }
  precisions <- rows$weights
  if (length(fit$dispersion) > 1L) {
    ratios <- fit$dispersion[rows$dispersion$codes]
    precisions <- (if (is.null(precisions)) 1 else precisions) / unname(ratios)^2
  }
  precisions
}

# The spherical effects u in lme4's order.
spherical_effects <- function(fit) {
  unlist(lapply(fit$u, function(effects) as.vector(t(effects))), use.names = FALSE)
}

# The conditional modes b in lme4's order, with the names of vcov(full = TRUE).
stacked_modes <- function(fit) {
  values <- unlist(lapply(fit$b, function(modes) as.vector(t(modes))), use.names = FALSE)
  stats::setNames(values, mode_names(fit))
}

mode_names <- function(fit) {
  unlist(lapply(fit$random, function(term) {
    as.vector(outer(term$names, term$levels, function(name, level) {
      paste0(term$group, ".", level, ".", name)
    }))
  }), use.names = FALSE)
}

# Covariance of (beta-hat - beta, b-hat - b) given the variances: sigma^2 times the inverse of
# Henderson's coefficient matrix. In the scale of u it exists for singular fits too (Henderson
# 1975; Bates et al. 2015, section 5).
joint_covariance <- function(fit) {
  rows <- mixed_rows(fit)
  lambda <- relative_factors(fit)
  precisions <- row_precisions(fit, rows)
  scale <- if (is.null(precisions)) 1 else sqrt(precisions)
  x <- scale * fixed_matrix(fit, rows)
  a <- scale * (random_matrix(fit, term_rows(fit, rows)) %*% lambda)
  p <- ncol(x)
  q <- ncol(a)
  cross <- rbind(
    cbind(as.matrix(Matrix::crossprod(x)), as.matrix(Matrix::crossprod(x, a))),
    cbind(
      as.matrix(Matrix::crossprod(a, x)), as.matrix(Matrix::crossprod(a) + Matrix::Diagonal(q))
    )
  )
  inverse <- chol2inv(chol(cross))
  effects <- p + seq_len(q)
  inverse[effects, ] <- as.matrix(lambda %*% inverse[effects, , drop = FALSE])
  inverse[, effects] <- as.matrix(inverse[, effects, drop = FALSE] %*% Matrix::t(lambda))
  names <- c(rownames(fit$vcov_beta), mode_names(fit))
  covariance <- random_scale(fit)^2 * (inverse + t(inverse)) / 2
  dimnames(covariance) <- list(names, names)
  covariance
}
