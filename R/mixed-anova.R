# Tests of the terms of a mixed model: F tests of one fit, likelihood ratios of several.

#' Analysis of variance of mixed models
#'
#' Of one fit: an F test for each term of the fixed effects. Of several fits: likelihood ratio tests
#' in the layout of lme4.
#'
#' @details
#' ## One fit
#'
#' Type I tests each term after those before it in the formula; type II after all terms that do not
#' contain it; type III averages over the terms that contain it, whatever the contrasts the factors
#' are coded with. The tables are those of lmerTest. Denominator degrees of freedom are those of
#' Satterthwaite or of Kenward and Roger; `ddf = "none"` gives lme4's sequential table without
#' tests.
#'
#' ## Several fits
#'
#' Fits by REML are refitted by maximum likelihood first, with a message, because restricted
#' likelihoods cannot be compared between different fixed effects; `refit = FALSE` keeps them. The
#' p-value for a variance that is zero under the smaller model is too large (Self and Liang 1987).
#'
#' @param object A fit of [lmm()].
#' @param ... More fits of [lmm()] or [lm()] of the same data.
#' @param type `"III"`, `"II"` or `"I"` (or 3, 2, 1).
#' @param ddf Method for the denominator degrees of freedom: `"Satterthwaite"`, `"Kenward-Roger"` or
#'   `"none"`.
#' @param refit Refit by maximum likelihood before comparing?
#' @param model.names Names for the rows; by default what was typed.
#' @returns A data frame of class `anova`.
#' @references Self, S. G. and Liang, K.-Y. (1987). Asymptotic properties of maximum likelihood
#'   estimators and likelihood ratio tests under nonstandard conditions. *Journal of the American
#'   Statistical Association* 82, 605-610.
#'
#'   Goodnight, J. H. (1980). Tests of hypotheses in fixed effects linear models. *Communications in
#'   Statistics - Theory and Methods* 9, 167-180.
#' @seealso [drop1.ember_mixed()], [ranova()] for tests of the random effects.
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' anova(fit)
#' larger <- lmm(score ~ Machine + (Machine | Worker), data = nlme::Machines)
#' anova(fit, larger, refit = FALSE)
#' @export
anova.ember_lmm <- function(object, ..., type = c("III", "II", "I"),
                            ddf = c("Satterthwaite", "Kenward-Roger", "none", "lme4"),
                            refit = TRUE,
                            model.names = NULL) { # nolint: object_name_linter.
  call <- rlang::current_env()
  others <- list(...)
  if (length(others) == 0L) {
    return(term_tests(object, match_type(type, call), match_ddf(ddf, call), call))
  }
  is_fit <- vapply(others, inherits, NA, c("ember_lmm", "lm"))
  if (!all(is_fit) || any(nzchar(names(others)))) {
    abort_argument("...", "must be fits of `lmm()` or `lm()`.", NULL, call)
  }
  expressions <- as.list(match.call(expand.dots = FALSE))
  labels <- if (is.null(model.names)) {
    vapply(c(expressions["object"], expressions[["..."]]), deparse1, "")
  } else {
    model.names
  }
  compare_likelihoods(c(list(object), others), labels, refit, call)
}

match_type <- function(type, call) {
  choices <- c("III", "II", "I", "3", "2", "1")
  chosen <- as.character(type)[[1L]]
  if (!chosen %in% choices) abort_argument("type", 'must be "III", "II" or "I".', NULL, call)
  if (chosen %in% c("1", "2", "3")) as.character(utils::as.roman(chosen)) else chosen
}

term_tests <- function(fit, type, ddf, call) {
  if (ddf == "none") {
    return(sequential_table(fit))
  }
  hypotheses <- term_hypotheses(fit, type)
  structure(
    hypothesis_tests(fit, hypotheses, ddf, call),
    heading = paste0("Type ", type, " Analysis of Variance Table with ", ddf, "'s method"),
    hypotheses = hypotheses, ddf = ddf, class = c("anova", "data.frame")
  )
}

# lmerTest's table: one F test for each hypothesis.
hypothesis_tests <- function(fit, hypotheses, ddf, call) {
  columns <- c("Sum Sq", "Mean Sq", "NumDF", "DenDF", "F value", "Pr(>F)")
  moments <- if (length(hypotheses) > 0L) test_moments(fit, ddf, call)
  rows <- lapply(hypotheses, function(hypothesis) {
    if (nrow(hypothesis) == 0L) {
      return(stats::setNames(as.data.frame(as.list(rep(NA_real_, 6L))), columns))
    }
    test <- contrast_test(
      fit, hypothesis, ddf = ddf, joint = TRUE, moments = moments, call = call
    )
    fields <- c("sum_sq", "mean_sq", "num_df", "den_df", "statistic", "p_value")
    stats::setNames(test[fields], columns)
  })
  table <- do.call(rbind, rows)
  if (is.null(table)) {
    table <- as.data.frame(matrix(numeric(), 0L, 6L, dimnames = list(NULL, columns)))
  }
  table
}

