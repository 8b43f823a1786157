# The formula of a mixed model: its fixed part, and its random terms (bars) in lme4's grammar.
#
# A *bar* is what the user wrote, list(lhs, groups, labels, split): `(x || a/b)` has lhs `x`, groups
# `b:a` and `a` (expressions, and their labels), and is split: each column of its model matrix has a
# variance of its own.

# list(formula (dots expanded), fixed (formula without bars), bars, all (formula of every variable;
# those of the fixed part come first)).
mixed_formula <- function(formula, data, call) {
  check_mixed_formula(formula, call)
  rhs <- formula[[3L]]
  bars <- random_bars(rhs, call)
  if (length(bars) == 0L) {
    abort_argument(
      "formula", "has no random term.",
      c(i = "Add one, such as `(1 | group)`, or fit it with `lm()`."), call
    )
  }
  fixed <- formula
  fixed[[3L]] <- without_bars(rhs)
  if ("." %in% all.names(fixed, functions = FALSE, unique = TRUE)) {
    fixed <- expand_dot(fixed, data, call)
    formula[[3L]] <- restore_bars(fixed[[3L]], rhs)
  }
  all <- fixed
  all[[3L]] <- Reduce(function(sum, bar) {
    Reduce(function(sum, part) call("+", sum, part), c(bar$lhs, bar$groups[[1L]]), sum)
  }, bars, fixed[[3L]])
  list(formula = formula, fixed = fixed, bars = bars, all = all)
}

check_mixed_formula <- function(formula, call) {
  if (!inherits(formula, "formula")) {
    abort_argument(
      "formula", "must be a formula.",
      c(
        x = paste0("It is ", describe_object(formula), "."),
        i = "Write `response ~ predictors + (1 | group)`."
      ), call
    )
  }
  if (length(formula) != 3L) {
    abort_argument(
      "formula", "must have a response on its left-hand side.",
      c(i = "Write `response ~ predictors + (1 | group)`."), call
    )
  }
}

# The bars of the right-hand side of a formula, left to right.
random_bars <- function(expression, call) {
  if (!is.call(expression)) {
    return(NULL)
  }
  operator <- operator_of(expression)
  if (operator == "|" || operator == "||") {
    return(list(new_bar(expression, operator == "||", call)))
  }
  operands <- as.list(expression)[-1L]
  if (operator == "-" && length(operands) == 2L && !has_bar(operands[[2L]])) {
    operands <- operands[1L]
  } else if (!operator %in% c("+", "(")) {
    check_no_bar(expression, operator, call)
    return(NULL)
  }
  unlist(lapply(operands, random_bars, call), recursive = FALSE)
}

check_no_bar <- function(expression, operator, call) {
  if (has_bar(expression)) {
    abort_argument(
      "formula", paste0("has a random term inside `", operator, "`."),
      c(
        x = paste0("It is `", deparse1(expression), "`."),
        i = "Random terms can only be added: `+ (x | group)`."
      ), call
    )
  }
}

formula_operators <- c("-", "*", ":", "/", "^", "%in%", "+", "(")

operator_of <- function(expression) {
  head <- expression[[1L]]
  if (is.symbol(head)) as.character(head) else ""
}

has_bar <- function(expression) {
  if (!is.call(expression)) {
    return(FALSE)
  }
  operator <- operator_of(expression)
  operator %in% c("|", "||") ||
    operator %in% formula_operators &&
      any(vapply(as.list(expression)[-1L], has_bar, NA))
}

new_bar <- function(expression, split, call) {
  lhs <- expression[[2L]]
  group <- expression[[3L]]
  if (has_bar(lhs) || has_bar(group)) {
    abort_argument(
      "formula", "has a random term inside a random term.",
      c(
        x = paste0("It is `", deparse1(expression), "`."),
        i = "Write each in parentheses of its own: `(x | a) + (1 | b)`."
      ), call
    )
  }
  if ("." %in% all.names(expression, functions = FALSE)) {
    abort_argument(
      "formula", "has a dot in a random term.",
      c(x = paste0("It is `", deparse1(expression), "`."), i = "Name the variables."), call
    )
  }
  groups <- nested_groups(group)
  list(lhs = lhs, groups = groups, labels = vapply(groups, label_of, ""), split = split)
}

label_of <- function(expression) {
  if (is.symbol(expression)) as.character(expression) else deparse1(expression)
}

# a/b is b:a and a; a/b/c is c:(b:a), b:a and a: the finest grouping first.
nested_groups <- function(group) {
  if (!is.call(group)) {
    return(list(group))
  }
  operator <- operator_of(group)
  if (operator == "(") {
    inside <- nested_groups(group[[2L]])
    return(if (length(inside) > 1L) inside else list(group))
  }
  if (operator != "/") {
    return(list(group))
  }
  outer <- nested_groups(group[[2L]])
  inner <- lapply(nested_groups(group[[3L]]), function(group) call(":", group, outer[[1L]]))
  c(inner, outer)
}

# The right-hand side without its bars; 1 if nothing is left.
without_bars <- function(expression) {
  fixed <- drop_bars(expression)
  if (is.null(fixed)) 1 else fixed
}

drop_bars <- function(expression) {
  if (!is.call(expression)) {
    return(expression)
  }
  operator <- operator_of(expression)
  if (operator == "|" || operator == "||") {
    return(NULL)
  }
  if (!operator %in% c("+", "-", "(")) {
    return(expression)
  }
  parts <- lapply(as.list(expression)[-1L], drop_bars)
  gone <- vapply(parts, is.null, NA)
  if (!any(gone)) {
    return(as.call(c(expression[[1L]], parts)))
  }
  if (all(gone)) {
    return(NULL)
  }
  # Of `(1 | g) - x` the minus stays.
  if (operator == "-") call("-", parts[[2L]]) else parts[!gone][[1L]]
}

expand_dot <- function(fixed, data, call) {
  expanded <- tryCatch(
    stats::terms(fixed, data = if (is.list(data)) data else list()),
    error = function(cnd) {
      abort_argument(
        "formula", "has a dot, which needs `data`.", c(x = conditionMessage(cnd)), call
      )
    }
  )
  stats::formula(expanded)
}

# Adds the bars of `rhs`, as written, to the expanded fixed part.
restore_bars <- function(fixed, rhs) {
  Reduce(function(sum, bar) call("+", sum, call("(", bar)), written_bars(rhs), fixed)
}

written_bars <- function(expression) {
  if (!is.call(expression)) {
    return(NULL)
  }
  operator <- operator_of(expression)
  if (operator == "|" || operator == "||") {
    return(list(expression))
  }
  unlist(lapply(as.list(expression)[-1L], written_bars), recursive = FALSE)
}

# The terms of the bars of any formula, one for each bar and grouping: list(expression = ~ lhs,
# grouping (language), split).
expand_random_terms <- function(formula, call = rlang::caller_env()) {
  bars <- random_bars(formula[[length(formula)]], call)
  terms <- lapply(bars, function(bar) {
    expression <- bar_expression(bar, environment(formula))
    lapply(bar$groups, function(group) {
      list(expression = expression, grouping = group, split = bar$split)
    })
  })
  unlist(terms, recursive = FALSE)
}

# ~ lhs
bar_expression <- function(bar, env) {
  structure(call("~", bar$lhs), class = "formula", .Environment = env)
}
