# Predictions, averages and draws of missing outcomes of sample selection models in the core.
#
# `designs`: 2J double matrices (outcome 1..J, selection 1..J) with the columns that have a
# coefficient; `parameters`: list(coefficients = 2J vectors of the same widths, omega).
# `targets`: list(quantity = names, equation = numbers, pattern = integer matrix, targets x J, of 1,
# 0 and NA); quantities are "outcome" and "selection" (linear predictors), "probability" of the
# pattern, "expectation" of the outcome given the pattern, and "mills".

# list(values (n x targets), errors (the same, or NULL without `vcov`)).
native_mssm_predict <- function(designs, parameters, targets, vcov, control, call) {
  native_result(
    mssm_predict(designs, parameters, targets, vcov, control), call
  )
}

# list(means (one for each target), gradient (K x targets)); `weights` may be NULL.
native_mssm_average <- function(designs, parameters, targets, weights, control, call) {
  native_result(
    mssm_average(
      designs, parameters, targets, as_double_or_null(weights), control
    ),
    call
  )
}

# list(expectation (n x J), covariance (n x J x J)) of the outcomes given what was observed.
native_mssm_missing_moments <- function(rows, parameters, control, call) {
  moments <- native_result(
    mssm_missing_moments(rows, parameters, control), call
  )
  dim(moments$covariance) <- c(dim(moments$expectation), ncol(moments$expectation))
  moments
}

# `m` draws of the outcomes of every row: an array n x J x m. R's generator decides the streams.
native_mssm_impute <- function(rows, parameters, m, control, call) {
  draws <- native_result(
    mssm_impute(rows, parameters, as.integer(m), as.double(draw_seed()), control),
    call
  )
  array(draws, c(dim(rows$y), m))
}
