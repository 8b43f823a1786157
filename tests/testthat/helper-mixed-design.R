# The design of a mixed model in lme4's shapes, for comparison with lme4::lFormula().

mixed_design_of <- function(formula, data, na_action = na.omit, contrasts = NULL, weights = NULL,
                            offset = NULL, subset = NULL) {
  here <- rlang::current_env()
  parsed <- mixed_formula(formula, data, here)
  extras <- list(weights = weights, offset = offset, subset = subset)
  frame <- mixed_frame(parsed, data, extras, na_action, here)
  terms <- fixed_terms(parsed, frame)
  c(
    mixed_design(frame, terms, parsed$bars, contrasts, here),
    list(frame = frame, terms = terms, formula = parsed$formula)
  )
}

# X of the rows, n x p.
x_of <- function(rows) {
  if (is.matrix(rows$x)) {
    return(rows$x)
  }
  as.matrix(Matrix::sparseMatrix(
    i = rows$x$i + 1L, p = rows$x$p, x = rows$x$x, dims = c(length(rows$y), rows$x$columns)
  ))
}

# One term's transposed random-effects matrix, rows as in lme4: effects within levels.
zt_of <- function(design, term) {
  rows <- design$rows
  core <- rows$terms[[term$core]]
  n <- length(rows$y)
  x <- x_of(rows)
  columns <- vapply(core$columns[term$positions], function(column) {
    if (is.null(column)) rep(1, n) else if (is.integer(column)) x[, column] else column
  }, double(n))
  width <- ncol(columns)
  zt <- matrix(0, width * core$levels, n)
  for (j in seq_len(width)) zt[cbind((core$codes - 1L) * width + j, seq_len(n))] <- columns[, j]
  zt
}

# lme4's lower triangular entries of every theta: the (term, row, column) that Lind points to.
theta_places <- function(random) {
  do.call(rbind, lapply(seq_along(random), function(k) {
    q <- length(random[[k]]$names)
    at <- which(lower.tri(diag(q), diag = TRUE), arr.ind = TRUE)
    cbind(term = k, row = unname(at[, 1]), column = unname(at[, 2]))
  }))
}
