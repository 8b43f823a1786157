# From the frame of a mixed model to what the core reads: the rows (response, columns of X, columns
# and group codes of every core term) and the structure of theta. Columns are shared wherever they
# can be: a column of Z that is also one of X is sent as its number, the intercept as NULL.
#
# A *term* is what the summary shows: one grouping and its correlated effects. Terms of the same
# grouping form one *core term*, whose relative covariance factor is block diagonal.

# list(rows, structure, random (terms), fixed = list(columns, assign, contrasts)). `distribution` is
# the family of a generalized model as the core takes it, NULL for a linear one.
mixed_design <- function(frame, terms, bars, contrasts, call, distribution = NULL) {
  fixed <- fixed_design(terms, frame, contrasts, call)
  groups <- grouping_factors_of(bars, frame, call)
  random <- random_terms(bars, groups, frame, fixed, call)
  core <- core_terms(random, groups, call)
  response <- if (is.null(distribution)) {
    list(y = frame_response(frame, call), weights = frame_weights(frame, call))
  } else {
    glmm_response(frame, distribution, call)
  }
  list(
    rows = list(
      y = response$y, offset = frame_offset(frame, terms, call), weights = response$weights,
      x = fixed$x, terms = core$terms, dispersion = frame_dispersion(frame, call)
    ),
    structure = core$structure, random = core$random,
    fixed = fixed[c("columns", "assign", "contrasts")]
  )
}

# X without the names of rows and columns: a matrix, or the slots of a sparse one. `plain` has the
# columns that are numeric variables, by name.
fixed_design <- function(terms, frame, contrasts, call) {
  labels <- attr(terms, "term.labels")
  plain <- labels[attr(terms, "order") == 1L]
  plain <- plain[vapply(.subset(frame, match(plain, names(frame), 0L)), is_plain, NA)]
  if (names(frame)[[1L]] %in% labels) {
    abort_argument(
      "formula", paste0("has the response `", names(frame)[[1L]], "` among the predictors."),
      NULL, call
    )
  }
  intercept <- attr(terms, "intercept")
  design <- if (length(plain) == length(labels) && is.null(contrasts)) {
    plain_design_matrix(frame, labels, intercept)
  } else if (is_sparse_design(terms, frame)) {
    sparse_design_matrix(terms, frame, contrasts, call)
  } else {
    dense_design_matrix(terms, frame, contrasts, call)
  }
  check_design_matrix(design, frame, labels, call)
  if (!is.matrix(design$x)) plain <- character()
  design$plain <- stats::setNames(match(plain, design$columns), plain)
  design
}

# A numeric vector: its own column of a model matrix.
is_plain <- function(column) {
  (is.numeric(column) || inherits(column, c("Date", "POSIXct", "difftime"))) &&
    !is.factor(column) && is.null(dim(column))
}

plain_design_matrix <- function(frame, labels, intercept) {
  columns <- c(if (intercept) list(1), lapply(.subset(frame, labels), unclass))
  x <- if (length(labels) > 0L) {
    do.call(cbind, c(unname(columns), deparse.level = 0L))
  } else {
    matrix(1, nrow(frame), intercept)
  }
  if (!is.double(x)) storage.mode(x) <- "double"
  list(
    x = x, columns = c(if (intercept) "(Intercept)", labels),
    assign = c(if (intercept) 0L, seq_along(labels)), contrasts = NULL
  )
}

dense_design_matrix <- function(terms, frame, contrasts, call) {
  x <- model_matrix(stats::model.matrix.default, terms, frame, contrasts, call)
  design <- list(
    columns = colnames(x), assign = attr(x, "assign"), contrasts = attr(x, "contrasts")
  )
  attributes(x) <- attributes(x)["dim"]
  c(list(x = x), design)
}

sparse_design_matrix <- function(terms, frame, contrasts, call) {
  x <- model_matrix(Matrix::sparse.model.matrix, terms, frame, contrasts, call)
  list(
    x = list(p = x@p, i = x@i, x = x@x, columns = ncol(x)), columns = colnames(x),
    assign = attr(x, "assign"), contrasts = attr(x, "contrasts")
  )
}

