# From a formula, matrix, data frame or vector to the numeric matrix that the core fits, and the
# same road for new data. Missing values stay: the families that use this file fit them.

# The design of an unsupervised fit.
#
# Returns a list: `x` (n x d double matrix, finite or NA), `variables` (d names), `weights` (n
# non-negative doubles or NULL), `terms` and `formula` (NULL unless `x` was a formula), `na_action`
# (rows left out because every value was missing, in the form of stats::na.omit, or NULL),
# `row_names` (NULL or n names). `weights` is an unevaluated expression for a formula (columns of
# `data` come first, as in lm()).
unsupervised_design <- function(x, data = NULL, weights = NULL, call = rlang::caller_env()) {
  from_formula <- inherits(x, "formula")
  if (!from_formula && !is.null(data)) {
    abort_argument(
      "data", "is only used with a formula.",
      c(i = "Write `gaussian_mixture(~ a + b, data = data)`, or leave `data` out."), call
    )
  }
  design <- if (from_formula) formula_design(x, data, call) else plain_design(x, call)
  row_weights <- if (from_formula) {
    eval(weights, data, environment(x))
  } else {
    weights
  }
  check_columns(design$x, design$variables, call)
  design$weights <- check_row_weights(row_weights, nrow(design$x), call)
  drop_empty_rows(design)
}

formula_design <- function(formula, data, call) {
  check_one_sided(formula, call)
  if (!is.null(data) && !is.data.frame(data) && !is.environment(data) && !is.list(data)) {
    abort_argument(
      "data", "must be a data frame, a list or an environment.",
      c(x = paste0("It is ", describe_object(data), ".")), call
    )
  }
  frame <- model_frame(stats::terms(formula, data = data), data, call)
  terms <- attr(frame, "terms")
  columns <- terms_columns(frame, terms, call)
  rows <- .row_names_info(frame) > 0L
  list(
    x = columns, variables = colnames(columns), terms = terms,
    formula = stats::formula(terms), row_names = if (rows) attr(frame, "row.names")
  )
}

check_one_sided <- function(formula, call) {
  if (length(formula) != 2L) {
    abort_argument(
      "x", "must be a one-sided formula: a mixture has no response.",
      c(i = "Write `~ a + b`, not `y ~ a + b`."), call
    )
  }
}

model_frame <- function(terms, data, call) {
  if (length(attr(terms, "term.labels")) == 0L) {
    abort_argument("x", "must name at least one variable.", c(i = "Write `~ a + b`."), call)
  }
  rlang::try_fetch(
    stats::model.frame(terms, data, na.action = stats::na.pass, drop.unused.levels = FALSE),
    error = function(cnd) {
      abort_argument(
        "x", "cannot be evaluated.",
        c(x = conditionMessage(cnd), i = "Check that every variable is in `data`."), call
      )
    }
  )
}

# One column (or block of columns, for poly() and the like) per term; interactions mean nothing
# here.
terms_columns <- function(frame, terms, call, arg = "x") {
  if (any(attr(terms, "order") > 1L) || !is.null(attr(terms, "offset"))) {
    abort_argument(
      "x", "must be a sum of variables, without interactions or offsets.",
      c(i = "Write a product as `I(a * b)`."), call
    )
  }
  used <- apply(attr(terms, "factors") != 0L, 2L, which)
  plain_matrix(frame[unname(used)], call, arg)
}

plain_design <- function(x, call) {
  matrix <- plain_matrix(x, call)
  names <- variable_names(matrix, call)
  rows <- if (is.data.frame(x) && .row_names_info(x) <= 0L) NULL else rownames(matrix)
  list(x = matrix, variables = names, terms = NULL, formula = NULL, row_names = rows)
}

# Any rectangular numeric object as a double matrix; what is already one passes without a copy.
plain_matrix <- function(x, call, arg = "x") {
  if (is.data.frame(x)) {
    return(data_frame_matrix(x, call, arg))
  }
  if (inherits(x, "Matrix")) {
    x <- as.matrix(x)
  }
  check_rectangular(x, call, arg)
  check_numeric_column(x, NULL, call, arg)
  if (length(dim(x)) != 2L) {
    return(matrix(as.double(x), ncol = 1L, dimnames = if (!is.null(names(x))) list(names(x), NULL)))
  }
  if (is.object(x)) {
    x <- unclass(x)
    attributes(x) <- attributes(x)[c("dim", "dimnames")]
  }
  if (!is.double(x)) {
    storage.mode(x) <- "double"
  }
  x
}