# What all tests of one fit share.
test_moments <- function(fit, ddf, call) {
  switch(ddf,
    "Kenward-Roger" = df_kenward_roger(fit, call = call),
    Satterthwaite = df_satterthwaite(fit, call = call)
  )
}

# lme4's table: sequential sums of squares, without tests.
sequential_table <- function(fit) {
  x <- annotated_fixed_matrix(fit)
  effects <- as.vector(getME(fit, "RX") %*% fit$beta)^2
  assign <- attr(x, "assign")
  labels <- attr(fit$terms, "term.labels")
  present <- sort(setdiff(unique(assign), 0L))
  # Unlike a residual variance, a dispersion is in the working weights of generalized models.
  scale <- (fit$sigma / random_scale(fit))^2
  squares <- scale * vapply(present, function(k) sum(effects[assign == k]), 0)
  npar <- vapply(present, function(k) sum(assign == k), 0L)
  structure(
    data.frame(
      npar = npar, "Sum Sq" = squares, "Mean Sq" = squares / npar,
      "F value" = squares / npar / fit$sigma^2, row.names = labels[present], check.names = FALSE
    ),
    heading = "Analysis of Variance Table", class = c("anova", "data.frame")
  )
}

compare_likelihoods <- function(fits, labels, refit, call) {
  sizes <- vapply(fits, stats::nobs, 0)
  if (any(sizes != sizes[[1L]])) {
    abort_argument(
      "...", "must be fitted to the same data.",
      c(x = paste0("The numbers of observations differ: ", toString(sizes), ".")), call
    )
  }
  if (length(labels) != length(fits)) {
    abort_argument("model.names", "must have a name for every fit.", NULL, call)
  }
  if (anyDuplicated(labels) || any(nchar(labels) > 200L)) labels <- paste0("MODEL", seq_along(fits))
  data <- lapply(fits, function(fit) stats::getCall(fit)$data)
  if (!all(vapply(data, identical, NA, data[[1L]]))) {
    abort_argument("...", "must be fitted to the same data object.", NULL, call)
  }
  restricted <- vapply(fits, function(fit) inherits(fit, "ember_lmm") && fit$REML, NA)
  if (refit && any(restricted)) {
    rlang::inform("refitting model(s) with ML (instead of REML)", class = "ember_message_refit")
    fits[restricted] <- lapply(fits[restricted], refitML)
  } else if (any(restricted) && !all(restricted)) {
    ember_warn(
      "Some fits are by REML and some by maximum likelihood: their criteria cannot be compared.",
      class = "comparison", call = call
    )
  }
  ratio_table(fits, labels, data[[1L]])
}

ratio_table <- function(fits, labels, data) {
  likelihoods <- lapply(fits, stats::logLik)
  order <- order(vapply(likelihoods, attr, 0, "df"))
  fits <- fits[order]
  labels <- labels[order]
  likelihoods <- likelihoods[order]
  loglik <- vapply(likelihoods, as.numeric, 0)
  npar <- vapply(likelihoods, attr, 0, "df")
  ratio <- 2 * pmax(0, c(NA, diff(loglik)))
  df <- c(NA, diff(npar))
  table <- data.frame(
    npar = npar, AIC = vapply(likelihoods, stats::AIC, 0),
    BIC = vapply(likelihoods, stats::BIC, 0), logLik = loglik, deviance = -2 * loglik,
    Chisq = ratio, Df = df, "Pr(>Chisq)" = chisq_tail(ratio, df), row.names = labels,
    check.names = FALSE
  )
  formulas <- lapply(fits, function(fit) {
    formula <- stats::formula(fit)
    attributes(formula) <- NULL
    deparse1(formula)
  })
  subset <- stats::getCall(fits[[1L]])$subset
  structure(
    table,
    heading = c(
      paste("Data:", deparse1(data)), if (!is.null(subset)) paste("Subset:", deparse1(subset)),
      "Models:", paste(labels, unlist(formulas), sep = ": ")
    ),
    class = c("anova", "data.frame")
  )
}

