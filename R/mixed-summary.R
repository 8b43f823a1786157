# summary() of a mixed model, and its printing: lme4's sections, with lmerTest's degrees of freedom.

#' Summarise a linear mixed model
#'
#' The summary known from lme4: the criterion, quantiles of the scaled residuals, the variances of
#' the random effects, and the fixed effects with standard errors. t tests have degrees of freedom
#' by the method of Satterthwaite or of Kenward and Roger.
#'
#' @details
#' With Kenward and Roger's method (for fits by REML) the standard errors are those of their
#' adjusted covariance matrix, as in pbkrtest. `"none"` (or `"lme4"`) gives lme4's table without
#' p-values.
#'
#' @param object A fit of [lmm()].
#' @param ddf Method for the degrees of freedom: `"Satterthwaite"`, `"Kenward-Roger"` or `"none"`.
#' @param correlation Keep the correlations of the fixed effects? By default for up to 12 of them.
#' @param x A summary.
#' @param digits Significant digits.
#' @param symbolic.cor Print the correlations as symbols, see [symnum()]?
#' @param signif.stars Print stars after p-values?
#' @param ranef.comp What to show of the random effects: `"Variance"`, `"Std.Dev."` or both.
#' @param show.resids Show the quantiles of the scaled residuals?
#' @param ... Not used.
#' @returns An object of class `summary.ember_lmm`, a list with `coefficients` (matrix: `Estimate`,
#'   `Std. Error`, `df`, `t value`, `Pr(>|t|)`, a row for each coefficient that could be estimated),
#'   `aliased` (logical, for every column of X), `varcor`, `sigma`, `vcov`, `ngrps`, `logLik`,
#'   `AICtab`, `residuals` (quantiles of the scaled residuals), `ddf`, and `call`.
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' summary(fit)
#' coef(summary(fit, ddf = "none"))
#' @export
summary.ember_lmm <- function(object, ddf = c("Satterthwaite", "Kenward-Roger", "none", "lme4"),
                              correlation = NULL, ...) {
  call <- rlang::current_env()
  ddf <- match_ddf(ddf, call)
  if (!is.null(correlation) && !is_flag(correlation)) {
    abort_argument("correlation", "must be NULL, TRUE or FALSE.", NULL, call)
  }
  columns <- object$design$columns
  structure(
    list(
      methTitle = summary_title(object, ddf),
      objClass = class(object)[[1L]],
      coefficients = fixed_table(object, ddf, call),
      aliased = stats::setNames(columns %in% object$design$aliased, columns),
      varcor = VarCorr(object), sigma = object$sigma, vcov = object$vcov_beta,
      ngrps = ngrps(object), logLik = stats::logLik(object), AICtab = criterion_table(object),
      residuals = scaled_quantiles(object), ddf = ddf, correlation = correlation,
      call = object$call, fit = object
    ),
    class = c("summary.ember_lmm", "summary.ember_mixed")
  )
}

match_ddf <- function(ddf, call) {
  methods <- c("Satterthwaite", "Kenward-Roger", "none", "lme4")
  chosen <- pmatch(ddf[[1L]], methods)
  if (!is.character(ddf) || is.na(chosen)) {
    abort_argument(
      "ddf", 'must be "Satterthwaite", "Kenward-Roger" or "none".', NULL, call
    )
  }
  sub("lme4", "none", methods[[chosen]])
}

summary_title <- function(fit, ddf) {
  words <- method_words(fit)
  if (ddf == "none" || length(fit$beta) == 0L) {
    return(words)
  }
  paste0(trimws(words), ". t-tests use ", ddf, "'s method")
}

# A row per estimated coefficient.
fixed_table <- function(fit, ddf, call) {
  estimates <- fixef(fit)
  if (ddf == "none" || length(estimates) == 0L) {
    errors <- sqrt(diag(fit$vcov_beta))
    return(cbind(
      Estimate = estimates, "Std. Error" = errors,
      if (length(estimates) > 0L) cbind("t value" = estimates / errors)
    ))
  }
  unit <- diag(length(estimates))
  dimnames(unit) <- list(names(estimates), names(estimates))
  tests <- contrast_test(fit, unit, ddf = ddf, call = call)
  cells <- as.matrix(tests[c("estimate", "std_error", "df", "statistic", "p_value")])
  dimnames(cells) <- list(
    names(estimates), c("Estimate", "Std. Error", "df", "t value", "Pr(>|t|)")
  )
  cells
}

