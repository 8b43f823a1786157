# The parameters of data cloning: their names, the two scales they live on, and those that a user
# derives from them.
#
# The *natural* vector is what is monitored: fixed effects, residual variance, variances and
# covariances of each random term (lower triangle, column by column), shape. The *unconstrained* one
# is what is sampled: fixed effects, log residual standard deviation, for each term the logs of its
# standard deviations and the inverse hyperbolic tangents of its partial correlations (column by
# column), log shape.

# One row per natural parameter: name, kind ("fixed", "residual", "variance", "covariance", "shape",
# "level"), block (number of the random term) and row, column (effects) of its covariance matrix.
parameter_table <- function(fixed, random, has_sigma, has_shape) {
  single <- sum(lengths(lapply(random, `[[`, "names"))) == 1L
  # The core takes the terms by grouping factor, then by their first effect.
  place <- order(
    vapply(random, `[[`, 0L, "core"), vapply(random, function(term) term$positions[[1L]], 0L)
  )
  blocks <- lapply(place, function(k) block_table(random[[k]], k, single))
  table <- rbind(
    plain_parameters(fixed, "fixed"),
    if (has_sigma) plain_parameters("sigma_sq", "residual"),
    do.call(rbind, blocks),
    if (has_shape) plain_parameters("shape", "shape")
  )
  row.names(table) <- NULL
  table
}

# The parameters of the model without smoothing: an effect for each level of a term, no variance.
independent_table <- function(fixed, term) {
  rbind(
    plain_parameters(fixed, "fixed"), plain_parameters("sigma_sq", "residual"),
    plain_parameters(paste0("alpha[", term$levels, "]"), "level")
  )
}

plain_parameters <- function(name, kind) {
  count <- length(name)
  data.frame(
    name = name, kind = rep(kind, count), block = rep(0L, count), row = rep(0L, count),
    column = rep(0L, count)
  )
}

# `single`: this is the only variance of the random effects.
block_table <- function(term, block, single) {
  q <- length(term$names)
  column <- rep(seq_len(q), q:1)
  row <- sequence(q:1, seq_len(q))
  own <- row == column
  name <- ifelse(
    own, variance_name(term$group, term$names[row]),
    paste0("tau[", term$group, ",", term$names[column], ",", term$names[row], "]")
  )
  if (single) name <- "tau_sq"
  data.frame(
    name = name, kind = ifelse(own, "variance", "covariance"), block = block, row = row,
    column = column
  )
}

variance_name <- function(group, effect) {
  ifelse(
    effect == "(Intercept)", paste0("tau_sq[", group, "]"),
    paste0("tau_sq[", group, ",", effect, "]")
  )
}

# ---- between the scales

# Draws (rows) of the natural parameters on the unconstrained scale, with its names.
unconstrained_draws <- function(natural, table) {
  parts <- list(natural[, table$kind == "fixed", drop = FALSE])
  residual <- which(table$kind == "residual")
  if (length(residual) > 0L) {
    parts <- c(parts, list(cbind(log_sigma = log(natural[, residual]) / 2)))
  }
  for (block in unique(table$block[table$block > 0L])) {
    own <- which(table$block == block)
    parts <- c(parts, list(unconstrained_block(natural[, own, drop = FALSE], table[own, ])))
  }
  shape <- which(table$kind == "shape")
  if (length(shape) > 0L) parts <- c(parts, list(cbind(log_shape = log(natural[, shape]))))
  do.call(cbind, parts)
}

unconstrained_block <- function(draws, table) {
  q <- max(table$row)
  place <- matrix(0L, q, q)
  place[cbind(table$row, table$column)] <- seq_len(nrow(table))
  deviations <- sqrt(draws[, diag(place), drop = FALSE])
  colnames(deviations) <- log_deviation_names(table$name[diag(place)])
  if (q == 1L) {
    return(log(deviations))
  }
  cbind(log(deviations), partial_correlations(draws, place, deviations, table))
}

# "log_tau[g]" of "tau_sq[g]".
log_deviation_names <- function(names) sub("^tau_sq", "log_tau", names)

# Rows of the Cholesky factor of a correlation matrix have unit length; each entry is the partial
# correlation times what the entries before it left over.
partial_correlations <- function(draws, place, deviations, table) {
  q <- ncol(place)
  factor <- array(0, c(nrow(draws), q, q))
  left <- matrix(1, nrow(draws), q)
  columns <- list()
  for (j in seq_len(q)) {
    factor[, j, j] <- sqrt(left[, j])
    for (i in seq_len(q - j) + j) {
      correlation <- draws[, place[i, j]] / (deviations[, i] * deviations[, j])
      before <- seq_len(j - 1L)
      explained <- rowSums(
        matrix(factor[, i, before] * factor[, j, before], nrow(draws), length(before))
      )
      factor[, i, j] <- (correlation - explained) / factor[, j, j]
      partial <- factor[, i, j] / sqrt(left[, i])
      left[, i] <- left[, i] - factor[, i, j]^2
      name <- sub("^tau", "atanh_rho", table$name[[place[i, j]]])
      columns[[name]] <- atanh(pmin(pmax(partial, -1 + 1e-12), 1 - 1e-12))
    }
  }
  do.call(cbind, columns)
}

# The other way: draws (rows) on the unconstrained scale as natural parameters.
natural_draws <- function(unconstrained, table) {
  natural <- matrix(
    0, nrow(unconstrained), nrow(table), dimnames = list(NULL, table$name)
  )
  used <- sum(table$kind == "fixed")
  natural[, seq_len(used)] <- unconstrained[, seq_len(used)]
  if (any(table$kind == "residual")) {
    used <- used + 1L
    natural[, table$kind == "residual"] <- exp(2 * unconstrained[, used])
  }
  for (block in unique(table$block[table$block > 0L])) {
    own <- which(table$block == block)
    columns <- used + seq_along(own)
    natural[, own] <- natural_block(unconstrained[, columns, drop = FALSE], table[own, ])
    used <- used + length(own)
  }
  if (any(table$kind == "shape")) {
    natural[, table$kind == "shape"] <- exp(unconstrained[, used + 1L])
  }
  natural
}

