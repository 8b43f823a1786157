#' Estimated marginal means of a sample selection model
#'
#' With package emmeans loaded, [emmeans::emmeans()] and its relatives work on one equation of a fit
#' of [mssm()]: `emmeans(fit, "group")` is about the first outcome, whether it is observed or not;
#' `emmeans(fit, "group", component = "selection", equation = 2)` about the latent index of the
#' second selection, and with `type = "response"` about its probability.
#'
#' @param object A fit of [mssm()].
#' @param component `"outcome"` or `"selection"`.
#' @param equation The number of the equation, or the name of its outcome or its selection.
#' @param trms,xlev,grid,... As emmeans passes them on.
#' @returns What emmeans asks for.
#' @examplesIf requireNamespace("emmeans", quietly = TRUE)
#' set.seed(1)
#' people <- simulate_mssm(500)
#' people$group <- factor(rep_len(c("a", "b"), 500))
#' fit <- mssm(y1 ~ x1 + group, s1 ~ x1 + z1, data = people)
#' emmeans::emmeans(fit, "group")
#' @name mssm_emmeans
#' @keywords internal
NULL

#' @rdname mssm_emmeans
#' @exportS3Method emmeans::recover_data
recover_data.ember_mssm <- function(object, component = "outcome", equation = 1L, ...) {
  here <- rlang::current_env()
  component <- check_component(component, here)
  j <- check_equation(object, equation, here)
  call <- object$call
  # emmeans reads from the formula how the response was transformed.
  call$formula <- object$formulas[[component]][[j]]
  emmeans::recover_data(
    call, stats::delete.response(object$terms[[component]][[j]]), object$na_action,
    frame = object$frame, ...
  )
}

#' @rdname mssm_emmeans
#' @exportS3Method emmeans::emm_basis
emm_basis.ember_mssm <- function(object, trms, xlev, grid, component = "outcome", equation = 1L,
                                 ...) {
  here <- rlang::current_env()
  component <- check_component(component, here)
  j <- check_equation(object, equation, here)
  name <- object$equations[[component]][[j]]
  frame <- stats::model.frame(trms, grid, na.action = stats::na.pass, xlev = xlev)
  x <- stats::model.matrix(trms, frame, contrasts.arg = object$contrasts[[component]][[j]])
  covariance <- as.matrix(emmeans::.my.vcov(object, ...))
  lost <- object$aliased[[name]]
  own <- natural_names(object) %in% paste0(name, ":", names(lost))
  if (nrow(covariance) == length(own)) covariance <- covariance[own, own, drop = FALSE]
  columns <- object$rows[[component]][[j]]
  family <- if (component == "outcome") stats::gaussian() else stats::binomial("probit")
  list(
    X = x, bhat = unname(object$coefficients[[name]]),
    nbasis = if (any(lost)) estimability::nonest.basis(columns) else estimability::all.estble,
    V = covariance, dffun = function(k, dfargs) Inf, dfargs = list(),
    misc = emmeans::.std.link.labels(family, list())
  )
}
