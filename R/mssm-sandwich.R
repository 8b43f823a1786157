# What package sandwich asks of a sample selection model.

#' @rdname vcov.ember_mssm
#' @rawNamespace S3method(sandwich::estfun,ember_mssm)
estfun.ember_mssm <- function(x, ...) {
  call <- rlang::current_env()
  refuse_two_step(x, "There are no scores of a two-step fit.", call)
  scores <- native_mssm_scores(x$rows, x$parameters, fit_control(x), call)
  dimnames(scores) <- list(row.names(x$frame), natural_names(x))
  scores
}

#' @rdname vcov.ember_mssm
#' @exportS3Method sandwich::bread
bread.ember_mssm <- function(x, ...) {
  call <- rlang::current_env()
  refuse_two_step(x, "There is no information matrix of a two-step fit.", call)
  model_covariance(x, call) * nrow(x$rows$selected)
}
