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
#' @param newdata A data frame with the variables of the regressors; by default the data of the fit.
#' @param type What to predict; see Details.
#' @param equation Names or numbers of the equations to predict; by default all. Not used by
#'   `"joint"`.
#' @param pattern For `"joint"` and `"pattern"`: the selections that are known, a vector of 1 or
#'   `TRUE` (selected), 0 or `FALSE` (not selected) and `NA` (unknown), one for each equation in
#'   order; or named by equations, those that are left out being unknown. By default all 1.
#' @param se.fit Also return standard errors?
#' @param interval `"none"` or `"confidence"`.
#' @param level Probability of the interval.
#' @param vcov The covariance matrix of the parameters, as [vcov()] of the fit has it (for instance
#'   a robust one); by default `vcov(object)`.
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
  rows <- mssm_rows(object, newdata, na.action, call)
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
    stats::napredict(rows$na_action, matrix(values, ncol = length(columns), dimnames = list(
      rows$names, columns
    )))
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
  names <- fit$equations$outcome
  if (is.null(equation)) {
    return(seq_along(names))
  }
  places <- if (is.character(equation)) match(equation, names) else equation
  known <- is.numeric(places) && length(places) > 0L && all(places %in% seq_along(names))
  if (!known) {
    abort_argument(
      "equation", "must be names or numbers of equations of the fit.",
      c(i = paste0("The fit has ", quoted(names), ".")), call
    )
  }
  as.integer(places)
}

