# Predictions of a sample selection model, with standard errors by the delta method.

#' Predictions of a multivariate sample selection model
#'
#' Outcomes, selections, and outcomes given selections, for the data of the fit or new data, with
#' standard errors.
#'
#' @details
#' Row i has outcomes \eqn{y_j = x_j'\beta_j + \epsilon_j} and latent selections
#' \eqn{s^*_j = w_j'\gamma_j + v_j}; \eqn{y_j} is seen where \eqn{s^*_j > 0}. The types are
#'
#' * `"outcome"`: \eqn{E[y_j] = x_j'\beta_j}, whether selected or not;
#' * `"selected"`: \eqn{E[y_j | s_j = 1] = x_j'\beta_j + \rho_j \sigma_j \lambda(w_j'\gamma_j)},
#'   with \eqn{\lambda = \phi / \Phi} (Heckman 1979);
#' * `"not_selected"`: \eqn{E[y_j | s_j = 0]
#'   = x_j'\beta_j - \rho_j \sigma_j \lambda(-w_j'\gamma_j)};
#' * `"pattern"`: \eqn{E[y_j | \mathrm{pattern}]} given several selections at once,
#'   \eqn{x_j'\beta_j + \Omega_{jK} \, \partial \log P / \partial (w\gamma)_K} for the set K of
#'   selections in `pattern`;
#' * `"latent"`: \eqn{w_j'\gamma_j}, the selection index;
#' * `"probability"`: \eqn{P(s_j = 1)};
#' * `"joint"`: the probability of `pattern`, a multivariate normal probability;
#' * `"mills"`: \eqn{\lambda(w_j'\gamma_j)}, the inverse Mills ratio;
#' * `"missing"`: for the data of the fit only, \eqn{E[y_j]} given all that was observed in the row:
#'   its selections and its other outcomes. An observed outcome is itself. [impute()] draws from the
#'   same law.
#'
#' Standard errors are those of the estimate (delta method, with the covariance matrix of all
#' parameters, those of the errors included). They do not count the variation of a new observation.
#' Confidence intervals of probabilities are made on the probit scale and those of Mills ratios on
#' the log scale, so that they stay in their range.
#'
#' @param object A fit of [mssm()].
#' @param newdata A data frame with the variables of the regressors that the type depends on; by
#'   default the data of the fit.
#' @param type What to predict; see Details.
#' @param equation Names or numbers of the equations to predict; by default all. Not used by
#'   `"joint"`.
#' @param pattern For `"joint"` and `"pattern"`: the selections that are known, a vector of 1 or
#'   `TRUE` (selected), 0 or `FALSE` (not selected) and `NA` (unknown), one for each equation in
#'   order; or named by equations, those that are left out being unknown. By default all 1.
#' @param se.fit Also return standard errors?
#' @param interval `"none"` or `"confidence"`.
#' @param level Probability of the interval.
#' @param vcov The covariance matrix of the parameters: a type of [vcov()][vcov.ember_mssm] (such as
#'   `"HC0"`), a matrix or a function of the fit that gives one; by default `vcov(object)`.
#' @param na.action What to do with missing values in `newdata`: with [na.pass()] the prediction is
#'   `NA`.
#' @param ... Not used.
#' @returns With one column (one equation, or type `"joint"`) a named vector, otherwise a matrix
#'   with a column for each equation. With an interval, a matrix with columns `fit`, `lwr` and `upr`
#'   (an array, equations last, if there are several). With `se.fit` a list of `fit` (any of these)
#'   and `se.fit`.
#' @references Heckman, J. (1979). Sample selection bias as a specification error. *Econometrica*
#'   47, 153-161.
#' @seealso [marginal_effects()], [impute()], [simulate()][simulate.ember_mssm]
#' @examplesIf requireNamespace("AER", quietly = TRUE)
#' data("PSID1976", package = "AER")
#' PSID1976$lwage <- ifelse(PSID1976$participation == "yes", log(PSID1976$wage), NA)
#' fit <- mssm(
#'   lwage ~ education + experience, participation ~ education + age + youngkids,
#'   data = PSID1976
#' )
#' new <- data.frame(education = c(12, 16), experience = 10, age = 40, youngkids = 0:1)
#' predict(fit, new, type = "selected", interval = "confidence")
#' predict(fit, new, type = "probability", se.fit = TRUE)
#' @export
predict.ember_mssm <- function(object, newdata = NULL,
                               type = c(
                                 "outcome", "selected", "not_selected", "pattern", "latent",
                                 "probability", "joint", "mills", "missing"
                               ),
                               equation = NULL, pattern = NULL,
                               se.fit = FALSE, # nolint: object_name_linter.
                               interval = c("none", "confidence"), level = 0.95, vcov = NULL,
                               na.action = stats::na.pass, ...) { # nolint: object_name_linter.
  call <- rlang::current_env()
  check_no_dots(..., call = call)
  type <- match_choice("type", call)
  interval <- match_choice("interval", call)
  check_level(level, call)
  if (!is_flag(se.fit)) abort_argument("se.fit", "must be TRUE or FALSE.", NULL, call)
  equation <- mssm_equations(object, equation, call)
  pattern <- mssm_pattern(object, pattern, type, call)
  if (type == "missing" && !is.null(newdata)) {
    abort_argument(
      "newdata", "must be NULL for type \"missing\", which needs the observed outcomes.", NULL, call
    )
  }
  errors <- se.fit || interval == "confidence"
  covariance <- if (errors) mssm_covariance(object, vcov, call)
  rows <- mssm_rows(object, newdata, na.action, call, needed_components(type))
  predicted <- if (type == "missing") {
    missing_outcomes(object, equation, covariance, call)
  } else {
    targets <- mssm_targets(object, type, equation, pattern)
    native_mssm_predict(
      rows$designs, mssm_kept_parameters(object), targets, covariance,
      native_mssm_control(object$control, object$seed), call
    )
  }
  columns <- if (type == "joint") "joint" else object$equations$outcome[equation]
  predicted <- lapply(predicted[lengths(predicted) > 0L], function(values) {
    values <- matrix(values, ncol = length(columns), dimnames = list(rows$names, columns))
    values[is.nan(values)] <- NA
    stats::napredict(rows$na_action, values)
  })
  fit <- if (interval == "confidence") {
    mssm_interval(predicted$values, predicted$errors, type, level)
  } else {
    predicted$values
  }
  if (se.fit) {
    list(fit = drop_column(fit), se.fit = drop_column(predicted$errors))
  } else {
    drop_column(fit)
  }
}

