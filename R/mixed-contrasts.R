# The hypotheses of an analysis of variance: for each term of the formula a matrix L with a column
# per kept coefficient, so that L beta = 0 says that the term has no effect.

# Types as SAS defines them: "I" sequential, "II" each term after all that do not contain it, "III"
# each term averaged over those that contain it.
term_hypotheses <- function(fit, type) {
  x <- annotated_fixed_matrix(fit)
  labels <- attr(fit$terms, "term.labels")
  if (length(labels) == 0L) {
    return(list())
  }
  columns <- lapply(stats::setNames(seq_along(labels), labels), function(k) {
    which(attr(x, "assign") == k)
  })
  if (length(labels) == 1L || type == "I") {
    return(sequential_hypotheses(x, columns))
  }
  containing <- containing_terms(fit)
  switch(type,
    II = lapply(stats::setNames(labels, labels), function(label) {
      marginal_hypothesis(x, columns, label, containing[[label]])
    }),
    III = averaged_hypotheses(fit, x, columns, containing)
  )
}

# Each coefficient after those before it.
sequential_hypotheses <- function(x, columns) {
  root <- cholesky_rows(x)
  lapply(columns, function(mine) root[mine, , drop = FALSE])
}

# Rows of the Cholesky factor of X'X, with ones on the diagonal: Satterthwaite's degrees of freedom
# depend on how the rows of a hypothesis are scaled, and this is lmerTest's scale.
cholesky_rows <- function(x) {
  root <- chol(as.matrix(Matrix::crossprod(x)))
  root <- root / diag(root)
  dimnames(root) <- list(colnames(x), colnames(x))
  root
}

# The term after all others but those that contain it.
marginal_hypothesis <- function(x, columns, label, containing) {
  mine <- columns[[label]]
  if (length(containing) == 0L) {
    unit <- diag(ncol(x))
    dimnames(unit) <- list(colnames(x), colnames(x))
    return(unit[mine, , drop = FALSE])
  }
  later <- c(mine, unlist(columns[containing], use.names = FALSE))
  order <- c(setdiff(seq_len(ncol(x)), later), later)
  root <- cholesky_rows(x[, order, drop = FALSE])
  root[colnames(x)[mine], colnames(x), drop = FALSE]
}

# For each term the labels of the terms that contain it: more variables, the same numeric ones.
containing_terms <- function(fit) {
  factors <- attr(fit$terms, "factors")
  classes <- attr(attr(fit$frame, "terms"), "dataClasses")
  variables <- lapply(colnames(factors), function(label) rownames(factors)[factors[, label] > 0])
  numeric <- lapply(variables, function(names) names[classes[names] == "numeric"])
  within <- function(a, b) {
    all(variables[[a]] %in% variables[[b]]) &&
      length(variables[[b]]) > length(variables[[a]]) && setequal(numeric[[a]], numeric[[b]])
  }
  all <- seq_along(variables)
  found <- lapply(all, function(a) colnames(factors)[vapply(all, function(b) within(a, b), NA)])
  stats::setNames(found, colnames(factors))
}

# Type III from the estimable functions (Goodnight 1980): write the model with a column for every
# level of every term, X_full = X C. The functions a'beta that involve only a term and those that
# contain it, and are orthogonal to those of the latter, are the hypothesis of the term.
averaged_hypotheses <- function(fit, x, columns, containing) {
  full <- full_columns(fit)
  coordinates <- solve(
    as.matrix(Matrix::crossprod(x)), as.matrix(Matrix::crossprod(x, full$x))
  )
  functions_of <- function(labels) {
    # Directions a with (a'C)_j = 0 for every column j of another term.
    null_space(t(coordinates[, !full$term %in% labels, drop = FALSE]))
  }
  lapply(stats::setNames(names(columns), names(columns)), function(label) {
    own <- functions_of(c(label, containing[[label]]))
    if (length(containing[[label]]) > 0L && ncol(own) > 0L) {
      inner <- functions_of(containing[[label]])
      overlap <- crossprod(inner, coordinates) %*% t(coordinates) %*% own
      own <- own %*% null_space(overlap)
    }
    hypothesis <- t(own)
    colnames(hypothesis) <- colnames(x)
    hypothesis
  })
}

# A column for every level of every term, and the label of its term.
full_columns <- function(fit) {
  labels <- attr(fit$terms, "term.labels")
  blocks <- lapply(labels, function(label) {
    stats::model.matrix(stats::as.formula(paste("~ 0 +", label)), fit$frame)
  })
  term <- rep(labels, vapply(blocks, ncol, 0L))
  if (attr(fit$terms, "intercept") == 1L) {
    blocks <- c(list(rep(1, nrow(fit$frame))), blocks)
    term <- c("(Intercept)", term)
  }
  list(x = do.call(cbind, blocks), term = term)
}

# An orthonormal basis of the vectors that a matrix sends to zero, as columns.
null_space <- function(matrix, tolerance = 1e-8) {
  if (nrow(matrix) == 0L) {
    return(diag(ncol(matrix)))
  }
  spectrum <- svd(matrix, nu = 0L, nv = ncol(matrix))
  rank <- sum(spectrum$d > tolerance * max(spectrum$d, 1))
  spectrum$v[, seq_len(ncol(matrix)) > rank, drop = FALSE]
}
