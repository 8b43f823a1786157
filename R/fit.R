# What all fits share: how they ended, the likelihood methods, the trace and its plot.
#
# A fit is a list of class c("ember_<family>", "ember_fit") with at least `loglik`, `df`, `nobs`,
# `iterations`, `passes`, `status`, `message`, `component`, `trace`, `control` and `call`.

#' Log-likelihood of a fit
#'
#' The maximised log-likelihood, as R's generics expect it: [stats::AIC()] and [stats::BIC()] work
#' on every fit of ember. Smaller values of these two are better.
#'
#' @param object A fit of ember.
#' @param ... Not used.
#' @returns `logLik()`: an object of class `logLik` with attributes `df` (free parameters) and
#'   `nobs`. `nobs()`: the number of observations. Both are `NA` where the fit does not know.
#' @export
#' @examples
#' fit <- em(
#'   start = 0.5,
#'   e_step = function(p) 125 * p / (2 + p),
#'   m_step = function(hidden) (hidden + 34) / (hidden + 72),
#'   log_lik = function(p) 125 * log(2 + p) + 38 * log(1 - p) + 34 * log(p),
#'   nobs = 197
#' )
#' logLik(fit)
#' AIC(fit)
logLik.ember_fit <- function(object, ...) {
  structure(object$loglik, df = object$df, nobs = object$nobs, class = "logLik")
}

#' @rdname logLik.ember_fit
#' @export
#' @importFrom stats nobs
nobs.ember_fit <- function(object, ...) object$nobs

#' Trace of the iterations
#'
#' What every iteration of a fit did: `em_trace()` returns it, `plot()` draws the log-likelihood
#' (or for some families something else, see there).
#'
#' @details
#' The bound is that of R. Sridharan's *Gaussian mixture models and the EM algorithm*, section 3:
#' with the hidden part distributed as it is given the data at iteration t,
#' \deqn{B(\theta) = \ell(\theta_t) + Q(\theta \mid \theta_t) - Q(\theta_t \mid \theta_t)
#'   \le \ell(\theta).}
#' The M step raises the bound, and with it the log-likelihood; the log-likelihood exceeds the
#' bound by the Kullback-Leibler divergence between the distributions of the hidden part before and
#' after.
#'
#' @param fit A fit of ember.
#' @returns A data frame with a row for the start and for each iteration: `iteration`, `loglik`,
#'   `bound` (the lower bound of the log-likelihood that was known before its E step; `NaN` if not
#'   computed), `step` (`"start"`, `"em"`, `"squarem"`, `"anderson"`, `"newton"`).
#' @export
#' @examples
#' fit <- em(
#'   start = 0.5,
#'   e_step = function(p) 125 * p / (2 + p),
#'   m_step = function(hidden) (hidden + 34) / (hidden + 72),
#'   log_lik = function(p) 125 * log(2 + p) + 38 * log(1 - p) + 34 * log(p)
#' )
#' em_trace(fit)
em_trace <- function(fit) {
  if (!inherits(fit, "ember_fit")) {
    abort_argument("fit", "must be a fit of ember.")
  }
  fit$trace
}

# The native trace as the data frame that fits keep.
trace_table <- function(trace) {
  table <- list(
    iteration = as.integer(trace$iteration), loglik = trace$log_lik, bound = trace$bound,
    step = trace$step
  )
  # data.frame() takes as long as the fit of a small mixed model.
  attr(table, "row.names") <- .set_row_names(length(trace$iteration)) # nolint: object_name_linter.
  class(table) <- "data.frame"
  table
}

# How the iterations ended, as the end of a sentence.
status_words <- function(fit) {
  steps <- paste(fit$iterations, if (fit$iterations == 1L) "iteration" else "iterations")
  detail <- if (nzchar(fit$message)) paste0(" (", sub("\\.$", "", fit$message), ")") else ""
  culprit <- if (fit$component > 0L) culprit_words(fit) else "the model"
  switch(fit$status,
    converged = paste0("converged in ", steps),
    iteration_limit = paste0("not converged in ", steps),
    degenerate = paste0(culprit, " collapsed after ", steps, detail),
    saddle = paste0("stopped at a saddle point after ", steps, detail),
    interrupted = paste0("interrupted after ", steps)
  )
}

# What the core's component stands for.
culprit_words <- function(fit) {
  if (inherits(fit, "ember_mssm")) {
    paste0("equation `", unlist(fit$equations, use.names = FALSE)[[fit$component]], "`")
  } else {
    paste("component", fit$component)
  }
}

# What to do about a fit that is no maximum.
status_remedy <- function(status) {
  switch(status,
    iteration_limit = "Raise `max_iter` in `em_control()`.",
    degenerate = "Try other starting values or a simpler model.",
    saddle = "Start from values that tell the hidden groups apart.",
    interrupted = "The fit holds the parameters reached so far."
  )
}

# Warns, with class `ember_warning_<status>`, about a fit that did not converge.
warn_status <- function(fit, call, remedy = status_remedy(fit$status)) {
  if (fit$status != "converged") {
    ember_warn(
      paste0("The fit is not a maximum: ", status_words(fit), "."),
      class = fit$status, details = c(i = remedy), call = call, fit = fit
    )
  }
  invisible(fit)
}

#' @export
print.ember_fit <- function(x, ...) {
  cat("Call: ", paste(deparse(x$call), collapse = "\n"), "\n", sep = "")
  cat(if (x$status != "converged") "NOT a maximum: ", status_words(x), "\n", sep = "")
  cat("Log-likelihood: ", format(x$loglik, digits = 8L), " (df = ", x$df, ")\n", sep = "")
  invisible(x)
}

#' @rdname em_trace
#' @param x A fit of ember.
#' @param main,xlab,ylab Title and labels of the axes.
#' @param ... Passed on to [graphics::plot.default()].
#' @export
plot.ember_fit <- function(x, main = NULL, xlab = "Iteration", ylab = NULL, ...) {
  trace <- x$trace
  if (all(is.nan(trace$loglik))) {
    abort_argument("x", "has no log-likelihood to plot.", c(i = "Give `em()` a `log_lik`."))
  }
  extrapolations <- c("squarem", "anderson")
  ylab <- if (is.null(ylab)) "Log-likelihood" else ylab
  graphics::plot(
    trace$iteration, trace$loglik,
    type = "l", main = main, xlab = xlab, ylab = ylab, ...
  )
  newton <- trace$step == "newton"
  symbols <- ifelse(newton, 15, ifelse(trace$step %in% extrapolations, 1, 16))
  graphics::points(trace$iteration, trace$loglik, pch = symbols, cex = 0.7)
  bounded <- is.finite(trace$bound)
  if (any(bounded)) {
    graphics::points(trace$iteration[bounded], trace$bound[bounded], pch = 2, cex = 0.7)
  }
  shown <- c("EM step", "extrapolation", "Newton step", "bound before the E step")
  used <- c(
    any(trace$step == "em"), any(trace$step %in% extrapolations), any(newton), any(bounded)
  )
  if (any(used)) {
    graphics::legend("bottomright", shown[used], pch = c(16, 1, 15, 2)[used], bty = "n", cex = 0.85)
  }
  invisible(x)
}
