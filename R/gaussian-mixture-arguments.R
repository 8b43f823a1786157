# Checks of arguments: each returns the argument in the form the core wants, or stops
# with an error that names it.

multivariate_models <- c(
  "EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"
)
univariate_models <- c("E", "V")
pooled_models <- c("E", "EII", "EEI", "EEE")

# The numbers of components to try, in increasing order; `fixed` is the number that `start` or
# `known` imply.
check_components <- function(k, given, implied, call) {
  k <- check_component_numbers(k, call)
  sizes <- unique(unlist(implied))
  if (length(sizes) == 0L) {
    return(k)
  }
  source <- names(implied)[[1L]]
  if (length(sizes) > 1L) {
    facts <- paste0("`", names(implied), "` has ", unlist(implied), collapse = ", ")
    abort_argument(
      source, "disagrees about the number of components.", c(x = paste0(facts, ".")), call
    )
  }
  if (given && !identical(k, sizes)) {
    abort_argument(
      "k", paste0("must be ", sizes, ", the number of components in `", source, "`."),
      c(i = "Leave `k` out, or change it."), call
    )
  }
  sizes
}

check_component_numbers <- function(k, call) {
  if (!are_whole_numbers(k) || min(k) < 1 || max(k) > 1e4) {
    abort_argument(
      "k", "must be one or more whole numbers from 1 to 10000.",
      c(i = "For instance `k = 3` or `k = 1:9`."), call
    )
  }
  sort(unique(as.integer(k)))
}

are_whole_numbers <- function(x) {
  is.numeric(x) && length(x) > 0L && !anyNA(x) && all(x == round(x))
}

check_models <- function(model, d, call) {
  allowed <- if (d == 1L) univariate_models else multivariate_models
  if (is.null(model)) {
    return(allowed)
  }
  if (!is.character(model) || length(model) == 0L || anyNA(model)) {
    abort_argument(
      "model", "must be NULL (all models) or the names of covariance models.",
      c(i = paste0("They are ", paste(allowed, collapse = ", "), ".")), call
    )
  }
  unknown <- setdiff(model, allowed)
  if (length(unknown) > 0L) {
    space <- if (d == 1L) "one dimension" else paste(d, "dimensions")
    abort_argument(
      "model", paste0("\"", unknown[[1L]], "\" is not a covariance model in ", space, "."),
      c(i = paste0("The models are ", paste(allowed, collapse = ", "), ".")), call
    )
  }
  unique(model)
}

floor_models <- c("E", "V", "EII", "VII", "EEI", "VVI", "EEE", "VVV")

# The models to try under a floor of the variances.
check_floor <- function(floor, models, given, call) {
  if (is.null(floor)) {
    return(models)
  }
  check_variance_share(floor, call)
  refused <- setdiff(models, floor_models)
  if (given && length(refused) > 0L) {
    abort_argument(
      "floor", paste0("cannot be kept by the covariance model \"", refused[[1L]], "\"."),
      c(i = paste0("It can by ", paste(floor_models, collapse = ", "), "."), i = "Or use `prior`."),
      call
    )
  }
  intersect(models, floor_models)
}

check_variance_share <- function(floor, call) {
  if (!is_number(floor) || floor <= 0 || floor >= 1) {
    abort_argument(
      "floor", "must be NULL or a number between 0 and 1.", c(i = "For instance `floor = 1e-6`."),
      call
    )
  }
}

# The parameters held fixed, in full shape: weights (k), means (k x d), covariances (d x d x k).
# `k` is NULL until the number of components is known; a common covariance is then left as it is.
check_known <- function(known, d, call) {
  if (is.null(known)) {
    return(list())
  }
  check_parameter_list(known, "known", call)
  out <- list()
  if (!is.null(known$weights)) out$weights <- check_weights_of_components(
    known$weights, "known", call
  )
  if (!is.null(known$means)) out$means <- check_means(known$means, d, "known", call)
  if (!is.null(known$covariances)) {
    out$covariances <- check_covariances(known$covariances, d, "known", call)
  }
  out
}

# How many components each of the fixed parameters speaks of; a single covariance is common to all
# of them.
implied_components <- function(parameters) {
  covariances <- dim(parameters$covariances)[3L]
  Filter(Negate(is.null), list(
    weights = if (!is.null(parameters$weights)) length(parameters$weights),
    means = if (!is.null(parameters$means)) nrow(parameters$means),
    covariances = if (!isTRUE(attr(parameters$covariances, "common"))) covariances
  ))
}

