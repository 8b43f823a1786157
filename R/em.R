#' The EM algorithm for a model of your own
#'
#' Maximum likelihood for any model with a hidden part, from two functions: the E step computes
#' what is to be known about the hidden part given the parameters, the M step computes the
#' parameters given that. `em()` iterates them on the driver of all ember fits: it stops on the
#' estimated distance to the maximum, accelerates, checks that the log-likelihood never drops, and
#' keeps a trace.
#'
#' @details
#' ## The two steps
#'
#' With observed data y, hidden data c and parameters \eqn{\theta}, iteration t + 1 takes
#' \deqn{q_t(c) = p(c \mid y; \theta_t) \qquad
#'   \theta_{t+1} = \arg\max_\theta\; E_{q_t}[\log p(y, c; \theta)].}
#' `e_step()` returns whatever `m_step()` needs to know about \eqn{q_t}: responsibilities, expected
#' counts, any R object. See R. Sridharan, *Gaussian mixture models and the EM algorithm*, section
#' 3.3.
#'
#' ## What `log_lik` is for
#'
#' With it the fit is accelerated, stops on the log-likelihood, and reports (with a warning naming
#' the iteration) an EM step that lowered it: then `e_step()` or `m_step()` is wrong, since a right
#' one cannot. Without it iterations are plain, stop on the estimated distance of the parameters to
#' their limit, and nothing can be checked; [print()] says so.
#'
#' Acceleration tries points that are no EM steps, in the coordinates `unlist(params)`. They may lie
#' outside the domain of the model (a negative variance). That does no harm: where a function fails
#' or `log_lik()` is not finite there, the EM step is taken instead. But a `log_lik()` that returns
#' a number for impossible parameters misleads the fit: let it return `-Inf` or `NaN`, or set
#' `em_control(accelerate = "none")`.
#'
#' ## Errors and interrupts
#'
#' An error in one of the functions ends the fit with an error of class `ember_error_callback` that
#' shows its message; so do results of the wrong type or length and missing parameters. Ctrl-C ends
#' the fit with a warning and the parameters reached so far. Warnings of the functions are shown at
#' the end, once each.
#'
#' @param start Starting values of the parameters: a numeric vector, matrix or array, or a list of
#'   them (lists may be nested). All finite. The starting point matters: EM climbs to the nearest
#'   local maximum, and stays at a saddle point if it starts on one.
#' @param e_step `function(params, ...)`: the hidden expectations at `params`.
#' @param m_step `function(hidden, ...)`: new parameters, of the structure of `start`.
#' @param log_lik `function(params, ...)`: the observed-data log-likelihood, one number; or `NULL`.
#' @param control Tolerances and limits: [em_control()].
#' @param complete_log_lik `function(params, hidden, ...)`: the expected complete-data
#'   log-likelihood \eqn{Q(\theta \mid \theta_t)}, constants in \eqn{\theta} dropped or not; or
#'   `NULL`. With it the lower bound of the log-likelihood is in the trace and the plot.
#' @param df Number of free parameters, for AIC and BIC: smaller than the default if `start` holds
#'   constrained ones (probabilities that sum to 1).
#' @param nobs Number of observations, for BIC.
#' @param ... Passed on to the functions, for data for example.
#'
#' @note The package mclust has another function `em()`. With both attached, write `ember::em()`.
#' @returns An object of class `ember_em` (and `ember_fit`): a list with
#' * `params` (structure of `start`), `hidden` (result of `e_step()` at `params`);
#' * `loglik` (`NA` without `log_lik`), `df`, `nobs`;
#' * `status` (`"converged"`, `"iteration_limit"`, `"degenerate"` if the log-likelihood stopped
#'   being finite, `"interrupted"`), `message`; `iterations` (updates of the parameters), `passes`
#'   (E steps);
#' * `distance` (estimated distance to the limit), `rate` (estimated rate of convergence of plain
#'   EM), `drop` (`NULL`, or the largest drop of the log-likelihood in an EM step: iteration and
#'   size);
#' * `trace` (see [em_trace()]), `control`, `call`.
#'
#' Methods: `print()`, `coef()` (the parameters as one named vector), `vcov()`,
#' [logLik()][logLik.ember_fit], `AIC()`, `BIC()`, `nobs()`, `plot()`.
#' @export
#' @examples
#' # Heights of men and women, sexes unknown: two normals, known sd 2.5, known shares 1/2.
#' set.seed(1)
#' height <- c(rnorm(1000, 69.5, 2.5), rnorm(1000, 64.5, 2.5))
#' density <- function(mu) cbind(dnorm(height, mu[1], 2.5), dnorm(height, mu[2], 2.5)) / 2
#' heights <- em(
#'   start = c(men = 72, women = 60),
#'   e_step = function(mu) density(mu) / rowSums(density(mu)),
#'   m_step = function(r) colSums(r * height) / colSums(r),
#'   log_lik = function(mu) sum(log(rowSums(density(mu))))
#' )
#' heights
#' sqrt(diag(vcov(heights)))
#' plot(heights)
#'
#' # Zero-inflated Poisson: a zero is structural with probability p, else a Poisson count.
#' count <- rep(0:6, c(60, 13, 12, 8, 4, 2, 1))
#' zip <- em(
#'   start = list(p = 0.3, lambda = 1),
#'   e_step = function(par) {
#'     ifelse(count == 0, par$p / (par$p + (1 - par$p) * exp(-par$lambda)), 0)
#'   },
#'   m_step = function(structural) {
#'     list(p = mean(structural), lambda = sum(count) / sum(1 - structural))
#'   },
#'   log_lik = function(par) {
#'     sum(log(par$p * (count == 0) + (1 - par$p) * dpois(count, par$lambda)))
#'   },
#'   nobs = length(count)
#' )
#' coef(zip)
#' BIC(zip)
#'
#' # ABO blood groups (Clarke et al. 1959): genotypes AA and AO look alike, and BB and BO.
#' people <- c(A = 186, B = 38, AB = 13, O = 284)
#' abo <- em(
#'   start = c(A = 1, B = 1, O = 1) / 3,
#'   e_step = function(p) {
#'     aa <- people[["A"]] * p[["A"]] / (p[["A"]] + 2 * p[["O"]])
#'     bb <- people[["B"]] * p[["B"]] / (p[["B"]] + 2 * p[["O"]])
#'     c(AA = aa, AO = people[["A"]] - aa, BB = bb, BO = people[["B"]] - bb)
#'   },
#'   m_step = function(n) {
#'     genes <- c(
#'       A = 2 * n[["AA"]] + n[["AO"]] + people[["AB"]],
#'       B = 2 * n[["BB"]] + n[["BO"]] + people[["AB"]],
#'       O = n[["AO"]] + n[["BO"]] + 2 * people[["O"]]
#'     )
#'     genes / sum(genes)
#'   },
#'   log_lik = function(p) {
#'     groups <- c(p[["A"]]^2 + 2 * p[["A"]] * p[["O"]], p[["B"]]^2 + 2 * p[["B"]] * p[["O"]],
#'                 2 * p[["A"]] * p[["B"]], p[["O"]]^2)
#'     sum(people * log(groups)) - 2 * sum(people) * log(sum(p))
#'   },
#'   df = 2, nobs = sum(people)
#' )
#' coef(abo)
em <- function(start, e_step, m_step, log_lik = NULL, control = em_control(),
               complete_log_lik = NULL, df = length(unlist(start)), nobs = NA_integer_, ...) {
  call <- rlang::current_env()
  matched <- match.call()
  start <- check_parameters(start, call)
  check_function(e_step, "e_step", call)
  check_function(m_step, "m_step", call)
  if (!is.null(log_lik)) check_function(log_lik, "log_lik", call)
  if (!is.null(complete_log_lik)) check_function(complete_log_lik, "complete_log_lik", call)
  if (!inherits(control, "ember_control")) {
    abort_argument("control", "must be made by `em_control()`.", call = call)
  }
  closures <- em_closures(start, e_step, m_step, log_lik, complete_log_lik, ...)
  run <- closures$run
  native <- native_em(start, closures$functions, control, call, function() run$error)
  for (warning in run$warnings) warning(warning)
  fit <- structure(
    list(
      params = native$params, hidden = native$expected[[1L]],
      loglik = if (is.null(log_lik)) NA_real_ else native$log_lik, df = df, nobs = nobs,
      status = native$status, message = native$message, component = native$component,
      iterations = native$iterations, passes = native$passes,
      distance = native$distance, rate = native$rate,
      drop = if (native$drop_iteration > 0L) {
        c(iteration = native$drop_iteration, size = native$drop_size)
      },
      trace = trace_table(native$trace), control = control, call = matched,
      log_lik = if (!is.null(log_lik)) function(params) log_lik(params, ...)
    ),
    class = c("ember_em", "ember_fit")
  )
  warn_drop(fit, call)
  warn_status(fit, call)
  fit
}

