# The arguments of mssm(), checked: pairs of formulas, names of equations, and the variables on
# their left-hand sides.

# list(outcome =, selection =), each a list of J formulas named by equation; all 2J names differ.
paired_formulas <- function(outcome, selection, call) {
  outcome <- formula_list(outcome, "outcome", "wage ~ education", call)
  selection <- formula_list(selection, "selection", "works ~ age + education", call)
  if (length(outcome) != length(selection)) {
    abort_argument(
      "selection", paste0(
        "must have a formula for each outcome: there are ", length(outcome),
        " formulas of outcomes and ", length(selection), " of selections."
      ),
      c(i = "They are paired in order; an outcome that is always observed has no place here."), call
    )
  }
  if (length(outcome) > most_equations) {
    abort_argument(
      "outcome", paste0("must have at most ", most_equations, " formulas, not ",
        length(outcome), "."), NULL, call
    )
  }
  check_equation_names(c(names(outcome), names(selection)), call)
  list(outcome = outcome, selection = selection)
}

most_equations <- 10L

# `formulas`, one formula or a list of them, as a list named by equation: the names of the list, or
# else the responses.
formula_list <- function(formulas, argument, example, call) {
  if (rlang::is_missing(formulas)) {
    abort_argument(argument, "is missing.", c(i = paste0("Write `", example, "`.")), call)
  }
  if (inherits(formulas, "formula")) formulas <- list(formulas)
  if (!is.list(formulas) || length(formulas) == 0L) {
    abort_argument(
      argument, "must be a formula or a list of formulas.",
      c(x = paste0("It is ", describe_object(formulas), "."), i = paste0("Write `", example, "`.")),
      call
    )
  }
  given <- rlang::names2(formulas)
  for (k in seq_along(formulas)) check_equation_formula(formulas[[k]], argument, k, call)
  responses <- vapply(formulas, function(formula) deparse1(formula[[2L]]), "")
  stats::setNames(formulas, ifelse(nzchar(given), given, responses))
}

check_equation_formula <- function(formula, argument, k, call) {
  if (!rlang::is_formula(formula, lhs = TRUE)) {
    abort_argument(
      argument, paste0("must have formulas with two sides; formula ", k, " is not one."),
      c(x = paste0("It is ", if (inherits(formula, "formula")) {
        paste0("`", deparse1(formula), "`")
      } else {
        describe_object(formula)
      }, ".")), call
    )
  }
}

# Coefficients are told apart by the names of their equations.
check_equation_names <- function(names, call) {
  twice <- unique(names[duplicated(names)])
  if (length(twice) > 0L) {
    abort_argument(
      "outcome", paste0("and `selection` have two equations of the name `", twice[[1L]], "`."),
      c(i = "Name the formulas: `outcome = list(a = y ~ x), selection = list(in_a = s ~ z)`."), call
    )
  }
}

# How messages call equation j.
outcome_words <- function(name) paste0("the outcome equation `", name, "`")
selection_words <- function(name) paste0("the selection equation `", name, "`")

# The outcome of an equation, n doubles; whether it is missing where it should be is looked at
# later.
check_outcome <- function(y, variable, name, call) {
  if (length(dim(y)) > 1L && ncol(y) != 1L) {
    abort_data(
      paste0("In ", outcome_words(name), ", `", variable, "` has ", ncol(y), " columns."),
      c(i = "Give each outcome a formula of its own: `outcome = list(a ~ x, b ~ x)`."),
      column = variable, call = call
    )
  }
  if (!is.numeric(y) && !all_missing(y)) {
    abort_data(
      paste0(
        "In ", outcome_words(name), ", `", variable, "` must be numeric, not ",
        describe_object(y), "."
      ),
      c(i = "Outcomes are Gaussian where they are observed, NA elsewhere."),
      column = variable, call = call
    )
  }
  check_finite_or_na(y, variable, outcome_words(name), call)
  as.double(y)
}

check_finite_or_na <- function(y, variable, words, call) {
  bad <- sum(is.infinite(y))
  if (bad > 0L) {
    abort_data(
      paste0(
        "In ", words, ", `", variable, "` has ", bad,
        if (bad == 1L) " infinite value." else " infinite values."
      ),
      c(i = "Correct them; the logarithm of 0 is one: set it to NA where it is not selected."),
      column = variable, call = call
    )
  }
}

