# Methods that package DHARMa asks for. Its residuals are unconditional: new random effects are
# drawn, and predictions leave them out.

#' @rdname lmm_hooks
#' @exportS3Method DHARMa::getObservedResponse
getObservedResponse.ember_mixed <- function(object, ...) { # nolint: object_length_linter.
  if (inherits(object, "ember_lmm")) {
    return(as.vector(stats::model.response(object$frame)))
  }
  count_of(object, mixed_rows(object)$y)
}

#' @rdname lmm_hooks
#' @param nsim Number of simulated responses.
#' @exportS3Method DHARMa::getSimulations
getSimulations.ember_mixed <- function(object, nsim = 1,
                                     type = c("normal", "refit"), ...) {
  type <- match_choice("type", rlang::current_env())
  responses <- stats::simulate(without_padding(object), nsim = nsim, ...)
  if (type == "refit") {
    return(responses)
  }
  if (inherits(object, "ember_lmm")) {
    return(data.matrix(responses))
  }
  shares <- vapply(responses, function(y) response_shares(object, y), numeric(object$nobs))
  apply(shares, 2L, function(y) count_of(object, y))
}

# DHARMa wants counts of successes where there are numbers of trials.
count_of <- function(fit, share) {
  trials <- fit$distribution$name == "binomial" && !is.null(fit$weights)
  if (trials) round(share * fit$weights) else share
}

# A simulated response as the core takes it.
response_shares <- function(fit, response) {
  fit$frame[[1L]] <- response
  glmm_response(fit$frame, fit$distribution, rlang::caller_env())$y
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
  as.vector(stats::predict(without_padding(object), re.form = NA, type = "response"))
}

#' @rdname lmm_hooks
#' @exportS3Method DHARMa::getResiduals
getResiduals.ember_mixed <- function(object, ...) {
  as.vector(stats::residuals(without_padding(object), type = "response"))
}

#' @rdname lmm_hooks
#' @exportS3Method DHARMa::getPearsonResiduals
getPearsonResiduals.ember_mixed <- function(object, ...) { # nolint: object_length_linter.
  as.vector(stats::residuals(without_padding(object), type = "pearson"))
}

# The fit as if no rows had been left out, so that vectors have a value for each row of the frame
# and none for the rows that `na.exclude` would bring back.
without_padding <- function(fit) {
  fit$na_action <- NULL
  fit
}
