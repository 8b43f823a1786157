# Short answers about a fitted sample selection model; longer ones have files of their own.

#' Parts of a sample selection model
#'
#' The answers that R's generics for models give about a fit of [mssm()].
#'
#' @details
#' Coefficients are named `equation:term`. Errors have standard deviations `sigma(y1)` and
#' correlations `rho(y1,s1)`, named by the equations; the errors of selections have variance 1.
#'
#' `update()` without changes goes on with a fit that was interrupted or reached its limit of
#' iterations; the Monte Carlo algorithm goes on with its chains. Otherwise it changes arguments of
#' the call and evaluates it again. New formulas are written as in [update.formula()], and as lists
#' for several equations.
#'
#' @param object,x,formula A fit of [mssm()].
#' @param component Which parameters: `"all"`, those of the `"outcome"` or `"selection"`
#'   equations, or the `"error"` parameters. For `formula()`, `terms()` and `model.matrix()`:
#'   `"outcome"` or `"selection"`.
#' @param equation The number of the equation, 1 to J, or the name of its outcome or its selection.
#' @param outcome,selection Changes of the formulas, as in [update.formula()].
#' @param evaluate Evaluate the new call, or return it?
#' @param type Of `weights()`: `"prior"`.
#' @param ... For `update()`: arguments of [mssm()] to change. Otherwise not used.
#' @returns
#' * `coef()`: a named vector, `NA` for columns that were left out.
#' * `formula()`: the formula of an equation, or without `component` a list of lists of formulas.
#'   `terms()`: likewise.
#' * `model.frame()`: the variables of all equations. `model.matrix()`: the columns of an equation,
#'   without those left out. `weights()`: the case weights. `na.action()`: rows left out.
#' * `sigma()`: the standard deviations of the errors of the outcomes.
#' * `df.residual()`: rows minus parameters.
#' * `update()`: a fit, or with `evaluate = FALSE` a call.
#' @examples
#' set.seed(1)
#' people <- simulate_mssm(500)
#' fit <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = people)
#' coef(fit)
#' coef(fit, component = "error")
#' formula(fit, component = "selection")
#' update(fit, outcome = . ~ . - x1)
#' @name ember_mssm_methods
NULL

#' @rdname ember_mssm_methods
#' @importFrom stats coef
#' @export
coef.ember_mssm <- function(object, component = c("all", "outcome", "selection", "error"), ...) {
  component <- match_choice("component", rlang::current_env())
  all <- stats::setNames(
    c(unlist(object$coefficients, use.names = FALSE), error_naturals(object$omega)),
    natural_names(object, aliased = TRUE)
  )
  if (component == "all") all else all[natural_components(object, aliased = TRUE) == component]
}

# Names of the parameters, in the order of the core: coefficients of outcomes and of selections,
# standard deviations, correlations. `aliased` includes the coefficients that were left out. `fit`
# needs `equations`, `columns` and `aliased`.
natural_names <- function(fit, aliased = FALSE) {
  columns <- fit$columns
  if (!aliased) columns <- Map(function(all, lost) all[!lost], columns, fit$aliased)
  equations <- rep(unlist(fit$equations, use.names = FALSE), lengths(columns))
  c(paste0(equations, ":", unlist(columns, use.names = FALSE)), error_names(fit$equations))
}

error_names <- function(equations) {
  names <- unlist(equations, use.names = FALSE)
  pairs <- error_pairs(length(names))
  c(
    paste0("sigma(", equations$outcome, ")"),
    paste0("rho(", names[pairs[, 2L]], ",", names[pairs[, 1L]], ")")
  )
}

# (row, column) of the correlations: the strictly lower triangle, column by column.
error_pairs <- function(size) {
  which(lower.tri(diag(size)), arr.ind = TRUE)
}

# "outcome", "selection" or "error" for every parameter.
natural_components <- function(fit, aliased = FALSE) {
  size <- length(fit$equations$outcome)
  widths <- if (aliased) lengths(fit$columns) else vapply(fit$aliased, function(a) sum(!a), 0L)
  c(
    rep(rep(c("outcome", "selection"), each = size), widths),
    rep("error", size + size * (2L * size - 1L))
  )
}

