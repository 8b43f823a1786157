#' Estimated marginal means of a mixed model
#'
#' With package emmeans loaded, [emmeans::emmeans()] and its relatives work on fits of [lmm()] and
#' [glmm()] as they do on those of lme4. Means of a [glmm()] are on the scale of the link;
#' `type = "response"` or [emmeans::regrid()] gives those of the response.
#'
#' @param object A fit of [lmm()] or [glmm()].
#' @param trms,xlev,grid,... As emmeans passes them on.
#' @param mode,lmer.df Degrees of freedom: `"satterthwaite"`, `"kenward-roger"` (which also adjusts
#'   the covariance matrix; fits by REML) or `"asymptotic"`. The default is emmeans' own option
#'   `lmer.df`. There is no limit on the number of observations. A [glmm()] has only the last.
#' @param options emmeans' options; a `df` there means that none are computed.
#' @returns What emmeans asks for.
#' @examplesIf requireNamespace("emmeans", quietly = TRUE)
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' emmeans::emmeans(fit, "Machine", lmer.df = "satterthwaite")
#' @name lmm_emmeans
#' @keywords internal
NULL

#' @rdname lmm_emmeans
#' @exportS3Method emmeans::recover_data
recover_data.ember_mixed <- function(object, ...) {
  call <- object$call
  # emmeans reads from the formula how the response was transformed.
  call$formula <- stats::formula(object)
  emmeans::recover_data(
    call, stats::delete.response(stats::terms(object)), object$na_action,
    frame = object$frame, ...
  )
}

#' @rdname lmm_emmeans
#' @exportS3Method emmeans::emm_basis
emm_basis.ember_mixed <- function(object, trms, xlev, grid,
                                mode = emmeans::get_emm_option("lmer.df"), lmer.df, options,
                                ...) {
  if (!missing(lmer.df)) mode <- lmer.df
  mode <- emm_mode(mode, object, options, given = "vcov." %in% names(list(...)))
  df <- emm_df(object, mode)
  covariance <- if (mode == "kenward-roger") {
    df$moments$vcov_adjusted
  } else {
    emmeans::.my.vcov(object, ...)
  }
  contrasts <- object$design$contrasts
  frame <- stats::model.frame(trms, grid, na.action = stats::na.pass, xlev = xlev)
  x <- stats::model.matrix(trms, frame, contrasts.arg = contrasts)
  estimates <- stats::setNames(rep(NA_real_, ncol(x)), colnames(x))
  estimates[names(fixef(object))] <- fixef(object)
  fitted_x <- stats::model.matrix(object)
  weights <- if (is.null(object$weights)) rep(1, nrow(fitted_x)) else object$weights
  list(
    X = x, bhat = unname(estimates), nbasis = emm_null_space(object, trms),
    V = as.matrix(covariance), dffun = df$dffun, dfargs = df$dfargs,
    misc = emmeans::.std.link.labels(stats::family(object), list()),
    model.matrix = emmeans::.cmpMM(fitted_x, weights, attr(fitted_x, "assign"))
  )
}

emm_mode <- function(mode, fit, options, given) {
  if (inherits(fit, "ember_glmm")) {
    return("asymptotic")
  }
  modes <- c("satterthwaite", "kenward-roger", "asymptotic")
  # ggeffects asks for these of models that it does not know.
  if (mode %in% c("link", "response")) mode <- "asymptotic"
  at <- pmatch(tolower(mode), modes)
  if (is.na(at)) {
    abort_argument("mode", paste0("must be one of ", quoted(modes), "."))
  }
  mode <- modes[[at]]
  if (!is.null(options$df) && mode != "kenward-roger") {
    return("asymptotic")
  }
  # emmeans' default is "kenward-roger", which neither fits by ML nor other covariances have.
  if (mode == "kenward-roger" && (!fit$REML || given)) "satterthwaite" else mode
}

# Combinations of the columns of X that are zero on the data; emmeans calls what they touch
# non-estimable.
emm_null_space <- function(fit, terms) {
  if (length(fit$design$aliased) == 0L) {
    return(estimability::all.estble)
  }
  x <- stats::model.matrix(terms, fit$frame, contrasts.arg = fit$design$contrasts)
  estimability::nonest.basis(x)
}

# What emmeans calls for each contrast k (a value per estimated coefficient). It strips the function
# of its environment, so all it needs is in the arguments.
emm_df <- function(fit, mode) {
  ddf <- c(satterthwaite = "Satterthwaite", "kenward-roger" = "Kenward-Roger")[mode]
  moments <- switch(mode,
    satterthwaite = df_satterthwaite(fit), "kenward-roger" = df_kenward_roger(fit)
  )
  of_contrast <- if (mode == "asymptotic") {
    function(k) Inf
  } else {
    function(k) contrast_test(fit, matrix(k, 1L), ddf = unname(ddf), moments = moments)$df
  }
  dffun <- function(k, dfargs) dfargs$of_contrast(k)
  if (inherits(fit, "ember_lmm")) attr(dffun, "mesg") <- mode
  list(dffun = dffun, dfargs = list(of_contrast = of_contrast), moments = moments)
}
