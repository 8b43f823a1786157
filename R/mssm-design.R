# From pairs of formulas to what the core reads: one model frame over the variables of all
# equations, and for every equation its terms and its columns.

# Everything about a model that does not depend on its fit: list(formulas, equations, frame, terms,
# contrasts, xlevels, columns, rows, patterns, cluster, na_action). `quoted` has the expressions of
# `weights`, `subset` and `cluster`, evaluated in `data`, then where the first formula was written,
# then in `caller`.
mssm_model <- function(outcome, selection, data, quoted, na_action, contrasts, caller, call) {
  formulas <- paired_formulas(outcome, selection, call)
  check_mixed_data(data, call)
  action <- check_na_action(na_action, call)
  contrasts <- check_contrasts(contrasts, call)
  terms <- equation_terms(formulas, data, call)
  extras <- row_extras(quoted, data, environment(formulas$outcome[[1L]]), caller, call)
  frame <- selection_frame(terms, data, extras, action, call)
  equations <- lapply(formulas, names)
  response <- selection_response(frame, terms, equations, call)
  frame <- drop_empty_levels(frame)
  terms <- lapply(terms, lapply, known_terms, attr(frame, "terms"))
  designs <- lapply(stats::setNames(nm = names(terms)), function(component) {
    Map(function(one, name) {
      equation_design(one, frame, contrasts, component_words[[component]](name), call)
    }, terms[[component]], equations[[component]])
  })
  check_contrasts_used(contrasts, terms, call)
  columns <- c(lapply(designs$outcome, `[[`, "columns"), lapply(designs$selection, `[[`, "columns"))
  check_equations(response, terms, equations, lengths(columns), call)
  check_cluster(frame[["(cluster)"]], call)
  list(
    formulas = formulas, equations = equations, frame = frame, terms = terms,
    contrasts = lapply(designs, lapply, `[[`, "contrasts"),
    xlevels = lapply(terms, lapply, factor_levels, frame), columns = columns,
    rows = native_mssm_rows(
      unname(lapply(designs$outcome, `[[`, "x")), unname(lapply(designs$selection, `[[`, "x")),
      response$y, response$selected, frame_weights(frame, call)
    ),
    patterns = pattern_counts(response$selected, equations$outcome),
    cluster = frame[["(cluster)"]], na_action = attr(frame, "na.action")
  )
}

component_words <- list(outcome = outcome_words, selection = selection_words)

# The terms of every equation. A dot is every column that is on no left-hand side.
equation_terms <- function(formulas, data, call) {
  responses <- unlist(lapply(unlist(formulas), function(formula) all.vars(formula[[2L]])))
  visible <- if (is.data.frame(data)) data[setdiff(names(data), responses)]
  parse <- function(formula, name, words) {
    terms <- tryCatch(stats::terms(formula, data = visible), error = function(cnd) {
      abort_formula(words(name), "cannot be used.", c(x = conditionMessage(cnd)), call)
    })
    if (!is.null(attr(terms, "offset"))) {
      abort_formula(
        words(name), "has an offset, which mssm() does not fit.",
        c(i = "Subtract a known part of an outcome from it on the left-hand side."), call
      )
    }
    if (attr(terms, "intercept") == 0L && length(attr(terms, "term.labels")) == 0L) {
      abort_formula(words(name), "has no coefficients.", c(i = "Write `~ 1` for a mean."), call)
    }
    if (deparse1(formula[[2L]]) %in% attr(terms, "term.labels")) {
      abort_formula(words(name), "has its response among the predictors.", NULL, call)
    }
    terms
  }
  list(
    outcome = Map(parse, formulas$outcome, names(formulas$outcome), list(outcome_words)),
    selection = Map(parse, formulas$selection, names(formulas$selection), list(selection_words))
  )
}

# An error in one formula; the argument is named by the words.
abort_formula <- function(words, message, details, call) {
  argument <- if (grepl("^the outcome", words)) "outcome" else "selection"
  ember_abort(
    paste0("T", substring(words, 2L), " ", message), class = "argument", details = details,
    call = call, argument = argument
  )
}

