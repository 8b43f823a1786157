# Wald tests of package car, written on the fixed effects and their covariance matrix.

#' @rdname lmm_fixed_tests
#' @param type Type of the tests, `"II"` or `"III"` (or 2, 3).
#' @param test.statistic,test `"Chisq"` for Wald tests, or `"F"` for F tests with the degrees of
#'   freedom (and the adjusted covariance matrix) of Kenward and Roger, for fits by REML.
#' @param singular.ok Whether columns of X that could not be estimated are allowed.
#' @param ... Passed on to `vcov.`, or to car's own method; otherwise not used.
#' @returns What the packages' own methods return: `modelparm`, `coeftest`, `anova` tables, a
#'   `deltaMethod` table.
#' @examplesIf requireNamespace("car", quietly = TRUE)
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' car::Anova(fit)
#' car::linearHypothesis(fit, "MachineB = MachineC")
#' @exportS3Method car::Anova
Anova.ember_mixed <- function(mod, type = c("II", "III", 2, 3), test.statistic = c("Chisq", "F"),
                            vcov. = NULL, singular.ok = type == "II", ...) {
  call <- rlang::current_env()
  type <- wald_type(type, call)
  statistic <- match_choice("test.statistic", call)
  refuse_aliased(mod, singular.ok, call)
  covariance <- tested_covariance(mod, vcov., statistic, call, ...)
  hypotheses <- wald_hypotheses(mod, type, covariance)
  moments <- if (statistic == "F") df_kenward_roger(mod, call)
  rows <- lapply(hypotheses, wald_test, mod, covariance, statistic, moments = moments)
  table <- as.data.frame(do.call(rbind, rows))
  names(table) <- if (statistic == "F") {
    c("F", "Df", "Df.res", "Pr(>F)")
  } else {
    c("Chisq", "Df", "Pr(>Chisq)")
  }
  words <- if (statistic == "F") "F tests with Kenward-Roger df" else "chisquare tests"
  structure(
    table,
    heading = c(
      paste0("Analysis of Deviance Table (Type ", type, " Wald ", words, ")\n"),
      paste("Response:", deparse1(stats::formula(mod)[[2L]]))
    ),
    class = c("anova", "data.frame")
  )
}

wald_type <- function(type, call) {
  chosen <- c(II = "II", III = "III", "2" = "II", "3" = "III")[as.character(type[[1L]])]
  if (is.na(chosen)) {
    abort_argument("type", "must be \"II\" or \"III\".", NULL, call)
  }
  unname(chosen)
}

refuse_aliased <- function(fit, allowed, call) {
  aliased <- fit$design$aliased
  if (!allowed && length(aliased) > 0L) {
    ember_abort(
      "Some coefficients could not be estimated, so that the hypotheses depend on the contrasts.",
      "unsupported", c(
        x = paste0("Not estimated: ", abbreviated_list(aliased, 8L), "."),
        i = "Use type II tests, or `singular.ok = TRUE`."
      ), call
    )
  }
}

tested_covariance <- function(fit, vcov, statistic, call, ...) {
  if (statistic == "F") {
    refuse_glmm(fit, "F tests", call)
    if (!is.null(vcov)) {
      abort_argument("vcov.", "cannot be used with F tests, which have their own.", NULL, call)
    }
    return(df_kenward_roger(fit)$vcov_adjusted)
  }
  if (is.null(vcov)) stats::vcov(fit) else as.matrix(value_or_call(vcov, fit, ...))
}

# For each term of the fixed effects its hypothesis matrix (rows x coefficients). Type III: the
# term's coefficients are zero. Type II: the same after adjusting for the terms that contain it, so
# that the hypotheses are uncorrelated with theirs.
wald_hypotheses <- function(fit, type, covariance) {
  assign <- attr(stats::model.matrix(fit), "assign")
  terms <- stats::terms(fit)
  labels <- attr(terms, "term.labels")
  unit <- diag(length(assign))
  if (type == "III") {
    shown <- if (attr(terms, "intercept") == 1L) c(0L, seq_along(labels)) else seq_along(labels)
    names(shown) <- c("(Intercept)", labels)[shown + 1L]
    return(lapply(shown, function(j) unit[assign == j, , drop = FALSE]))
  }
  factors <- attr(terms, "factors")
  hypotheses <- lapply(seq_along(labels), function(j) {
    inside <- vapply(seq_along(labels), function(k) {
      k != j && all(factors[factors[, j] > 0L, k] > 0L)
    }, NA)
    own <- unit[assign == j, , drop = FALSE]
    above <- unit[assign %in% which(inside), , drop = FALSE]
    if (nrow(above) == 0L) own else own - regression(own, above, covariance) %*% above
  })
  stats::setNames(hypotheses, labels)
}

