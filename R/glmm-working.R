# The linear mixed model that a generalized one is near its estimate (Breslow and Clayton 1993):
# working weights W, the negative second derivatives of the log-density by the linear predictor, and
# no residual variance beside them. Its conditional variances, leverages and prediction errors are
# those of the Laplace approximation.

# Observed where they are positive; where a log-density is not concave, expected. Rows that are
# predicted without error keep a trace of a weight.
working_precisions <- function(fit, rows = mixed_rows(fit)) {
  eta <- linear_predictor(fit, rows)
  working <- native_glmm_working(rows, fit$distribution, fit$shape, eta, rlang::caller_env())
  weights <- ifelse(working$observed > 0, working$observed, working$expected)
  pmax(weights, least_working_weight)
}

least_working_weight <- 1e-200

# list(rows, known) of the working model, in the form of the model of a linear fit.
working_model <- function(fit) {
  rows <- mixed_rows(fit)
  rows$weights <- working_precisions(fit, rows)
  list(rows = rows, known = utils::modifyList(fit$known, list(sigma = 1)))
}