# The values of `weights`, `subset` and `cluster`.
row_extras <- function(quoted, data, env, caller, call) {
  value <- function(argument) {
    row_argument(quoted[[argument]], argument, data, env, caller, call)
  }
  extras <- list(
    weights = value("weights"), subset = check_subset(value("subset"), call),
    cluster = cluster_values(quoted$cluster, data, env, caller, call)
  )
  extras[lengths(extras) > 0L]
}

# One model frame with every variable once, and "(weights)" and "(cluster)". Missing values are
# looked at in all but the outcomes, which are missing where they are not selected.
selection_frame <- function(terms, data, extras, na_action, call) {
  all <- joined_variables(terms)
  frame <- tryCatch(
    do.call(
      stats::model.frame.default, c(list(all, data, na.action = NULL), extras), quote = TRUE
    ),
    error = function(cnd) abort_variables(cnd, all, data, extras, call)
  )
  check_variables(frame, call)
  if (nrow(frame) == 0L) {
    abort_data("There are no rows to fit.", c(i = "Check `data` and `subset`."), call = call)
  }
  looked_at <- setdiff(names(frame), outcome_only(terms))
  incomplete <- vapply(.subset(frame, looked_at), any_missing, NA)
  if (any(incomplete)) rows_without_holes(frame, looked_at, incomplete, na_action, call) else frame
}

# Terms that hold the variables of all equations and nothing else: what model.frame() needs.
joined_variables <- function(terms) {
  equations <- unlist(unname(terms), recursive = FALSE)
  variables <- unlist(lapply(equations, function(one) as.list(attr(one, "variables"))[-1L]))
  variables <- unname(variables[!duplicated(vapply(variables, deparse1, ""))])
  joined <- stats::terms(~1)
  attr(joined, "variables") <- as.call(c(quote(list), variables))
  environment(joined) <- environment(equations[[1L]])
  joined
}

# Outcomes that are no predictors.
outcome_only <- function(terms) {
  outcomes <- vapply(terms$outcome, response_name, "")
  predictors <- unlist(lapply(unlist(unname(terms), recursive = FALSE), function(one) {
    vapply(as.list(attr(one, "variables"))[-(1:2)], deparse1, "")
  }))
  setdiff(outcomes, predictors)
}

response_name <- function(terms) deparse1(attr(terms, "variables")[[2L]])

# The rows whose columns `looked_at` are complete, as `na_action` wants it.
rows_without_holes <- function(frame, looked_at, incomplete, na_action, call) {
  part <- frame[looked_at]
  attr(part, "terms") <- NULL
  complete <- complete_frame(part, incomplete, na_action, call)
  left_out <- attr(complete, "na.action")
  outcomes <- setdiff(names(frame), looked_at)
  others <- .subset(frame, outcomes)
  if (!is.null(left_out)) {
    others <- lapply(others, function(y) {
      if (is.null(dim(y))) y[-left_out] else y[-left_out, , drop = FALSE]
    })
  }
  complete[outcomes] <- others
  complete <- complete[names(frame)]
  attr(complete, "terms") <- attr(frame, "terms")
  attr(complete, "na.action") <- left_out # nolint: object_name_linter.
  complete
}

# list(y, selected), rows x J.
selection_response <- function(frame, terms, equations, call) {
  column <- function(one) frame[[response_name(one)]]
  y <- Map(function(one, name) {
    check_outcome(column(one), response_name(one), name, call)
  }, terms$outcome, equations$outcome)
  selected <- Map(function(one, name) {
    check_selection(column(one), response_name(one), name, call)
  }, terms$selection, equations$selection)
  for (j in seq_along(y)) {
    variables <- c(response_name(terms$outcome[[j]]), response_name(terms$selection[[j]]))
    check_observed(
      y[[j]], selected[[j]], equations$outcome[[j]], variables,
      selection_condition(frame[[variables[[2L]]]], variables[[2L]]), row.names(frame), call
    )
  }
  list(y = do.call(cbind, y), selected = do.call(cbind, selected))
}

