# broom's three verbs for sample selection models.

#' Tidy a fitted sample selection model
#'
#' `tidy()` has one row per parameter, `glance()` one row per fit, `augment()` one row per
#' observation.
#'
#' @param x A fit of [mssm()].
#' @param component Which parameters: `"all"`, those of the `"outcome"` or `"selection"`
#'   equations, or the `"error"` parameters.
#' @param conf.int,conf.level Whether to add confidence intervals, and their coverage.
#' @param conf.method `"Wald"` or, for the errors' parameters, `"profile"` (the coefficients'
#'   intervals are Wald intervals all the same); see [confint.ember_mssm()].
#' @param type The covariance matrix of the estimates, see [vcov.ember_mssm()].
#' @param data Data to which `augment()` adds columns; by default the model frame.
#' @param newdata New data to predict, instead of `data`.
#' @param ... Not used.
#' @returns A data frame (a tibble where the package tibble is installed). `tidy()`: `component`
#'   (`"outcome"`, `"selection"`, `"error"`), `equation` (`NA` for errors), `term` (for errors
#'   `sigma(y1)`, `rho(y1,s1)`), `estimate`, `std.error` (delta method), `statistic` and `p.value`
#'   (z tests that the parameter is zero; none for standard deviations), `mc.error` (for PX-MCEM,
#'   the Monte Carlo error of the estimate), `conf.low`, `conf.high`. `glance()`: `method`, `nobs`,
#'   `equations`, `df`, `logLik`, `AIC`, `BIC`, `df.residual`, `modes`, `converged`. `augment()`:
#'   the data and, for each equation, `.fitted_y` (mean of the outcome, selected or not),
#'   `.selected_y` (its mean where it is selected), `.prob_s` (probability of the selection) and,
#'   without `newdata`, `.resid_y`, the outcome less `.selected_y`; y and s are the names of the
#'   equations, left out where there is only one.
#' @examples
#' set.seed(1)
#' fit <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = simulate_mssm(500))
#' tidy(fit, conf.int = TRUE)
#' glance(fit)
#' head(augment(fit))
#' @name mssm_tidiers
NULL

#' @rdname mssm_tidiers
#' @export
# nolint start: object_name_linter.
tidy.ember_mssm <- function(x, component = c("all", "outcome", "selection", "error"),
                            conf.int = FALSE, conf.level = 0.95, conf.method = c("Wald", "profile"),
                            type = NULL, ...) {
  # nolint end
  call <- rlang::current_env()
  check_no_dots(..., call = call)
  component <- match_choice("component", call)
  method <- match_choice("conf.method", call)
  covariance <- stats::vcov(x, type = type)
  out <- tidy_naturals(x, covariance)
  if (conf.int) {
    check_level(conf.level, call, "conf.level")
    limits <- wald_limits(x, covariance, conf.level)
    if (method == "profile") {
      own <- profile_intervals(x, NULL, conf.level, call)
      limits[match(rownames(own), rownames(limits)), ] <- own
    }
    out$conf.low <- unname(limits[, 1L])
    out$conf.high <- unname(limits[, 2L])
  }
  if (component != "all") out <- out[out$component == component, ]
  row.names(out) <- NULL
  as_tibble_if_installed(out)
}

tidy_naturals <- function(fit, covariance) {
  estimates <- stats::coef(fit)
  components <- natural_components(fit, aliased = TRUE)
  error <- components == "error"
  equations <- rep(names(fit$coefficients), lengths(fit$coefficients))
  std_error <- unname(sqrt(diag(covariance))[match(names(estimates), rownames(covariance))])
  statistic <- ifelse(startsWith(names(estimates), "sigma(") & error, NA, estimates / std_error)
  out <- data.frame(
    component = components, equation = c(equations, rep(NA_character_, sum(error))),
    term = c(unlist(fit$columns, use.names = FALSE), names(estimates)[error]),
    estimate = unname(estimates), std.error = std_error, statistic = unname(statistic),
    p.value = 2 * stats::pnorm(-abs(unname(statistic)))
  )
  if (!is.null(fit$mc)) {
    out$mc.error <- unname(fit$mc$mc_error[match(names(estimates), natural_names(fit))])
  }
  out
}

#' @rdname mssm_tidiers
#' @export
glance.ember_mssm <- function(x, ...) {
  as_tibble_if_installed(data.frame(
    method = x$method, nobs = x$nobs, equations = length(x$equations$outcome), df = x$df,
    logLik = x$loglik, AIC = -2 * x$loglik + 2 * x$df, BIC = -2 * x$loglik + log(x$nobs) * x$df,
    df.residual = stats::df.residual(x), modes = length(x$modes),
    converged = x$status == "converged"
  ))
}

#' @rdname mssm_tidiers
#' @export
augment.ember_mssm <- function(x, data = NULL, newdata = NULL, ...) {
  call <- rlang::current_env()
  out <- if (!is.null(newdata)) {
    as.data.frame(newdata)
  } else if (is.null(data)) {
    frame <- x$frame
    attr(frame, "terms") <- NULL
    frame
  } else {
    rows_of_fit(x, data, call)
  }
  one <- length(x$equations$outcome) == 1L
  for (j in seq_along(x$equations$outcome)) {
    y <- if (one) "" else paste0("_", x$equations$outcome[[j]])
    s <- if (one) "" else paste0("_", x$equations$selection[[j]])
    predicted <- function(type) as.vector(stats::predict(x, newdata, type = type, equation = j))
    out[[paste0(".fitted", y)]] <- predicted("outcome")
    selected <- predicted("selected")
    out[[paste0(".selected", y)]] <- selected
    out[[paste0(".prob", s)]] <- predicted("probability")
    if (is.null(newdata)) out[[paste0(".resid", y)]] <- x$rows$y[, j] - selected
  }
  as_tibble_if_installed(out)
}