check_parameters <- function(start, call) {
  if (length(unlist(start)) == 0L) {
    abort_argument("start", "must hold at least one number.", call = call)
  }
  as_doubles <- function(x) {
    if (is.list(x)) {
      x[] <- lapply(x, as_doubles)
      return(x)
    }
    if (!is.numeric(x) || is.object(x)) {
      abort_argument("start", paste0("must be numeric or a list of numeric vectors, not ",
                                     describe(x), "."), call = call)
    }
    if (!all(is.finite(x))) {
      details <- c(x = "It holds missing or infinite values.")
      abort_argument("start", "must be finite.", details, call)
    }
    storage.mode(x) <- "double"
    x
  }
  as_doubles(start)
}

check_function <- function(f, argument, call) {
  if (!is.function(f)) {
    abort_argument(argument, paste0("must be a function, not ", describe(f), "."), call = call)
  }
}

warn_drop <- function(fit, call) {
  if (!is.null(fit$drop)) {
    ember_warn(
      paste0("The log-likelihood ", drop_words(fit), "."),
      class = "not_monotone",
      details = c(i = "An EM step cannot lower it: `e_step`, `m_step` or `log_lik` is wrong."),
      call = call, fit = fit
    )
  }
}

drop_words <- function(fit) {
  size <- format(fit$drop[["size"]], digits = 3L)
  paste("dropped by", size, "in iteration", fit$drop[["iteration"]])
}

