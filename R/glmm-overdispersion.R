# Do the data vary more than the family allows?

#' Test for overdispersion
#'
#' A Poisson or binomial model says how much observations vary about their means. If they vary more,
#' standard errors are too small and p-values too low. This compares Pearson's statistic with its
#' degrees of freedom.
#'
#' @details
#' The statistic is \eqn{\sum_i w_i (y_i - \mu_i)^2 / V(\mu_i)}, with \eqn{\mu} given the random
#' effects, on observations minus parameters degrees of freedom. The chi-square distribution is an
#' approximation, good where expected counts are not small (above about 5); random effects that
#' follow the data closely make the statistic too small. Responses of single trials (0 or 1) cannot
#' be overdispersed, and have no test. The negative binomial and Gamma families have a parameter for
#' the dispersion: there the ratio should be near 1 whatever the data.
#'
#' Remedies: a random effect for each row (`+ (1 | row)`), [negative_binomial()] for counts, and
#' looking for a predictor or a group that is missing.
#'
#' @param fit A fit of [glmm()].
#' @returns An object of class `ember_overdispersion`, a list with `chisq`, `df`, `ratio` (their
#'   quotient), `p_value` (of more variation than the family has) and `words`, what they mean.
#' @seealso [glmm()]; [simulate()][simulate.ember_mixed] with package DHARMa for a closer look.
#' @export
#' @examples
#' fit <- glmm(count ~ spray + (1 | block), family = poisson(),
#'   data = transform(InsectSprays, block = factor(rep(1:12, 6)))
#' )
#' overdispersion(fit)
overdispersion <- function(fit) {
  if (!inherits(fit, "ember_glmm")) {
    abort_argument(
      "fit", "must be a fit of `glmm()`.",
      if (inherits(fit, "ember_lmm")) c(i = "The variance of a linear model is estimated.")
    )
  }
  rows <- mixed_rows(fit)
  single <- fit$distribution$name == "binomial" &&
    (is.null(rows$weights) || all(rows$weights == 1))
  chisq <- if (single) NA_real_ else sum(glmm_residuals(fit, "scaled", rows)^2)
  df <- fit$nobs - fit$df
  if (df < 1L) chisq <- NA_real_
  test <- list(
    chisq = chisq, df = df, ratio = chisq / df,
    p_value = if (is.na(chisq)) NA_real_ else stats::pchisq(chisq, df, lower.tail = FALSE)
  )
  test$words <- dispersion_words(test, single, fit)
  structure(test, class = "ember_overdispersion")
}

dispersion_words <- function(test, single, fit) {
  if (single) {
    return("Single trials cannot be overdispersed.")
  }
  if (is.na(test$ratio)) {
    return("There are as many parameters as observations.")
  }
  if (test$p_value >= 0.05) {
    return("No sign of overdispersion.")
  }
  remedy <- if (has_shape(fit$distribution$name)) {
    "look for a predictor, a group or outliers that the model does not know"
  } else if (fit$distribution$name == "poisson") {
    "add a random effect for each row, or use negative_binomial()"
  } else {
    "add a random effect for each row"
  }
  paste0("The data vary more than the family allows: ", remedy, ".")
}

#' @export
print.ember_overdispersion <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  if (!is.na(x$chisq)) {
    cat(
      "Pearson chi-square ", format(x$chisq, digits = digits), " on ", x$df,
      " degrees of freedom, ratio ", format(x$ratio, digits = digits), ", p-value ",
      format.pval(x$p_value, digits = digits), "\n", sep = ""
    )
  }
  cat(x$words, "\n", sep = "")
  invisible(x)
}

# What the summary says of it: only what matters.
overdispersion_remark <- function(test) {
  if (!is.na(test$ratio) && test$ratio > 1.2 && test$p_value < 0.01) {
    strwrap(
      paste0(
        "Overdispersed: Pearson chi-square is ", format(test$ratio, digits = 3L),
        " times its degrees of freedom. ", test$words
      ),
      width = 0.95 * getOption("width")
    )
  }
}