check_rectangular <- function(x, call, arg) {
  if (length(dim(x)) > 2L || !is.atomic(x) || is.null(x)) {
    forms <- paste0(
      if (arg == "x") "a formula, ", "a numeric matrix, a data frame or a numeric vector."
    )
    abort_argument(
      arg, paste("must be", forms), c(x = paste0("It is ", describe_object(x), ".")), call
    )
  }
}

data_frame_matrix <- function(x, call, arg) {
  if (ncol(x) == 0L) {
    abort_argument(arg, "must have at least one column.", NULL, call)
  }
  blocks <- Map(function(column, name) {
    check_numeric_column(column, name, call, arg)
    if (length(dim(column)) == 2L) {
      labels <- colnames(column)
      if (is.null(labels)) labels <- seq_len(ncol(column))
      matrix(
        as.double(column), nrow(column),
        dimnames = list(NULL, paste0(name, if (ncol(column) > 1L) paste0(".", labels)))
      )
    } else {
      matrix(as.double(column), dimnames = list(NULL, name))
    }
  }, as.list(x), names(x))
  matrix <- do.call(cbind, unname(blocks))
  rownames(matrix) <- if (.row_names_info(x) > 0L) attr(x, "row.names")
  matrix
}

check_numeric_column <- function(column, name, call, arg) {
  numeric <- (is.numeric(column) || all_missing(column)) && !is.list(column) && !is.factor(column)
  if (numeric && !inherits(column, c("Date", "POSIXt", "difftime"))) {
    return(invisible(column))
  }
  where <- paste0(if (!is.null(name)) paste0("Column `", name, "` of "), "`", arg, "`")
  abort_data(
    paste0(where, " must be numeric, not ", describe_object(column), "."),
    c(i = numeric_remedy(column)), column = name, call = call
  )
}

numeric_remedy <- function(column) {
  if (is.logical(column)) {
    "A logical variable is not Gaussian; leave it out, or make it a number with `as.numeric()`."
  } else if (is.factor(column) || is.character(column)) {
    "A Gaussian mixture has no categorical variables; leave it out."
  } else {
    "Turn it into a number with `as.numeric()`, or leave it out."
  }
}

# A bare NA is logical in R; a column of them says nothing about its type.
all_missing <- function(column) {
  is.logical(column) && length(column) > 0L && all(is.na(column))
}

describe_object <- function(x) {
  if (is.null(x)) {
    return("NULL")
  }
  if (is.object(x)) {
    return(paste0("an object of class <", paste(class(x), collapse = "/"), ">"))
  }
  if (is.function(x)) {
    return("a function")
  }
  shape <- if (is.array(x)) {
    if (is.matrix(x)) "matrix" else "array"
  } else {
    if (is.list(x)) "list" else "vector"
  }
  kind <- if (is.list(x)) "" else paste0(typeof(x), " ")
  article <- if (grepl("^[aeiou]", paste0(kind, shape))) "an " else "a "
  paste0(article, kind, shape)
}

variable_names <- function(x, call) {
  names <- colnames(x)
  default <- if (ncol(x) == 1L) "x" else paste0("V", seq_len(ncol(x)))
  if (is.null(names)) {
    return(default[seq_len(ncol(x))])
  }
  blank <- is.na(names) | names == ""
  names[blank] <- default[blank]
  twice <- unique(names[duplicated(names)])
  if (length(twice) > 0L) {
    abort_data(
      paste0(
        "The columns of `x` must have different names; `", twice[[1L]], "` is there more than once."
      ),
      c(i = "Rename them, for instance with `make.unique(colnames(x))`."),
      column = twice[[1L]], call = call
    )
  }
  names
}

check_columns <- function(x, variables, call) {
  if (nrow(x) == 0L) {
    abort_data("`x` has no rows.", c(i = "Check how the data were subset."), call = call)
  }
  if (ncol(x) == 0L) {
    abort_argument("x", "must have at least one column.", NULL, call)
  }
  # sum() needs no memory of its own: the slow look for the culprit happens only if there is one.
  if (is.finite(sum(x))) {
    return(invisible(x))
  }
  for (j in seq_len(ncol(x))) {
    bad <- sum(is.infinite(x[, j]))
    if (bad > 0L) {
      abort_data(
        paste0(
          "Column `", variables[[j]], "` of `x` has ", bad,
          if (bad == 1L) " infinite value." else " infinite values."
        ),
        c(i = "Correct them, or set them to NA: missing values are fitted."),
        column = variables[[j]], call = call
      )
    }
    if (all(is.na(x[, j]))) {
      abort_unobserved(variables[[j]], call)
    }
  }
}

abort_unobserved <- function(column, call) {
  abort_data(
    paste0("Column `", column, "` of `x` has no observed value."),
    c(i = "Leave the column out."), column = column, call = call
  )
}

