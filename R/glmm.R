#' Fit a generalized linear mixed model
#'
#' Fits models with random effects for counts, proportions, yes/no answers and positive
#' measurements, by maximum likelihood. Formulas, arguments and results are those of lme4's
#' `glmer()`.
#'
#' @inheritParams lmm
#' @param family The distribution of the response and the link: `binomial()`, `poisson()`,
#'   [negative_binomial()] or `Gamma()`, or the name of one. See the details.
#' @param weights Binomial: the numbers of trials, when the response is a proportion. Others:
#'   positive prior weights, which multiply the log-density of a row.
#' @param n_agq Points of the quadrature per random effect: 1 is the Laplace approximation; more are
#'   adaptive Gauss-Hermite quadrature, for one grouping factor with up to three random effects.
#' @param start Where to begin: a list with `theta`, `beta`, `shape` or some of them, relative
#'   covariance factors alone (as `getME(fit, "theta")`), or an earlier fit. `NULL` lets ember
#'   choose.
#'
#' @details
#' ## The model
#'
#' \deqn{\eta = X\beta + o + Zb,\quad b \sim N(0, \Lambda\Lambda')}
#' with \eqn{\Lambda} as for [lmm()] but without a residual standard deviation: the entries of theta
#' are on the scale of the linear predictor. Given b the responses are independent, with mean
#' \eqn{\mu = g^{-1}(\eta)}, g the link.
#'
#' | family | response | links (default first) | variance |
#' |:-------|:---------|:----------------------|:---------|
#' | `binomial()` | see below | logit, probit, cloglog, cauchit, log | \eqn{\mu(1-\mu)/m} |
#' | `poisson()` | counts | log, sqrt, identity | \eqn{\mu} |
#' | `negative_binomial()` | counts | log, sqrt, identity | \eqn{\mu + \mu^2/\theta} |
#' | `Gamma()` | positive | inverse, log, identity | \eqn{\mu^2/\mathrm{shape}} |
#'
#' A binomial response is 0/1, logical, a factor with two levels (the first is a failure), a matrix
#' `cbind(success, failure)`, or a proportion with the numbers of trials as `weights`. The shape of
#' the negative binomial (unless it is given) and of the Gamma family is estimated by maximum
#' likelihood.
#'
#' Random terms, missing values, and columns that cannot be estimated are treated as by [lmm()]. A
#' random effect for each row (`(1 | row)`) models overdispersion of counts and of proportions.
#'
#' ## The likelihood
#'
#' The integral over the random effects is approximated: by Laplace's method (Breslow and Clayton
#' 1993; here with the observed information, as in glmmTMB; the same as lme4's for the links logit
#' of the binomial and log of the Poisson family), which is good for many observations per group, or
#' by adaptive quadrature (Pinheiro and Bates 1995), which is as good as you like. With few
#' observations per group, as in yes/no data with small groups, compare `n_agq = 1` with 10: Laplace
#' can underestimate variances there. Modes of the random effects are iterated to convergence at
#' every step, and gradients are exact, so that the fit is at the maximum.
#'
#' ## What can go wrong
#'
#' *Separation*: a combination of predictors that tells the 0s from the 1s (or the zero counts from
#' the rest) without error. Its coefficients have no finite estimate; there is a warning, and the
#' summary says which they are. *Singular fits* and the end of the iterations: see [lmm()].
#' *Overdispersion*: the data vary more than the family allows, and standard errors are too small;
#' [overdispersion()] tests for it.
#'
#' @returns An object of class `ember_glmm` (and `ember_mixed`, `ember_fit`): a list with the
#'   elements of a fit of [lmm()], where they make sense, and
#' * `family` (R's family object; a negative binomial one has the estimate of theta), `shape`
#'   (`NULL` if the family has none), `n_agq`, `separation` (`NULL`, or what was found);
#' * `sigma`: 1, for the Gamma family the residual coefficient of variation
#'   \eqn{1/\sqrt{\mathrm{shape}}};
#' * `weights`: numbers of trials or prior weights; `criterion`: -2 log-likelihood.
#'
#' @inheritSection lmm Errors and warnings
#'
#' @references
#' Breslow, N. E. and Clayton, D. G. (1993). Approximate inference in generalized linear mixed
#' models. *Journal of the American Statistical Association* 88, 9-25.
#'
#' Pinheiro, J. C. and Bates, D. M. (1995). Approximations to the log-likelihood function in the
#' nonlinear mixed-effects model. *Journal of Computational and Graphical Statistics* 4, 12-35.
#' @seealso [overdispersion()], [convergence()], [data_clone()]
#' @export
#' @examples
#' # Infections per herd: a logistic regression with a random intercept
#' herds <- data.frame(
#'   herd = factor(rep(1:8, each = 3)), period = factor(rep(1:3, 8)),
#'   ill = c(2, 3, 0, 1, 1, 0, 9, 4, 3, 0, 1, 0, 7, 4, 2, 1, 0, 0, 8, 5, 4, 1, 0, 0),
#'   size = c(14, 12, 9, 22, 18, 21, 22, 16, 20, 10, 9, 6, 18, 25, 24, 4, 3, 8, 22, 20, 19, 8, 6, 5)
#' )
#' fit <- glmm(cbind(ill, size - ill) ~ period + (1 | herd), data = herds, family = binomial())
#' summary(fit)
#'
#' # Counts
#' glmm(count ~ spray + (1 | row), data = transform(InsectSprays, row = 1:72), family = poisson())
glmm <- function(formula, data = NULL, family, weights, offset, subset,
                 na.action = getOption("na.action"), # nolint: object_name_linter.
                 contrasts = NULL, n_agq = 1L, start = NULL, control = em_control(), ...) {
  call <- match.call()
  here <- rlang::current_env()
  caller <- rlang::caller_env()
  check_no_dots(..., call = here)
  check_glmm_given(missing(formula), missing(family), here)
  check_control(control, here)
  quoted <- list(
    weights = substitute(weights), offset = substitute(offset), subset = substitute(subset)
  )
  model <- glmm_model(formula, data, family, quoted, na.action, contrasts, caller, here)
  model[c("call", "control")] <- list(call, control)
  model$n_agq <- check_n_agq(n_agq, model, here)
  model$method <- if (model$n_agq == 1L) "Laplace" else "quadrature"
  start <- check_glmm_start(start, model, here)
  rows <- model$rows
  model$rows <- NULL
  native <- tryCatch(
    native_glmm_fit(
      rows, model$distribution, model$structure, model$n_agq, start, control, here
    ),
    ember_error_not_positive_definite = function(cnd) abort_scale(cnd, model$frame, here)
  )
  fit <- new_glmm(model, native, nrow(model$frame))
  inform_aliased(fit)
  if (is.null(fit$separation)) {
    inform_singular(fit)
    warn_status(fit, here)
  } else {
    warn_separation(fit, here)
  }
  fit
}

