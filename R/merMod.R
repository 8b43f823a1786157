#' A fitted mixed model as an object of package lme4
#'
#' Gives a genuine object of class `lmerMod` or `glmerMod`, for the tools that know lme4's classes
#' only.
#'
#' @details
#' lme4 builds its own matrices from the model frame of the fit and evaluates its criterion once, at
#' the parameters of the fit; nothing is optimised. Log-likelihood, coefficients and random effects
#' are equal up to rounding. Unlike ember, lme4 keeps a sparse matrix with a row per random effect
#' and a column per observation, so a model of millions of rows needs much more memory there.
#'
#' For a generalized model the log-likelihood is lme4's approximation, which is the same for the
#' logit link of the binomial and the log link of the Poisson family, and differs slightly for
#' others, where ember uses the observed and lme4 the expected information.
#'
#' @param object A fit of [lmm()] or [glmm()].
#' @param ... Not used.
#' @returns An object of S4 class `lmerMod` or `glmerMod`.
#'
#' A model that lme4 does not know is an error: a residual variance by group (`dispersion`), known
#' variances, random effects of a factor made independent by `||`, a Gamma family.
#' @examplesIf requireNamespace("lme4", quietly = TRUE)
#' fit <- lmm(Reaction ~ Days + (Days | Subject), data = lme4::sleepstudy)
#' as_merMod(fit)
#' @export
as_merMod <- function(object, ...) {
  UseMethod("as_merMod")
}

#' @export
as_merMod.ember_lmm <- function(object, ...) {
  call <- rlang::current_env()
  rlang::check_installed("lme4", "for `as_merMod()`.", call = call)
  if (length(object$dispersion) > 1L) refuse_mermod("a residual variance by group", call)
  if (any(lengths(object$known) > 0L)) refuse_mermod("known variances", call)
  frame <- mermod_frame(object)
  formula <- attr(frame, "formula")
  random <- mermod_random(object, frame, call)
  deviance <- lme4::mkLmerDevfun(frame, dense_fixed_matrix(object), random, REML = object$REML)
  criterion <- deviance(object$theta)
  optimum <- list(
    par = object$theta, fval = criterion, feval = object$passes, conv = 0L, message = NULL
  )
  lme4::mkMerMod(environment(deviance), optimum, random, frame, mermod_call(object, formula))
}

#' @export
as_merMod.ember_glmm <- function(object, ...) {
  call <- rlang::current_env()
  rlang::check_installed("lme4", "for `as_merMod()`.", call = call)
  if (object$distribution$name == "Gamma") {
    refuse_mermod("a Gamma family whose shape is estimated by maximum likelihood", call)
  }
  family <- object$family
  if (object$distribution$name == "negative_binomial") {
    rlang::check_installed("MASS", "for `as_merMod()` of a negative binomial fit.", call = call)
    family <- MASS::negative.binomial(object$shape, object$distribution$link)
  }
  frame <- mermod_frame(object)
  formula <- attr(frame, "formula")
  random <- mermod_random(object, frame, call)
  # lme4's own iterations for the modes stop early.
  control <- lme4::glmerControl(tolPwrss = 1e-12)
  deviance <- lme4::mkGlmerDevfun(frame, dense_fixed_matrix(object), random, family,
    control = control
  )
  deviance <- lme4::updateGlmerDevfun(deviance, random, object$n_agq)
  estimate <- c(object$theta, unname(object$beta))
  optimum <- structure(
    list(
      par = estimate, fval = deviance(estimate), feval = object$passes, conv = 0L, message = NULL
    ),
    derivs = mermod_derivatives(object)
  )
  # While it iterates for the modes, the offset holds the fixed effects too.
  state <- environment(deviance)
  state$resp$setOffset(state$baseOffset)
  lme4::mkMerMod(state, optimum, random, frame, mermod_call(object, formula))
}

# lme4's random terms; it has none for a factor split by `||`.
mermod_random <- function(fit, frame, call) {
  random <- lme4::mkReTrms(lme4::findbars(attr(frame, "formula")[[3L]]), frame)
  if (!identical(unname(random$cnms), lapply(fit$random, `[[`, "names"))) {
    refuse_mermod("independent random effects of a factor", call)
  }
  random
}

# Gradient and Hessian of the deviance by theta and the fixed effects, from which lme4 takes the
# covariance of the estimates.
mermod_derivatives <- function(fit) {
  kept <- seq_len(length(fit$theta) + length(fit$beta))
  covariance <- fit$vcov_parameters[kept, kept, drop = FALSE]
  hessian <- try(2 * solve(covariance), silent = TRUE)
  if (!inherits(hessian, "try-error") && all(is.finite(hessian))) {
    list(gradient = numeric(length(kept)), Hessian = hessian)
  }
}

# lme4 fits with a dense X, with the attributes that model.matrix() gives it.
dense_fixed_matrix <- function(fit) {
  x <- stats::model.matrix(fit)
  if (is.matrix(x)) {
    return(x)
  }
  structure(as.matrix(x), assign = attr(x, "assign"), contrasts = attr(x, "contrasts"))
}

refuse_mermod <- function(what, call) {
  ember_abort(
    paste0("A fit with ", what, " cannot be an `lmerMod` object: lme4 has no such model."),
    class = "unsupported", call = call
  )
}

# The model frame with the attributes that lme4's own methods look for.
mermod_frame <- function(fit) {
  frame <- fit$frame
  formula <- stats::formula(fit)
  formula[[length(formula)]] <- lme4::expandDoubleVerts(formula[[length(formula)]])
  attr(frame, "formula") <- formula
  terms <- attr(frame, "terms")
  predvars <- attr(terms, "predvars")
  fixed <- attr(fit$terms, "predvars")
  attr(terms, "predvars.fixed") <- if (is.null(fixed)) predvars else fixed
  attr(terms, "predvars.random") <- attr(stats::terms(fit, random.only = TRUE), "predvars")
  attr(terms, "varnames.fixed") <- vapply(
    as.list(attr(fit$terms, "variables"))[-1L], function(x) paste(deparse(x), collapse = ""), ""
  )
  attr(frame, "terms") <- terms
  frame
}

# The call to lmer() that makes the same fit, for update() and the like.
mermod_call <- function(fit, formula) {
  arguments <- as.list(fit$call)[-1L]
  shared <- c("data", "weights", "offset", "subset", "na.action", "contrasts")
  generalized <- inherits(fit, "ember_glmm")
  as.call(c(
    if (generalized) quote(lme4::glmer) else quote(lme4::lmer), list(formula = formula),
    arguments[intersect(shared, names(arguments))],
    if (generalized) list(family = fit$family, nAGQ = fit$n_agq) else list(REML = fit$REML)
  ))
}
