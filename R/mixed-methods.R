# Short answers about a fitted mixed model; longer ones have files of their own (-summary, -ranef,
# -varcorr, -predict, -residuals, -simulate, -anova, -influence, -getME).

#' Parts of a mixed model
#'
#' The answers that R's generics, and those of lme4, give about a fit of [lmm()] or
#' [glmm()]; where generalized models differ, see [ember_glmm_methods].
#'
#' @details
#' `logLik()`, and with it [AIC()] and [BIC()], is the restricted log-likelihood for a fit by REML;
#' `REML = FALSE` gives the log-likelihood at the same parameters. `deviance()` is minus twice that.
#' [extractAIC()], which [step()] and [drop1()] use, refits by maximum likelihood first: restricted
#' likelihoods of different fixed effects cannot be compared.
#'
#' @param object,x,formula A fit of [lmm()] or [glmm()].
#' @param add.dropped Also give the coefficients that could not be estimated, as `NA`?
#' @param full The joint covariance matrix of fixed and random effects? It is dense: (fixed effects
#'   + random effects) squared numbers.
#' @param REML Which criterion: restricted (`TRUE`) or not; by default the one that was fitted.
#' @param fixed.only,random.only Only the fixed, or only the random part?
#' @param type Of `model.matrix()`: `"fixed"` (X), `"random"` (Z, sparse) or `"randomListRaw"` (the
#'   columns of every term). Of `weights()`: `"prior"`.
#' @param scale Not used.
#' @param fit A fit of [lmm()] or [glmm()].
#' @param k Penalty per parameter.
#' @param tol Largest diagonal element of the relative covariance factor that counts as zero.
#' @param ... Not used.
#' @returns
#' * `fixef()`: the fixed effects. `vcov()`: their covariance matrix; with `full = TRUE` the
#'   covariance matrix of all prediction errors, fixed effects first.
#' * `sigma()`: the residual standard deviation. `ngrps()`: the number of levels of each grouping
#'   factor. `df.residual()`: observations minus parameters.
#' * `logLik()`, `deviance()`, `extractAIC()`: see Details.
#' * `formula()`, `terms()`, `model.frame()`, `model.matrix()`, `weights()`, `family()`,
#'   `na.action()`: what was fitted. `model.matrix()` has no columns for aliased coefficients.
#' * `isSingular()`: is a variance zero or a correlation 1 or -1? `isREML()`: was the fit by REML?
#'   `isLMM()`, `isGLMM()`, `isNLMM()`: what kind of model is it?
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' fixef(fit)
#' vcov(fit)
#' ngrps(fit)
#' isSingular(fit)
#' @name ember_mixed_methods
NULL

#' @rdname ember_mixed_methods
#' @export
fixef.ember_mixed <- function(object, add.dropped = FALSE, ...) { # nolint: object_name_linter.
  if (!add.dropped) {
    return(object$beta)
  }
  columns <- object$design$columns
  all <- stats::setNames(rep(NA_real_, length(columns)), columns)
  all[names(object$beta)] <- object$beta
  all
}

#' @rdname ember_mixed_methods
#' @export
vcov.ember_mixed <- function(object, full = FALSE, ...) {
  if (full) joint_covariance(object) else object$vcov_beta
}

#' @rdname ember_mixed_methods
#' @importFrom stats sigma
#' @export
sigma.ember_mixed <- function(object, ...) object$sigma

#' @rdname ember_mixed_methods
#' @importFrom stats logLik
#' @export
logLik.ember_lmm <- function(object, REML = object$REML, ...) {
  structure(
    -criterion_at(object, REML) / 2,
    df = object$df, nobs = object$nobs, nall = object$nobs, class = "logLik"
  )
}

#' @rdname ember_mixed_methods
#' @importFrom stats deviance
#' @export
deviance.ember_lmm <- function(object, REML = object$REML, ...) criterion_at(object, REML)

# Minus twice the (restricted) log-likelihood at the parameters of the fit, whichever of the two was
# optimised. The residual variance, unless known, is the one that optimises this criterion.
criterion_at <- function(fit, reml) {
  if (is.null(reml) || identical(as.logical(reml), fit$REML)) {
    return(fit$criterion)
  }
  # The terms that the two criteria share come from the one that was optimised.
  p <- length(fit$beta)
  n <- fit$nobs
  size <- function(reml) if (reml) n - p else n
  variance_part <- function(reml) {
    m <- size(reml)
    if (is.null(fit$known$sigma)) {
      m * (1 + log(2 * pi * fit$pwrss / m))
    } else {
      m * log(2 * pi * fit$sigma^2) + fit$pwrss / fit$sigma^2
    }
  }
  own <- variance_part(fit$REML) + if (fit$REML) fit$log_det_fixed else 0
  other <- variance_part(reml) + if (reml) fit$log_det_fixed else 0
  fit$criterion - own + other
}