natural_block <- function(unconstrained, table) {
  q <- max(table$row)
  count <- nrow(unconstrained)
  factor <- array(0, c(count, q, q))
  left <- matrix(1, count, q)
  used <- q
  for (j in seq_len(q)) {
    factor[, j, j] <- sqrt(left[, j])
    for (i in seq_len(q - j) + j) {
      used <- used + 1L
      factor[, i, j] <- tanh(unconstrained[, used]) * sqrt(left[, i])
      left[, i] <- left[, i] - factor[, i, j]^2
    }
  }
  vapply(seq_len(nrow(table)), function(k) {
    i <- table$row[[k]]
    j <- table$column[[k]]
    correlation <- rowSums(matrix(factor[, i, ] * factor[, j, ], count, q))
    exp(unconstrained[, i] + unconstrained[, j]) * correlation
  }, numeric(count)) |>
    matrix(count)
}

# ---- derived parameters

# The argument `derived` as a named list of one-sided formulas.
check_derived <- function(derived, table, call) {
  if (rlang::is_formula(derived)) derived <- list(derived)
  named <- is.list(derived) && all(nzchar(rlang::names2(derived)))
  if (length(derived) > 0L && !named || !is.null(derived) && !is.list(derived)) {
    abort_argument(
      "derived", "must be a named list of one-sided formulas.",
      c(i = "For instance `list(sum = ~ sigma_sq + tau_sq)`."), call
    )
  }
  taken <- names(derived)[names(derived) %in% table$name | duplicated(names(derived))]
  if (length(taken) > 0L) {
    abort_argument(
      "derived", paste0("has a name that is taken: `", taken[[1L]], "`."), NULL, call
    )
  }
  for (name in names(derived)) check_derived_formula(derived[[name]], name, table, call)
  as.list(derived)
}

check_derived_formula <- function(formula, name, table, call) {
  argument <- paste0("derived$", name)
  if (!rlang::is_formula(formula, lhs = FALSE)) {
    abort_argument(argument, "must be a one-sided formula.", NULL, call)
  }
  expression <- with_parameter_names(formula[[2L]], derived_symbols(table))
  unknown <- Filter(
    function(symbol) {
      !symbol %in% derived_symbols(table) && !exists(symbol, environment(formula))
    },
    all.vars(expression)
  )
  if (length(unknown) > 0L) {
    abort_argument(
      argument, paste0("has an unknown parameter: `", unknown[[1L]], "`."),
      c(i = paste0("The parameters are ", quoted(table$name), ".")), call
    )
  }
}

# What derived formulas may name: the parameters, and the standard deviations of their variances.
derived_symbols <- function(table) {
  variances <- table$name[table$kind %in% c("residual", "variance")]
  c(table$name, sub("^(sigma|tau)_sq", "\\1", variances))
}

# `tau_sq[g, x]` in an expression is the parameter of that name.
with_parameter_names <- function(expression, names) {
  if (!is.call(expression)) {
    return(expression)
  }
  if (identical(expression[[1L]], as.name("[")) && is.name(expression[[2L]])) {
    name <- indexed_name(expression)
    if (name %in% names) {
      return(as.name(name))
    }
  }
  expression[-1L] <- lapply(as.list(expression)[-1L], with_parameter_names, names)
  expression
}

indexed_name <- function(expression) {
  parts <- vapply(as.list(expression)[-1L], label_of, "")
  paste0(parts[[1L]], "[", paste(parts[-1L], collapse = ","), "]")
}

# A matrix with a column per derived parameter.
derived_draws <- function(draws, derived, table, call) {
  variances <- which(table$kind %in% c("residual", "variance"))
  deviations <- sqrt(draws[, variances, drop = FALSE])
  colnames(deviations) <- sub("^(sigma|tau)_sq", "\\1", colnames(deviations))
  symbols <- cbind(draws, deviations)
  columns <- lapply(seq_len(ncol(symbols)), function(j) symbols[, j])
  names(columns) <- colnames(symbols)
  values <- lapply(names(derived), function(name) {
    formula <- derived[[name]]
    expression <- with_parameter_names(formula[[2L]], names(columns))
    value <- tryCatch(
      eval(expression, columns, environment(formula)),
      error = function(cnd) {
        abort_argument(
          paste0("derived$", name), "cannot be evaluated.", c(x = conditionMessage(cnd)), call
        )
      }
    )
    if (!is.numeric(value) || length(value) != nrow(draws)) {
      abort_argument(
        paste0("derived$", name), "must give one number per draw.",
        c(i = "Operations must work on vectors: `~ sigma_sq + tau_sq`."), call
      )
    }
    as.double(value)
  })
  matrix(
    as.double(unlist(values)), nrow(draws), length(derived),
    dimnames = list(NULL, names(derived))
  )
}

# Names of parameters that a user asks for, by default `default`.
monitored_parameters <- function(parameters, known, default, call) {
  if (is.null(parameters)) {
    return(default)
  }
  unknown <- if (is.character(parameters)) setdiff(parameters, known)
  if (!is.character(parameters) || length(parameters) == 0L || length(unknown) > 0L) {
    abort_argument(
      "parameters", "must name parameters of the fit.",
      c(i = paste0("They are ", quoted(known), ".")), call
    )
  }
  unique(parameters)
}
