#' Fit a linear mixed model
#'
#' Fits linear models with random effects by restricted or full maximum likelihood. Formulas,
#' arguments and results are those of lme4's `lmer()`; the numbers agree with it, and large data
#' take a fraction of its time.
#'
#' @param formula A formula with the response on the left, and fixed and random terms on the right.
#'   A random term is written `(effects | group)`, see the details.
#' @param data A data frame, list or environment with the variables. What is not in it is looked for
#'   where the formula was written.
#' @param REML `TRUE` for restricted maximum likelihood, `FALSE` for maximum likelihood. Compare
#'   fixed effects of two models by likelihood ratio only with `FALSE`.
#' @param weights Prior weights, positive, one per row: the residual variance of row i is
#'   \eqn{\sigma^2 / w_i}. Evaluated in `data`.
#' @param offset A known part of the linear predictor, one number per row; `offset()` in the formula
#'   adds to it.
#' @param subset Which rows to use: a condition or row numbers, evaluated in `data`.
#' @param na.action What to do about rows with missing values: [stats::na.omit()] (the default in
#'   R), `na.exclude` (fitted values and residuals are `NA` there) or `na.fail`.
#' @param contrasts A list: how the factors of the fixed part are coded, as in [stats::lm()].
#' @param method `"profile"` maximises the profiled likelihood directly. `"em"` and `"px-em"` (Liu,
#'   Rubin and Wu 1998) climb to the same maximum by expectation-maximization, with a trace of
#'   their steps in [em_trace()]; they are slower.
#' @param start Where to begin: relative covariance factors theta (as `getME(fit, "theta")`), a list
#'   with them in `theta`, or an earlier fit. `NULL` lets ember choose.
#' @param control Tolerances and limits: [em_control()].
#' @param dispersion `NULL`, or `~ g`: the residual variance differs between the levels of `g`.
#'   `sigma` is then that of the first level, and `$dispersion` holds the ratios of the standard
#'   deviations to it.
#' @param known What is known and not estimated: a list of `sigma` (the residual standard deviation;
#'   with weights `1 / v`, `sigma = 1` makes v the known sampling variances of a meta-analysis) and
#'   `sd`, standard deviations of random effects by grouping factor, `c(g = 0.3)` or
#'   `list(g = c("(Intercept)" = 0.3))`.
#' @param ... Not used; an unknown argument is an error.
#'
#' @details
#' ## The model
#'
#' \deqn{y = X\beta + Zb + e,\quad b \sim N(0, \sigma^2 \Lambda\Lambda'),\quad
#'   e \sim N(0, \sigma^2 W^{-1})}
#' with \eqn{\Lambda} block diagonal: one block, lower triangular, for each level of each random
#' term. The entries of the blocks are theta (Bates et al. 2015, section 2).
#'
#' ## Random terms
#'
#' | term | meaning |
#' |:-----|:--------|
#' | `(1 \| g)` | an intercept for each level of `g` |
#' | `(x \| g)` | intercept and slope of `x`, correlated |
#' | `(0 + x \| g)` | slope alone |
#' | `(x \|\| g)` | the columns of `x`, each with a variance of its own, uncorrelated |
#' | `(1 \| a/b)` | `(1 \| b:a) + (1 \| a)`: `b` nested in `a` |
#' | `(1 \| a:b)` | an intercept for each combination that occurs |
#'
#' The left-hand side is any model formula (`poly(x, 2)`, factors, interactions), the right-hand
#' side a variable, an expression such as `factor(g)`, or nested or crossed ones. Terms are ordered
#' as lme4 orders them, by decreasing number of levels. Different from lme4, `||` also splits
#' factors and `poly()`: every column of their model matrix is independent of the others.
#'
#' ## Fixed effects
#'
#' Columns of X that the earlier ones determine are left out, with a message; their coefficients are
#' `NA`. Where X would be wide (more than 100 columns) or large (more than 5e7 numbers), and less
#' than a tenth of it not zero, as with factors of many levels, it is kept sparse.
#'
#' ## How a fit ended
#'
#' `$status` is `"converged"` at a maximum; otherwise there is a warning. A *singular* fit is a
#' maximum at the edge of the parameters: some variance is estimated as zero or some correlation as
#' 1 or -1. A message says which term it is. [convergence()] has the facts.
#'
#' @returns An object of class `ember_lmm` (and `ember_mixed`, `ember_fit`): a list with
#' * `beta` (fixed effects, without those left out), `vcov_beta` (their covariance matrix), `theta`,
#'   `sigma` (residual standard deviation), `dispersion` (ratios, 1 first);
#' * `random`: a list with the random terms, each with `group`, `label`, `names` (of the effects),
#'   `levels`, `structure` (`"us"` or `"diag"`) and the places of its parameters in `theta`; `b`:
#'   conditional modes, a matrix levels x effects for each term; `u`: the same on the spherical
#'   scale, \eqn{b = \Lambda u};
#' * `criterion` (-2 log-likelihood, or the REML criterion if `REML`), `loglik`, `df` (parameters),
#'   `nobs` (rows);
#' * `status`, `message`, `iterations`, `passes` (evaluations of the criterion), `trace`;
#' * `call`, `formula`, `frame` (model frame), `terms` (of the fixed effects), `design`, `weights`,
#'   `offset`, `na_action`, `known`, `method`, `control`.
#'
#' Use the methods rather than the fields: `summary()`, `fixef()`, `ranef()`, `VarCorr()`,
#' `predict()` and all others that lme4 has.
#'
#' @section Errors and warnings:
#' An argument that cannot be used is an `ember_error_argument`, data that cannot be fitted an
#' `ember_error_data`; both name the variable. They inherit `ember_error`. A random term that no
#' data could estimate is an error: a grouping factor with one level, or as many levels as rows
#' (unless `sigma` is known), or the same effect twice.
#'
#' @references
#' Bates, D., Mächler, M., Bolker, B. and Walker, S. (2015). Fitting linear mixed-effects models
#' using lme4. *Journal of Statistical Software* 67(1).
#'
#' Liu, C., Rubin, D. B. and Wu, Y. N. (1998). Parameter expansion to accelerate EM: the PX-EM
#' algorithm. *Biometrika* 85, 755-770.
#' @seealso [convergence()]; `vignette("lmm")` for a tour, `vignette("mixed-models-algorithm")` for
#'   the computations.
#' @export
#' @examples
#' # Scores of six workers on three machines
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' fit
#' summary(fit)
#'
#' # Growth of chicks: intercepts and slopes that differ
#' lmm(weight ~ Time * Diet + (Time | Chick), data = ChickWeight)
#'
#' # Meta-analysis: the sampling variances are known
#' trials <- data.frame(
#'   effect = c(0.3, 0.1, 0.6, -0.1, 0.4), variance = c(0.02, 0.05, 0.03, 0.04, 0.01),
#'   trial = letters[1:5]
#' )
#' lmm(effect ~ 1 + (1 | trial), data = trials, weights = 1 / variance, known = list(sigma = 1))
lmm <- function(formula, data = NULL, REML = TRUE, # nolint: object_name_linter.
                weights, offset, subset, na.action = getOption("na.action"), # nolint
                contrasts = NULL, method = c("profile", "em", "px-em"), start = NULL,
                control = em_control(), dispersion = NULL, known = list(), ...) {
  call <- match.call()
  here <- rlang::current_env()
  caller <- rlang::caller_env()
  check_no_dots(..., call = here)
  check_formula_given(missing(formula), here)
  if (!is_flag(REML)) abort_argument("REML", "must be TRUE or FALSE.", NULL, here)
  method <- match_choice("method", here)
  check_control(control, here)
  quoted <- list(
    weights = substitute(weights), offset = substitute(offset), subset = substitute(subset)
  )
  model <- mixed_model(
    formula, data, quoted, na.action, contrasts, caller, here, dispersion = dispersion
  )
  frame <- model$frame
  rows <- model$rows
  model$rows <- NULL
  known <- check_known_variances(known, model$random, here)
  check_response_varies(rows$y, names(frame)[[1L]], known, here)
  check_estimable(model$random, nrow(frame), known, here)
  start <- check_mixed_start(start, length(model$structure$term), here)
  native <- tryCatch(
    native_mixed_fit(rows, model$structure, known, REML, method, start, control, here),
    ember_error_not_positive_definite = function(cnd) abort_scale(cnd, frame, here)
  )
  model[c("call", "known", "REML", "method", "control")] <- list(
    call, known, REML, method, control
  )
  fit <- new_lmm(model, native, nrow(frame))
  inform_aliased(fit)
  inform_singular(fit)
  warn_perfect(fit, max(abs(limits_of(rows$y))), here)
  warn_status(fit, here)
  fit
}

