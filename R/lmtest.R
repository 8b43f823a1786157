#' @rdname lmm_fixed_tests
#' @param ddf Degrees of freedom where `df` is not given: `"Satterthwaite"`, `"Kenward-Roger"`
#'   (which also adjusts the standard errors) or `"none"` for z tests. Not used with a `vcov.`,
#'   which means z tests.
#' @param save Keep the fit in the result?
#' @exportS3Method lmtest::coeftest
coeftest.ember_mixed <- function(x, vcov. = NULL, df = NULL,
                               ddf = c("Satterthwaite", "Kenward-Roger", "none"), ...,
                               save = FALSE) {
  call <- rlang::current_env()
  table <- fixed_errors(x, vcov., df, match_choice("ddf", call), call, ...)
  statistic <- table$estimate / table$error
  letter <- if (any(is.finite(table$df))) "t" else "z"
  structure(
    cbind(table$estimate, table$error, statistic, 2 * stats::pt(-abs(statistic), table$df)),
    dimnames = list(
      names(table$estimate),
      c("Estimate", "Std. Error", paste(letter, "value"), paste0("Pr(>|", letter, "|)"))
    ),
    class = "coeftest", method = paste(letter, "test of coefficients"),
    # lmtest's sign of a normal distribution is zero degrees of freedom.
    df = if (letter == "z") 0 else table$df,
    nobs = stats::nobs(x), logLik = stats::logLik(x), object = if (save) x
  )
}

#' @rdname lmm_fixed_tests
#' @param parm Names or numbers of fixed effects; by default all.
#' @param level Coverage of the intervals.
#' @exportS3Method lmtest::coefci
coefci.ember_mixed <- function(x, parm = NULL, level = 0.95, vcov. = NULL, df = NULL,
                             ddf = c("Satterthwaite", "Kenward-Roger", "none"), ...) {
  call <- rlang::current_env()
  check_level(level, call)
  table <- fixed_errors(x, vcov., df, match_choice("ddf", call), call, ...)
  tails <- c((1 - level) / 2, (1 + level) / 2)
  limits <- table$estimate + table$error * outer(table$df, tails, \(df, p) stats::qt(p, df))
  dimnames(limits) <- list(names(table$estimate), percent_names(level))
  if (is.null(parm)) limits else limits[parm, , drop = FALSE]
}

# Fixed effects, their standard errors and degrees of freedom.
fixed_errors <- function(fit, vcov, df, ddf, call, ...) {
  estimates <- fixef(fit)
  if (is.null(vcov) && is.null(df)) {
    table <- stats::coef(summary(fit, ddf = ddf))
    df <- if ("df" %in% colnames(table)) table[, "df"] else Inf
    errors <- table[, "Std. Error"]
  } else {
    covariance <- if (is.null(vcov)) stats::vcov(fit) else value_or_call(vcov, fit, ...)
    errors <- sqrt(diag(as.matrix(covariance)))
    if (is.null(df) || identical(df, 0)) df <- Inf
  }
  if (length(errors) != length(estimates)) {
    abort_argument(
      "vcov.", "must have a row and a column for each of the fixed effects.", NULL, call
    )
  }
  list(
    estimate = estimates, error = unname(errors), df = rep_len(unname(df), length(estimates))
  )
}
