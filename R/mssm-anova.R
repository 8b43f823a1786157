# Tests of the terms of a sample selection model, and likelihood ratios of several.

#' Analysis of deviance of sample selection models
#'
#' Of one fit: a Wald test for each term of each equation. Of several fits: likelihood ratio tests.
#'
#' @details
#' Fits are compared in the order of their numbers of parameters. They must be maximum likelihood
#' fits to the same rows, with the same outcomes and selections; comparisons that say nothing are
#' errors: of fits with different data, of one fit with itself, of fits with equally many
#' parameters, or of fits that are not nested (where the larger one lacks a column of the smaller).
#' `AIC()` compares models that are not nested. If the larger model has the lower log-likelihood, it
#' is at a lower mode, and a warning says so (see [modes()]).
#'
#' @param object A fit of [mssm()].
#' @param ... More fits of [mssm()] to the same data.
#' @param type For one fit the covariance matrix of the Wald tests, see [vcov.ember_mssm()].
#' @param model.names Names for the rows; by default what was typed.
#' @returns A data frame of class `anova`.
#' @seealso [selection_test()] for the correlations of the errors.
#' @examples
#' set.seed(1)
#' people <- simulate_mssm(500)
#' fit <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = people)
#' anova(fit)
#' anova(fit, update(fit, selection = . ~ . - z1))
#' @importFrom stats anova
#' @export
anova.ember_mssm <- function(object, ..., type = NULL,
                             model.names = NULL) { # nolint: object_name_linter.
  call <- rlang::current_env()
  others <- list(...)
  if (length(others) == 0L) {
    return(term_wald_table(object, type, call))
  }
  is_fit <- vapply(others, inherits, NA, "ember_mssm")
  if (!all(is_fit) || any(nzchar(names(others)))) {
    abort_argument("...", "must be fits of `mssm()`.", NULL, call)
  }
  expressions <- as.list(match.call(expand.dots = FALSE))
  labels <- if (is.null(model.names)) {
    vapply(c(expressions["object"], expressions[["..."]]), deparse1, "")
  } else {
    model.names
  }
  fits <- c(list(object), others)
  if (length(labels) != length(fits)) {
    abort_argument("model.names", "must have a name for every fit.", NULL, call)
  }
  if (anyDuplicated(labels)) labels <- paste0("MODEL", seq_along(fits))
  for (fit in fits) refuse_two_step(fit, "A two-step fit has no likelihood to compare.", call)
  order <- order(vapply(fits, `[[`, 0, "df"))
  nested_table(fits[order], labels[order], call)
}

# One Wald test for each term of each equation.
term_wald_table <- function(fit, type, call) {
  covariance <- stats::vcov(fit, type = type)
  estimates <- naturals_of(fit)
  names <- unlist(fit$equations, use.names = FALSE)
  size <- length(fit$equations$outcome)
  tests <- lapply(seq_along(names), function(k) {
    component <- if (k <= size) "outcome" else "selection"
    j <- (k - 1L) %% size + 1L
    term_tests_of_equation(fit, component, j, estimates, covariance, call)
  })
  table <- do.call(rbind, tests)
  structure(
    table,
    heading = c(
      "Wald tests of the terms of each equation\n",
      paste0("Covariance matrix: ", attr(covariance, "type"))
    ),
    class = c("anova", "data.frame")
  )
}

term_tests_of_equation <- function(fit, component, j, estimates, covariance, call) {
  name <- fit$equations[[component]][[j]]
  kept <- !fit$aliased[[name]]
  terms <- fit$terms[[component]][[j]]
  labels <- attr(terms, "term.labels")
  assign <- column_terms(fit, component, j)[kept]
  columns <- paste0(name, ":", fit$columns[[match(name, names(fit$aliased))]][kept])
  rows <- lapply(seq_along(labels), function(term) {
    at <- match(columns[assign == term], names(estimates))
    chisq <- if (length(at) > 0L && !anyNA(covariance[at, at])) {
      quadratic_form(estimates[at], covariance[at, at, drop = FALSE], call)
    } else {
      NA_real_
    }
    data.frame(
      Df = length(at), Chisq = chisq, "Pr(>Chisq)" = chisq_tail(chisq, length(at)),
      row.names = paste0(name, ":", labels[[term]]), check.names = FALSE
    )
  })
  do.call(rbind, rows)
}

# The number of the term of each column of a design, 0 for the intercept.
column_terms <- function(fit, component, j) {
  terms <- stats::delete.response(fit$terms[[component]][[j]])
  contrasts <- fit$contrasts[[component]][[j]]
  attr(stats::model.matrix(terms, fit$frame, contrasts.arg = contrasts), "assign")
}

# Fits by increasing numbers of parameters.
nested_table <- function(fits, labels, call) {
  for (k in seq_along(fits)[-1L]) {
    check_nested(fits[[k - 1L]], fits[[k]], labels[c(k - 1L, k)], call)
  }
  likelihoods <- lapply(fits, stats::logLik)
  loglik <- vapply(likelihoods, as.numeric, 0)
  npar <- vapply(likelihoods, attr, 0, "df")
  ratio <- 2 * pmax(0, c(NA, diff(loglik)))
  df <- c(NA, diff(npar))
  formulas <- vapply(fits, function(fit) {
    paste(vapply(unlist(fit$formulas), plain_formula, ""), collapse = ", ")
  }, "")
  structure(
    data.frame(
      npar = npar, AIC = vapply(likelihoods, stats::AIC, 0),
      BIC = vapply(likelihoods, stats::BIC, 0), logLik = loglik, Chisq = ratio, Df = df,
      "Pr(>Chisq)" = chisq_tail(ratio, df), row.names = labels, check.names = FALSE
    ),
    heading = c("Likelihood ratio tests of sample selection models\n", paste0(
      labels, ": ", formulas
    ), ""),
    class = c("anova", "data.frame")
  )
}

plain_formula <- function(formula) {
  attributes(formula) <- NULL
  deparse1(formula)
}

# Is a likelihood ratio of these two a test?
check_nested <- function(small, large, labels, call) {
  pair <- paste0("`", labels[[1L]], "` and `", labels[[2L]], "`")
  same <- function(part) identical(unname(small$rows[[part]]), unname(large$rows[[part]]))
  if (!same("y") || !same("selected") || !same("weights")) {
    abort_argument(
      "...", "must be fitted to the same rows, outcomes and selections.",
      c(x = paste0(pair, " are not.")), call
    )
  }
  if (small$df == large$df) {
    abort_argument(
      "...", "must differ in their numbers of parameters.",
      c(
        x = paste0(pair, " have ", small$df, " each."),
        i = "`AIC()` compares models that are not nested."
      ), call
    )
  }
  lost <- setdiff(natural_names(small), natural_names(large))
  if (length(lost) > 0L) {
    abort_argument(
      "...", "must be nested.",
      c(
        x = paste0("`", labels[[2L]], "` has no ", paste0("`", lost, "`", collapse = ", "), "."),
        i = "`AIC()` compares models that are not nested."
      ), call
    )
  }
  if (large$loglik < small$loglik - likelihood_slack(large)) {
    ember_warn(
      paste0("The larger model `", labels[[2L]], "` has the lower log-likelihood."), "comparison",
      c(i = "It is at a lower mode: see `modes()`, or give it other starting values."), call
    )
  }
}
