# The arguments that glmm() has and lmm() has not, checked.

check_glmm_given <- function(no_formula, no_family, call) {
  check_formula_given(no_formula, call)
  if (no_family) {
    abort_argument(
      "family", "is missing.",
      c(i = known_families(), i = "Gaussian models are fitted by `lmm()`."), call
    )
  }
}

# Quadrature multiplies over the random effects of a group, and needs the groups to be independent.
most_quadrature_effects <- 3L
most_quadrature_points <- 100L

check_n_agq <- function(n_agq, model, call) {
  n_agq <- as.integer(check_count(n_agq, "n_agq", most_quadrature_points, call))
  if (n_agq == 1L) {
    return(n_agq)
  }
  widths <- model$structure$widths
  if (length(widths) > 1L) {
    groups <- unique(vapply(model$random, `[[`, "", "group"))
    abort_argument(
      "n_agq", paste0("must be 1 with several grouping factors, here ", quoted(groups), "."),
      c(i = "Quadrature is for one grouping factor."), call
    )
  }
  if (widths > most_quadrature_effects) {
    abort_argument(
      "n_agq", paste0("must be 1 with ", widths, " random effects per group."),
      c(i = paste("Quadrature is for up to", most_quadrature_effects, "of them.")), call
    )
  }
  n_agq
}

# NULL, or list(theta, beta, shape), NULL where nothing is given; beta has a number per column of X.
check_glmm_start <- function(start, model, call) {
  if (is.null(start)) {
    return(NULL)
  }
  if (inherits(start, "ember_mixed")) start <- start_of_fit(start)
  if (is.numeric(start)) start <- list(theta = start)
  parts <- c("theta", "beta", "shape")
  names(start)[names(start) == "fixef"] <- "beta"
  if (!is.list(start) || !all(rlang::names2(start) %in% parts)) {
    abort_argument(
      "start", "must be a list with `theta`, `beta`, `shape` or some of them, or a fit.", NULL, call
    )
  }
  list(
    theta = start_numbers(start$theta, "theta", length(model$structure$term), call),
    beta = start_numbers(start$beta, "beta", length(model$design$columns), call),
    shape = start_shape(start$shape, model$distribution, call)
  )
}

start_of_fit <- function(fit) {
  beta <- fixef(fit, add.dropped = TRUE)
  list(theta = fit$theta, beta = ifelse(is.na(beta), 0, beta), shape = fit$shape)
}

start_numbers <- function(values, name, count, call) {
  if (is.null(values)) {
    return(NULL)
  }
  if (!is.numeric(values) || length(values) != count || !all(is.finite(values))) {
    abort_argument(
      paste0("start$", name), paste0(
        "must be ", count, if (count == 1L) " finite number." else " finite numbers."
      ), c(i = paste0("`getME(fit, \"", name, "\")` of a fit of the same model has their order.")),
      call
    )
  }
  as.double(values)
}

# A shape that is not estimated needs no start; that of another fit is no mistake.
start_shape <- function(shape, distribution, call) {
  if (is.null(shape) || !has_shape(distribution$name) || !is.null(distribution$shape)) {
    return(NULL)
  }
  if (!is_number(shape) || shape <= 0) {
    abort_argument("start$shape", "must be a positive number.", NULL, call)
  }
  as.double(shape)
}
