# The GLMM functions of the core. `rows` is the list made by mixed_rows() (binomial: y proportions,
# weights numbers of trials), `family` is list(name, link, shape), shape NULL if it is estimated;
# `structure` as for lmm(), `n_agq` points of the quadrature, 1 for Laplace's approximation.

# `start` is list(theta, beta (columns kept), shape), any of them NULL, or NULL.
native_glmm_fit <- function(rows, family, structure, n_agq, start, control, call) {
  control <- native_control(control)
  native_result(
    suspendInterrupts(glmm_fit(
      rows, family, structure, as.integer(n_agq), lapply(start, as_double_or_null), control
    )),
    call
  )
}

# list(criterion, gradient) at the columns of `points`, a matrix (theta, beta kept, shape if it is
# estimated) x points.
native_glmm_criterion <- function(rows, family, structure, n_agq, points, call) {
  native_result(
    glmm_criterion(rows, family, structure, as.integer(n_agq), as.double(points)), call
  )
}

# list(score, observed, expected) of each row at `eta`: d log density / d eta, and minus its second
# derivative, observed and expected, with prior weights in them. `shape` is its value, or NULL.
native_glmm_working <- function(rows, family, shape, eta, call) {
  family["shape"] <- list(shape)
  native_result(
    glmm_working(as.double(rows$y), as_double_or_null(rows$weights), as.double(eta), family), call
  )
}
