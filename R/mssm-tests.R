# Tests of the correlations of the errors: is there selection on what is hidden, and are the
# equations connected?

#' Test for selection, and for independence of equations
#'
#' `of = "selection"` tests whether the errors of all outcomes are uncorrelated with those of all
#' selections: then what is observed is selected at random given the regressors, and outcomes can be
#' fitted without their selections. `of = "equations"` tests whether all errors of different
#' equations are uncorrelated: then the model is J separate ones.
#'
#' @details
#' * `"LR"`: twice the difference of the log-likelihoods of the fit and of the restricted model,
#'   which is fitted too. Separate equations are fitted with a search for all their modes.
#' * `"Wald"`: the quadratic form of the correlations on the scale of Fisher's z (atanh) in the
#'   inverse of their covariance matrix, `type` of [vcov()][vcov.ember_mssm]. With clusters, or
#'   another sandwich, it is robust.
#' * `"score"`: the score of the restricted estimates in the inverse of the information there,
#'   the outer products of scores (`information = "opg"`, always usable) or the `"observed"` one.
#'
#' All have a chi-square distribution with as many degrees of freedom as there are correlations that
#' the hypothesis sets to zero, \eqn{J^2} for selection and \eqn{2J(J-1)} for the equations. Near a
#' correlation of 1 the Wald test is poor, and the fit may be at another mode than the hypothesis
#' is near to: prefer `"LR"`.
#'
#' @param fit A fit of [mssm()] by `"ml"` or `"px-mcem"`.
#' @param test `"LR"`, `"Wald"` or `"score"`.
#' @param of `"selection"` or `"equations"`.
#' @param type For Wald tests the covariance matrix, see [vcov.ember_mssm()].
#' @param information For score tests `"opg"` or `"observed"`.
#' @returns A list of class `htest`. For `"LR"`, `loglik` has both log-likelihoods.
#' @references Vella, F. (1998). Estimating models with sample selection bias: a survey. *Journal of
#'   Human Resources* 33, 127-169.
#' @seealso [anova.ember_mssm()] compares fits.
#' @export
#' @examples
#' set.seed(1)
#' fit <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = simulate_mssm(500))
#' selection_test(fit)
#' selection_test(fit, "Wald", type = "HC0")
selection_test <- function(fit, test = c("LR", "Wald", "score"), of = c("selection", "equations"),
                           type = NULL, information = c("opg", "observed")) {
  call <- rlang::current_env()
  name <- deparse1(substitute(fit))
  if (!inherits(fit, "ember_mssm")) abort_argument("fit", "must be a fit of `mssm()`.", NULL, call)
  test <- match_choice("test", call)
  of <- match_choice("of", call)
  information <- match_choice("information", call)
  refuse_two_step(fit, "A two-step fit has no likelihood to test.", call)
  refuse_single_equation(fit, of, call)
  result <- switch(test,
    LR = ratio_test(fit, of, call), Wald = wald_correlation_test(fit, of, type, call),
    score = score_test(fit, of, information, call)
  )
  df <- length(tested_correlations(fit, of))
  structure(
    c(
      list(
        statistic = stats::setNames(result$statistic, test), parameter = c(df = df),
        p.value = stats::pchisq(result$statistic, df, lower.tail = FALSE),
        method = test_title(test, of), data.name = name,
        alternative = if (of == "selection") {
          "errors of some outcome and some selection are correlated"
        } else {
          "errors of some different equations are correlated"
        }
      ),
      result[setdiff(names(result), "statistic")]
    ),
    class = "htest"
  )
}

test_title <- function(test, of) {
  paste0(
    c(LR = "Likelihood ratio", Wald = "Wald", score = "Score")[[test]], " test of ",
    if (of == "selection") "no selection on the errors" else "independent equations"
  )
}

refuse_single_equation <- function(fit, of, call) {
  if (of == "equations" && length(fit$equations$outcome) == 1L) {
    abort_argument(
      "of", "must be \"selection\": the fit has one equation.", NULL, call
    )
  }
}

