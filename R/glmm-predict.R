# Predictions of a generalized linear mixed model.

#' Predictions of a generalized linear mixed model
#'
#' Predictions for the levels of the grouping factors that were observed (conditional), or for a
#' level whose random effects are zero, with standard errors.
#'
#' @details
#' Standard errors on the scale of the link are those of a linear mixed model with the working
#' weights of the fit, see [predict.ember_lmm()]; with `re.form = NA` they come from [vcov()]. On
#' the scale of the response they are multiplied by the derivative of the inverse link (delta
#' method). Confidence intervals are made on the scale of the link and transformed, so that they
#' stay in the range of the mean.
#'
#' With `re.form = NA` the prediction is at random effects of zero. On the scale of the response
#' that is the median over the population of groups, not the mean.
#'
#' @inheritParams predict.ember_lmm
#' @param object A fit of [glmm()].
#' @param type `"link"`: the linear predictor; `"response"`: the mean (a probability for binomial
#'   models).
#' @param interval `"none"` or `"confidence"`. New observations are what
#'   [simulate()][simulate.ember_mixed] draws.
#' @returns A named vector; with an interval a matrix with columns `fit`, `lwr` and `upr`; with
#'   `se.fit` a list with `fit` (either of these), `se.fit`, `df` and `residual.scale`.
#' @examples
#' data <- transform(InsectSprays, block = factor(rep(1:12, 6)))
#' fit <- glmm(count ~ spray + (1 | block), data = data, family = poisson())
#' new <- data.frame(spray = c("A", "B"), block = c("3", "unknown"))
#' predict(fit, new, type = "response", allow.new.levels = TRUE, interval = "confidence")
#' @export
predict.ember_glmm <- function(object, newdata = NULL,
                               re.form = NULL, # nolint: object_name_linter.
                               type = c("link", "response"),
                               allow.new.levels = FALSE, # nolint: object_name_linter.
                               random.only = FALSE, # nolint: object_name_linter.
                               se.fit = FALSE, # nolint: object_name_linter.
                               interval = c("none", "confidence"), level = 0.95, df = Inf,
                               na.action = stats::na.pass, ...) { # nolint: object_name_linter.
  call <- rlang::current_env()
  type <- match_choice("type", call)
  interval <- match_choice("interval", call)
  check_interval(level, df, call)
  chosen <- selected_effects(object, re.form, call)
  rows <- if (is.null(newdata)) {
    own_rows(object, chosen)
  } else {
    new_rows(object, newdata, chosen, na.action, allow.new.levels, FALSE, call)
  }
  transform <- if (type == "response") object$family$linkinv else identity
  eta <- predicted_values(object, rows, random.only)
  if (!se.fit && interval == "none") {
    return(stats::napredict(rows$na_action, keep_names(transform, eta)))
  }
  errors <- sqrt(prediction_variances(object, rows, !random.only, call))
  values <- keep_names(transform, eta)
  if (interval == "confidence") {
    half <- stats::qt((1 + level) / 2, df) * errors
    values <- cbind(fit = values, transformed_limits(transform, eta, half))
  }
  values <- stats::napredict(rows$na_action, values)
  if (!se.fit) {
    return(values)
  }
  if (type == "response") errors <- errors * abs(object$family$mu.eta(eta))
  errors <- stats::napredict(rows$na_action, stats::setNames(errors, rows$names))
  list(fit = values, se.fit = errors, df = df, residual.scale = object$sigma)
}

# R's inverse links drop names, or not.
keep_names <- function(transform, eta) stats::setNames(transform(eta), names(eta))

# The inverse link decreases for link "inverse".
transformed_limits <- function(transform, eta, half) {
  first <- transform(eta - half)
  second <- transform(eta + half)
  cbind(lwr = pmin(first, second), upr = pmax(first, second))
}