# X is sparse if it would be wide or large as a dense matrix, and almost empty: more than 100
# columns or 5e7 numbers (400 MB), of which less than a tenth are not zero.
is_sparse_design <- function(terms, frame) {
  factors <- attr(terms, "factors")
  if (length(factors) == 0L) {
    return(FALSE)
  }
  variables <- frame[seq_len(nrow(factors))]
  size <- vapply(variables, count_columns, 0)
  used <- vapply(variables, count_filled, 0)
  columns <- apply(factors, 2L, function(rule) prod((size - (rule == 1L & used < size))[rule > 0L]))
  filled <- apply(factors, 2L, function(rule) prod(used[rule > 0L]))
  total <- sum(columns)
  (total > 100 || total * nrow(frame) > 5e7) && sum(filled) < total / 10
}

# Columns of a variable in a model matrix, all levels of a factor; and how many are not zero in a
# row.
count_columns <- function(column) {
  if (is.factor(column)) {
    nlevels(column)
  } else if (is.character(column)) {
    length(unique(column))
  } else {
    NCOL(column)
  }
}

count_filled <- function(column) {
  if (is.ordered(column)) {
    nlevels(column)
  } else if (is.factor(column) || is.character(column)) {
    1
  } else {
    NCOL(column)
  }
}

model_matrix <- function(build, terms, frame, contrasts, call) {
  tryCatch(
    build(terms, frame, contrasts.arg = contrasts),
    error = function(cnd) abort_model_matrix(cnd, terms, frame, contrasts, call)
  )
}

abort_model_matrix <- function(error, terms, frame, contrasts, call) {
  for (name in intersect(all.vars(stats::delete.response(terms)), names(frame))) {
    column <- frame[[name]]
    if (!is.numeric(column) && length(unique(column)) < 2L) {
      abort_data(
        paste0("`", name, "` has only one level in the rows that are fitted."),
        c(i = "Leave it out of the formula."), column = name, call = call
      )
    }
  }
  details <- c(x = conditionMessage(error))
  if (!is.null(contrasts)) {
    abort_argument("contrasts", "cannot be used with this formula.", details, call)
  }
  abort_argument("formula", "gives no model matrix.", details, call)
}

check_design_matrix <- function(design, frame, labels, call) {
  values <- if (is.matrix(design$x)) design$x else design$x$x
  # sum() needs no memory of its own: the slow look for the culprit happens only if there is one.
  if (is.finite(sum(values))) {
    return(invisible())
  }
  for (name in names(frame)) {
    if (is.numeric(frame[[name]])) check_finite(frame[[name]], name, "Column", call)
  }
  for (j in seq_along(design$columns)) {
    if (is.matrix(design$x)) check_finite(design$x[, j], design$columns[[j]], "Column", call)
  }
}

# The groupings of all bars, by label.
grouping_factors_of <- function(bars, frame, call) {
  groups <- list()
  for (bar in bars) {
    for (k in seq_along(bar$groups)) {
      label <- bar$labels[[k]]
      if (is.null(groups[[label]])) {
        groups[[label]] <- group_factor(bar$groups[[k]], frame, call)
      }
    }
  }
  groups
}

# The terms of the formula in lme4's order, each a list with `group` (label), `grouping`
# (expression), `expression` (~ lhs), `names`, `columns`, `levels`, `structure`.
random_terms <- function(bars, groups, frame, fixed, call) {
  env <- environment(attr(frame, "terms"))
  random <- unlist(lapply(bars, function(bar) {
    effects <- random_effects(bar, frame, fixed, call)
    parts <- if (bar$split) seq_along(effects$names) else list(seq_along(effects$names))
    expression <- bar_expression(bar, env)
    unlist(lapply(parts, function(part) {
      lapply(seq_along(bar$groups), function(k) {
        label <- bar$labels[[k]]
        list(
          group = label, grouping = bar$groups[[k]], expression = expression,
          names = effects$names[part], columns = effects$columns[part],
          levels = groups[[label]]$levels, structure = if (bar$split) "diag" else "us"
        )
      })
    }), recursive = FALSE)
  }), recursive = FALSE)
  sizes <- vapply(random, function(term) length(term$levels), 0L)
  # lme4 reverses ties when it sorts.
  if (is.unsorted(-sizes)) random <- random[rev(order(sizes))]
  labels <- vapply(random, `[[`, "", "group")
  if (anyDuplicated(labels)) labels <- make.names(labels, unique = TRUE)
  Map(function(term, label) c(list(label = label), term), random, labels)
}

