# Methods that package DHARMa asks for. Its residuals are unconditional: new random effects are
# drawn, and predictions leave them out.

#' @rdname lmm_hooks
#' @exportS3Method DHARMa::getObservedResponse
getObservedResponse.ember_mixed <- function(object, ...) {
  as.vector(stats::model.response(object$frame))
}

#' @rdname lmm_hooks
#' @param nsim Number of simulated responses.
#' @exportS3Method DHARMa::getSimulations
getSimulations.ember_mixed <- function(object, nsim = 1,
                                     type = c("normal", "refit"), ...) {
  type <- match_choice("type", rlang::current_env())
  responses <- stats::simulate(without_padding(object), nsim = nsim, ...)
  if (type == "normal") data.matrix(responses) else responses
}

#' @rdname lmm_hooks
#' @param newresp A new response, as long as that of the fit.
#' @exportS3Method DHARMa::getRefit
getRefit.ember_mixed <- function(object, newresp, ...) {
  refit(object, newresp)
}

#' @rdname lmm_hooks
#' @exportS3Method DHARMa::getFixedEffects
getFixedEffects.ember_mixed <- function(object, ...) fixef(object)

#' @rdname lmm_hooks
#' @exportS3Method DHARMa::getFitted
getFitted.ember_mixed <- function(object, ...) {
  as.vector(stats::predict(without_padding(object), re.form = NA))
}

#' @rdname lmm_hooks
#' @exportS3Method DHARMa::getResiduals
getResiduals.ember_mixed <- function(object, ...) {
  as.vector(stats::residuals(without_padding(object), type = "response"))
}

#' @rdname lmm_hooks
#' @exportS3Method DHARMa::getPearsonResiduals
getPearsonResiduals.ember_mixed <- function(object, ...) {
  as.vector(stats::residuals(without_padding(object), type = "pearson"))
}

# The fit as if no rows had been left out, so that vectors have a value for each row of the frame
# and none for the rows that `na.exclude` would bring back.
without_padding <- function(fit) {
  fit$na_action <- NULL
  fit
}
