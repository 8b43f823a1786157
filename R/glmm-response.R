# The response of a generalized linear mixed model and its prior weights, as the core takes them:
# proportions with numbers of trials, counts, positive numbers.

# list(y (n doubles), weights (n doubles or NULL)) of the first column of a model frame.
# `distribution` is the family as the core takes it.
glmm_response <- function(frame, distribution, call) {
  weights <- frame_weights(frame, call)
  switch(distribution$name,
    binomial = binomial_response(frame, weights, call),
    poisson = , negative_binomial = list(y = count_response(frame, call), weights = weights),
    Gamma = list(y = positive_response(frame, call), weights = weights)
  )
}

# ---- binomial

binomial_response <- function(frame, weights, call) {
  y <- frame[[1L]]
  if (is.matrix(y) && ncol(y) == 2L) {
    return(success_failure(y, frame, weights, call))
  }
  y <- success_share(y, frame, call)
  check_trials(y, weights, frame, call)
  list(y = y, weights = weights)
}

# A matrix of successes and failures.
success_failure <- function(y, frame, weights, call) {
  name <- names(frame)[[1L]]
  if (!is.numeric(y)) abort_binomial_type(y, name, call)
  check_finite(y, name, "The response", call)
  abort_rows_where(
    rowSums(y < 0 | !is_whole(y)) > 0, frame,
    "has successes or failures that are no counts",
    "They must be whole numbers, not negative.", call
  )
  trials <- unname(y[, 1L] + y[, 2L])
  abort_rows_where(
    trials == 0, frame, "has no trials", "Leave such rows out, for instance with `subset`.", call
  )
  list(
    y = unname(y[, 1L]) / trials,
    weights = if (is.null(weights)) as.double(trials) else weights * trials
  )
}

# Shares of successes, n doubles in [0, 1], from numbers, logicals or a factor, whose first level is
# a failure.
success_share <- function(y, frame, call) {
  name <- names(frame)[[1L]]
  if (is.factor(y)) {
    return(second_level(y, name, call))
  }
  if (length(dim(y)) > 1L && ncol(y) != 1L || !(is.numeric(y) || is.logical(y))) {
    abort_binomial_type(y, name, call)
  }
  y <- as.double(y)
  check_finite(y, name, "The response", call)
  abort_rows_where(
    y < 0 | y > 1, frame, "has values outside of 0 to 1",
    "Code it as 0 and 1, or give the counts: `cbind(success, failure)`.", call
  )
  y
}

second_level <- function(y, name, call) {
  if (nlevels(y) != 2L) {
    abort_data(
      paste0(
        "The response `", name, "` is a factor with ", nlevels(y),
        if (nlevels(y) == 1L) " level" else " levels", "; it must have two."
      ),
      c(i = "Write the success as a condition, for instance `(y == \"yes\") ~ ...`."),
      column = name, call = call
    )
  }
  as.double(as.integer(y) == 2L)
}

abort_binomial_type <- function(y, name, call) {
  abort_data(
    paste0("The response `", name, "` is ", describe_object(y), "."),
    c(
      i = paste(
        "A binomial response is 0/1, logical, a factor with two levels, `cbind(success, failure)`,",
        "or a proportion with the numbers of trials as `weights`."
      )
    ),
    column = name, call = call
  )
}

# Proportions say nothing without the number of trials; with it the successes are whole numbers.
check_trials <- function(y, weights, frame, call) {
  between <- y > 0 & y < 1
  if (!any(between)) {
    return(invisible())
  }
  if (is.null(weights)) {
    abort_rows_where(
      between, frame, "has proportions, but no numbers of trials are given",
      "Give them as `weights`, or the counts as `cbind(success, failure)`.", call
    )
  }
  successes <- y * weights
  abort_rows_where(
    between & abs(successes - round(successes)) > 1e-3, frame,
    "times the number of trials (`weights`) is no whole number",
    "Give the counts as `cbind(success, failure)`.", call
  )
}

# ---- counts and positive numbers

count_response <- function(frame, call) {
  y <- numeric_response(frame, call)
  abort_rows_where(y < 0, frame, "has negative values", "Counts cannot be negative.", call)
  abort_rows_where(
    !is_whole(y), frame, "has values that are no whole numbers",
    "Model the count, with the log of the effort or the area as `offset`.", call
  )
  y
}

positive_response <- function(frame, call) {
  y <- numeric_response(frame, call)
  abort_rows_where(
    y <= 0, frame, "has values that are not positive",
    "The Gamma family is for positive numbers; zeros need a model of their own.", call
  )
  y
}

numeric_response <- function(frame, call) {
  y <- frame[[1L]]
  name <- names(frame)[[1L]]
  if (is.logical(y)) y <- as.double(y)
  if (!is.numeric(y) || length(dim(y)) > 1L && ncol(y) != 1L) {
    abort_data(
      paste0("The response `", name, "` must be a numeric vector, not ", describe_object(y), "."),
      column = name, call = call
    )
  }
  check_finite(y, name, "The response", call)
  as.double(y)
}

is_whole <- function(x) abs(x - round(x)) <= 1e-7 * pmax(1, abs(x))

# An error that names the response and the first rows that are at fault.
abort_rows_where <- function(wrong, frame, what, hint, call) {
  rows <- which(wrong)
  if (length(rows) > 0L) {
    name <- names(frame)[[1L]]
    shown <- toString(rownames(frame)[utils::head(rows, 5L)])
    abort_data(
      paste0("The response `", name, "` ", what, "."),
      c(
        x = paste0(if (length(rows) == 1L) "Row " else "Rows ", shown,
          if (length(rows) > 5L) paste0(" and ", length(rows) - 5L, " more"), "."
        ),
        i = hint
      ),
      column = name, call = call
    )
  }
}

# ---- what no data of this kind can tell

# A response that is the same in every row has no finite estimate.
check_glmm_varies <- function(rows, name, distribution, call) {
  y <- rows$y
  if (min(y) < max(y)) {
    return(invisible())
  }
  kind <- distribution$name
  unbounded <- switch(kind, binomial = y[[1L]] %in% c(0, 1), Gamma = TRUE, y[[1L]] == 0)
  if (unbounded) {
    shown <- if (kind == "binomial") c("a failure", "a success")[y[[1L]] + 1L] else format(y[[1L]])
    abort_data(
      paste0("The response `", name, "` is ", shown, " in every row."),
      c(i = "There is nothing to explain; check the variable."), column = name, call = call
    )
  }
}

# Groupings that leave nothing to estimate a variance from. One level per row is a model of
# overdispersion, except for single trials, which cannot be overdispersed.
check_glmm_estimable <- function(random, rows, distribution, call) {
  n <- length(rows$y)
  single <- distribution$name == "binomial" && (is.null(rows$weights) || all(rows$weights <= 1))
  for (term in random) {
    check_levels(term, call)
    if (single && length(term$levels) >= n) {
      abort_data(
        paste0(
          "The grouping factor `", term$group, "` has as many levels as there are rows, ", n, "."
        ),
        c(
          x = "A random effect of a single trial cannot be told from the trial.",
          i = "Group by something coarser, or give the counts: `cbind(success, failure)`."
        ), column = term$group, call = call
      )
    }
  }
}
