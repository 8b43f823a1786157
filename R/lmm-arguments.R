# The arguments of lmm(), checked, in the shapes that the core takes.

# The value of an argument that is evaluated like the variables of the formula: in `data` first,
# then where the formula was written, then where lmm() was called. NULL if it was left out.
row_argument <- function(expression, argument, data, env, caller, call) {
  if (rlang::is_missing(expression) || is.null(expression)) {
    return(NULL)
  }
  tryCatch(
    eval(expression, data, env),
    error = function(cnd) {
      tryCatch(eval(expression, data, caller), error = function(again) {
        abort_argument(argument, "cannot be evaluated.", c(x = conditionMessage(cnd)), call)
      })
    }
  )
}

check_mixed_data <- function(data, call) {
  if (!is.null(data) && !is.data.frame(data) && !is.environment(data) &&
    !(is.list(data) && !is.object(data))) {
    abort_argument(
      "data", "must be a data frame, a list or an environment.",
      c(x = paste0("It is ", describe_object(data), ".")), call
    )
  }
}

check_subset <- function(subset, call) {
  if (!is.null(subset) && !(is.logical(subset) || is.numeric(subset))) {
    abort_argument(
      "subset", "must be a logical condition or row numbers.",
      c(x = paste0("It is ", describe_object(subset), ".")), call
    )
  }
  subset
}

# `na.action` as a function, or NULL.
check_na_action <- function(na_action, call) {
  if (is.null(na_action) || is.function(na_action)) {
    return(na_action)
  }
  if (rlang::is_string(na_action) && nzchar(na_action) && exists(na_action, mode = "function")) {
    return(get(na_action, mode = "function"))
  }
  abort_argument(
    "na.action", "must be a function such as `na.omit`, `na.exclude` or `na.fail`.", NULL, call
  )
}

check_contrasts <- function(contrasts, call) {
  if (!is.null(contrasts) && (!is.list(contrasts) || is.null(names(contrasts)))) {
    abort_argument(
      "contrasts", "must be a list named by factors.",
      c(i = "For instance `list(f = \"contr.sum\")`."), call
    )
  }
  contrasts
}

# One value of `dispersion` per row, from ~ g.
dispersion_groups <- function(dispersion, data, call) {
  if (is.null(dispersion)) {
    return(NULL)
  }
  if (!rlang::is_formula(dispersion, lhs = FALSE)) {
    abort_argument(
      "dispersion", "must be NULL or a one-sided formula.",
      c(i = "Write `~ g` for one residual variance per level of `g`."), call
    )
  }
  groups <- row_argument(
    dispersion[[2L]], "dispersion", data, environment(dispersion), environment(dispersion), call
  )
  if (!is.atomic(groups) || length(dim(groups)) > 1L || length(groups) < 2L) {
    abort_argument(
      "dispersion", "must name a variable that groups the rows.",
      c(i = "Write `~ g` for one residual variance per level of `g`."), call
    )
  }
  groups
}

# The start as NULL or one number per entry of theta: a vector, list(theta =) or a fit.
check_mixed_start <- function(start, count, call) {
  if (is.null(start)) {
    return(NULL)
  }
  if (is.list(start)) start <- start[["theta"]]
  if (!is.numeric(start) || length(start) != count || !all(is.finite(start))) {
    abort_argument(
      "start", paste0(
        "must give ", count, if (count == 1L) " finite number" else " finite numbers",
        ": the entries of theta."
      ), c(i = "`getME(fit, \"theta\")` of a fit of the same model shows their order."), call
    )
  }
  as.double(start)
}

# `known` as the core takes it: list(sigma, term, index, sd), with the core term and the position in
# it of every effect whose standard deviation is known.
check_known_variances <- function(known, random, call) {
  if (!is.list(known) || !all(rlang::names2(known) %in% c("sigma", "sd"))) {
    abort_argument(
      "known", "must be a list with `sigma`, `sd` or both.",
      c(i = "For instance `known = list(sigma = 1, sd = c(g = 0.3))`."), call
    )
  }
  sigma <- known[["sigma"]]
  if (!is.null(sigma) && (!is_number(sigma) || sigma <= 0)) {
    abort_argument("known$sigma", "must be a positive number.", NULL, call)
  }
  if (!is.null(sigma)) sigma <- as.double(sigma)
  deviations <- positions_of_known(known[["sd"]], random, call)
  c(list(sigma = sigma), deviations)
}