#' @export
print.ember_em <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  cat("EM fit: ", if (x$status != "converged") "NOT a maximum, ", status_words(x), " (",
      x$passes, " E steps)\n", sep = "")
  if (is.null(x$log_lik)) {
    cat("Log-likelihood: not given, so ascent was not checked\n")
  } else {
    cat("Log-likelihood: ", format(x$loglik, digits = 8L), " (df = ", x$df, ")\n", sep = "")
  }
  if (!is.null(x$drop)) {
    cat("WRONG: the log-likelihood ", drop_words(x), "\n", sep = "")
  }
  cat("\nParameters:\n")
  print(coef(x), digits = digits, ...)
  invisible(x)
}

#' @export
#' @importFrom stats coef
coef.ember_em <- function(object, ...) {
  values <- unlist(object$params)
  if (is.null(names(values))) {
    names(values) <- paste0("theta", seq_along(values))
  }
  values
}

#' Covariance of the estimates of an EM fit
#'
#' The inverse of the observed information, by numerical second derivatives of the log-likelihood.
#'
#' @details
#' The derivatives are central differences ([stats::optimHess()]). They need parameters that can
#' move freely by a thousandth of their size: at a bound, or with parameters that are tied to each
#' other (such as probabilities that sum to 1), there is no such matrix, and the error says so.
#'
#' @param object A fit of [em()] with a `log_lik`.
#' @param ... Not used.
#' @returns A matrix with a row and a column for every element of `coef(object)`. Errors of class
#'   `ember_error_argument` if the fit has no `log_lik`, `ember_error_singular` if the information
#'   is not positive definite.
#' @export
#' @importFrom stats vcov
#' @examples
#' linkage <- em(
#'   start = c(theta = 0.5),
#'   e_step = function(p) 125 * p / (2 + p),
#'   m_step = function(hidden) (hidden + 34) / (hidden + 72),
#'   log_lik = function(p) 125 * log(2 + p) + 38 * log(1 - p) + 34 * log(p)
#' )
#' sqrt(vcov(linkage))
vcov.ember_em <- function(object, ...) {
  if (is.null(object$log_lik)) {
    remedy <- c(i = "Give `em()` a `log_lik`.")
    abort_argument("object", "has no log-likelihood to differentiate.", remedy)
  }
  values <- coef(object)
  steps <- 1e-4 * pmax(abs(values), 1e-2)
  deviation <- function(x) -object$log_lik(refill(object$params, unname(x)))
  information <- stats::optimHess(values, deviation, control = list(ndeps = steps))
  root <- tryCatch(chol(information), error = function(error) NULL)
  if (is.null(root)) {
    ember_abort(
      "The information is not positive definite, so the estimates have no covariance matrix.",
      class = "singular",
      details = c(
        i = "The parameters may be tied, at a bound, or not identified; or the fit is no maximum."
      )
    )
  }
  structure(chol2inv(root), dimnames = list(names(values), names(values)))
}