count_naturals <- function(aliased) {
  size <- length(aliased) %/% 2L
  sum(!unlist(aliased)) + 2L * size^2L
}

# Standard deviations and correlations in a covariance matrix of errors.
error_naturals <- function(omega) {
  size <- nrow(omega) %/% 2L
  deviations <- sqrt(diag(omega))
  correlations <- omega / tcrossprod(deviations)
  c(unname(deviations[seq_len(size)]), correlations[error_pairs(2L * size)])
}

omega_of_naturals <- function(errors, size) {
  deviations <- c(errors[seq_len(size)], rep(1, size))
  correlations <- diag(2L * size)
  correlations[error_pairs(2L * size)] <- errors[-seq_len(size)]
  correlations <- correlations + t(correlations) - diag(2L * size)
  correlations * tcrossprod(deviations)
}

# The estimated parameters, as vcov() has them: without columns that were left out.
naturals_of <- function(fit) {
  all <- coef.ember_mssm(fit)
  all[natural_names(fit)]
}

# Parameters as the core takes them, from a vector such as naturals_of(fit).
parameters_at <- function(fit, naturals) {
  kept <- lapply(fit$aliased, function(lost) !lost)
  counts <- vapply(kept, sum, 0L)
  parts <- split_by_widths(naturals[seq_len(sum(counts))], counts)
  coefficients <- Map(function(kept, values) {
    all <- rep(NA_real_, length(kept))
    all[kept] <- values
    all
  }, kept, parts)
  list(
    coefficients = unname(coefficients),
    omega = omega_of_naturals(
      unname(naturals[-seq_len(sum(counts))]), length(fit$equations$outcome)
    )
  )
}

split_by_widths <- function(values, widths) {
  group <- factor(rep(seq_along(widths), widths), seq_along(widths))
  unname(split(unname(values), group))
}

# list(coefficients, omega) from all parameters, those of columns left out too.
unpacked_naturals <- function(values, widths, call) {
  size <- length(widths) %/% 2L
  count <- sum(widths) + 2L * size^2L
  if (length(values) != count) {
    abort_argument(
      "start", paste0("must have ", count, " parameters, not ", length(values), "."),
      c(i = "`coef(fit)` of a fit of the same model has their order."), call
    )
  }
  list(
    coefficients = split_by_widths(values[seq_len(sum(widths))], widths),
    omega = omega_of_naturals(unname(values[-seq_len(sum(widths))]), size)
  )
}

#' @rdname ember_mssm_methods
#' @importFrom stats sigma
#' @export
sigma.ember_mssm <- function(object, ...) {
  outcomes <- object$equations$outcome
  sqrt(diag(object$omega)[outcomes])
}

#' @rdname ember_mssm_methods
#' @importFrom stats df.residual
#' @export
df.residual.ember_mssm <- function(object, ...) object$nobs - object$df

#' @rdname ember_mssm_methods
#' @export
formula.ember_mssm <- function(x, component = NULL, equation = 1L, ...) {
  call <- rlang::current_env()
  if (is.null(component)) {
    return(x$formulas)
  }
  x$formulas[[check_component(component, call)]][[check_equation(x, equation, call)]]
}

#' @rdname ember_mssm_methods
#' @importFrom stats terms
#' @export
terms.ember_mssm <- function(x, component = NULL, equation = 1L, ...) {
  call <- rlang::current_env()
  if (is.null(component)) {
    return(x$terms)
  }
  x$terms[[check_component(component, call)]][[check_equation(x, equation, call)]]
}

check_component <- function(component, call) {
  if (!rlang::is_string(component) || !component %in% c("outcome", "selection")) {
    abort_argument("component", "must be \"outcome\" or \"selection\".", NULL, call)
  }
  component
}