expand_covariances <- function(parameters, k) {
  covariances <- parameters$covariances
  if (!is.null(covariances) && dim(covariances)[3L] == 1L && k > 1L) {
    d <- dim(covariances)[1L]
    parameters$covariances <- array(rep(covariances, k), c(d, d, k))
  } else if (!is.null(covariances)) {
    parameters$covariances <- array(covariances, dim(covariances))
  }
  parameters
}

# With the covariances known, the model is only a name for their form.
model_of_known <- function(covariances, model, d, given, call) {
  equal <- all(covariances == as.vector(covariances[, , 1L]))
  if (!given) {
    return(if (d == 1L) c("V", "E")[[1L + equal]] else c("VVV", "EEE")[[1L + equal]])
  }
  if (length(model) > 1L) {
    abort_argument(
      "model", "must be a single model when `known$covariances` is given.",
      c(i = "Leave `model` out: the covariances are not estimated."), call
    )
  }
  if (model %in% pooled_models && !equal) {
    abort_argument(
      "model", paste0("\"", model, "\" has equal covariances, but those in `known` differ."),
      c(i = "Leave `model` out."), call
    )
  }
  model
}

check_parameter_list <- function(parameters, argument, call) {
  allowed <- c("weights", "means", "covariances")
  fail <- function(fact) {
    abort_argument(
      argument, "must be a list with any of `weights`, `means` and `covariances`.", c(x = fact),
      call
    )
  }
  if (!is.list(parameters) || is.data.frame(parameters)) {
    fail(paste0("It is ", describe_object(parameters), "."))
  }
  if (length(parameters) == 0L) {
    return(invisible(parameters))
  }
  if (is.null(names(parameters)) || any(names(parameters) == "")) {
    fail("Some elements have no name.")
  }
  unknown <- setdiff(names(parameters), allowed)
  if (length(unknown) > 0L) {
    fail(paste0("It has an element `", unknown[[1L]], "`."))
  }
  invisible(parameters)
}

check_weights_of_components <- function(weights, argument, call) {
  name <- paste0(argument, "$weights")
  if (!is.numeric(weights) || length(weights) == 0L || !all(is.finite(weights)) || any(
    weights <= 0
  )) {
    abort_argument(name, "must be positive numbers.", NULL, call)
  }
  if (sum(weights) > 1 + 1e-8) {
    abort_argument(
      name, "must sum to 1 (to less with a noise component).",
      c(x = paste0("The sum is ", format(sum(weights)), ".")), call
    )
  }
  as.double(weights)
}

check_means <- function(means, d, argument, call) {
  name <- paste0(argument, "$means")
  if (is.data.frame(means)) means <- as.matrix(means)
  if (!is.numeric(means) || !all(is.finite(means))) {
    abort_argument(name, "must be finite numbers.", NULL, call)
  }
  if (is.null(dim(means))) {
    means <- if (d == 1L) matrix(means, ncol = 1L) else matrix(means, nrow = 1L)
  }
  if (ncol(means) != d || nrow(means) == 0L) {
    abort_argument(
      name, paste0(
        "must be a matrix with one row per component and ", d,
        if (d == 1L) " column." else " columns."
      ),
      c(x = paste0("It is ", nrow(means), " x ", ncol(means), ".")), call
    )
  }
  matrix(as.double(means), nrow(means))
}

# d x d x k, or one d x d matrix (in one dimension a number) for all; in one dimension also k
# variances.
check_covariances <- function(covariances, d, argument, call) {
  name <- paste0(argument, "$covariances")
  if (!is.numeric(covariances) || !all(is.finite(covariances)) || length(covariances) == 0L) {
    abort_argument(name, "must be finite numbers.", NULL, call)
  }
  shape <- covariance_shape(covariances, d)
  if (length(shape) != 3L || any(shape[1:2] != d)) {
    abort_argument(
      name, paste0("must be a ", d, " x ", d, " matrix, or a ", d, " x ", d, " x k array."),
      c(
        x = paste0(
          "Its dimensions are ",
          paste(if (is.null(shape)) length(covariances) else shape, collapse = " x "), "."
        )
      ),
      call
    )
  }
  out <- array(as.double(covariances), shape)
  for (j in seq_len(shape[3L])) {
    check_positive_definite(matrix(out[, , j], d), name, j, call)
  }
  # One matrix stands for all components, unless it came as an array with a third dimension.
  attr(out, "common") <- shape[3L] == 1L && length(dim(covariances)) != 3L
  out
}

