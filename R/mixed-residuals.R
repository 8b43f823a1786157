# Fitted values, residuals and what is made of them row by row.

#' Fitted values, residuals and leverages
#'
#' Fitted values include the random effects. Nothing of the size of the data is stored in a fit:
#' these are computed when asked for.
#'
#' @details
#' Leverages are the diagonal of the matrix that maps the response to the fitted values, for fixed
#' variances; their sum is the effective number of parameters (Hodges and Sargent 2001). Residuals
#' of rows that `na.exclude` left out are `NA`.
#'
#' @param object,model A fit of [lmm()].
#' @param type `"response"` and `"working"`: observed minus fitted; `"pearson"` and `"deviance"`:
#'   multiplied by the square root of the prior weight (and divided by the ratio of the residual
#'   standard deviation of the group, in a model with `dispersion`); `"scaled"`: Pearson residuals
#'   divided by [sigma()].
#' @param fullHatMatrix Return the whole matrix (rows x rows, dense) instead of its diagonal?
#' @param scaled Divide by [sigma()]?
#' @param ... Not used.
#' @returns Numeric vectors with the names of the rows. `rstudent()`: Pearson residuals divided by
#'   their standard deviation (lme4's definition). `cooks.distance()`: the distance for fixed
#'   variances, from leverages; [influence()][influence.ember_mixed] has it with refits.
#' @references Hodges, J. S. and Sargent, D. J. (2001). Counting degrees of freedom in hierarchical
#'   and other richly-parameterised models. *Biometrika* 88, 367-379.
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' head(residuals(fit, type = "scaled"))
#' sum(hatvalues(fit))
#' @name residuals.ember_lmm
NULL

#' @rdname residuals.ember_lmm
#' @export
fitted.ember_lmm <- function(object, ...) {
  expand_rows(object, linear_predictor(object))
}

# With the names of the rows; NA where na.exclude() left a row out.
expand_rows <- function(fit, values) {
  stats::naresid(fit$na_action, stats::setNames(values, rownames(fit$frame)))
}

#' @rdname residuals.ember_lmm
#' @export
residuals.ember_lmm <- function(object,
                                type = c("response", "pearson", "working", "deviance", "scaled"),
                                scaled = FALSE, ...) {
  call <- rlang::current_env()
  type <- match_choice("type", call)
  values <- plain_residuals(object, weighted = !type %in% c("response", "working"))
  if (scaled || type == "scaled") values <- values / object$sigma
  expand_rows(object, values)
}

# Without names, of the rows that were fitted.
plain_residuals <- function(fit, weighted, rows = mixed_rows(fit)) {
  values <- rows$y - linear_predictor(fit, rows)
  precisions <- if (weighted) row_precisions(fit, rows)
  if (is.null(precisions)) values else values * sqrt(precisions)
}

#' @rdname residuals.ember_lmm
#' @importFrom stats hatvalues
#' @export
hatvalues.ember_mixed <- function(model,
                                fullHatMatrix = FALSE, ...) { # nolint: object_name_linter.
  if (fullHatMatrix) {
    return(hat_matrix(model))
  }
  expand_rows(model, native_mixed_leverages(model, call = rlang::current_env()))
}

# The matrix that maps the (weighted) response to its (weighted) fitted values, for fixed variances.
hat_matrix <- function(fit) {
  rows <- mixed_rows(fit)
  design <- cbind(fixed_matrix(fit, rows), random_matrix(fit, term_rows(fit, rows)))
  precisions <- row_precisions(fit, rows)
  if (!is.null(precisions)) design <- sqrt(precisions) * design
  as.matrix(design %*% (joint_covariance(fit) / random_scale(fit)^2) %*% Matrix::t(design))
}

#' @rdname residuals.ember_lmm
#' @importFrom stats rstudent
#' @export
rstudent.ember_mixed <- function(model, ...) {
  residuals <- stats::residuals(model, type = "scaled")
  values <- residuals / sqrt(1 - stats::hatvalues(model))
  values[is.infinite(values)] <- NaN
  values
}

#' @rdname residuals.ember_lmm
#' @importFrom stats cooks.distance
#' @export
cooks.distance.ember_mixed <- function(model, ...) {
  hat <- stats::hatvalues(model)
  scaled <- stats::residuals(model, type = "scaled")
  values <- (scaled / (1 - hat))^2 * hat / length(model$beta)
  values[is.infinite(values)] <- NaN
  values
}
