# broom's three verbs; the generics are those of package generics.

#' @importFrom generics tidy
#' @export
generics::tidy

#' @importFrom generics glance
#' @export
generics::glance

#' @importFrom generics augment
#' @export
generics::augment

#' Tidy a fitted mixture
#'
#' `tidy()` has one row per component (as broom's method for `Mclust`), or one per coefficient with
#' its standard error; `glance()` one row per fit; `augment()` one row per observation.
#'
#' @param x A fit of [gaussian_mixture()].
#' @param what `"components"`: columns `component` (0 for noise), `size` (rows classified to it),
#'   `proportion`, `variance` (models E, V, EII, VII), `mean` or `mean.<variable>`.
#'   `"coefficients"`: columns `term` (as in [coef()][mixture_inference]), `estimate`, `std.error`,
#'   and `conf.low`, `conf.high` with `conf.int = TRUE`.
#' @param conf.int,conf.level Whether to add confidence intervals, and their coverage.
#' @param data Data to which `augment()` adds columns; by default those of the fit, without the
#'   rows that it left out. A row without any value is predicted from the mixing weights.
#' @param newdata New data to predict, instead of `data`.
#' @param ... Passed to [vcov()][mixture_inference] by `tidy()`: `type`, `scale`.
#' @returns A data frame (a tibble where the package tibble is installed). `glance()` has columns
#'   `model`, `G`, `logLik`, `df`, `AIC`, `BIC`, `ICL`, `nobs`, `status`; note that broom's BIC for
#'   `Mclust` has the opposite sign. `augment()` adds `.class` (a factor) and `.uncertainty`.
#' @examples
#' fit <- gaussian_mixture(faithful, k = 2, model = "VVV")
#' tidy(fit)
#' tidy(fit, what = "coefficients")
#' glance(fit)
#' head(augment(fit))
#' @name mixture_tidiers
NULL

#' @rdname mixture_tidiers
#' @export
# nolint start: object_name_linter.
tidy.ember_mixture <- function(x, what = c("components", "coefficients"), conf.int = FALSE,
                               conf.level = 0.95, ...) {
  # nolint end
  call <- rlang::current_env()
  what <- match_choice("what", call)
  as_tibble_if_installed(
    if (what == "components") tidy_components(x) else tidy_coefficients(
      x, conf.int, conf.level, ...
    )
  )
}

tidy_components <- function(fit) {
  weights <- component_weights(fit)
  components <- c(seq_len(fit$k), if (!is.null(fit$noise)) 0L)
  out <- data.frame(component = components, size = NA_integer_, proportion = unname(weights))
  if (!is.null(fit$data)) {
    out$size <- tabulate(match(stats::predict(fit), components), length(components))
  }
  if (fit$model %in% c("E", "V", "EII", "VII")) {
    out$variance <- c(fit$covariances[1L, 1L, ], if (!is.null(fit$noise)) NA)
  }
  means <- rbind(fit$means, if (!is.null(fit$noise)) NA)
  colnames(means) <- if (ncol(means) == 1L) "mean" else paste0("mean.", colnames(means))
  out <- cbind(out, as.data.frame(means))
  row.names(out) <- NULL
  out
}

tidy_coefficients <- function(fit, conf_int, conf_level, ...) {
  estimate <- stats::coef(fit, ...)
  out <- data.frame(
    term = names(estimate), estimate = unname(estimate), std.error = unname(
      sqrt(diag(stats::vcov(fit, ...)))
    )
  )
  if (conf_int) {
    limits <- stats::confint(fit, level = conf_level, ...)
    out$conf.low <- unname(limits[, 1L])
    out$conf.high <- unname(limits[, 2L])
  }
  out
}

#' @rdname mixture_tidiers
#' @export
glance.ember_mixture <- function(x, ...) {
  as_tibble_if_installed(data.frame(
    model = x$model, G = x$k, logLik = x$loglik, df = x$df, AIC = stats::AIC(x),
    BIC = stats::BIC(x), ICL = ICL(x),
    nobs = x$nobs, status = x$status
  ))
}

#' @rdname mixture_tidiers
#' @export
augment.ember_mixture <- function(x, data = NULL, newdata = NULL, ...) {
  call <- rlang::current_env()
  rows <- if (!is.null(newdata)) newdata else data
  posterior <- stats::predict(x, rows, type = "posterior")
  out <- if (is.null(rows)) stats::model.frame(x) else as.data.frame(rows)
  if (nrow(posterior) != nrow(out)) {
    abort_argument("data", "must be the data of the fit.", NULL, call)
  }
  levels <- c(seq_len(x$k), if (!is.null(x$noise)) 0L)
  out$.class <- factor(most_probable(posterior, x), levels)
  out$.uncertainty <- unname(1 - apply(posterior, 1L, max))
  as_tibble_if_installed(out)
}

as_tibble_if_installed <- function(x) {
  if (rlang::is_installed("tibble")) {
    return(getExportedValue("tibble", "as_tibble")(x))
  }
  x
}
