#' Fit a sample selection model
#'
#' Fits linear models for outcomes that are seen only for a selected part of the rows: wages of
#' those who work, expenditures of those who buy. Whether an outcome is seen has a probit equation
#' of its own, and the errors of all equations are correlated, so that the selection does not bias
#' the coefficients. One such outcome is Heckman's model; with several, every subset of them may be
#' missing in a row.
#'
#' @param outcome A formula with the outcome on the left, or a list of them, one for each equation.
#'   An outcome is `NA` where it is not selected.
#' @param selection A formula with the selection on the left (0 and 1, logical, or a factor whose
#'   second level means selected), or a list of them, paired with the outcomes in order.
#' @param data A data frame, list or environment with the variables. What is not in it is looked for
#'   where the formula was written.
#' @param weights Positive case weights, one per row, which multiply its log-likelihood. Evaluated
#'   in `data`.
#' @param subset Which rows to use: a condition or row numbers, evaluated in `data`.
#' @param na.action What to do about rows with a missing regressor, selection, weight or cluster:
#'   [stats::na.omit()] (the default in R), `na.exclude` or `na.fail`. A missing outcome leaves no
#'   row out: it must be missing exactly where it is not selected.
#' @param method `"ml"` maximises the log-likelihood; `"px-mcem"` climbs to the same maximum by Li's
#'   (2014) parameter-expanded Monte Carlo EM algorithm, and gives each estimate a Monte Carlo
#'   error; `"two-step"` is Heckman's (1979) estimator of each equation.
#' @param cluster Groups of rows that are dependent: a variable, or a formula `~ id`. Standard
#'   errors are then those of the clustered sandwich; the estimates are the same.
#' @param start Where to begin: an earlier fit, a list with `coefficients` (a list of vectors,
#'   outcomes first, then selections) and `omega` (covariance matrix of the errors), or all
#'   parameters in the order of `coef(fit)`. The fit climbs from there, without looking for other
#'   modes. `NULL` lets ember choose.
#' @param contrasts A list: how factors are coded, as in [stats::lm()].
#' @param control Tolerances and limits: [mssm_control()].
#' @param ... Not used; an unknown argument is an error.
#'
#' @details
#' ## The model
#'
#' For row i and equations j = 1, ..., J
#' \deqn{y^*_{ij} = x_{ij}'\beta_j + e_{ij},\quad s^*_{ij} = w_{ij}'\gamma_j + v_{ij},\quad
#'   (e_i, v_i) \sim N(0, \Omega),}
#' and \eqn{y_{ij} = y^*_{ij}} is seen where \eqn{s^*_{ij} > 0}. The errors v have variance 1. The
#' outcomes that are not seen integrate out, and the likelihood of a row needs the probability of a
#' J-dimensional normal distribution: exact for up to three equations, by quasi-Monte Carlo
#' integration for more (see [mssm_control()]).
#'
#' ## Names of parameters
#'
#' An equation is called by its name in the list, or else by its left-hand side. A coefficient is
#' `equation:term`; then come `sigma(y1)`, standard deviations of the errors of outcomes, and
#' correlations `rho(y1,s1)` of any two errors.
#'
#' ## More than one maximum
#'
#' The likelihood often has several modes, and sometimes it rises to the edge where a correlation is
#' 1 or -1. With `method = "ml"` ember scans the correlation of each equation and climbs from
#' several starts. The fit is the highest mode; [modes()] lists all that were found, and gives the
#' fit at any of them. The summary says if there is more than one.
#'
#' ## Exclusion restrictions
#'
#' Without a regressor that has an effect on the selection but not on the outcome, the model is
#' estimated from the shape of the normal distribution alone. The summary points this out.
#'
#' @returns An object of class `ember_mssm` (and `ember_fit`): a list with
#' * `coefficients` (vectors of the equations, outcomes first; `NA` where a column was left out),
#'   `omega` (covariance matrix of the errors), `loglik`, `df`, `nobs`, `vcov` (covariance matrix of
#'   all parameters from the observed information);
#' * `status`, `message`, `iterations`, `passes` (over the data), `trace`, `modes`, `scans`;
#' * `call`, `formulas`, `equations` (their names), `frame`, `terms`, `patterns` (of selection),
#'   `weights`, `cluster`, `na_action`, `method`, `control`.
#'
#' Use the methods rather than the fields: `summary()`, `coef()`, `vcov()`, `confint()`,
#' `predict()`, `modes()`, `plot()` and R's other generics for models.
#'
#' @section Errors and warnings:
#' An argument that cannot be used is an `ember_error_argument`, data that cannot be fitted an
#' `ember_error_data`; both name the equation. They inherit `ember_error`. A fit that is no maximum
#' has a warning `ember_warning_<status>`. Ctrl-C keeps the parameters reached so far, and
#' `update(fit)` goes on from there.
#'
#' @references
#' Heckman, J. J. (1979). Sample selection bias as a specification error. *Econometrica* 47,
#' 153-161.
#'
#' Li, P. (2014). Estimation of multivariate sample selection models via a parameter-expanded Monte
#' Carlo EM algorithm. *Theoretical Economics Letters* 4, 851-856.
#' @seealso [modes()], [simulate_mssm()], [mssm_control()]; `vignette("sample-selection")` for a
#'   tour, `vignette("sample-selection-algorithm")` for the computations.
#' @export
#' @examples
#' set.seed(1)
#' people <- simulate_mssm(500)
#' fit <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = people)
#' summary(fit)
#'
#' # Two outcomes, each with a selection of its own
#' households <- simulate_mssm(500, equations = 2)
#' mssm(list(y1 ~ x1, y2 ~ x1), list(s1 ~ x1 + z1, s2 ~ x1 + z2), data = households)
#'
#' # Wages of married women: see also modes(fit)
#' if (requireNamespace("AER", quietly = TRUE)) {
#'   data("PSID1976", package = "AER")
#'   PSID1976$kids <- PSID1976$youngkids + PSID1976$oldkids > 0
#'   PSID1976$wage[PSID1976$participation == "no"] <- NA
#'   mssm(
#'     log(wage) ~ experience + I(experience^2) + education + city,
#'     participation ~ age + I(age^2) + fincome + kids + education,
#'     data = PSID1976
#'   )
#' }
mssm <- function(outcome, selection, data = NULL, weights, subset,
                 na.action = getOption("na.action"), # nolint: object_name_linter.
                 method = c("ml", "px-mcem", "two-step"), cluster = NULL, start = NULL,
                 contrasts = NULL, control = mssm_control(), ...) {
  call <- match.call()
  here <- rlang::current_env()
  caller <- rlang::caller_env()
  check_no_dots(..., call = here)
  method <- match_choice("method", here)
  control <- as_mssm_control(control, here)
  quoted <- list(
    weights = substitute(weights), subset = substitute(subset), cluster = substitute(cluster)
  )
  model <- mssm_model(
    rlang::maybe_missing(outcome), rlang::maybe_missing(selection), data, quoted, na.action,
    contrasts, caller, here
  )
  start <- check_mssm_start(start, model, here)
  model[c("call", "method", "control")] <- list(call, method, control)
  model$seed <- mssm_seed(method, length(model$formulas$outcome))
  fit <- fit_mssm(model, start, here)
  inform_aliased_equations(fit)
  warn_mssm(fit, here)
  fit
}