# A fit from a model (everything that does not depend on the response; a fit is one too) and the
# core's answer.
new_lmm <- function(model, native, n) {
  columns <- model$design$columns
  model$design$aliased <- columns[native$aliased]
  kept <- setdiff(seq_along(columns), native$aliased)
  beta <- native$beta[kept]
  names(beta) <- columns[kept]
  theta_free <- length(model$structure$term) - length(model$known$sd)
  groups <- length(native$dispersion)
  estimates <- list(
    theta = native$theta, beta = beta, sigma = native$sigma,
    dispersion = stats::setNames(native$dispersion, model$dispersion_levels),
    b = term_effects(model$random, native$b),
    u = term_effects(model$random, lapply(native$u, t)),
    criterion = native$criterion, loglik = -native$criterion / 2,
    df = as.integer(length(kept) + theta_free + is.null(model$known$sigma) + max(groups - 1, 0)),
    nobs = n,
    iterations = as.integer(native$iterations), passes = as.integer(native$passes),
    status = native$status, message = native$message, component = as.integer(native$component),
    trace = trace_table(native$trace),
    convergence = convergence_facts(native), singular = singular_terms(model, native$singular),
    pwrss = native$pwrss,
    log_det_random = native$log_det_random, log_det_fixed = native$log_det_fixed,
    vcov_beta = structure(
      native$sigma^2 * native$vcov_unscaled, dim = rep(length(kept), 2L),
      dimnames = list(columns[kept], columns[kept])
    )
  )
  model[names(estimates)] <- estimates
  structure(model, class = c("ember_lmm", "ember_mixed", "ember_fit"))
}

