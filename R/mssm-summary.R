# summary() of a sample selection model, and its printing.

#' Summarise a sample selection model
#'
#' The equations with standard errors and z tests, the errors as standard deviations and
#' correlations, the log-likelihood, how many rows there are of each pattern of selection, and what
#' there is to know about how the fit was reached: other modes, correlations near 1, Monte Carlo
#' error, weak exclusion restrictions.
#'
#' @param object A fit of [mssm()].
#' @param type The kind of covariance matrix, see [vcov.ember_mssm()]; `NULL` for the default of the
#'   fit.
#' @param x A summary.
#' @param digits Significant digits.
#' @param signif.stars Print stars after p-values?
#' @param ... Not used.
#' @returns An object of class `summary.ember_mssm`, a list with `coefficients` (a matrix for each
#'   equation, outcomes first: `Estimate`, `Std. Error`, for PX-MCEM `MC Error`, `z value`,
#'   `Pr(>|z|)`), `errors` (such a matrix of `sigma` and `rho`, without tests), `omega`, `vcov`,
#'   `type`, `criterion` (AIC, BIC, ...), `patterns`, `modes`, `remarks` and `fit`.
#' @examples
#' set.seed(1)
#' fit <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = simulate_mssm(500))
#' summary(fit)
#' summary(fit)$coefficients$y1
#' @export
summary.ember_mssm <- function(object, type = NULL, ...) {
  check_no_dots(..., call = rlang::current_env())
  covariance <- if (is.null(type)) stats::vcov(object) else stats::vcov(object, type = type)
  cells <- estimate_cells(object, covariance)
  components <- natural_components(object, aliased = TRUE)
  equations <- factor(
    rep(names(object$coefficients), lengths(object$coefficients)), names(object$coefficients)
  )
  coefficients <- lapply(
    split(which(components != "error"), equations), equation_table, cells = cells, fit = object
  )
  structure(
    list(
      coefficients = coefficients,
      errors = cells[components == "error", colnames(cells) != "z value", drop = FALSE],
      omega = object$omega, vcov = covariance, type = type,
      criterion = if (!is.na(object$loglik)) mssm_criterion(object),
      patterns = object$patterns, modes = mode_table(object), remarks = mssm_remarks(object),
      fit = object
    ),
    class = "summary.ember_mssm"
  )
}

# Estimates of all parameters with their errors, NA where there are none.
estimate_cells <- function(fit, covariance) {
  estimates <- coef.ember_mssm(fit)
  place <- match(names(estimates), rownames(covariance))
  cells <- cbind(Estimate = estimates, "Std. Error" = sqrt(diag(covariance))[place])
  if (!is.null(fit$mc)) cells <- cbind(cells, "MC Error" = unname(fit$mc$mc_error[place]))
  rownames(cells) <- names(estimates)
  cells
}

# The rows of one equation, with z tests; names of rows are terms.
equation_table <- function(rows, cells, fit) {
  table <- cells[rows, , drop = FALSE]
  z <- table[, "Estimate"] / table[, "Std. Error"]
  table <- cbind(table, "z value" = z, "Pr(>|z|)" = 2 * stats::pnorm(-abs(z)))
  rownames(table) <- unlist(fit$columns, use.names = FALSE)[rows]
  table
}

#' @rdname summary.ember_mssm
#' @export
print.summary.ember_mssm <- function(x, digits = max(3L, getOption("digits") - 3L),
                                     signif.stars = # nolint: object_name_linter.
                                       getOption("show.signif.stars"), ...) {
  fit <- x$fit
  cat(title_line(mssm_title(fit), class(fit)[[1L]]), mssm_lines(fit), "", sep = "\n")
  if (!is.null(x$criterion)) {
    print_criterion(x$criterion)
    cat("\n")
  }
  size <- length(fit$equations$outcome)
  for (k in seq_along(x$coefficients)) {
    name <- names(x$coefficients)[[k]]
    words <- if (k <= size) outcome_words(name) else selection_words(name)
    cat(equation_heading(words), if (k > size) " (probit)", ":\n", sep = "")
    print_coefficients(x$coefficients[[k]], digits, signif.stars, k == length(x$coefficients))
    cat("\n")
  }
  print_two_step(fit, digits)
  cat("Errors:\n")
  print_errors(fit, digits)
  print_error_parameters(x$errors, digits)
  cat("\n")
  cat(pattern_lines(fit), reached_words(x), x$remarks, sep = "\n")
  invisible(x)
}

print_coefficients <- function(table, digits, stars, legend) {
  errors <- ncol(table) - 3L
  stats::printCoefmat(
    table,
    digits = digits, signif.stars = stars, signif.legend = stars && legend,
    cs.ind = seq_len(1L + errors), tst.ind = 2L + errors, P.values = TRUE, has.Pvalue = TRUE,
    na.print = "NA"
  )
}

# Most error parameters whose standard errors are printed: those of two equations.
most_shown_errors <- 8L

print_error_parameters <- function(errors, digits) {
  if (nrow(errors) > most_shown_errors) {
    cat("summary(fit)$errors has their standard errors.\n")
  } else {
    cat("\n")
    print(format(errors, digits = digits), quote = FALSE)
  }
}

# The coefficients of the inverse Mills ratios, which only Heckman's estimator has.
print_two_step <- function(fit, digits) {
  if (is.null(fit$two_step)) {
    return(invisible())
  }
  ratios <- t(vapply(fit$two_step, function(equation) {
    variances <- diag(as.matrix(equation$vcov_outcome))
    # A ratio that the regressors determine has no coefficient.
    known <- !is.na(equation$inverse_mills)
    c(equation$inverse_mills, if (known) sqrt(variances[[length(variances)]]) else NA_real_)
  }, numeric(2L)))
  z <- ratios[, 1L] / ratios[, 2L]
  table <- cbind(ratios, z, 2 * stats::pnorm(-abs(z)))
  dimnames(table) <- list(names(fit$two_step), c("Estimate", "Std. Error", "z value", "Pr(>|z|)"))
  cat("Inverse Mills ratios:\n")
  stats::printCoefmat(table, digits = digits, signif.legend = FALSE)
  cat("\n")
}

# How the fit was reached, and which standard errors these are.
reached_words <- function(x) {
  fit <- x$fit
  how <- switch(fit$method,
    ml = paste0(
      sub("^c", "C", status_words(fit)), " (", fit$passes, " passes over the data)."
    ),
    "px-mcem" = paste0(
      sub("^c", "C", status_words(fit)), " of PX-MCEM, ", fit$mc$draws,
      " draws per row at the end (", fit$mc$sweeps, " sweeps)."
    )
  )
  kind <- attr(x$vcov, "type")
  c(
    if (fit$status == "converged") how,
    if (!is.null(kind)) paste0("Standard errors: ", kind, ".")
  )
}