# Places, among the parameters, of the correlations that the hypothesis sets to zero.
tested_correlations <- function(fit, of) {
  size <- length(fit$equations$outcome)
  pairs <- error_pairs(2L * size)
  tested <- if (of == "selection") {
    pairs[, "row"] > size & pairs[, "col"] <= size
  } else {
    (pairs[, "row"] - pairs[, "col"]) %% size != 0L
  }
  sum(natural_components(fit) != "error") + size + which(tested)
}

ratio_test <- function(fit, of, call) {
  null <- restricted_fit(fit, of, call)
  difference <- fit$loglik - null$loglik
  if (difference < -likelihood_slack(fit)) {
    ember_warn(
      "The restricted model has a higher log-likelihood than the fit, which is at a lower mode.",
      "comparison", c(
        x = paste0("They are ", format(null$loglik, digits = 8L), " and ",
          format(fit$loglik, digits = 8L), "."),
        i = "See `modes(fit)`, or fit again from other starting values."
      ), call
    )
  }
  list(
    statistic = 2 * max(difference, 0), loglik = c(restricted = null$loglik, full = fit$loglik)
  )
}

# By how much the log-likelihood of a fit may be below its maximum: that of a Monte Carlo fit is a
# little lower, for it is not at the maximum to the last digit.
likelihood_slack <- function(fit) if (fit$method == "px-mcem") 0.05 else 1e-4

# list(loglik, parameters) of the model under the hypothesis.
restricted_fit <- function(fit, of, call) {
  if (of == "selection") unselected_fit(fit, call) else separate_fits(fit, call)
}

unselected_fit <- function(fit, call) {
  native <- native_mssm_constrained(fit$rows, NULL, fit_control(fit), call)
  check_restricted(native$status, call)
  list(loglik = native$loglik, parameters = native[c("coefficients", "omega")])
}

separate_fits <- function(fit, call) {
  size <- length(fit$equations$outcome)
  rows <- fit$rows
  fits <- lapply(seq_len(size), function(j) {
    own <- native_mssm_rows(
      rows$outcome[j], rows$selection[j], rows$y[, j, drop = FALSE],
      rows$selected[, j, drop = FALSE], rows$weights
    )
    native <- native_mssm_fit(own, NULL, TRUE, fit_control(fit), call)
    check_restricted(native$status, call)
    native
  })
  omega <- matrix(0, 2L * size, 2L * size)
  for (j in seq_len(size)) omega[c(j, size + j), c(j, size + j)] <- fits[[j]]$omega
  part <- function(k) lapply(fits, function(one) one$coefficients[[k]])
  list(
    loglik = sum(vapply(fits, `[[`, 0, "loglik")),
    parameters = list(coefficients = c(part(1L), part(2L)), omega = omega)
  )
}

check_restricted <- function(status, call) {
  if (status != "converged") {
    ember_warn(
      "The restricted model did not converge, so that the test may be wrong.", "comparison",
      c(i = "Raise `max_iter` in `mssm_control()`."), call
    )
  }
}

wald_correlation_test <- function(fit, of, type, call) {
  places <- tested_correlations(fit, of)
  correlations <- naturals_of(fit)[places]
  covariance <- stats::vcov(fit, type = type)[places, places, drop = FALSE]
  slopes <- 1 / (1 - correlations^2)
  scaled <- covariance * tcrossprod(slopes)
  list(statistic = quadratic_form(atanh(correlations), scaled, call))
}

score_test <- function(fit, of, information, call) {
  null <- restricted_fit(fit, of, call)
  control <- fit_control(fit)
  scores <- native_mssm_scores(fit$rows, null$parameters, control, call)
  information <- if (information == "opg") {
    unit_products(scores, fit)
  } else {
    native_mssm_information(fit$rows, null$parameters, control, call)
  }
  list(statistic = quadratic_form(colSums(scores), information, call))
}

# v' A^-1 v for a positive definite A.
quadratic_form <- function(vector, matrix, call) {
  scale <- sqrt(diag(matrix))
  factor <- tryCatch(
    suppressWarnings(chol(matrix / tcrossprod(scale))),
    error = function(cnd) {
      ember_abort(
        "The covariance or information matrix of the test is not positive definite.",
        "singular", c(i = "Likelihood ratios need none: `test = \"LR\"`."), call
      )
    }
  )
  sum(backsolve(factor, vector / scale, transpose = TRUE)^2)
}