# The columns of the left-hand side of a bar: list(names, columns, limits), each column NULL for
# the intercept, a column number of X, or n doubles; limits are its smallest and largest value.
random_effects <- function(bar, frame, fixed, call) {
  if (identical(bar$lhs, 1)) {
    return(list(names = "(Intercept)", columns = list(NULL), limits = list(c(1, 1))))
  }
  terms <- tryCatch(
    stats::terms(bar_expression(bar, environment(attr(frame, "terms")))),
    error = function(cnd) {
      abort_argument("formula", "cannot be used.", c(x = conditionMessage(cnd)), call)
    }
  )
  labels <- attr(terms, "term.labels")
  intercept <- attr(terms, "intercept")
  if (names(frame)[[1L]] %in% labels) {
    abort_argument(
      "formula", paste0("has the response `", names(frame)[[1L]], "` among the random effects."),
      NULL, call
    )
  }
  if (length(labels) + intercept == 0L) {
    abort_argument(
      "formula", paste0("has a random term without effects: `", deparse1(bar$lhs), " | ",
        bar$labels[[1L]], "`."
      ), c(i = "Write `1` for a random intercept."), call
    )
  }
  plain <- all(attr(terms, "order") == 1L) && all(labels %in% names(frame)) &&
    all(vapply(.subset(frame, labels), is_plain, NA))
  effects <- if (plain) {
    plain_effects(labels, intercept, frame, fixed)
  } else {
    matrix_effects(terms, frame, fixed, call)
  }
  check_effects(effects, bar, call)
  effects
}

plain_effects <- function(labels, intercept, frame, fixed) {
  columns <- lapply(labels, function(label) {
    place <- fixed$plain[label]
    if (is.na(place)) as.double(frame[[label]]) else unname(place)
  })
  list(
    names = c(if (intercept) "(Intercept)", labels),
    columns = c(if (intercept) list(NULL), columns),
    limits = c(if (intercept) list(c(1, 1)), lapply(unname(.subset(frame, labels)), limits_of))
  )
}

# range() would copy the column.
limits_of <- function(column) c(min(column), max(column))

matrix_effects <- function(terms, frame, fixed, call) {
  z <- model_matrix(stats::model.matrix.default, terms, frame, NULL, call)
  names <- colnames(z)
  places <- if (is.matrix(fixed$x)) match(names, fixed$columns) else rep(NA_integer_, length(names))
  assign <- attr(z, "assign")
  attributes(z) <- attributes(z)["dim"]
  columns <- list()
  limits <- list()
  for (j in seq_along(names)) {
    column <- if (assign[[j]] > 0L) z[, j]
    limits[[j]] <- if (assign[[j]] > 0L) limits_of(column) else c(1, 1)
    place <- places[[j]]
    shared <- !is.null(column) && !is.na(place) && identical(column, fixed$x[, place])
    columns[j] <- list(if (shared) place else column)
  }
  list(names = names, columns = columns, limits = limits)
}

# A column that does not vary says nothing next to the intercept, and one of zeros nothing at all.
check_effects <- function(effects, bar, call) {
  intercept <- effects$names[[1L]] == "(Intercept)"
  for (j in seq_along(effects$names)) {
    limits <- effects$limits[[j]]
    name <- effects$names[[j]]
    if (!all(is.finite(limits))) {
      abort_data(
        paste0("Column `", name, "` has values that are not finite."),
        c(i = "Correct them, or set them to NA: rows with missing values are left out."),
        column = name, call = call
      )
    }
    if (limits[[1L]] == limits[[2L]] && (limits[[1L]] == 0 || intercept && j > 1L)) {
      abort_data(
        paste0(
          "The random effect of `", name, "` in `", deparse1(bar$lhs), " | ", bar$labels[[1L]],
          "` cannot be estimated: `", name, "` is ", format(limits[[1L]]), " in every row."
        ),
        c(i = "Leave it out of the random term."), column = name, call = call
      )
    }
  }
}