# The number of an equation, given by it, or by the name of its outcome or its selection.
check_equation <- function(fit, equation, call) {
  if (rlang::is_string(equation)) {
    place <- match(equation, unlist(fit$equations, use.names = FALSE))
    size <- length(fit$equations$outcome)
    if (!is.na(place)) {
      return((place - 1L) %% size + 1L)
    }
  } else if (is_number(equation) && equation %in% seq_along(fit$equations$outcome)) {
    return(as.integer(equation))
  }
  abort_argument(
    "equation", "must be the number or the name of an equation.",
    c(i = paste0("The outcomes are ", quoted(fit$equations$outcome), ".")), call
  )
}

#' @rdname ember_mssm_methods
#' @importFrom stats model.frame
#' @export
model.frame.ember_mssm <- function(formula, ...) formula$frame

#' @rdname ember_mssm_methods
#' @importFrom stats model.matrix
#' @export
model.matrix.ember_mssm <- function(object, component = "outcome", equation = 1L, ...) {
  call <- rlang::current_env()
  component <- check_component(component, call)
  j <- check_equation(object, equation, call)
  x <- object$rows[[component]][[j]]
  kept <- !object$aliased[[object$equations[[component]][[j]]]]
  x <- x[, kept, drop = FALSE]
  rownames(x) <- row.names(object$frame)
  x
}

#' @rdname ember_mssm_methods
#' @importFrom stats weights
#' @export
weights.ember_mssm <- function(object, type = "prior", ...) {
  if (!identical(type, "prior")) {
    abort_argument("type", 'must be "prior".', NULL, rlang::current_env())
  }
  if (is.null(object$weights)) rep(1, object$nobs) else object$weights
}

#' @rdname ember_mssm_methods
#' @importFrom stats na.action
#' @export
na.action.ember_mssm <- function(object, ...) object$na_action

#' @rdname ember_mssm_methods
#' @importFrom stats update
#' @export
update.ember_mssm <- function(object, outcome = NULL, selection = NULL, ..., evaluate = TRUE) {
  here <- rlang::current_env()
  changes <- match.call(expand.dots = FALSE)$...
  call <- object$call
  for (name in names(changes)) call[[name]] <- changes[[name]]
  call["outcome"] <- updated_formulas(object, outcome, "outcome", here)
  call["selection"] <- updated_formulas(object, selection, "selection", here)
  if (!evaluate) {
    return(call)
  }
  unchanged <- is.null(outcome) && is.null(selection)
  if (unchanged && all(names(changes) == "control") && is_unfinished(object)) {
    fit <- continue_mssm(object, list(...)$control, here)
    fit$call <- call
    warn_mssm(fit, here)
    return(fit)
  }
  eval(call, rlang::caller_env())
}

is_unfinished <- function(fit) fit$status %in% c("interrupted", "iteration_limit")

# Goes on from the last parameters, the Monte Carlo algorithm from its chains too.
continue_mssm <- function(fit, control, call) {
  if (!is.null(control)) fit$control <- as_mssm_control(control, call)
  start <- lapply(fit$parameters$coefficients, as_plain_double)
  fit_mssm(
    fit, list(coefficients = start, omega = fit$parameters$omega), call, state = fit$mc$state
  )
}

# The formulas of one side as an argument of the call: as they were, or changed one by one. A list
# with one element, so that a NULL in the call could stay.
updated_formulas <- function(fit, changes, component, call) {
  old <- fit$formulas[[component]]
  if (is.null(changes)) {
    return(list(fit$call[[component]]))
  }
  single <- inherits(changes, "formula")
  if (single) changes <- list(changes)
  if (!is.list(changes) || length(changes) != length(old)) {
    abort_argument(
      component, paste0("must have ", length(old), if (length(old) == 1L) {
        " formula."
      } else {
        " formulas, in a list."
      }), NULL, call
    )
  }
  new <- Map(stats::update.formula, old, changes)
  if (single) {
    return(new)
  }
  responses <- vapply(old, function(formula) deparse1(formula[[2L]]), "")
  list(stats::setNames(new, ifelse(names(old) == responses, "", names(old))))
}