#' @rdname ember_mixed_methods
#' @importFrom stats df.residual
#' @export
df.residual.ember_mixed <- function(object, ...) object$nobs - object$df

#' @rdname ember_mixed_methods
#' @importFrom stats extractAIC
#' @export
extractAIC.ember_mixed <- function(fit, scale = 0, k = 2, ...) {
  if (fit$REML) fit <- refitML(fit)
  c(fit$df, fit$criterion + k * fit$df)
}

#' @rdname ember_mixed_methods
#' @export
formula.ember_mixed <- function(x, fixed.only = FALSE, # nolint: object_name_linter.
                              random.only = FALSE, ...) { # nolint: object_name_linter.
  check_one_part(fixed.only, random.only, rlang::current_env())
  if (fixed.only) {
    return(stats::formula(x$terms))
  }
  if (random.only) {
    bars <- lapply(written_terms(x), `[[`, "bar")
    rhs <- Reduce(function(a, b) call("+", a, b), bars)
    return(stats::as.formula(call("~", x$formula[[2L]], rhs), environment(x$formula)))
  }
  x$formula
}

check_one_part <- function(fixed, random, call) {
  if (fixed && random) {
    abort_argument("fixed.only", "and `random.only` cannot both be TRUE.", NULL, call)
  }
}

# The term as it can be written in a formula: `(1 + x | g)`; `(0 + x | g)` for a column of a split
# one.
random_term_expression <- function(term) {
  lhs <- term$expression[[2L]]
  if (term$structure == "diag") {
    lhs <- if (term$names == "(Intercept)") 1 else call("+", 0, as.name(term$names))
  }
  call("(", call("|", lhs, term$grouping))
}

# The random part as terms that a formula can hold one by one: list(bar, term, whole). The dummies
# of a factor in a split term are no variables, so such a term stays whole: `(f || g)`.
written_terms <- function(fit) {
  variables <- names(fit$frame)
  is_dummy <- function(term) {
    term$structure == "diag" && !term$names %in% c("(Intercept)", variables)
  }
  same_bar <- function(a, b) {
    a$structure == b$structure && a$group == b$group && identical(a$expression, b$expression)
  }
  dummies <- Filter(is_dummy, fit$random)
  bars <- lapply(fit$random, function(term) {
    whole <- term$structure == "diag" && any(vapply(dummies, same_bar, NA, term))
    bar <- if (whole) {
      call("(", call("||", term$expression[[2L]], term$grouping))
    } else {
      random_term_expression(term)
    }
    list(bar = bar, term = term, whole = whole)
  })
  bars[!duplicated(vapply(bars, function(one) deparse1(one$bar), ""))]
}

# "x | g" for every term.
term_names <- function(fit) {
  vapply(fit$random, function(term) deparse1(random_term_expression(term)[[2L]]), "")
}

#' @rdname ember_mixed_methods
#' @importFrom stats terms
#' @export
terms.ember_mixed <- function(x, fixed.only = TRUE, # nolint: object_name_linter.
                            random.only = FALSE, ...) { # nolint: object_name_linter.
  fixed <- if (missing(fixed.only)) !random.only else fixed.only
  check_one_part(fixed, random.only, rlang::current_env())
  if (fixed) {
    return(x$terms)
  }
  full <- attr(x$frame, "terms")
  if (!random.only) {
    return(full)
  }
  parts <- lapply(x$random, function(term) call("+", term$expression[[2L]], term$grouping))
  random <- stats::terms(stats::as.formula(
    call("~", x$formula[[2L]], Reduce(function(a, b) call("+", a, b), parts)),
    environment(x$formula)
  ))
  variables <- vapply(as.list(attr(random, "variables"))[-1L], deparse1, "")
  all <- vapply(as.list(attr(full, "variables"))[-1L], deparse1, "")
  attr(random, "predvars") <- attr(full, "predvars")[c(1L, 1L + match(variables, all))]
  random
}

#' @rdname ember_mixed_methods
#' @export
model.frame.ember_mixed <- function(formula,
                                  fixed.only = FALSE, ...) { # nolint: object_name_linter.
  frame <- formula$frame
  if (fixed.only) {
    frame <- frame[rownames(attr(formula$terms, "factors"))]
    attr(frame, "terms") <- formula$terms
  }
  frame
}

#' @rdname ember_mixed_methods
#' @importFrom stats model.matrix
#' @export
model.matrix.ember_mixed <- function(object, type = c("fixed", "random", "randomListRaw"), ...) {
  type <- match.arg(type)
  switch(type,
    fixed = annotated_fixed_matrix(object),
    random = random_matrix(object),
    randomListRaw = {
      columns <- lapply(term_rows(object), `[[`, "columns")
      stats::setNames(columns, term_names(object))
    }
  )
}