# Amalgamates the terms of each grouping: list(terms (of the core), structure, random (terms that
# know their place in them)).
core_terms <- function(random, groups, call) {
  labels <- vapply(random, `[[`, "", "group")
  core <- match(labels, unique(labels))
  widths <- integer(max(core))
  entries <- list()
  used <- 0L
  for (k in seq_along(random)) {
    width <- length(random[[k]]$names)
    positions <- widths[[core[[k]]]] + seq_len(width)
    widths[[core[[k]]]] <- widths[[core[[k]]]] + width
    column <- rep(seq_len(width), width:1)
    row <- sequence(width:1, seq_len(width))
    entries[[k]] <- list(
      term = rep(core[[k]], length(row)), row = positions[row], column = positions[column]
    )
    random[[k]]$core <- core[[k]]
    random[[k]]$positions <- positions
    random[[k]]$theta <- used + seq_along(row)
    used <- used + length(row)
  }
  entry <- function(field) unlist(lapply(entries, `[[`, field))
  terms <- lapply(seq_along(widths), function(k) {
    group <- groups[[unique(labels)[[k]]]]
    list(
      codes = group$codes, levels = length(group$levels),
      columns = unlist(lapply(random[core == k], `[[`, "columns"), recursive = FALSE)
    )
  })
  check_distinct_effects(random, labels, groups, call)
  list(
    terms = terms,
    structure = list(
      term = entry("term"), row = entry("row"), column = entry("column"), widths = widths
    ),
    random = lapply(random, function(term) term[names(term) != "columns"])
  )
}

# An effect that is there twice has two variances which the data cannot tell apart.
check_distinct_effects <- function(random, labels, groups, call) {
  effects <- split(lapply(random, `[[`, "names"), factor(labels, unique(labels)))
  effects <- lapply(effects, unlist)
  for (k in seq_along(effects)) {
    twice <- effects[[k]][duplicated(effects[[k]])]
    if (length(twice) > 0L) abort_twice(twice[[1L]], names(effects)[[k]], call)
  }
  check_distinct_groups(effects, groups, call)
}

check_distinct_groups <- function(effects, groups, call) {
  for (pair in pairs_of(names(effects))) {
    shared <- intersect(effects[[pair[[1L]]]], effects[[pair[[2L]]]])
    if (length(shared) > 0L && same_groups(groups[[pair[[1L]]]], groups[[pair[[2L]]]])) {
      abort_data(
        paste0("`", pair[[1L]], "` and `", pair[[2L]], "` put the rows into the same groups."),
        c(
          x = paste0("So the variances of `", shared[[1L]], "` cannot be told apart."),
          i = "Keep one of the two random terms."
        ),
        column = pair[[1L]], call = call
      )
    }
  }
}

pairs_of <- function(names) {
  if (length(names) > 1L) utils::combn(names, 2L, simplify = FALSE)
}

abort_twice <- function(effect, group, call) {
  abort_argument(
    "formula", paste0("has the random effect `", effect, "` of `", group, "` twice."),
    c(
      x = "Its two variances cannot be told apart.",
      i = "Keep one, for instance `(1 | g) + (0 + x | g)` instead of `(1 | g) + (x | g)`."
    ), call
  )
}

frame_dispersion <- function(frame, call) {
  column <- frame[["(dispersion)"]]
  if (is.null(column)) {
    return(NULL)
  }
  groups <- if (is.factor(column)) {
    list(codes = unattributed(column), levels = levels(column))
  } else {
    code_values(column)
  }
  if (length(groups$levels) < 2L) {
    abort_argument(
      "dispersion", "must name a factor with at least two levels.",
      c(i = "Leave it out for one residual variance."), call
    )
  }
  list(codes = groups$codes, groups = length(groups$levels), levels = groups$levels)
}