# A matrix of one column as a named vector.
drop_column <- function(x) {
  if (length(dim(x)) == 2L && ncol(x) == 1L) stats::setNames(x[, 1L], rownames(x)) else x
}

# Limits on the scale where the normal law is a good approximation.
mssm_interval <- function(values, errors, type, level) {
  scale <- switch(type,
    probability = , joint = list(to = stats::qnorm, from = stats::pnorm, slope = function(p) {
      1 / stats::dnorm(stats::qnorm(p))
    }),
    mills = list(to = log, from = exp, slope = function(x) 1 / x),
    list(to = identity, from = identity, slope = function(x) 1)
  )
  half <- stats::qnorm((1 + level) / 2) * errors * scale$slope(values)
  limit <- function(half) {
    limit <- scale$from(scale$to(values) + half)
    # A probability that is 0 or 1 to rounding.
    ifelse(is.nan(limit), values, limit)
  }
  cells <- c(values, limit(-half), limit(half))
  named <- c("fit", "lwr", "upr")
  if (ncol(values) == 1L) {
    return(matrix(cells, ncol = 3L, dimnames = list(rownames(values), named)))
  }
  places <- aperm(array(cells, c(dim(values), 3L)), c(1L, 3L, 2L))
  dimnames(places) <- list(rownames(values), named, colnames(values))
  places
}

# ---- what is predicted

# Positions of the equations to predict.
mssm_equations <- function(fit, equation, call) {
  if (is.null(equation)) {
    return(seq_along(fit$equations$outcome))
  }
  if (length(equation) == 0L || !is.atomic(equation)) check_equation(fit, NULL, call)
  vapply(equation, check_equation, 0L, fit = fit, call = call, USE.NAMES = FALSE)
}

# One of 1, 0 and NA for each equation.
mssm_pattern <- function(fit, pattern, type, call) {
  size <- length(fit$equations$outcome)
  if (is.null(pattern)) {
    return(rep(1L, size))
  }
  if (!type %in% c("pattern", "joint")) {
    abort_argument(
      "pattern", "is only used by the types \"pattern\" and \"joint\".", NULL, call
    )
  }
  if (!is.null(names(pattern))) pattern <- unnamed_pattern(fit, pattern)
  valid <- is.atomic(pattern) && !is.character(pattern) && length(pattern) == size &&
    all(pattern %in% c(0, 1, NA))
  if (!valid) {
    abort_argument(
      "pattern", "must have 1, 0 or NA for each equation, or for some by name.",
      c(i = paste0("The equations are ", quoted(fit$equations$outcome), ".")), call
    )
  }
  as.integer(pattern)
}

# From names of outcomes or selections to positions; NULL if a name is unknown or there twice.
unnamed_pattern <- function(fit, pattern) {
  size <- length(fit$equations$outcome)
  places <- (match(names(pattern), unlist(fit$equations)) - 1L) %% size + 1L
  if (anyNA(places) || anyDuplicated(places) > 0L) {
    return(NULL)
  }
  replace(rep(NA, size), places, pattern)
}

