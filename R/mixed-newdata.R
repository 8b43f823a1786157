# New rows for a fitted mixed model: the columns of X and of every random term, and the level each
# row belongs to.

# Which random effects a prediction uses, one logical vector per term of the fit. `re_form` is NULL
# (all), NA or `~ 0` (none), or a formula with some of the fit's terms.
selected_effects <- function(fit, re_form, call) {
  select <- function(value) lapply(fit$random, function(term) rep(value, length(term$names)))
  if (is.null(re_form)) {
    return(select(TRUE))
  }
  if (is_no_effects(re_form)) {
    return(select(FALSE))
  }
  if (!inherits(re_form, "formula")) {
    abort_argument(
      "re.form", "must be NULL, NA or a formula.",
      c(i = "Write NULL for all random effects, NA for none, `~ (1 | g)` for some."), call
    )
  }
  chosen <- select(FALSE)
  for (bar in expand_random_terms(re_form, call)) {
    chosen <- choose_effects(fit, bar, chosen, call)
  }
  chosen
}

is_no_effects <- function(re_form) {
  if (inherits(re_form, "formula")) {
    return(length(re_form) == 2L && identical(re_form[[2L]], 0))
  }
  length(re_form) == 1L && is.atomic(re_form) && is.na(re_form)
}

# The effects of one term of `re.form` among those of the fit.
choose_effects <- function(fit, bar, chosen, call) {
  group <- deparse1(bar$grouping)
  on_group <- which(random_groups(fit) == group)
  available <- unlist(lapply(fit$random[on_group], `[[`, "names"))
  names <- setdiff(all.vars(bar$expression), names(fit$frame))
  if (length(names) == 0L) {
    names <- colnames(random_columns(bar$expression, fit$frame[1L, , drop = FALSE], fit))
  }
  missing <- setdiff(names, available)
  if (length(on_group) == 0L || length(missing) > 0L) {
    what <- paste0("`", if (length(on_group) > 0L) paste0(missing[[1L]], " | "), group, "`")
    abort_argument(
      "re.form", paste0("has ", what, ", which is not in the fit."),
      c(i = paste0("The fit has ", deparse1(stats::formula(fit, random.only = TRUE)[[3L]]), ".")),
      call
    )
  }
  for (k in on_group) {
    chosen[[k]] <- chosen[[k]] | fit$random[[k]]$names %in% names
  }
  chosen
}

# The model matrix of the left-hand side of a random term, coded as in the fit.
random_columns <- function(expression, data, fit) {
  full <- attr(fit$frame, "terms")
  lhs <- stats::terms(expression)
  variables <- vapply(as.list(attr(lhs, "variables"))[-1L], deparse1, "")
  if (length(variables) == 0L) {
    return(matrix(1, nrow(data), 1L, dimnames = list(NULL, "(Intercept)")))
  }
  all <- vapply(as.list(attr(full, "variables"))[-1L], deparse1, "")
  places <- match(variables, all)
  # Data-dependent bases, such as poly(), must be those of the fit.
  predvars <- attr(full, "predvars")
  if (!is.null(predvars)) {
    attr(lhs, "predvars") <- predvars[c(1L, 1L + places)]
  }
  environment(lhs) <- environment(fit$formula)
  coding <- attr(stats::model.matrix(lhs, fit$frame[1L, , drop = FALSE]), "contrasts")
  levels <- Filter(Negate(is.null), lapply(fit$frame[variables], categories))
  frame <- stats::model.frame(lhs, data, na.action = stats::na.pass, xlev = levels)
  stats::model.matrix(lhs, frame, contrasts.arg = coding)
}

categories <- function(column) {
  if (is.factor(column)) levels(column) else if (is.character(column)) sort(unique(column))
}

# The level of every row, as text: "a:b" for an interaction.
group_labels <- function(grouping, data, env) {
  if (is.call(grouping) && identical(grouping[[1L]], quote(`:`))) {
    parts <- lapply(as.list(grouping)[-1L], group_labels, data, env)
    return(ifelse(is.na(parts[[1L]]) | is.na(parts[[2L]]), NA, paste(
      parts[[1L]], parts[[2L]], sep = ":"
    )))
  }
  as.character(eval(grouping, data, env))
}

# The rows of `newdata` as a fit sees them: list(x = columns kept in the fit, offset, parts = per
# term `columns` (n x q; effects that are not `chosen` are 0) and `codes` (NA: a level not in the
# fit), dispersion, na_action, names). Rows whose random effects are not used need no grouping
# factors; `with_columns` still asks for the columns of all terms, for their marginal variance.
new_rows <- function(fit, newdata, chosen, na_action, allow_new, with_columns, call) {
  rows <- rlang::try_fetch(
    collect_new_rows(fit, as.data.frame(newdata), chosen, with_columns),
    error = function(cnd) {
      abort_argument(
        "newdata", "does not fit the model.", c(x = conditionMessage(cnd)), call
      )
    }
  )
  if (!allow_new) check_new_levels(fit, rows, call)
  apply_na_action(rows, na_action)
}