# The dimensions d x d x k that are meant where some are left out.
covariance_shape <- function(covariances, d) {
  shape <- dim(covariances)
  if (d == 1L && is.null(shape)) {
    c(1L, 1L, length(covariances))
  } else if (length(shape) == 2L) {
    c(shape, 1L)
  } else {
    shape
  }
}

check_positive_definite <- function(sigma, name, component, call) {
  symmetric <- isSymmetric(unname(sigma), tol = 1e-8)
  if (!symmetric || inherits(try(chol(sigma), silent = TRUE), "try-error")) {
    what <- if (symmetric) "positive definite" else "symmetric"
    abort_argument(name, paste0("must be ", what, "; matrix ", component, " is not."), NULL, call)
  }
}

# NULL, or the log density of uniform noise over the region the data lie in, whose log volume is the
# promise `log_volume`.
check_noise <- function(noise, log_volume, call) {
  if (is_flag(noise)) {
    return(if (noise) list(log_density = -check_volume(log_volume, call)))
  }
  if (is_number(noise) && noise > 0) {
    return(list(log_density = -log(noise)))
  }
  abort_argument(
    "noise", "must be TRUE, FALSE, or the volume of the region of the noise (a positive number).",
    NULL, call
  )
}

# The smaller of two boxes around the data: along the axes, and along the principal components (as
# mclust's hypvol()).
log_volume <- function(x) {
  boxes <- log_box(column_ranges(x))
  if (!anyNA(x) && ncol(x) > 1L) {
    boxes <- c(boxes, log_box(column_ranges(stats::prcomp(x)$x)))
  }
  min(boxes)
}

# Smallest and largest value of each column, 2 x d.
column_ranges <- function(x) apply(x, 2L, range, na.rm = TRUE)

log_box <- function(ranges) sum(log(ranges[2L, ] - ranges[1L, ]))

check_volume <- function(log_volume, call) {
  if (!is.finite(log_volume)) {
    abort_argument(
      "noise",
      "cannot be TRUE: the data have no volume (a column, or a combination of some, is constant).",
      c(i = "Give the volume of the region yourself, or leave the column out."), call
    )
  }
  log_volume
}

check_prior <- function(prior, d, call) {
  if (is.null(prior) || identical(prior, FALSE)) {
    return(NULL)
  }
  if (isTRUE(prior)) {
    prior <- mixture_prior()
  }
  if (!inherits(prior, "ember_mixture_prior")) {
    abort_argument("prior", "must be NULL, or made by `mixture_prior()`.", NULL, call)
  }
  check_prior_shape(prior, d, call)
  prior
}

# The prior against the number of columns, `d`.
check_prior_shape <- function(prior, d, call) {
  if (!is.null(prior$mean) && length(prior$mean) != d) {
    abort_argument(
      "prior", paste0("has a mean of length ", length(prior$mean), "; there are ", d, " columns."),
      NULL, call
    )
  }
  if (is.matrix(prior$scale) && any(dim(prior$scale) != d)) {
    abort_argument(
      "prior", paste0("must have a scale that is a number or a ", d, " x ", d, " matrix."), NULL,
      call
    )
  }
  if (!is.null(prior$dof) && prior$dof <= d - 1) {
    abort_argument(
      "prior", paste0("must have more than ", d - 1, " degrees of freedom."), NULL, call
    )
  }
}

check_select <- function(select, call) {
  if (!is.character(select) || length(select) != 1L || !toupper(select) %in% c(
    "BIC", "ICL", "AIC"
  )) {
    abort_argument("select", "must be \"BIC\", \"ICL\" or \"AIC\".", NULL, call)
  }
  toupper(select)
}

check_starts <- function(n_starts, call, argument = "n_starts") {
  if (!is_number(n_starts) || n_starts < 1 || n_starts != round(n_starts) || n_starts > 1e6) {
    abort_argument(argument, "must be a whole number, at least 1.", NULL, call)
  }
  as.integer(n_starts)
}