check_row_weights <- function(weights, n, call) {
  weights <- check_weight_values(weights, n, call)
  if (!is.null(weights) && !any(weights > 0)) {
    abort_argument("weights", "must not all be zero.", NULL, call)
  }
  weights
}

check_weight_values <- function(weights, n, call) {
  if (is.null(weights)) {
    return(NULL)
  }
  fail <- function(message, hint = NULL) abort_argument("weights", message, hint, call)
  if (!is.numeric(weights) || is.object(weights) || !is.null(dim(weights)) && NCOL(weights) != 1L) {
    fail("must be a numeric vector.", c(x = paste0("It is ", describe_object(weights), ".")))
  }
  if (length(weights) != n) {
    fail(
      "must have one value per row.",
      c(x = paste0("There are ", n, " rows and ", length(weights), " weights."))
    )
  }
  weights <- as.double(weights)
  if (!all(is.finite(weights)) || any(weights < 0)) {
    bad <- which(!is.finite(weights) | weights < 0)[[1L]]
    fail(
      "must be finite and not negative.", c(x = paste0("Weight ", bad, " is ", weights[[bad]], "."))
    )
  }
  weights
}

# A row with nothing observed says nothing about the parameters.
drop_empty_rows <- function(design) {
  empty <- empty_rows(design$x)
  if (length(empty) == 0L) {
    return(design)
  }
  inform_empty_rows(length(empty))
  names(empty) <- design$row_names[empty]
  design$na_action <- structure(empty, class = "omit")
  design$x <- design$x[-empty, , drop = FALSE]
  design$weights <- design$weights[-empty]
  design$row_names <- design$row_names[-empty]
  if (!is.null(design$weights) && !any(design$weights > 0)) {
    abort_argument(
      "weights", "are zero in every row that has an observed value.", NULL, rlang::caller_env(2)
    )
  }
  design
}

empty_rows <- function(x) {
  if (anyNA(x)) which(rowSums(is.na(x)) == ncol(x)) else integer()
}

inform_empty_rows <- function(count) {
  rlang::inform(
    paste0("Left out ", count, if (count == 1L) " row" else " rows", " with no observed value."),
    class = "ember_message_empty_rows"
  )
}

# New rows for a fit: the same columns, in the same order. Rows with nothing observed stay (their
# answer is the prior), since a prediction has one value per row.
newdata_matrix <- function(object, newdata, call = rlang::caller_env(), arg = "newdata") {
  variables <- colnames(object$means)
  x <- if (is.null(object$terms)) {
    match_columns(newdata, variables, call, arg)
  } else {
    frame <- new_model_frame(object$terms, newdata, call, arg)
    terms_columns(frame, object$terms, call, arg)
  }
  if (!is.finite(sum(x))) {
    infinite <- which(colSums(is.infinite(x)) > 0)
    if (length(infinite) > 0L) {
      abort_data(
        paste0("Column `", variables[[infinite[[1L]]]], "` of `", arg, "` has infinite values."),
        c(i = "Correct them, or set them to NA: missing values are allowed."),
        column = variables[[infinite[[1L]]]], call = call
      )
    }
  }
  x
}

new_model_frame <- function(terms, newdata, call, arg) {
  rlang::try_fetch(
    stats::model.frame(terms, as.data.frame(newdata), na.action = stats::na.pass),
    error = function(cnd) {
      abort_argument(
        arg, "does not have the variables of the fit.", c(x = conditionMessage(cnd)), call
      )
    }
  )
}

# By name where both have names, by position otherwise.
match_columns <- function(newdata, variables, call, arg) {
  if (is.data.frame(newdata) && all(variables %in% names(newdata))) {
    newdata <- newdata[variables]
  } else if (is.null(dim(newdata)) && is.atomic(newdata) && length(variables) > 1L) {
    # One row, as a vector.
    newdata <- matrix(newdata, nrow = 1L, dimnames = list(NULL, names(newdata)))
  }
  x <- plain_matrix(newdata, call, arg)
  names <- colnames(x)
  if (!is.null(names) && all(variables %in% names)) {
    return(x[, variables, drop = FALSE])
  }
  if (ncol(x) != length(variables)) {
    abort_columns(x, variables, call, arg)
  }
  x
}

abort_columns <- function(x, variables, call, arg) {
  abort_argument(
    arg, paste0(
      "must have the columns of the fit: ", paste0("`", variables, "`", collapse = ", "), "."
    ),
    c(x = paste0("It has ", ncol(x), if (ncol(x) == 1L) " column." else " columns.")), call
  )
}