scaled_quantiles <- function(fit) {
  fit <- without_padding(fit)
  quantiles <- stats::quantile(stats::residuals(fit, type = "scaled"), names = FALSE)
  stats::setNames(quantiles, c("Min", "1Q", "Median", "3Q", "Max"))
}

#' @rdname summary.ember_lmm
#' @export
print.summary.ember_mixed <- function(x, digits = max(3L, getOption("digits") - 3L),
                                    correlation = NULL,
                                    symbolic.cor = FALSE, # nolint: object_name_linter.
                                    signif.stars = # nolint: object_name_linter.
                                      getOption("show.signif.stars"),
                                    ranef.comp = # nolint: object_name_linter.
                                      c("Variance", "Std.Dev."),
                                    show.resids = TRUE, # nolint: object_name_linter.
                                    ...) {
  cat(title_line(x$methTitle, x$objClass), model_lines(x$fit), "", sep = "\n")
  print_criterion(x$AICtab)
  cat("\n")
  if (show.resids) print_residual_quantiles(x$residuals, digits)
  print_varcorr(x$varcor, digits, ranef.comp)
  cat(group_lines(x$fit), sep = "\n")
  if (length(x$aliased) > 0L) {
    print_fixed_effects(x, digits, signif.stars)
    if (is.null(correlation)) correlation <- x$correlation
    print_fixed_correlations(x, correlation, symbolic.cor)
  }
  closing <- c(x$remarks, closing_remarks(x$fit))
  if (length(closing) > 0L) cat("", closing, "", sep = "\n")
  invisible(x)
}

print_residual_quantiles <- function(quantiles, digits) {
  cat("Scaled residuals:", "\n")
  print(zapsmall(quantiles, digits + 1L), digits = digits)
  cat("\n")
}

# Columns that could not be estimated have a row of NA in their place.
print_fixed_effects <- function(x, digits, stars) {
  table <- x$coefficients
  cells <- matrix(
    NA_real_, length(x$aliased), ncol(table), dimnames = list(names(x$aliased), colnames(table))
  )
  cells[!x$aliased, ] <- table
  cat("\nFixed effects:")
  if (any(x$aliased)) cat(" (", aliased_words(x$fit), ")", sep = "")
  cat("\n")
  stats::printCoefmat(cells, digits = digits, signif.stars = stars, na.print = "NA")
}

# Most fixed effects whose correlations are shown without asking.
most_fixed_correlations <- 12L

print_fixed_correlations <- function(x, correlation, symbolic) {
  p <- ncol(x$vcov)
  if (is.null(correlation)) {
    correlation <- p <= most_fixed_correlations
    if (!correlation) {
      rlang::inform(
        c(
          paste("Correlations of", p, "fixed effects are not shown."),
          i = "`print(summary(fit), correlation = TRUE)` shows them."
        ),
        class = "ember_message_correlation"
      )
    }
  }
  if (!correlation || p < 2L || anyNA(x$vcov)) {
    return(invisible())
  }
  cat("\nCorrelation of Fixed Effects:\n")
  names <- rownames(x$vcov)
  values <- stats::cov2cor(x$vcov)
  if (symbolic) {
    dimnames(values) <- list(abbreviate(names, 11L), abbreviate(names, 1L, strict = TRUE))
    return(print(stats::symnum(values)))
  }
  cells <- matrix(
    format(round(values, 3L), nsmall = 3L), p,
    dimnames = list(abbreviate(names, 11L), abbreviate(names, 6L))
  )
  cells[!lower.tri(cells)] <- ""
  print(cells[-1L, -p, drop = FALSE], quote = FALSE)
}

#' @export
vcov.summary.ember_mixed <- function(object, ...) object$vcov
