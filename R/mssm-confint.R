# Confidence intervals of a sample selection model.

#' Confidence intervals of a sample selection model
#'
#' @details
#' `"Wald"` intervals are estimate plus or minus normal quantiles of the standard error, for
#' standard deviations on the log scale and for correlations on the scale of Fisher's z (atanh), so
#' that they stay inside their ranges. `"profile"` inverts the profile likelihood, for standard
#' deviations and correlations only: see [profile.ember_mssm()].
#'
#' @param object A fit of [mssm()].
#' @param parm Names or numbers of parameters, as in `coef(object)`; by default all (of profile
#'   intervals those of the errors).
#' @param level Confidence level.
#' @param method `"Wald"` or `"profile"`.
#' @param type For Wald intervals the covariance matrix, see [vcov.ember_mssm()].
#' @param ... Not used.
#' @returns A matrix with a row for each parameter, and columns for both ends.
#' @examples
#' set.seed(1)
#' fit <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = simulate_mssm(500))
#' confint(fit)
#' confint(fit, "rho(y1,s1)", method = "profile")
#' @importFrom stats confint
#' @export
confint.ember_mssm <- function(object, parm = NULL, level = 0.95, method = c("Wald", "profile"),
                               type = NULL, ...) {
  call <- rlang::current_env()
  check_no_dots(..., call = call)
  check_level(level, call)
  method <- match_choice("method", call)
  if (method == "profile") {
    return(profile_intervals(object, parm, level, call))
  }
  chosen <- chosen_naturals(object, parm, call, "parm")
  limits <- wald_limits(object, stats::vcov(object, type = type), level)
  limits[chosen, , drop = FALSE]
}

# Wald intervals of all parameters, NA for columns that were left out.
wald_limits <- function(fit, covariance, level) {
  estimates <- stats::coef(fit)
  errors <- sqrt(diag(covariance))[match(names(estimates), rownames(covariance))]
  scale <- natural_scales(names(estimates), natural_components(fit, aliased = TRUE))
  limits <- matrix(
    NA_real_, length(estimates), 2L, dimnames = list(names(estimates), percent_names(level))
  )
  for (name in unique(scale)) {
    own <- scale == name
    limits[own, ] <- scaled_limits(estimates[own], errors[own], working_scales[[name]], level)
  }
  limits
}

# How parameters are brought to the whole line: to, back, slope of to.
working_scales <- list(
  identity = list(to = identity, back = identity, slope = function(x) rep(1, length(x))),
  log = list(to = log, back = exp, slope = function(x) 1 / x),
  atanh = list(to = atanh, back = tanh, slope = function(x) 1 / (1 - x^2))
)

natural_scales <- function(names, components) {
  scale <- rep("identity", length(names))
  error <- components == "error"
  scale[error] <- ifelse(startsWith(names[error], "sigma("), "log", "atanh")
  scale
}

scaled_limits <- function(estimates, errors, scale, level) {
  # A two-step estimate of a correlation can be outside of [-1, 1]; it has no standard error.
  centre <- suppressWarnings(scale$to(estimates))
  half <- stats::qnorm((1 + level) / 2) * errors * scale$slope(estimates)
  unname(cbind(scale$back(centre - half), scale$back(centre + half)))
}

# Places among all parameters of the user's names or numbers.
chosen_naturals <- function(fit, parm, call, argument, among = NULL) {
  names <- names(stats::coef(fit))
  all <- if (is.null(among)) seq_along(names) else among
  if (is.null(parm)) {
    return(all)
  }
  found <- if (is.numeric(parm)) match(parm, seq_along(names)) else match(parm, names)
  if (anyNA(found) || length(found) == 0L || !all(found %in% all)) {
    abort_argument(
      argument, "must be names or numbers of parameters.",
      c(i = paste0("They are ", abbreviated_list(paste0("`", names[all], "`"), 12L), ".")), call
    )
  }
  found
}
