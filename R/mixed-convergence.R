# How the fit of a mixed model ended: the facts behind its status.

#' How a fit of a mixed model ended
#'
#' What decided whether a fit of [lmm()] is a maximum: the gradient and the Hessian of the criterion
#' (-2 log-likelihood, or the REML criterion) at the estimate, in the relative covariance parameters
#' theta. No differences of rounded numbers are involved, so there are no false alarms on account of
#' the units of the data.
#'
#' @details
#' Entries of theta at the edge of their range (a variance of zero) take no part in the gradient,
#' the eigenvalues and the distance: there the criterion is even in theta, and its gradient zero by
#' symmetry. The distance is \eqn{g'H^{-1}g/2}, how far a quadratic with this gradient and Hessian
#' would still fall.
#'
#' @param fit A fit of [lmm()].
#' @returns A list of class `ember_convergence`:
#' * `converged` (`TRUE` or `FALSE`), `status`, `message` (`""` if there is none), `method`,
#'   `iterations`, `passes` (evaluations of the criterion);
#' * `gradient`, the largest absolute derivative of the criterion by an entry of theta;
#' * `distance`, the estimated distance of the criterion to its minimum (`NA` where the Hessian is
#'   not positive definite);
#' * `eigenvalues` of the Hessian, decreasing: all positive at a minimum, small next to the largest
#'   where the data hardly determine a combination of parameters;
#' * `singular`, the labels of the terms whose covariance matrix is singular, and `words`, what that
#'   means.
#' @seealso [lmm()], [isSingular()]
#' @export
#' @examples
#' convergence(lmm(score ~ Machine + (Machine | Worker), data = nlme::Machines))
convergence <- function(fit) {
  if (!inherits(fit, "ember_lmm")) {
    abort_argument("fit", "must be a fit of `lmm()`.")
  }
  facts <- fit$convergence
  inside <- which(is.finite(facts$gradient) & !facts$boundary)
  gradient <- facts$gradient[inside]
  hessian <- facts$hessian[inside, inside, drop = FALSE]
  # A known standard deviation is no parameter: its row of the Hessian is zero.
  inside <- rowSums(abs(hessian)) > 0
  gradient <- gradient[inside]
  hessian <- hessian[inside, inside, drop = FALSE]
  eigenvalues <- if (length(gradient) > 0L) {
    eigen(hessian, symmetric = TRUE, only.values = TRUE)$values
  } else {
    double()
  }
  structure(
    list(
      converged = fit$status == "converged", status = fit$status, message = fit$message,
      method = fit$method, iterations = fit$iterations, passes = fit$passes,
      gradient = max(0, abs(gradient)), distance = newton_decrement(gradient, hessian, eigenvalues),
      eigenvalues = eigenvalues,
      singular = fit$singular,
      words = if (length(fit$singular) > 0L) singularity_words(fit) else character()
    ),
    class = "ember_convergence"
  )
}

newton_decrement <- function(gradient, hessian, eigenvalues) {
  if (length(gradient) == 0L) {
    return(0)
  }
  if (!all(eigenvalues > 0)) {
    return(NA_real_)
  }
  root <- chol(hessian)
  sum(backsolve(root, gradient, transpose = TRUE)^2) / 2
}

#' @export
print.ember_convergence <- function(x, digits = 3L, ...) {
  cat(
    if (x$converged) "Converged" else paste0("Not converged (", x$status, ")"), " in ",
    x$iterations, " iterations, ", x$passes, " evaluations of the criterion, method \"", x$method,
    "\"\n",
    sep = ""
  )
  if (nzchar(x$message)) cat(x$message, "\n", sep = "")
  cat("  largest gradient:        ", format(x$gradient, digits = digits), "\n", sep = "")
  cat(
    "  distance to the minimum: ", format(x$distance, digits = digits), " (of the criterion)\n",
    sep = ""
  )
  if (length(x$eigenvalues) > 0L) {
    cat(
      "  Hessian, eigenvalues:    ", paste(format(range(x$eigenvalues), digits = digits),
        collapse = " to "
      ), "\n",
      sep = ""
    )
  }
  cat(x$words, sep = "\n")
  invisible(x)
}
