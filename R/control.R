#' Tolerances and limits of the EM algorithm
#'
#' Every fit of ember iterates on one driver, and this sets it. The defaults suit almost every
#' model: change `max_iter` when a fit says that it did not converge, `threads` to use more than
#' one core.
#'
#' @details
#' ## When iterations stop
#'
#' `tol` bounds an *estimate of how far the log-likelihood is below its limit*, not the size of the
#' last step: a slow fit makes tiny steps a long way from the maximum. With \eqn{\lambda} the rate
#' at which errors shrink (largest of the last few steps) and \eqn{\delta} the gain of an EM step,
#' the rest is \eqn{\delta \lambda^2 / (1 - \lambda^2)}; for plain EM this is Aitken's estimate
#' (Böhning et al. 1994; McLachlan and Peel 2000, section 2.11). A fit also ends where rounding
#' hides any further gain. In a model whose log-likelihood is unknown (see [em()]), `tol` bounds
#' the estimated distance of every parameter to its limit, relative to 1 + its size.
#'
#' ## Acceleration
#'
#' `"squarem"` extrapolates after every two EM steps (Varadhan and Roland 2008), `"anderson"`
#' combines the last `memory` steps (Walker and Ni 2011) and leaves the field to SQUAREM far from
#' the maximum, `"none"` is plain EM. An extrapolated point is kept only if the log-likelihood does
#' not drop; otherwise the EM step is taken, so an accelerated fit is as safe as a plain one. The
#' local maximum that is found can differ between the methods where there are several.
#'
#' @param tol Largest acceptable estimated distance to the maximum, in units of the log-likelihood;
#'   at least 0. With 0 a fit runs to the rounding of the arithmetic.
#' @param max_iter Most updates of the parameters; at least 1.
#' @param accelerate `"squarem"`, `"anderson"` or `"none"`.
#' @param memory Past steps that `"anderson"` combines; 1 to 20.
#' @param threads Threads of the computation; at least 1. The answer does not depend on it.
#' @param progress Show the state of a long fit in the terminal?
#'
#' @returns A list of class `ember_control`.
#' @references
#' Böhning, D., Dietz, E., Schaub, R., Schlattmann, P. and Lindsay, B. G. (1994). The distribution
#' of the likelihood ratio for mixtures of densities from the one-parameter exponential family.
#' *Annals of the Institute of Statistical Mathematics* 46, 373-388.
#'
#' McLachlan, G. and Peel, D. (2000). *Finite Mixture Models*. Wiley.
#'
#' Varadhan, R. and Roland, C. (2008). Simple and globally convergent methods for accelerating the
#' convergence of any EM algorithm. *Scandinavian Journal of Statistics* 35, 335-353.
#'
#' Walker, H. F. and Ni, P. (2011). Anderson acceleration for fixed-point iterations. *SIAM Journal
#' on Numerical Analysis* 49, 1715-1735.
#' @seealso [em()]
#' @export
#' @examples
#' em_control()
#' em_control(accelerate = "none", max_iter = 5000)
em_control <- function(tol = 1e-8, max_iter = 1000L, accelerate = c("squarem", "anderson", "none"),
                       memory = 5L, threads = 1L, progress = FALSE) {
  call <- rlang::current_env()
  if (!is_number(tol) || tol < 0) {
    abort_argument("tol", "must be one number of at least 0.", call = call)
  }
  methods <- c("squarem", "anderson", "none")
  if (!missing(accelerate) && (!rlang::is_string(accelerate) || !accelerate %in% methods)) {
    abort_argument("accelerate", 'must be "squarem", "anderson" or "none".', call = call)
  }
  if (!is_flag(progress)) {
    abort_argument("progress", "must be TRUE or FALSE.", call = call)
  }
  structure(
    list(
      tol = as.double(tol),
      max_iter = check_count(max_iter, "max_iter", .Machine$integer.max, call),
      accelerate = accelerate[[1L]],
      memory = check_count(memory, "memory", 20L, call),
      threads = check_count(threads, "threads", 1024L, call),
      progress = progress
    ),
    class = "ember_control"
  )
}

#' @export
print.ember_control <- function(x, ...) {
  method <- switch(x$accelerate,
    squarem = "SQUAREM", anderson = paste0("Anderson mixing of ", x$memory, " steps"), none = "none"
  )
  cat("Control of the EM algorithm\n")
  cat("  tol:          ", format(x$tol), " (estimated distance to the maximum)\n", sep = "")
  cat("  max_iter:     ", x$max_iter, "\n", sep = "")
  cat("  acceleration: ", method, "\n", sep = "")
  cat("  threads:      ", x$threads, "\n", sep = "")
  cat("  progress:     ", if (x$progress) "shown" else "not shown", "\n", sep = "")
  invisible(x)
}

is_number <- function(x) is.numeric(x) && length(x) == 1L && is.finite(x)

is_flag <- function(x) is.logical(x) && length(x) == 1L && !is.na(x)

# A whole number from 1 to `most`, as a double: the core takes doubles.
check_count <- function(x, argument, most, call) {
  if (!is_number(x) || x < 1 || x > most || x != trunc(x)) {
    limit <- "of at least 1."
    if (most < .Machine$integer.max) {
      limit <- paste0("from 1 to ", format(most, scientific = FALSE), ".")
    }
    abort_argument(argument, paste("must be one whole number", limit), call = call)
  }
  as.double(x)
}