# The targets of the core for one type of prediction, one for each of the equations.
mssm_targets <- function(fit, type, equation, pattern) {
  size <- length(fit$equations$outcome)
  if (type == "joint") equation <- 1L
  count <- length(equation)
  known <- switch(type,
    joint = , pattern = matrix(pattern, count, size, byrow = TRUE),
    latent = , outcome = matrix(NA_integer_, count, size),
    {
      own <- matrix(NA_integer_, count, size)
      own[cbind(seq_len(count), equation)] <- if (type == "not_selected") 0L else 1L
      own
    }
  )
  quantity <- switch(type,
    outcome = "outcome", latent = "selection", probability = , joint = "probability",
    mills = "mills", "expectation"
  )
  list(quantity = rep(quantity, count), equation = as.integer(equation), pattern = known)
}

# ---- the model at its estimates

# Coefficients without those of columns left out, and Omega.
mssm_kept_parameters <- function(fit) {
  kept <- Map(function(beta, lost) unname(beta[!lost]), fit$coefficients, fit$aliased)
  list(coefficients = unname(kept), omega = unname(fit$omega))
}

# The covariance matrix of all natural parameters.
mssm_covariance <- function(fit, vcov, call) {
  covariance <- get_vcov.ember_mssm(fit, vcov)
  size <- length(natural_names(fit))
  valid <- is.matrix(covariance) && is.numeric(covariance) && all(dim(covariance) == size)
  if (!valid || !all(is.finite(covariance))) {
    abort_argument(
      "vcov", "must be a finite covariance matrix of all parameters of the fit.",
      c(
        x = if (is.null(vcov)) "That of the fit is not: the fit has no standard errors.",
        i = "Predict without standard errors, or give `vcov`."
      ),
      call
    )
  }
  matrix(as.double(covariance), size)
}

# ---- rows

# Whose regressors a type of prediction depends on.
needed_components <- function(type) {
  switch(type,
    outcome = "outcome", latent = , probability = , joint = , mills = "selection",
    c("outcome", "selection")
  )
}

# The rows to predict: list(designs = 2J matrices of the columns kept, names, na_action). Of new
# data the designs of a component that is not `needed` are zero.
mssm_rows <- function(fit, newdata, na_action, call, needed = names(fit$equations)) {
  if (is.null(newdata)) {
    designs <- c(fit$rows$outcome, fit$rows$selection)
    rows <- list(names = row.names(fit$frame), na_action = fit$na_action)
  } else {
    designs <- mssm_new_designs(fit, newdata, needed, call)
    complete <- Reduce(`&`, lapply(designs, function(x) !is.na(rowSums(x))))
    names <- row.names(as.data.frame(newdata))
    rows <- rows_kept(complete, names, na_action)
    if (!is.null(rows$na_action)) {
      designs <- lapply(designs, function(x) x[complete, , drop = FALSE])
    }
  }
  rows$designs <- unname(Map(function(x, lost) {
    if (any(lost)) x[, !lost, drop = FALSE] else x
  }, unname(designs), unname(fit$aliased)))
  rows
}

# What an `na.action` makes of rows: list(names, na_action).
rows_kept <- function(complete, names, na_action) {
  marker <- data.frame(complete = ifelse(complete, TRUE, NA), row.names = names)
  kept <- na_action(marker)
  list(names = row.names(kept), na_action = attr(kept, "na.action"))
}

# The 2J design matrices of new data, with all columns.
mssm_new_designs <- function(fit, newdata, needed, call) {
  if (!is.data.frame(newdata) && !is.list(newdata)) {
    abort_argument("newdata", "must be a data frame.", NULL, call)
  }
  newdata <- as.data.frame(newdata)
  designs <- lapply(names(fit$equations), function(component) {
    lapply(seq_along(fit$equations[[component]]), function(equation) {
      if (!component %in% needed) {
        return(matrix(0, nrow(newdata), ncol(fit$rows[[component]][[equation]])))
      }
      as_stored(new_design_matrix(fit, component, equation, newdata, call), "double")
    })
  })
  unlist(designs, recursive = FALSE)
}

# ---- outcomes that were not observed

# E[y] given what was observed of the row; standard errors by central differences in every natural
# parameter.
missing_outcomes <- function(fit, equation, covariance, call) {
  control <- native_mssm_control(fit$control, fit$seed)
  expectation <- function(naturals) {
    moments <- native_mssm_missing_moments(
      fit$rows, parameters_at(fit, naturals), control, call
    )
    as.vector(moments$expectation[, equation])
  }
  at <- naturals_of(fit)
  values <- expectation(at)
  if (is.null(covariance)) {
    return(list(values = values))
  }
  # Small against the error of the estimate, large against rounding.
  steps <- 1e-3 * sqrt(diag(covariance))
  slopes <- vapply(seq_along(at), function(k) {
    shifted <- function(step) expectation(replace(at, k, at[[k]] + step))
    (shifted(steps[[k]]) - shifted(-steps[[k]])) / (2 * steps[[k]])
  }, values)
  slopes <- matrix(slopes, length(values))
  list(values = values, errors = sqrt(pmax(rowSums((slopes %*% covariance) * slopes), 0)))
}