# Everything before the fit: arguments checked, and in the shapes that the core takes. `quoted` are
# the expressions of weights, offset and subset, to be evaluated in the data or in `caller`.
glmm_model <- function(formula, data, family, quoted, na_action, contrasts, caller, call) {
  family <- glmm_family(family, call)
  model <- mixed_model(
    formula, data, quoted, na_action, contrasts, caller, call, family$native
  )
  check_glmm_varies(model$rows, names(model$frame)[[1L]], family$native, call)
  check_glmm_estimable(model$random, model$rows, family$native, call)
  model[c("family", "distribution", "REML")] <- list(family$family, family$native, FALSE)
  model
}

# A fit from a model (everything that does not depend on the response; a fit is one too) and the
# core's answer.
new_glmm <- function(model, native, n) {
  columns <- model$design$columns
  model$design$aliased <- columns[native$aliased]
  kept <- setdiff(seq_along(columns), native$aliased)
  gamma <- model$distribution$name == "Gamma"
  estimates <- list(
    theta = native$theta, beta = stats::setNames(native$beta[kept], columns[kept]),
    shape = native$shape, sigma = if (gamma) 1 / sqrt(native$shape) else 1, dispersion = 1,
    b = term_effects(model$random, native$b),
    u = term_effects(model$random, lapply(native$u, t)),
    criterion = native$criterion, loglik = -native$criterion / 2,
    df = as.integer(length(kept) + length(native$theta)) +
      has_estimated_shape(model$distribution), nobs = n,
    iterations = as.integer(native$iterations), passes = as.integer(native$passes),
    status = native$status, message = native$message, component = as.integer(native$component),
    trace = trace_table(native$trace), convergence = convergence_facts(native),
    singular = singular_terms(model, native$singular), separation = native$separation,
    penalty = native$pwrss_u, conditional = native$conditional,
    log_det_random = native$log_det_random,
    vcov_beta = named_covariance(native$vcov, columns[kept]),
    vcov_parameters = native$vcov_parameters,
    family = family_with_shape(model$family, model$distribution$name, native$shape)
  )
  model[names(estimates)] <- estimates
  structure(model, class = c("ember_glmm", "ember_mixed", "ember_fit"))
}

# Where the likelihood has no maximum it has no curvature either: NA.
named_covariance <- function(values, names) {
  covariance <- structure(values, dim = rep(length(names), 2L), dimnames = list(names, names))
  variances <- diag(covariance)
  flat <- is.na(variances) | variances <= 0
  covariance[flat, ] <- NA
  covariance[, flat] <- NA
  covariance
}

# The reason why such a fit is no maximum, and why its variances are what they are.
warn_separation <- function(fit, call) {
  words <- separation_words(fit)
  ember_warn(words[[1L]], "separation", words[-1L], call, fit = fit)
}

# Coefficients that have no finite estimate, in plain words.
separation_words <- function(fit) {
  names <- fit$design$columns[fit$separation$coefficients]
  response <- names(fit$frame)[[1L]]
  c(
    paste0(
      "The data are separated: `", response, "` is predicted without error in ",
      if (fit$separation$complete) "all" else fit$separation$rows, " rows by ",
      abbreviated_list(paste0("`", names, "`"), 8L), "."
    ),
    x = "Their coefficients have no finite estimate; estimates and standard errors mean nothing.",
    i = "Leave them out, join the levels of a factor, or use a prior in `data_clone(clones = 1)`."
  )
}
