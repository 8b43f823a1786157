# A mixed model before it is fitted.

# From a formula to what lmm(), glmm() and data_clone() fit: list(formula, frame, terms, design,
# random, structure, rows, weights, offset, na_action, known, dispersion_levels). `quoted` has the
# expressions of `weights`, `offset` and `subset`, evaluated in `data`, then where the formula was
# written, then in `caller`; `distribution` is NULL for Gaussian responses.
mixed_model <- function(formula, data, quoted, na_action, contrasts, caller, call,
                        distribution = NULL, dispersion = NULL) {
  check_mixed_data(data, call)
  action <- check_na_action(na_action, call)
  contrasts <- check_contrasts(contrasts, call)
  parsed <- mixed_formula(formula, data, call)
  extras <- Map(function(expression, argument) {
    row_argument(expression, argument, data, environment(formula), caller, call)
  }, quoted, names(quoted))
  extras["subset"] <- list(check_subset(extras$subset, call))
  extras["dispersion"] <- list(dispersion_groups(dispersion, data, call))
  frame <- mixed_frame(parsed, data, extras, action, call)
  terms <- fixed_terms(parsed, frame)
  design <- mixed_design(frame, terms, parsed$bars, contrasts, call, distribution)
  list(
    formula = parsed$formula, frame = frame, terms = terms,
    design = c(design$fixed, list(xlevels = factor_levels(terms, frame))),
    random = design$random, structure = design$structure, rows = design$rows,
    weights = design$rows$weights, offset = design$rows$offset,
    na_action = attr(frame, "na.action"), known = nothing_known,
    dispersion_levels = design$rows$dispersion$levels
  )
}

# In the form of check_known_variances().
nothing_known <- list(sigma = NULL, term = integer(), index = integer(), sd = double())

check_formula_given <- function(missing, call) {
  if (missing) {
    abort_argument(
      "formula", "is missing.", c(i = "Write `response ~ predictors + (1 | group)`."), call
    )
  }
}