# A selection as integers 0 and 1, NA where it is missing.
check_selection <- function(s, variable, name, call) {
  fail <- function(problem) {
    abort_data(
      paste0("In ", selection_words(name), ", `", variable, "` ", problem),
      c(i = "A selection is 0 and 1, logical, or a factor with two levels (the second: selected)."),
      column = variable, call = call
    )
  }
  if (is.factor(s)) {
    if (nlevels(s) != 2L) fail(paste0("has ", nlevels(s), " levels."))
    return(as.integer(s) - 1L)
  }
  if (length(dim(s)) > 1L && ncol(s) != 1L) fail(paste0("has ", ncol(s), " columns."))
  if (!is.logical(s) && !is.numeric(s)) fail(paste0("is ", describe_object(s), "."))
  other <- !is.na(s) & s != 0 & s != 1
  if (any(other)) {
    fail(paste0("is ", format(s[other][[1L]]), " in row ", which(other)[[1L]], "."))
  }
  as.integer(s)
}

# An outcome is observed in the rows that are selected, and only there. `variables` are the outcome
# and the selection, `condition` is R code for being selected, `rows` are names of rows.
check_observed <- function(y, s, name, variables, condition, rows, call) {
  hidden <- is.na(y)
  fail <- function(bad, problem, remedy) {
    abort_data(
      paste0(
        "In ", outcome_words(name), ", `", variables[[1L]], "` is ", problem[[1L]], " in ",
        count_rows(length(bad)), " that `", variables[[2L]], "` ", problem[[2L]],
        "; the first is row ", rows[[bad[[1L]]]], "."
      ),
      c(i = remedy), column = variables[[1L]], call = call
    )
  }
  surplus <- which(!hidden & s == 0L)
  if (length(surplus) > 0L) {
    fail(surplus, c("observed", "does not select"), paste0(
      "What is not selected is NA: `ifelse(", condition, ", ", variables[[1L]], ", NA)`."
    ))
  }
  lost <- which(hidden & s == 1L)
  if (length(lost) > 0L) {
    fail(
      lost, c("missing", "selects"),
      "Leave these rows out with `subset`, or count them as not selected."
    )
  }
}

# R code for a selection being made.
selection_condition <- function(s, variable) {
  if (is.factor(s)) {
    paste0(variable, " == \"", levels(s)[[2L]], "\"")
  } else {
    paste0(variable, if (!is.logical(s)) " == 1")
  }
}

count_rows <- function(count) paste(count, if (count == 1L) "row" else "rows")

# Both values of a selection occur, and what is observed varies and is enough for the coefficients.
check_estimable_equation <- function(y, s, names, variables, columns, call) {
  selected <- sum(s)
  if (selected == 0L || selected == length(s)) {
    abort_data(
      paste0(
        "In ", selection_words(names[[2L]]), ", `", variables[[2L]], "` ",
        if (selected == 0L) "never selects" else "always selects", ": it is ",
        if (selected == 0L) 0L else 1L, " in all ", length(s), " rows that are fitted."
      ),
      c(i = if (selected == 0L) {
        "There is no outcome to fit; check the variable."
      } else {
        paste0("Nothing is missing: fit `", names[[1L]], "` by `lm()`.")
      }),
      column = variables[[2L]], call = call
    )
  }
  if (selected <= columns) {
    abort_data(
      paste0(
        "In ", outcome_words(names[[1L]]), ", ", count_rows(selected), " selected ",
        if (selected == 1L) "is" else "are", " not enough for ", columns, " coefficients."
      ),
      c(i = "Leave predictors out."), column = variables[[1L]], call = call
    )
  }
  limits <- range(y, na.rm = TRUE)
  if (limits[[1L]] == limits[[2L]]) {
    abort_data(
      paste0(
        "In ", outcome_words(names[[1L]]), ", `", variables[[1L]], "` is ",
        format(limits[[1L]]), " in every row that is selected."
      ),
      c(i = "There is nothing to explain; check the variable."), column = variables[[1L]],
      call = call
    )
  }
}

# Two selections that never differ have errors that cannot be told apart.
check_distinct_selections <- function(selected, names, call) {
  for (k in seq_len(ncol(selected))[-1L]) {
    for (j in seq_len(k - 1L)) {
      if (all(selected[, j] == selected[, k])) {
        abort_data(
          paste0(
            "The selection equations `", names[[j]], "` and `", names[[k]],
            "` select the same rows."
          ),
          c(x = "The correlation of their errors cannot be estimated."),
          column = names[[k]], call = call
        )
      }
    }
  }
}

