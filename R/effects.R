#' @rdname lmm_hooks
#' @exportS3Method effects::effSources
effSources.ember_mixed <- function(mod) {
  call <- mod$call
  # effects fits a linear model to the data, and would look for them in the global environment.
  data <- try(eval(call$data, environment(stats::formula(mod))), silent = TRUE)
  call$data <- if (inherits(data, "data.frame")) data else mod$frame
  list(
    type = "glm", call = call, formula = stats::formula(stats::terms(mod)),
    family = stats::family(mod), coefficients = fixef(mod), vcov = as.matrix(stats::vcov(mod))
  )
}
