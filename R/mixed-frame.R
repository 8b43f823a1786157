# The model frame of a mixed model: every variable of the formula, shared with `data` where no row
# is left out, and what is said about variables that cannot be used.

# A model frame with the variables of the fixed part first, then those of the random terms, then
# "(weights)", "(offset)" and "(dispersion)". `extras` holds the values of these three and `subset`.
mixed_frame <- function(parsed, data, extras, na_action, call) {
  terms <- tryCatch(stats::terms(parsed$all), error = function(cnd) {
    abort_argument("formula", "cannot be used.", c(x = conditionMessage(cnd)), call)
  })
  # Missing values are looked at below: na.omit() copies every column even where none is missing.
  frame <- tryCatch(
    do.call(stats::model.frame.default, c(
      list(terms, data, na.action = NULL), extras[lengths(extras) > 0L]
    ), quote = TRUE),
    error = function(cnd) abort_variables(cnd, terms, data, extras, call)
  )
  check_variables(frame, call)
  if (nrow(frame) == 0L) {
    abort_data(
      "There are no rows to fit.", c(i = "Check `data` and `subset`."), call = call
    )
  }
  incomplete <- vapply(frame, any_missing, NA)
  if (any(incomplete)) frame <- complete_frame(frame, incomplete, na_action, call)
  drop_empty_levels(frame)
}

# anyNA() of a factor writes a logical vector as long as the factor; counting levels does not.
any_missing <- function(column) {
  if (!is.factor(column)) {
    return(anyNA(column))
  }
  sum(tabulate(column, nlevels(column))) < length(column) || anyNA(levels(column))
}

# Applies `na_action`, a function (NULL: leave all rows), and insists on complete rows.
complete_frame <- function(frame, incomplete, na_action, call) {
  holes <- variable_labels(frame[incomplete])
  words <- paste0("`", holes, "`", collapse = ", ")
  hint <- c(i = "Leave such rows out (`na.action = na.omit`), or fill the values in.")
  complete <- tryCatch(
    if (is.null(na_action)) frame else na_action(frame),
    error = function(cnd) {
      abort_data(
        paste0("There are missing values in ", words, "."), c(x = conditionMessage(cnd), hint),
        column = holes[[1L]], call = call
      )
    }
  )
  if (!is.data.frame(complete) || any(vapply(complete, any_missing, NA))) {
    abort_data(
      paste0("There are missing values in ", words, "."), hint, column = holes[[1L]], call = call
    )
  }
  if (nrow(complete) == 0L) {
    abort_no_complete_rows(stats::setNames(frame[incomplete], holes), call)
  }
  attr(complete, "terms") <- attr(frame, "terms")
  complete
}

# model.frame() writes (weights) for the argument `weights`.
variable_labels <- function(frame) {
  sub("^\\((weights|offset|dispersion)\\)$", "\\1", names(frame))
}

abort_no_complete_rows <- function(columns, call) {
  empty <- vapply(columns, function(column) all(is.na(column)), NA)
  if (any(empty)) {
    name <- names(columns)[empty][[1L]]
    abort_data(
      paste0("`", name, "` has no observed value."), c(i = "Leave it out of the formula."),
      column = name, call = call
    )
  }
  abort_data(
    "Every row has a missing value.",
    c(
      x = paste0("They are in ", paste0("`", names(columns), "`", collapse = ", "), "."),
      i = "Leave out the variable with the most of them."
    ),
    column = names(columns)[[1L]], call = call
  )
}

# Levels of factors that no row has would be columns of zeros in X, and groups without data.
drop_empty_levels <- function(frame) {
  for (j in which(vapply(frame, is.factor, NA))) {
    column <- frame[[j]]
    present <- tabulate(column, nlevels(column)) > 0L
    if (!all(present)) frame[[j]] <- drop_levels(column, present)
  }
  frame
}

# A contrast matrix of a factor has a row per level: it cannot outlive one.
drop_levels <- function(column, present) {
  own <- attr(column, "contrasts")
  column <- column[, drop = TRUE]
  if (is.character(own)) attr(column, "contrasts") <- own
  column
}

check_variables <- function(frame, call) {
  for (j in seq_along(frame)) {
    if (!is_variable(frame[[j]])) {
      abort_variable_type(variable_labels(frame)[[j]], frame[[j]], call)
    }
  }
}

# A 64-bit integer only looks like a double.
is_variable <- function(column) {
  is.factor(column) || is.character(column) || is.logical(column) ||
    is.numeric(column) && !inherits(column, "integer64") ||
    inherits(column, c("Date", "POSIXct", "difftime"))
}

abort_variable_type <- function(name, value, call) {
  hint <- if (inherits(value, "integer64")) {
    "Turn it into a number with `as.double()`."
  } else {
    "Variables are numbers, dates, factors, characters or logicals."
  }
  abort_data(
    paste0("`", name, "` cannot be used: it is ", describe_object(value), "."), c(i = hint),
    column = name, call = call
  )
}