chisq_tail <- function(statistic, df) {
  tail <- rep(NA_real_, length(statistic))
  tested <- !is.na(df) & df > 0
  tail[tested] <- stats::pchisq(statistic[tested], df[tested], lower.tail = FALSE)
  tail
}

#' Tests of single terms of the fixed effects
#'
#' What happens when each term that no other term contains is left out: AIC and likelihood ratio
#' tests from refits by maximum likelihood, as in lme4, or F tests of the fit, as in lmerTest.
#'
#' @param object A fit of [lmm()] or [glmm()].
#' @param scope Terms to leave out: a formula or their labels.
#' @param scale Not used.
#' @param test `"none"` (AIC only), `"Chisq"` (likelihood ratio) or `"F"` (no refits).
#' @param k Penalty per parameter.
#' @param ddf For `"F"`: method for the denominator degrees of freedom, as in
#'   [anova()][anova.ember_lmm].
#' @param ... Not used.
#' @returns A data frame of class `anova` with a row per term.
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' drop1(fit, test = "Chisq")
#' drop1(fit, test = "F")
#' @importFrom stats drop1
#' @export
drop1.ember_mixed <- function(object, scope = NULL, scale = 0,
                              test = c("none", "Chisq", "F"), k = 2,
                              ddf = c("Satterthwaite", "Kenward-Roger"), ...) {
  call <- rlang::current_env()
  test <- match_choice("test", call)
  scope <- dropped_terms(object, scope, call)
  formula <- deparse1(stats::formula(object))
  if (test == "F") {
    refuse_glmm(object, "F tests", call)
    ddf <- match_ddf(ddf, call)
    x <- annotated_fixed_matrix(object)
    labels <- attr(object$terms, "term.labels")
    unit <- diag(ncol(x))
    colnames(unit) <- colnames(x)
    hypotheses <- lapply(stats::setNames(match(scope, labels), scope), function(term) {
      unit[attr(x, "assign") == term, , drop = FALSE]
    })
    return(structure(
      hypothesis_tests(object, hypotheses, ddf, call),
      heading = c(
        paste0("Single term deletions using ", ddf, "'s method:"), "\nModel:", formula
      ),
      class = c("anova", "data.frame")
    ))
  }
  dropped <- lapply(scope, function(term) {
    smaller <- without_term(object, term)
    if (smaller$nobs != object$nobs) abort_rows_changed(call)
    c(smaller$df, smaller$criterion)
  })
  own <- if (object$REML) refitML(object) else object
  values <- do.call(rbind, c(list(c(own$df, own$criterion)), dropped))
  table <- data.frame(
    npar = c(NA, values[1L, 1L] - values[-1L, 1L]), AIC = values[, 2L] + k * values[, 1L],
    row.names = c("<none>", scope)
  )
  if (test == "Chisq") {
    table$LRT <- c(NA, values[-1L, 2L] - values[1L, 2L])
    table[["Pr(Chi)"]] <- chisq_tail(table$LRT, table$npar)
  }
  structure(
    table, heading = c("Single term deletions", "\nModel:", formula),
    class = c("anova", "data.frame")
  )
}

# By maximum likelihood.
without_term <- function(fit, term) {
  change <- stats::as.formula(paste("~ . -", term))
  if (inherits(fit, "ember_glmm")) {
    stats::update(fit, change)
  } else {
    stats::update(fit, change, REML = FALSE)
  }
}

# Degrees of freedom belong to a variance that was estimated from residuals.
refuse_glmm <- function(fit, what, call) {
  if (inherits(fit, "ember_glmm")) {
    ember_abort(
      paste0("There are no ", what, " for generalized linear mixed models."), "unsupported",
      c(i = "Their tests are based on the normal and chi-square distributions."), call
    )
  }
}

dropped_terms <- function(fit, scope, call) {
  labels <- attr(fit$terms, "term.labels")
  if (is.null(scope)) {
    return(stats::drop.scope(fit$terms))
  }
  if (inherits(scope, "formula")) {
    scope <- attr(stats::terms(stats::update(stats::formula(fit, fixed.only = TRUE), scope)),
      "term.labels"
    )
  }
  if (!is.character(scope) || !all(scope %in% labels)) {
    abort_argument(
      "scope", "must name terms of the fit.", c(i = paste0("They are ", toString(labels), ".")),
      call
    )
  }
  scope
}

abort_rows_changed <- function(call) {
  ember_abort(
    "The number of rows changed when a term was left out: they have missing values.",
    class = "data", details = c(i = "Fit to the rows without missing values."), call = call
  )
}