# `count` parameters need more rows.
check_enough_rows <- function(count, rows, equations, call) {
  if (count >= rows) {
    abort_data(
      paste0(
        "The model of ", equations, if (equations == 1L) " equation" else " equations", " has ",
        count, " parameters for ", count_rows(rows), "."
      ),
      c(i = "Leave out equations or predictors."), call = call
    )
  }
}

# The groups of a clustered covariance matrix: a formula `~ id`, or an expression evaluated in
# `data`.
cluster_values <- function(expression, data, env, caller, call) {
  if (rlang::is_missing(expression) || is.null(expression)) {
    return(NULL)
  }
  value <- if (rlang::is_call(expression, "~", n = 1L)) {
    row_argument(expression[[2L]], "cluster", data, env, caller, call)
  } else {
    row_argument(expression, "cluster", data, env, caller, call)
  }
  if (rlang::is_formula(value, lhs = FALSE)) {
    value <- row_argument(value[[2L]], "cluster", data, environment(value), caller, call)
  }
  if (!is.null(value) && (!is.atomic(value) || length(dim(value)) > 1L)) {
    abort_argument(
      "cluster", "must be one variable, or a formula `~ id`.",
      c(x = paste0("It is ", describe_object(value), ".")), call
    )
  }
  value
}

check_cluster <- function(cluster, call) {
  if (!is.null(cluster) && length(unique(cluster)) < 2L) {
    abort_argument("cluster", "must have at least two groups.", NULL, call)
  }
}

# NULL, or parameters as the core takes them: from a fit, list(coefficients, omega), or all
# parameters in the order of coef().
check_mssm_start <- function(start, model, call) {
  if (is.null(start)) {
    return(NULL)
  }
  if (inherits(start, "ember_mssm")) start <- start[c("coefficients", "omega")]
  widths <- vapply(model$columns, length, 0L)
  if (is.numeric(start)) start <- unpacked_naturals(start, widths, call)
  if (!is.list(start) || !setequal(names(start), c("coefficients", "omega"))) {
    abort_argument(
      "start", "must be a fit, a list with `coefficients` and `omega`, or a vector as `coef(fit)`.",
      NULL, call
    )
  }
  check_start_coefficients(start$coefficients, widths, call)
  list(
    coefficients = lapply(unname(start$coefficients), as_plain_double),
    omega = check_start_omega(start$omega, length(widths), call)
  )
}

as_plain_double <- function(values) {
  values <- as.double(values)
  values[is.na(values)] <- 0
  values
}

check_start_coefficients <- function(coefficients, widths, call) {
  fits <- is.list(coefficients) && length(coefficients) == length(widths) &&
    all(vapply(coefficients, is.numeric, NA)) && all(lengths(coefficients) == widths) &&
    !any(is.infinite(unlist(coefficients)))
  if (!fits) {
    abort_argument(
      "start$coefficients", paste0(
        "must be a list of ", length(widths), " vectors of ", toString(widths), " finite numbers."
      ),
      c(i = "Outcomes come first, then selections."), call
    )
  }
}

check_start_omega <- function(omega, size, call) {
  if (!is_square(omega, size) || !is_covariance_matrix(omega)) {
    abort_argument(
      "start$omega", paste0("must be a positive definite matrix, ", size, " by ", size, "."),
      c(i = "Errors of outcomes come first, then of selections, whose variances are 1."), call
    )
  }
  latent <- seq_len(size) > size / 2
  scale <- ifelse(latent, sqrt(diag(omega)), 1)
  matrix(as.double(omega / tcrossprod(scale)), size)
}

is_square <- function(x, size) {
  is.matrix(x) && is.numeric(x) && identical(as.double(dim(x)), rep(as.double(size), 2L)) &&
    all(is.finite(x))
}

# A square matrix of finite numbers that is a covariance matrix, and not singular to rounding.
is_covariance_matrix <- function(x) {
  isSymmetric(unname(x)) && all(diag(x) > 0) &&
    min(eigen(stats::cov2cor(x), TRUE, TRUE)$values) > 1e-12
}