# One of 1, 0 and NA for each equation.
mssm_pattern <- function(fit, pattern, type, call) {
  names <- fit$equations$outcome
  if (is.null(pattern)) {
    return(rep(1L, length(names)))
  }
  if (!type %in% c("pattern", "joint")) {
    abort_argument(
      "pattern", "is only used by the types \"pattern\" and \"joint\".", NULL, call
    )
  }
  if (!is.null(names(pattern))) {
    places <- match(names(pattern), names)
    if (anyNA(places)) places <- match(names(pattern), fit$equations$selection)
    full <- rep(NA, length(names))
    if (!anyNA(places) && !anyDuplicated(places)) full[places] <- pattern
    pattern <- if (anyNA(places) || anyDuplicated(places)) NULL else full
  }
  valid <- (is.numeric(pattern) || is.logical(pattern)) && length(pattern) == length(names) &&
    all(pattern %in% c(0, 1, NA))
  if (!valid) {
    abort_argument(
      "pattern", "must have 1, 0 or NA for each equation, or for some by name.",
      c(i = paste0("The equations are ", quoted(names), ".")), call
    )
  }
  as.integer(pattern)
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

# Coefficients without those of aliased columns, and Omega, as the core takes them.
mssm_kept_parameters <- function(fit) {
  kept <- lapply(fit$coefficients, function(beta) unname(beta[!is.na(beta)]))
  list(coefficients = unname(kept), omega = unname(fit$omega))
}

# The covariance matrix of all natural parameters.
mssm_covariance <- function(fit, vcov, call) {
  covariance <- if (is.null(vcov)) stats::vcov(fit) else vcov
  if (is.function(covariance)) covariance <- covariance(fit)
  size <- mssm_size(fit)
  valid <- is.matrix(covariance) && is.numeric(covariance) && identical(dim(covariance), size)
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
  unname(covariance)
}

# Rows and columns of the covariance matrix.
mssm_size <- function(fit) {
  kept <- sum(vapply(fit$coefficients, function(beta) sum(!is.na(beta)), 0L))
  errors <- nrow(fit$omega)
  rep(kept + as.integer(errors / 2 + errors * (errors - 1) / 2), 2L)
}

# ---- rows

# The rows to predict: list(designs = 2J matrices of the columns kept, names, na_action).
mssm_rows <- function(fit, newdata, na_action, call) {
  rows <- if (is.null(newdata)) {
    list(
      designs = c(fit$rows$outcome, fit$rows$selection), names = rownames(fit$frame),
      na_action = fit$na_action
    )
  } else {
    mssm_new_designs(fit, newdata, na_action, call)
  }
  rows$designs <- Map(function(x, beta) {
    if (anyNA(beta)) x[, !is.na(beta), drop = FALSE] else x
  }, unname(rows$designs), unname(fit$coefficients))
  rows
}

# The 2J full design matrices of new data.
mssm_new_designs <- function(fit, newdata, na_action, call) {
  if (!is.data.frame(newdata) && !is.list(newdata)) {
    abort_argument("newdata", "must be a data frame.", NULL, call)
  }
  newdata <- as.data.frame(newdata)
  designs <- rlang::try_fetch(
    Map(
      function(terms, xlevels, contrasts) new_design(terms, newdata, xlevels, contrasts),
      c(fit$terms$outcome, fit$terms$selection), c(fit$xlevels$outcome, fit$xlevels$selection),
      c(fit$contrasts$outcome, fit$contrasts$selection)
    ),
    error = function(cnd) {
      abort_argument("newdata", "does not fit the model.", c(x = conditionMessage(cnd)), call)
    }
  )
  complete <- Reduce(`&`, lapply(designs, function(x) !is.na(rowSums(x))))
  kept <- na_action(data.frame(
    complete = ifelse(complete, TRUE, NA), row.names = rownames(newdata)
  ))
  omitted <- attr(kept, "na.action")
  names <- rownames(newdata)
  if (!is.null(omitted)) {
    designs <- lapply(designs, function(x) x[complete, , drop = FALSE])
    names <- names[complete]
  }
  list(designs = designs, names = names, na_action = omitted)
}

new_design <- function(terms, newdata, xlevels, contrasts) {
  terms <- stats::delete.response(terms)
  frame <- stats::model.frame(terms, newdata, na.action = stats::na.pass, xlev = xlevels)
  classes <- attr(terms, "dataClasses")
  if (!is.null(classes)) stats::.checkMFClasses(classes, frame)
  x <- stats::model.matrix(terms, frame, contrasts.arg = contrasts)
  storage.mode(x) <- "double"
  x
}

# ---- outcomes that were not observed

# E[y] given what was observed of the row; standard errors by central differences in every natural
# parameter.
missing_outcomes <- function(fit, equation, covariance, call) {
  expectation <- function(parameters) {
    moments <- native_mssm_missing_moments(
      rows, parameters, control, call
    )
    as.vector(moments$expectation[, equation])
  }
  values <- expectation(mssm_kept_parameters(fit))
  if (is.null(covariance)) {
    return(list(values = values))
  }
  slopes <- natural_slopes(fit, expectation)
  list(values = values, errors = sqrt(pmax(rowSums((slopes %*% covariance) * slopes), 0)))
}

# The rows of the fit with the columns kept.
mssm_kept_rows <- function(fit) {
  rows <- fit$rows
  designs <- mssm_rows(fit, NULL, stats::na.pass, rlang::caller_env())$designs
  size <- length(rows$outcome)
  rows$outcome <- designs[seq_len(size)]
  rows$selection <- designs[size + seq_len(size)]
  rows
}

# Derivatives of a function of list(coefficients, omega) by every natural parameter.
natural_slopes <- function(fit, value) {
  parameters <- mssm_kept_parameters(fit)
  at <- natural_vector(parameters)
  scale <- sqrt(pmax(diag(stats::vcov(fit)), 0))
  vapply(seq_along(at), function(k) {
    step <- 1e-4 * max(scale[[k]], 1e-3 * abs(at[[k]]), 1e-8)
    shifted <- function(sign) {
      point <- at
      point[[k]] <- point[[k]] + sign * step
      value(natural_parameters(point, parameters))
    }
    (shifted(1) - shifted(-1)) / (2 * step)
  }, value(parameters))
}

# Coefficients, standard deviations of the outcomes, and correlations, column by column.
natural_vector <- function(parameters) {
  omega <- parameters$omega
  correlations <- stats::cov2cor(omega)
  outcomes <- seq_len(nrow(omega) / 2L)
  c(
    unlist(parameters$coefficients), sqrt(diag(omega)[outcomes]),
    correlations[lower.tri(correlations)]
  )
}

# The inverse of natural_vector(); `like` has the widths.
natural_parameters <- function(vector, like) {
  widths <- lengths(like$coefficients)
  size <- nrow(like$omega)
  ends <- cumsum(widths)
  coefficients <- Map(
    function(end, width) vector[end - width + seq_len(width)], ends, widths
  )
  errors <- vector[-seq_len(sum(widths))]
  sigma <- c(errors[seq_len(size / 2L)], rep(1, size / 2L))
  correlations <- diag(size)
  correlations[lower.tri(correlations)] <- errors[-seq_len(size / 2L)]
  correlations <- correlations + t(correlations) - diag(size)
  list(coefficients = coefficients, omega = correlations * tcrossprod(sigma))
}