# The draws of the core: fixed for an exact fit, which does not depend on them, so that it leaves
# R's generator alone.
mssm_seed <- function(method, equations) {
  as.double(if (method == "px-mcem" || equations > 3L) draw_seed() else c(1, 1))
}

# Fits a model (or a fit, again) by its method; with a `start` (or, of the Monte Carlo algorithm, a
# `state` to go on from) it climbs from there.
fit_mssm <- function(model, start, call, state = NULL) {
  control <- native_mssm_control(model$control, model$seed)
  search <- model$control$search && is.null(start)
  native <- rlang::try_fetch(
    switch(model$method,
      ml = native_mssm_fit(model$rows, start, search, control, call),
      "px-mcem" = native_mssm_monte_carlo(model$rows, start, state, control, call),
      "two-step" = native_mssm_two_step(model$rows, control, call)
    ),
    ember_error_degenerate = function(cnd) abort_equation(cnd, model, call),
    ember_error_not_positive_definite = function(cnd) abort_equation(cnd, model, call)
  )
  new_mssm(model, native)
}

# The core counts equations; users name them. Its component is one of the 2J errors, outcomes first.
abort_equation <- function(error, model, call) {
  names <- unlist(model$equations, use.names = FALSE)
  component <- if (is.null(error$component)) 0L else as.integer(error$component)
  if (component < 1L || component > length(names)) rlang::cnd_signal(error)
  size <- length(names) / 2L
  words <- if (component <= size) outcome_words else selection_words
  message <- sub("^component [0-9]+ collapsed: ", "", conditionMessage(error))
  ember_abort(
    paste0("In ", words(names[[component]]), ": ", message),
    class = sub("^ember_error_", "", class(error)[[1L]]), call = call, component = component,
    equation = names[[component]]
  )
}