positions_of_known <- function(sd, random, call) {
  groups <- vapply(random, `[[`, "", "group")
  found <- list(term = integer(), index = integer(), sd = double())
  if (length(sd) > 0L && (is.null(names(sd)) || !(is.list(sd) || is.numeric(sd)))) {
    abort_argument(
      "known$sd", "must be named by grouping factors.",
      c(i = "For instance `list(sd = c(g = 0.3))`."), call
    )
  }
  for (group in names(sd)) {
    mine <- random[groups == group]
    if (length(mine) == 0L) {
      abort_argument(
        "known$sd", paste0("has `", group, "`, which is no grouping factor of the formula."),
        c(i = paste0("They are ", paste0("`", unique(groups), "`", collapse = ", "), ".")), call
      )
    }
    found <- Map(c, found, deviations_of_group(sd[[group]], group, mine, call))
  }
  found
}

deviations_of_group <- function(values, group, terms, call) {
  effects <- unlist(lapply(terms, `[[`, "names"))
  if (is.null(names(values)) && length(values) == 1L && length(effects) == 1L) {
    values <- stats::setNames(values, effects)
  }
  if (!is_deviations(values, effects)) {
    abort_argument(
      paste0("known$sd$", group), "must be finite standard deviations, not negative.",
      c(i = paste0("Name them by effects: ", paste0("`", effects, "`", collapse = ", "), ".")), call
    )
  }
  check_uncorrelated(terms, names(values), group, call)
  place <- match(names(values), effects)
  list(
    term = rep(terms[[1L]]$core, length(values)),
    index = unlist(lapply(terms, `[[`, "positions"))[place], sd = as.double(values)
  )
}

is_deviations <- function(values, effects) {
  is.numeric(values) && length(values) > 0L && all(is.finite(values) & values >= 0) &&
    all(rlang::names2(values) %in% effects) && !anyDuplicated(names(values))
}

check_uncorrelated <- function(terms, effects, group, call) {
  correlated <- Filter(function(term) {
    length(term$names) > 1L && any(term$names %in% effects)
  }, terms)
  if (length(correlated) > 0L) {
    abort_argument(
      paste0("known$sd$", group), "cannot be known for effects that are correlated.",
      c(i = paste0("Write `(... || ", group, ")` for uncorrelated ones.")), call
    )
  }
}

# Without residual variation there is no likelihood to maximise.
check_response_varies <- function(y, name, known, call) {
  if (is.null(known$sigma) && min(y) == max(y)) {
    abort_data(
      paste0("The response `", name, "` is ", format(y[[1L]]), " in every row."),
      c(i = "There is nothing to explain; check the variable."), column = name, call = call
    )
  }
}

# Numbers that the arithmetic cannot tell from dependent ones: which predictor is it?
abort_scale <- function(error, frame, call) {
  numeric <- Filter(is.numeric, as.list(frame)[-1L])
  if (length(numeric) == 0L) stop(error)
  largest <- vapply(numeric, function(column) max(abs(column)), 0)
  name <- names(numeric)[which.max(largest)]
  abort_data(
    paste0(
      "The predictors differ too much in size for the arithmetic; `", name, "` has values up to ",
      format(max(largest), digits = 3L), "."
    ),
    c(i = "Centre and scale it, for instance with `scale()`."), column = name, call = call
  )
}

# Groupings that leave nothing to estimate a variance from.
check_estimable <- function(random, n, known, call) {
  for (term in random) {
    check_levels(term, call)
    # With a known residual variance one row per group is enough.
    if (is.null(known$sigma)) check_replicated(term, length(term$levels), n, call)
  }
}

check_levels <- function(term, call) {
  if (length(term$levels) < 2L) {
    abort_data(
      paste0("The grouping factor `", term$group, "` has only one level, `", term$levels, "`."),
      c(i = "A variance between groups needs at least two; leave the random term out."),
      column = term$group, call = call
    )
  }
}

check_replicated <- function(term, levels, n, call) {
  if (levels >= n) {
    abort_data(
      paste0(
        "The grouping factor `", term$group, "` has as many levels as there are rows, ", n, "."
      ),
      c(
        x = "Its variance cannot be told from the residual variance.",
        i = "Group by something coarser, or give the residual one: `known = list(sigma = )`."
      ), column = term$group, call = call
    )
  }
  effects <- levels * length(term$names)
  if (effects >= n) {
    abort_data(
      paste0(
        "The random term on `", term$group, "` has ", effects, " effects (", length(term$names),
        " for each of ", levels, " levels) for ", n, " rows."
      ),
      c(i = "Leave out effects, or group by something coarser."), column = term$group, call = call
    )
  }
}
