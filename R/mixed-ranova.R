# Likelihood ratio tests of the random terms.

#' Tests of the random effects
#'
#' What happens when random effects are left out, one at a time: likelihood ratio tests, as the
#' function of this name in lmerTest gives them. A term with several effects is reduced (with
#' `reduce.terms`) to one without them, for instance `(x | g)` to `(1 | g)`.
#'
#' @details
#' The reduced models are fitted by the same criterion (REML or not) as the fit. A variance of zero
#' is on the boundary, where the chi-square distribution is conservative: true p-values are smaller,
#' about half for one variance.
#'
#' @param model A fit of [lmm()] or [glmm()].
#' @param reduce.terms Leave out the effects of a term one by one, rather than the whole term?
#' @param ... Not used.
#' @returns A data frame of class `anova` with a row per reduced model: `npar`, `logLik`, `AIC`,
#'   `LRT`, `Df` and `Pr(>Chisq)`; attribute `formulae` has the reduced formulas.
#' @examples
#' fit <- lmm(score ~ Machine + (Machine | Worker), data = nlme::Machines)
#' ranova(fit)
#' @export
ranova <- function(model, reduce.terms = TRUE, ...) { # nolint: object_name_linter.
  call <- rlang::current_env()
  if (!inherits(model, "ember_mixed")) {
    abort_argument("model", "must be a fit of `lmm()` or `glmm()`.", NULL, call)
  }
  written <- written_terms(model)
  bars <- lapply(written, `[[`, "bar")
  reduced <- lapply(written, reduced_terms, reduce.terms)
  formulas <- Map(function(place, replacement) {
    kept <- bars
    kept[[place]] <- if (identical(replacement, "none")) NULL else replacement
    with_random_terms(model, kept)
  }, rep(seq_along(bars), lengths(reduced)), unlist(reduced, recursive = FALSE))
  names(formulas) <- unlist(lapply(reduced, names))
  likelihoods <- lapply(formulas, function(formula) reduced_likelihood(model, formula, call))
  structure(
    deletion_table(model, likelihoods),
    heading = c(
      "ANOVA-like table for random-effects: Single term deletions", "\nModel:",
      deparse1(with_random_terms(model, bars))
    ),
    formulae = formulas, class = c("anova", "data.frame")
  )
}

deletion_table <- function(fit, likelihoods) {
  loglik <- c(fit$loglik, vapply(likelihoods, as.numeric, 0))
  npar <- c(fit$df, vapply(likelihoods, attr, 0, "df"))
  ratio <- c(NA, 2 * (loglik[[1L]] - loglik[-1L]))
  df <- c(NA, npar[[1L]] - npar[-1L])
  data.frame(
    npar = npar, logLik = loglik, AIC = 2 * (npar - loglik), LRT = ratio, Df = df,
    "Pr(>Chisq)" = chisq_tail(ratio, df), row.names = make.unique(c("<none>", names(likelihoods))),
    check.names = FALSE
  )
}

# What a term becomes, by the name of what was left out; "none" if nothing of it remains.
reduced_terms <- function(written, reduce) {
  term <- written$term
  bar <- written$bar
  whole <- stats::setNames(list("none"), deparse1(bar))
  effects <- stats::terms(term$expression)
  labels <- attr(effects, "term.labels")
  # An intercept alone, or one variable without an intercept, goes as a whole.
  reducible <- reduce && length(labels) + attr(effects, "intercept") > 1L
  if (!reducible || term$structure == "diag") {
    return(whole)
  }
  scope <- stats::drop.scope(effects)
  parts <- lapply(scope, function(label) {
    left <- quote(1)
    if (length(labels) > 1L) left <- stats::update(term$expression, paste("~ . -", label))[[2L]]
    call("(", call("|", left, term$grouping))
  })
  stats::setNames(parts, paste(scope, "in", deparse1(bar)))
}

# The formula of the fit with other random terms.
with_random_terms <- function(fit, bars) {
  fixed <- stats::formula(fit, fixed.only = TRUE)
  rhs <- Reduce(function(a, b) call("+", a, b), c(list(fixed[[3L]]), bars))
  stats::as.formula(call("~", fixed[[2L]], rhs), environment(fit$formula))
}

# The log-likelihood of a model with fewer random terms, by lm() if none is left.
reduced_likelihood <- function(fit, formula, call) {
  if (any(c("|", "||") %in% all.names(formula))) {
    smaller <- stats::update(fit, formula = formula)
    if (smaller$nobs != fit$nobs) abort_rows_changed(call)
    return(stats::logLik(smaller))
  }
  if (inherits(fit, "ember_glmm")) {
    return(glm_likelihood(fit))
  }
  if (length(fit$dispersion) > 1L) {
    ember_abort(
      "Without random effects, a model with a residual variance by group is not a linear model.",
      class = "unsupported", details = c(i = "Compare fits with other random terms by `anova()`."),
      call = call
    )
  }
  rows <- mixed_rows(fit)
  y <- if (is.null(rows$offset)) rows$y else rows$y - rows$offset
  weights <- if (is.null(rows$weights)) rep(1, length(y)) else rows$weights
  x <- as.matrix(fixed_matrix(fit, rows))
  linear_likelihood(x, y, weights, fit$REML, fit$known$sigma)
}

# The (restricted) log-likelihood of a linear model, with the constants of lmm().
linear_likelihood <- function(x, y, weights, reml, sigma = NULL) {
  root <- sqrt(weights)
  decomposition <- qr(root * x)
  p <- decomposition$rank
  m <- length(y) - if (reml) p else 0L
  squares <- sum(qr.resid(decomposition, root * y)^2)
  log_det <- if (reml) 2 * sum(log(abs(diag(qr.R(decomposition))))) else 0
  variance <- if (is.null(sigma)) squares / m else sigma^2
  criterion <- m * log(2 * pi * variance) + squares / variance - sum(log(weights)) + log_det
  structure(-criterion / 2, df = p + is.null(sigma), nobs = length(y), class = "logLik")
}