# A fit from a model (everything that does not depend on the estimates; a fit is one too) and the
# core's answer.
new_mssm <- function(model, native) {
  names <- unlist(model$equations, use.names = FALSE)
  named <- function(values) Map(stats::setNames, values, model$columns)
  aliased <- stats::setNames(named(native$aliased), names)
  estimates <- list(
    coefficients = stats::setNames(named(native$coefficients), names),
    omega = named_omega(native$omega, names), aliased = aliased,
    parameters = native[c("coefficients", "omega")],
    loglik = number_or_na(native$loglik), df = count_naturals(aliased),
    nobs = nrow(model$rows$selected),
    iterations = as.integer(number_or(native$iterations, 0)),
    passes = as.integer(number_or(native$passes, 0)),
    status = if (is.null(native$status)) "converged" else native$status,
    message = named_message(native$message, model$equations),
    component = as.integer(number_or(native$component, 0)),
    trace = if (!is.null(native$trace)) trace_table(native$trace),
    gradient = native$gradient, decrement = native$decrement, eigenvalues = native$eigenvalues,
    scans = named_scans(native$scans, model$equations$outcome), integration = native$integration,
    weights = model$rows$weights
  )
  model[names(estimates)] <- estimates
  labels <- natural_names(model)
  model$vcov <- named_square(native$vcov, labels)
  model$information <- named_square(native$information, labels)
  model$modes <- native$modes
  model$mode <- if (length(native$modes) > 0L) highest_mode(native)
  model$two_step <- if (model$method == "two-step") named_two_step(native$equations, model)
  model$mc <- if (model$method == "px-mcem") named_monte_carlo(native, labels)
  structure(model, class = c("ember_mssm", "ember_fit"))
}

# The core counts outcomes and selections; users name them.
named_message <- function(message, equations) {
  if (is.null(message)) {
    return("")
  }
  for (component in names(equations)) {
    for (j in seq_along(equations[[component]])) {
      name <- paste0("`", equations[[component]][[j]], "`")
      message <- sub(paste0("\\b", component, " ", j, "\\b"), name, message)
    }
  }
  message
}

number_or <- function(value, default) if (is.null(value)) default else value

number_or_na <- function(value) number_or(value, NA_real_)

named_omega <- function(omega, names) {
  matrix(as.double(omega), length(names), dimnames = list(names, names))
}

named_square <- function(values, names) {
  if (!is.null(values)) {
    matrix(as.double(values), length(names), dimnames = list(names, names))
  }
}

named_scans <- function(scans, names) {
  if (length(scans) > 0L) {
    stats::setNames(lapply(scans, function(scan) as.data.frame(scan[c("rho", "loglik")])), names)
  }
}

# The number of the mode that the fit is at.
highest_mode <- function(native) {
  which.min(abs(vapply(native$modes, `[[`, 0, "loglik") - native$loglik))
}

named_two_step <- function(equations, model) {
  stats::setNames(equations, model$equations$outcome)
}

# What only the Monte Carlo algorithm knows.
named_monte_carlo <- function(native, labels) {
  list(
    mc_error = stats::setNames(native$mc_error, labels), draws = native$draws,
    sweeps = native$sweeps, history = as.data.frame(native$history), state = native$state
  )
}

# One message about all columns that earlier ones determine.
inform_aliased_equations <- function(fit) {
  words <- aliased_equation_words(fit)
  if (length(words) > 0L) rlang::inform(words, class = "ember_message_rank")
}

aliased_equation_words <- function(fit) {
  lost <- lapply(fit$aliased, function(aliased) names(aliased)[aliased])
  lost <- lost[lengths(lost) > 0L]
  if (length(lost) == 0L) {
    return(character())
  }
  columns <- unlist(Map(function(columns, name) paste0("`", name, ":", columns, "`"),
    lost, names(lost)))
  one <- length(columns) == 1L
  paste0(
    "Left out ", if (one) "1 column" else paste(length(columns), "columns"),
    " that earlier columns of the equation determine: ", abbreviated_list(columns, 10L), ". ",
    if (one) "Its coefficient is NA." else "Their coefficients are NA."
  )
}

# How to go on from a fit that is no maximum.
mssm_remedy <- function(fit) {
  switch(fit$status,
    iteration_limit = "Raise `max_iter` in `mssm_control()`, or go on with `update(fit)`.",
    degenerate = "`modes(fit)` has the other modes; look at the correlations of the errors.",
    saddle = "Try other starting values, or `mssm_control(search = TRUE)`.",
    interrupted = "The fit holds the parameters reached so far; `update(fit)` goes on from there."
  )
}

warn_mssm <- function(fit, call) warn_status(fit, call, mssm_remedy(fit))