# Coefficients of the regression of the estimates own %*% beta on above %*% beta.
regression <- function(own, above, covariance) {
  crossed <- above %*% covariance %*% t(own)
  t(solve(above %*% covariance %*% t(above), crossed))
}

wald_test <- function(hypothesis, fit, covariance, statistic, rhs = 0, moments = NULL) {
  rank <- nrow(hypothesis)
  if (rank == 0L) {
    return(if (statistic == "F") c(NA, 0, NA, NA) else c(NA, 0, NA))
  }
  if (statistic == "F") {
    test <- contrast_test(fit, hypothesis, "Kenward-Roger", joint = TRUE, moments = moments)
    return(c(test$statistic, rank, test$den_df, test$p_value))
  }
  difference <- hypothesis %*% fixef(fit) - rhs
  chisq <- sum(difference * solve(hypothesis %*% covariance %*% t(hypothesis), difference))
  c(chisq, rank, stats::pchisq(chisq, rank, lower.tail = FALSE))
}

#' @rdname lmm_fixed_tests
#' @param hypothesis.matrix,rhs,verbose As in [car::linearHypothesis()].
#' @exportS3Method car::linearHypothesis
linearHypothesis.ember_mixed <- function(model, hypothesis.matrix, rhs = NULL, vcov. = NULL,
                                       test = c("Chisq", "F"), singular.ok = FALSE,
                                       verbose = FALSE, ...) {
  call <- rlang::current_env()
  statistic <- match_choice("test", call)
  refuse_aliased(model, singular.ok, call)
  hypothesis <- parsed_hypothesis(model, hypothesis.matrix, rhs)
  if (statistic == "F" && any(hypothesis$rhs != 0)) {
    abort_argument("rhs", "must be zero in F tests.", NULL, call)
  }
  covariance <- tested_covariance(model, vcov., statistic, call, ...)
  words <- car::printHypothesis(hypothesis$matrix, hypothesis$rhs, names(fixef(model)))
  if (verbose) cat("\nHypothesis:\n", paste0(words, "\n"), "\n", sep = "")
  test <- wald_test(hypothesis$matrix, model, covariance, statistic, hypothesis$rhs)
  hypothesis_table(model, test, statistic, words, supplied = !is.null(vcov.))
}

parsed_hypothesis <- function(fit, hypothesis, rhs) {
  if (is.character(hypothesis)) {
    parsed <- car::makeHypothesis(names(fixef(fit)), hypothesis, rhs)
    if (is.null(dim(parsed))) parsed <- t(parsed)
    last <- ncol(parsed)
    return(list(matrix = parsed[, -last, drop = FALSE], rhs = parsed[, last]))
  }
  matrix <- if (is.null(dim(hypothesis))) t(hypothesis) else hypothesis
  list(matrix = matrix, rhs = if (is.null(rhs)) numeric(nrow(matrix)) else rhs)
}

hypothesis_table <- function(fit, test, statistic, words, supplied) {
  test <- unname(test)
  rank <- test[[2L]]
  table <- if (statistic == "F") {
    data.frame(
      Res.Df = test[[3L]] + c(rank, 0), Df = c(NA, rank), F = c(NA, test[[1L]]),
      "Pr(>F)" = c(NA, test[[4L]]), check.names = FALSE
    )
  } else {
    data.frame(
      Df = c(NA, rank), Chisq = c(NA, test[[1L]]), "Pr(>Chisq)" = c(NA, test[[3L]]),
      check.names = FALSE
    )
  }
  models <- paste0(
    "Model 1: restricted model\n", "Model 2: ",
    paste(deparse(stats::formula(fit)), collapse = "\n")
  )
  note <- if (supplied) "\nNote: Coefficient covariance matrix supplied.\n" else ""
  structure(
    table, heading = c("Linear hypothesis test\n\nHypothesis:", words, "", models, note),
    class = c("anova", "data.frame")
  )
}

#' @rdname lmm_fixed_tests
#' @param g.,parameterNames As in [car::deltaMethod()].
#' @exportS3Method car::deltaMethod
deltaMethod.ember_mixed <- function(object, g., vcov. = stats::vcov,
                                  parameterNames = names(fixef(object)), ...) {
  estimates <- stats::setNames(fixef(object), parameterNames)
  car::deltaMethod(estimates, g., as.matrix(value_or_call(vcov., object)), ...)
}