# The model frame failed: which variable was it?
abort_variables <- function(error, terms, data, extras, call) {
  env <- environment(terms)
  rows <- if (is.data.frame(data)) nrow(data)
  for (variable in as.list(attr(terms, "variables"))[-1L]) {
    name <- deparse1(variable)
    value <- tryCatch(eval(variable, data, env), error = function(cnd) {
      abort_unknown(variable, data, env, cnd, call)
    })
    if (!is.atomic(value) || is.null(value)) abort_variable_type(name, value, call)
    rows <- check_variable_length(name, value, rows, call)
  }
  for (name in setdiff(names(extras), "subset")) {
    if (!is.null(extras[[name]])) check_variable_length(name, extras[[name]], rows, call)
  }
  abort_argument("formula", "cannot be evaluated.", c(x = conditionMessage(error)), call)
}

check_variable_length <- function(name, value, rows, call) {
  if (!is.null(rows) && NROW(value) != rows) {
    abort_data(
      paste0(
        "`", name, "` has ", NROW(value), if (NROW(value) == 1L) " value" else " values", " for ",
        rows, " rows."
      ),
      c(i = "All variables need the same length; check that it is a column of `data`."),
      column = name, call = call
    )
  }
  NROW(value)
}

abort_unknown <- function(variable, data, env, error, call) {
  known <- function(name) {
    name %in% names(data) || exists(name, envir = if (is.environment(data)) data else env)
  }
  unknown <- Filter(Negate(known), all.vars(variable))
  if (length(unknown) == 0L) {
    abort_data(
      paste0("`", deparse1(variable), "` cannot be evaluated."), c(x = conditionMessage(error)),
      column = deparse1(variable), call = call
    )
  }
  abort_data(
    paste0("Variable `", unknown[[1L]], "` is not in `data`, nor where the formula was written."),
    c(i = "Check its spelling."), column = unknown[[1L]], call = call
  )
}

# The terms of the fixed part, with what the frame knows about its variables (which come first).
fixed_terms <- function(parsed, frame) {
  terms <- stats::terms(parsed$fixed)
  all <- attr(frame, "terms")
  places <- seq_along(attr(terms, "variables"))
  attr(terms, "predvars") <- attr(all, "predvars")[places]
  classes <- attr(all, "dataClasses")[places[-1L] - 1L]
  attr(terms, "dataClasses") <- classes # nolint: object_name_linter.
  terms
}

# The response, n doubles; one column of a matrix is a vector.
frame_response <- function(frame, call) {
  y <- frame[[1L]]
  name <- names(frame)[[1L]]
  if (length(dim(y)) > 1L && ncol(y) != 1L) {
    abort_data(
      paste0("The response `", name, "` has ", ncol(y), " columns."),
      c(i = "A mixed model has one response: fit the columns one by one."), column = name,
      call = call
    )
  }
  if (!is.numeric(y)) {
    abort_data(
      paste0("The response `", name, "` must be numeric, not ", describe_object(y), "."),
      c(i = "Turn it into a number with `as.numeric()` if it measures something."),
      column = name, call = call
    )
  }
  if (!is.finite(sum(y))) check_finite(y, name, "The response", call)
  as.double(y)
}

# `what` begins the sentence: "The response", "Column".
check_finite <- function(x, name, what, call) {
  bad <- sum(!is.finite(x))
  if (bad > 0L) {
    abort_data(
      paste0(
        what, " `", name, "` has ", bad,
        if (bad == 1L) " value that is not finite." else " values that are not finite."
      ),
      c(i = "Correct them, or set them to NA: rows with missing values are left out."),
      column = name, call = call
    )
  }
}

# offset() terms plus the argument `offset`, n doubles or NULL.
frame_offset <- function(frame, terms, call) {
  names <- c(names(frame)[attr(terms, "offset")], "(offset)")
  offset <- NULL
  for (name in intersect(names, names(frame))) {
    part <- frame[[name]]
    if (!is.numeric(part) || NCOL(part) != 1L) {
      abort_argument("offset", "must be a numeric vector.", NULL, call)
    }
    check_finite(part, name, "The offset", call)
    offset <- if (is.null(offset)) as.double(part) else offset + as.double(part)
  }
  offset
}

# Prior weights, n positive doubles or NULL.
frame_weights <- function(frame, call) {
  weights <- check_weight_values(frame[["(weights)"]], nrow(frame), call)
  if (!is.null(weights) && any(weights == 0)) {
    abort_argument(
      "weights", "must be positive.",
      c(x = paste0("Weight ", which(weights == 0)[[1L]], " is 0."), i = "Leave such rows out."),
      call
    )
  }
  weights
}