# What each equation and all of them together need of the rows.
check_equations <- function(response, terms, equations, widths, call) {
  size <- ncol(response$y)
  for (j in seq_len(size)) {
    check_estimable_equation(
      response$y[, j], response$selected[, j],
      c(equations$outcome[[j]], equations$selection[[j]]),
      c(response_name(terms$outcome[[j]]), response_name(terms$selection[[j]])),
      widths[[j]], call
    )
  }
  check_distinct_selections(response$selected, equations$selection, call)
  check_enough_rows(sum(widths) + 2L * size^2L, nrow(response$y), size, call)
}

# Terms with what the frame knows about their variables, for new data.
known_terms <- function(terms, all) {
  variables <- vapply(as.list(attr(terms, "variables"))[-1L], deparse1, "")
  places <- match(variables, vapply(as.list(attr(all, "variables"))[-1L], deparse1, ""))
  attr(terms, "predvars") <- attr(all, "predvars")[c(1L, 1L + places)]
  attr(terms, "dataClasses") <- attr(all, "dataClasses")[places] # nolint: object_name_linter.
  terms
}

# list(x (n x p, with names of columns), columns, contrasts) of an equation; x shares nothing with
# the frame, so that it is made once. `words` names the equation.
equation_design <- function(terms, frame, contrasts, words, call) {
  labels <- attr(terms, "term.labels")
  own <- contrasts[intersect(names(contrasts), all.vars(terms))]
  own <- if (length(own) > 0L) own
  plain <- all(attr(terms, "order") == 1L) && all(labels %in% names(frame)) &&
    all(vapply(.subset(frame, labels), is_plain, NA))
  design <- if (plain) {
    plain_design_matrix(frame, labels, attr(terms, "intercept"))
  } else {
    dense_design_matrix(terms, frame, own, call)
  }
  if (!is.finite(sum(design$x))) check_equation_columns(design, words, call)
  colnames(design$x) <- design$columns
  design[c("x", "columns", "contrasts")]
}

check_equation_columns <- function(design, words, call) {
  for (j in seq_along(design$columns)) {
    check_finite(
      design$x[, j], design$columns[[j]], paste0("In ", words, ", column"), call
    )
  }
}

# A name in `contrasts` that no equation has is a slip.
check_contrasts_used <- function(contrasts, terms, call) {
  known <- unlist(lapply(unlist(unname(terms), recursive = FALSE), all.vars))
  unknown <- setdiff(names(contrasts), known)
  if (length(unknown) > 0L) {
    abort_argument(
      "contrasts", paste0("has `", unknown[[1L]], "`, which is in no equation."), NULL, call
    )
  }
}

# How many rows there are of each pattern of selection, the most frequent first: a data frame with a
# logical column for every outcome (is it observed?) and `rows`.
pattern_counts <- function(selected, names) {
  size <- ncol(selected)
  code <- 1L + as.vector(selected %*% 2^(seq_len(size) - 1L))
  counts <- tabulate(code, 2^size)
  present <- order(-counts)[seq_len(sum(counts > 0L))]
  observed <- lapply(seq_len(size), function(j) bitwAnd(present - 1L, 2^(j - 1L)) > 0L)
  data.frame(stats::setNames(observed, names), rows = counts[present], check.names = FALSE)
}

# The columns of one equation for new rows, those left out of the fit too; `newdata` NULL stands for
# the rows of the fit. Rows with missing values are NA.
new_design_matrix <- function(fit, component, equation, newdata = NULL,
                              call = rlang::caller_env()) {
  if (is.null(newdata)) {
    return(fit$rows[[component]][[equation]])
  }
  terms <- stats::delete.response(fit$terms[[component]][[equation]])
  tryCatch(
    {
      frame <- stats::model.frame(
        terms, newdata, na.action = stats::na.pass, xlev = fit$xlevels[[component]][[equation]]
      )
      classes <- attr(terms, "dataClasses")
      if (!is.null(classes)) stats::.checkMFClasses(classes, frame)
      stats::model.matrix(terms, frame, contrasts.arg = fit$contrasts[[component]][[equation]])
    },
    error = function(cnd) {
      words <- component_words[[component]](fit$equations[[component]][[equation]])
      abort_argument(
        "newdata", paste0("does not fit ", words, "."), c(x = conditionMessage(cnd)), call
      )
    }
  )
}