# With the attributes that tell which column belongs to which term.
annotated_fixed_matrix <- function(fit) {
  x <- fixed_matrix(fit)
  columns <- fit$design$columns
  kept <- !columns %in% fit$design$aliased
  dropped <- if (!all(kept)) stats::setNames(which(!kept), columns[!kept])
  structure(
    x, assign = fit$design$assign[kept], contrasts = fit$design$contrasts, col.dropped = dropped
  )
}

#' @rdname ember_mixed_methods
#' @importFrom stats weights
#' @export
weights.ember_lmm <- function(object, type = "prior", ...) {
  if (!identical(type, "prior")) {
    abort_argument(
      "type", 'must be "prior": a linear model has no working weights.', NULL,
      rlang::current_env()
    )
  }
  if (is.null(object$weights)) rep(1, object$nobs) else object$weights
}

#' @rdname ember_mixed_methods
#' @importFrom stats family
#' @export
family.ember_lmm <- function(object, ...) stats::gaussian()

#' @rdname ember_mixed_methods
#' @importFrom stats na.action
#' @export
na.action.ember_mixed <- function(object, ...) object$na_action

#' @importFrom nlme getData
#' @export
getData.ember_mixed <- function(object) { # nolint: object_name_linter.
  data <- object$call$data
  if (is.null(data)) object$frame else eval(data, environment(object$formula))
}

# Generics that lme4 has too. A fit of ember answers to those of either package; ours pass fits of
# lme4 on to lme4, so that the order of library() calls does not matter.

pass_to_lme4 <- function(generic, object) {
  if (inherits(object, "merMod") && requireNamespace("lme4", quietly = TRUE)) {
    return(getExportedValue("lme4", generic))
  }
  abort_argument(
    "object", "must be a fit of `lmm()` or `glmm()`.",
    c(x = paste0("It is ", describe_object(object), ".")),
    rlang::caller_env()
  )
}

#' @rdname ember_mixed_methods
#' @export
ngrps <- function(object, ...) UseMethod("ngrps")

#' @export
ngrps.default <- function(object, ...) pass_to_lme4("ngrps", object)(object, ...)

#' @export
#' @rawNamespace S3method(lme4::ngrps,ember_mixed)
ngrps.ember_mixed <- function(object, ...) {
  first <- vapply(joined_terms(object), `[[`, 0L, 1L)
  vapply(object$random[first], function(term) length(term$levels), 0L) |>
    stats::setNames(names(first))
}

#' @rdname ember_mixed_methods
#' @export
isSingular <- function(x, tol = 1e-4, ...) UseMethod("isSingular") # nolint: object_name_linter.

#' @export
isSingular.default <- function(x, tol = 1e-4, ...) { # nolint: object_name_linter.
  pass_to_lme4("isSingular", x)(x, tol)
}

#' @export
isSingular.ember_mixed <- function(x, tol = 1e-4, ...) { # nolint: object_name_linter.
  any(x$theta[x$structure$row == x$structure$column] < tol)
}

#' @rdname ember_mixed_methods
#' @export
isREML <- function(x, ...) UseMethod("isREML") # nolint: object_name_linter.

#' @export
isREML.default <- function(x, ...) { # nolint: object_name_linter.
  pass_to_lme4("isREML", x)(x, ...)
}

#' @export
#' @rawNamespace S3method(lme4::isREML,ember_mixed)
isREML.ember_mixed <- function(x, ...) x$REML # nolint: object_name_linter.

#' @rdname ember_mixed_methods
#' @export
isLMM <- function(x, ...) UseMethod("isLMM") # nolint: object_name_linter.

#' @export
isLMM.default <- function(x, ...) pass_to_lme4("isLMM", x)(x, ...) # nolint: object_name_linter.

#' @export
#' @rawNamespace S3method(lme4::isLMM,ember_lmm)
isLMM.ember_lmm <- function(x, ...) TRUE # nolint: object_name_linter.

#' @rdname ember_mixed_methods
#' @export
isGLMM <- function(x, ...) UseMethod("isGLMM") # nolint: object_name_linter.

#' @export
isGLMM.default <- function(x, ...) pass_to_lme4("isGLMM", x)(x, ...) # nolint: object_name_linter.

#' @export
#' @rawNamespace S3method(lme4::isGLMM,ember_lmm)
isGLMM.ember_lmm <- function(x, ...) FALSE # nolint: object_name_linter.

#' @rdname ember_mixed_methods
#' @export
isNLMM <- function(x, ...) UseMethod("isNLMM") # nolint: object_name_linter.

#' @export
isNLMM.default <- function(x, ...) pass_to_lme4("isNLMM", x)(x, ...) # nolint: object_name_linter.

#' @export
#' @rawNamespace S3method(lme4::isNLMM,ember_mixed)
isNLMM.ember_mixed <- function(x, ...) FALSE # nolint: object_name_linter.
