# How the fit of a mixed model ended: the facts behind its status.

#' How a fit of a mixed model ended
#'
#' What decided whether a fit of [lmm()] or [glmm()] is a maximum: the gradient and the Hessian of
#' the criterion (-2 log-likelihood, or the REML criterion) at the estimate, in the relative
#' covariance parameters theta (for [glmm()] also in the fixed effects and the shape). No
#' differences of rounded numbers are involved, so there are no false alarms on account of the units
#' of the data.
#'
#' @details
#' Entries of theta at the edge of their range (a variance of zero) take no part in the gradient,
#' the eigenvalues and the distance: there the criterion is even in theta, and its gradient zero by
#' symmetry. The distance is \eqn{g'H^{-1}g/2}, how far a quadratic with this gradient and Hessian
#' would still fall.
#'
#' @param fit A fit of [lmm()] or [glmm()].
#' @returns A list of class `ember_convergence`:
#' * `converged` (`TRUE` or `FALSE`), `status`, `message` (`""` if there is none), `method`,
#'   `iterations`, `passes` (evaluations of the criterion);
#' * `gradient`, the largest absolute derivative of the criterion by an entry of theta;
#' * `distance`, the estimated distance of the criterion to its minimum;
#' * `eigenvalues` of the Hessian, decreasing, with every entry of theta in the unit in which the
#'   data see it (so that the units of the predictors do not matter): all positive at a minimum,
#'   small next to the largest where the data hardly determine a combination of parameters;
#' * `source` of the Hessian: `"differences of the gradient"`, or `"average information"` where
#'   these would take longer than the fit;
#' * `singular`, the labels of the terms whose covariance matrix is singular, and `words`, what that
#'   means.
#' @seealso [lmm()], [isSingular()]
#' @export
#' @examples
#' convergence(lmm(score ~ Machine + (Machine | Worker), data = nlme::Machines))
convergence <- function(fit) {
  if (!inherits(fit, "ember_mixed")) {
    abort_argument("fit", "must be a fit of `lmm()` or `glmm()`.")
  }
  facts <- fit$convergence
  structure(
    list(
      converged = fit$status == "converged", status = fit$status, message = fit$message,
      method = fit$method, iterations = fit$iterations, passes = fit$passes,
      gradient = facts$steepest, distance = facts$distance, eigenvalues = facts$eigenvalues,
      source = facts$source, singular = fit$singular, words = singularity_words(fit)
    ),
    class = "ember_convergence"
  )
}

# What a fit keeps of the core's verdict: gradient and Hessian of the criterion in theta (0 where a
# standard deviation is known), `boundary` (which entries are in a column of zeros), and of all
# coordinates (sigma and dispersion included, where they are) `steepest`, `distance`, `eigenvalues`.
convergence_facts <- function(native) {
  own <- seq_along(native$theta)
  list(
    gradient = native$gradient[own], hessian = native$hessian[own, own, drop = FALSE],
    source = native$hessian_source, boundary = native$boundary[own],
    steepest = max(0, abs(native$gradient[!native$boundary])), distance = native$distance,
    eigenvalues = native$eigenvalues
  )
}

# Labels of the terms whose covariance matrix has no full rank, though nobody said so: `singular`
# lists core terms with the combinations of their effects that do not vary.
singular_terms <- function(model, singular) {
  flat <- vapply(model$random, function(term) {
    known <- model$known$index[model$known$term == term$core]
    places <- setdiff(term$positions, known)
    any(vapply(singular, function(found) {
      found$term == term$core && any(abs(found$directions[places, ]) > 1e-8)
    }, NA))
  }, NA)
  vapply(model$random[flat], `[[`, "", "label")
}

# A singular fit in plain words: which term, what it means, what to do. None if it is not singular.
singularity_words <- function(fit) {
  terms <- Filter(function(term) term$label %in% fit$singular, fit$random)
  if (length(terms) == 0L) {
    return(character())
  }
  several <- any(lengths(lapply(terms, `[[`, "names")) > 1L)
  c(
    paste0(
      "The fit is singular: ",
      paste(vapply(terms, flat_effects, "", fit = fit), collapse = "; "), "."
    ),
    i = "This is the estimate, not a failure: the data show no more variation than that.",
    i = paste0(
      "For fewer parameters leave the random effect out",
      if (several) ", or uncouple the effects with `||`", "."
    )
  )
}

# What a singular term says.
flat_effects <- function(term, fit) {
  factor <- relative_factor(fit, term)
  zero <- rowSums(abs(factor)) < 1e-6 | length(term$names) == 1L
  quoted <- paste0("`", term$names, "`")
  group <- paste0("`", term$group, "`")
  if (any(zero)) {
    one <- sum(zero) == 1L
    paste0(
      if (one) "the variance of " else "the variances of ", paste(quoted[zero], collapse = ", "),
      " by ", group, if (one) " is zero" else " are zero"
    )
  } else if (length(quoted) == 2L) {
    paste0(
      "the correlation of ", quoted[[1L]], " and ", quoted[[2L]], " by ", group, " is ",
      if (factor[1L, 1L] * factor[2L, 1L] > 0) "1" else "-1"
    )
  } else {
    paste0("the effects by ", group, " vary in fewer directions than there are effects")
  }
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
      ), " (", x$source, ")\n",
      sep = ""
    )
  }
  cat(x$words, sep = "\n")
  invisible(x)
}