# Effects of the core terms (levels x width) as one matrix per term.
term_effects <- function(random, effects) {
  parts <- lapply(random, function(term) {
    part <- effects[[term$core]][, term$positions, drop = FALSE]
    dimnames(part) <- list(term$levels, term$names)
    part
  })
  names(parts) <- vapply(random, `[[`, "", "label")
  parts
}

# Levels of the factors of the fixed part, as lm() keeps them.
factor_levels <- function(terms, frame) {
  classes <- attr(terms, "dataClasses")[-1L]
  if (any(classes %in% c("factor", "ordered", "character", "logical"))) {
    stats::.getXlevels(terms, frame)
  }
}

inform_aliased <- function(fit) {
  names <- fit$design$aliased
  if (length(names) == 0L) {
    return(invisible())
  }
  shown <- paste0("`", utils::head(names, 10L), "`", collapse = ", ")
  one <- length(names) == 1L
  rlang::inform(
    paste0(
      "Left out ", if (one) "1 column" else paste(length(names), "columns"),
      " of the fixed effects that earlier columns determine: ", shown,
      if (length(names) > 10L) ", ...", ". ",
      if (one) "Its coefficient is NA." else "Their coefficients are NA."
    ),
    class = "ember_message_rank"
  )
}

inform_singular <- function(fit) {
  if (length(fit$singular) > 0L) {
    rlang::inform(singularity_words(fit), class = "ember_message_singular")
  }
}

# A residual variance that is only rounding of a response of this size: the criterion has no minimum
# there, and whatever follows from sigma is noise.
warn_perfect <- function(fit, size, call) {
  if (is.null(fit$known$sigma) && fit$sigma < 1e-13 * size) {
    ember_warn(
      "The fit is perfect: fixed and random effects reproduce the response up to rounding.",
      class = "perfect_fit",
      details = c(
        x = "The residual variance is zero; standard errors and tests mean nothing.",
        i = "Leave out the effects that determine the response, or check how it was made."
      ),
      call = call, fit = fit
    )
  }
}

# The rows of a fit as the core reads them; with `y`, another response.
mixed_rows <- function(fit, y = NULL) {
  call <- rlang::caller_env()
  bars <- random_bars(fit$formula[[3L]], call)
  rows <- mixed_design(
    fit$frame, fit$terms, bars, fit$design$contrasts, call, fit$distribution
  )$rows
  if (!is.null(y)) rows$y <- as.double(y)
  rows
}

# The same model fitted to other rows (in the form of mixed_rows()), from the old optimum.
refit_rows <- function(fit, rows, call = rlang::caller_env()) {
  fit[c("weights", "offset")] <- list(rows$weights, rows$offset)
  if (inherits(fit, "ember_glmm")) {
    native <- native_glmm_fit(
      rows, fit$distribution, fit$structure, fit$n_agq, start_of_fit(fit), fit$control, call
    )
    return(new_glmm(fit, native, length(rows$y)))
  }
  native <- native_mixed_fit(
    rows, fit$structure, fit$known, fit$REML, fit$method, fit$theta, fit$control, call
  )
  new_lmm(fit, native, length(rows$y))
}