collect_new_rows <- function(fit, newdata, chosen, with_columns) {
  env <- environment(fit$formula)
  terms <- stats::delete.response(fit$terms)
  frame <- stats::model.frame(
    terms, newdata, na.action = stats::na.pass, xlev = fit$design$xlevels
  )
  dataclasses <- attr(terms, "dataClasses")
  if (!is.null(dataclasses)) stats::.checkMFClasses(dataclasses, frame)
  build <- stats::model.matrix
  if (is_sparse_design(fit$terms, fit$frame)) build <- Matrix::sparse.model.matrix
  x <- build(terms, frame, contrasts.arg = fit$design$contrasts)
  parts <- Map(function(term, mine) {
    if (!any(mine) && !with_columns) {
      return(NULL)
    }
    columns <- random_columns(term$expression, newdata, fit)[, term$names, drop = FALSE]
    labels <- if (any(mine)) group_labels(term$grouping, newdata, env) else NA_character_
    list(
      columns = unname(columns), labels = rep_len(labels, nrow(newdata)),
      codes = rep_len(match(labels, term$levels), nrow(newdata)), chosen = mine
    )
  }, fit$random, chosen)
  list(
    x = x[, names(fit$beta), drop = FALSE], offset = new_offset(fit, frame, newdata),
    parts = parts, dispersion = new_dispersion(fit, newdata), names = rownames(newdata)
  )
}

# offset() terms of the formula and the argument `offset`, as predict.lm() adds them.
new_offset <- function(fit, frame, newdata) {
  offset <- stats::model.offset(frame)
  if (!is.null(fit$call$offset)) {
    argument <- eval(fit$call$offset, newdata, environment(fit$formula))
    offset <- if (is.null(offset)) argument else offset + argument
  }
  offset
}

# Residual standard deviation of each new row relative to sigma; NA for an unknown group.
new_dispersion <- function(fit, newdata) {
  if (length(fit$dispersion) < 2L) {
    return(NULL)
  }
  grouping <- stats::as.formula(fit$call$dispersion, environment(fit$formula))[[2L]]
  labels <- rlang::try_fetch(
    group_labels(grouping, newdata, environment(fit$formula)),
    error = function(cnd) NA_character_
  )
  unname(fit$dispersion[match(rep_len(labels, nrow(newdata)), names(fit$dispersion))])
}

check_new_levels <- function(fit, rows, call) {
  for (k in seq_along(rows$parts)) {
    part <- rows$parts[[k]]
    if (!is_used(part)) next
    new <- unique(part$labels[is.na(part$codes)])
    if (length(new) > 0L) {
      group <- fit$random[[k]]$group
      abort_argument(
        "newdata", paste0("has levels of `", group, "` that are not in the fit: ", toString(
          utils::head(ifelse(is.na(new), "NA", new), 5L)
        ), if (length(new) > 5L) ", ...", "."),
        c(i = "With `allow.new.levels = TRUE` their random effects are 0, the mean."), call
      )
    }
  }
}

# Rows with a missing value: NA, left out or an error, as the function `na_action` has it.
apply_na_action <- function(rows, na_action) {
  complete <- !is.na(Matrix::rowSums(rows$x))
  if (!is.null(rows$offset)) complete <- complete & !is.na(rows$offset)
  for (part in rows$parts) {
    if (!is.null(part)) {
      used <- part$columns[, part$chosen, drop = FALSE]
      complete <- complete & !is.na(rowSums(used))
    }
  }
  marker <- data.frame(complete = ifelse(complete, TRUE, NA), row.names = rows$names)
  kept <- na_action(marker)
  rows$na_action <- attr(kept, "na.action")
  if (is.null(rows$na_action)) {
    return(rows)
  }
  subset_rows(rows, complete)
}

subset_rows <- function(rows, kept) {
  rows$x <- rows$x[kept, , drop = FALSE]
  for (field in c("offset", "dispersion", "names", "weights")) rows[[field]] <- rows[[field]][kept]
  rows$parts <- lapply(rows$parts, function(part) {
    if (is.null(part)) {
      return(NULL)
    }
    part$columns <- part$columns[kept, , drop = FALSE]
    part$labels <- part$labels[kept]
    part$codes <- part$codes[kept]
    part
  })
  rows
}

# The rows of the fit in the same form.
own_rows <- function(fit, chosen) {
  rows <- mixed_rows(fit)
  parts <- Map(function(part, mine) c(part, list(chosen = mine)), term_rows(fit, rows), chosen)
  dispersion <- if (length(fit$dispersion) > 1L) unname(fit$dispersion[rows$dispersion$codes])
  list(
    x = fixed_matrix(fit, rows), offset = rows$offset, parts = parts, dispersion = dispersion,
    weights = rows$weights, names = rownames(fit$frame), na_action = fit$na_action
  )
}

# Z b of one term; rows of unknown levels have effects of zero, the mean.
effects_of <- function(part, modes) {
  known <- !is.na(part$codes)
  codes <- if (all(known)) part$codes else ifelse(known, part$codes, 1L)
  total <- 0
  for (j in which(part$chosen)) {
    total <- total + part$columns[, j] * modes[codes, j]
  }
  if (all(known)) total else ifelse(known, total, 0)
}

# X beta + offset + Z b of the fit's own rows.
linear_predictor <- function(fit, rows = mixed_rows(fit)) {
  beta <- ifelse(is.na(fixef(fit, add.dropped = TRUE)), 0, fixef(fit, add.dropped = TRUE))
  total <- as.vector(rows_matrix(rows$x, length(rows$y)) %*% beta)
  if (!is.null(rows$offset)) total <- total + rows$offset
  for (core in seq_along(rows$terms)) {
    total <- total + core_effects(fit, rows, core)
  }
  total
}

# The effects of all terms on one grouping factor, column by column: no n x q matrix is made.
core_effects <- function(fit, rows, core) {
  codes <- rows$terms[[core]]$codes
  total <- 0
  for (k in which(vapply(fit$random, `[[`, 0L, "core") == core)) {
    term <- fit$random[[k]]
    for (j in seq_along(term$names)) {
      column <- rows$terms[[core]]$columns[[term$positions[[j]]]]
      effect <- fit$b[[k]][codes, j]
      if (is.integer(column)) column <- rows$x[, column]
      total <- total + if (is.null(column)) effect else effect * column
    }
  }
  total
}
