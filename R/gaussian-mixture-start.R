# Where the iterations begin: a method, labels, responsibilities or parameters.

start_methods <- c("kmeans", "hierarchical")

# Returns list(value =, k =): the start as the core wants it, and the number of components it
# implies (NULL if any). `n` counts the rows before those without any value (`dropped`) were left
# out.
check_start <- function(start, n, d, noise, dropped, call) {
  if (is.null(start)) {
    return(list(value = NULL, k = NULL))
  }
  if (is_method_name(start, n)) {
    return(start_method(start, call))
  }
  if (inherits(start, "ember_mixture")) {
    start <- unclass(start)[c("weights", "means", "covariances")]
  }
  if (is.data.frame(start)) start <- as.matrix(start)
  if (is.list(start)) {
    return(start_parameters(start, d, call))
  }
  if (length(dim(start)) == 2L) {
    start_responsibilities(start, n, noise, dropped, call)
  } else {
    start_labels(start, n, noise, dropped, call)
  }
}

# One word names a method, unless there is one row: then it is its label.
is_method_name <- function(start, n) {
  is.character(start) && length(start) == 1L && n != 1L
}

start_method <- function(name, call) {
  if (!name %in% start_methods) {
    abort_argument(
      "start", paste0("must be one of ", quoted(start_methods), " when it names a method."), NULL,
      call
    )
  }
  list(value = name, k = NULL)
}

start_labels <- function(labels, n, noise, dropped, call) {
  fail <- function(fact) {
    abort_argument(
      "start",
      paste0("must have a label from 1 to k for each row", if (noise) " (0 for noise)", "."),
      c(x = fact), call
    )
  }
  labels <- label_numbers(labels)
  if (!is.numeric(labels)) fail(paste0("It is ", describe_object(labels), "."))
  if (length(labels) != n) fail(paste0("There are ", n, " rows and ", length(labels), " labels."))
  if (anyNA(labels) || any(labels != round(labels)) || any(labels < if (noise) 0 else 1)) {
    fail("Some labels are missing, fractional or too small.")
  }
  if (length(dropped) > 0L) labels <- labels[-dropped]
  k <- as.integer(max(labels, 0))
  unused <- setdiff(seq_len(k), labels)
  if (k == 0L) fail("All rows are noise.")
  if (length(unused) > 0L) fail(paste0("No row has the label ", unused[[1L]], "."))
  list(value = as.integer(labels), k = k)
}

# The levels of a factor, and words in their order, count from 1.
label_numbers <- function(labels) {
  if (is.character(labels)) labels <- factor(labels)
  if (is.factor(labels)) as.integer(labels) else labels
}

start_responsibilities <- function(z, n, noise, dropped, call) {
  fail <- function(fact) {
    abort_argument(
      "start", "must be an n x k matrix of probabilities: no negative values, rows that sum to 1.",
      c(x = fact), call
    )
  }
  if (!is.numeric(z)) fail(paste0("It is ", describe_object(z), "."))
  if (nrow(z) != n) fail(
    paste0("There are ", n, " rows of data and ", nrow(z), " of responsibilities.")
  )
  if (!all(is.finite(z)) || any(z < 0)) fail("Some values are missing, infinite or negative.")
  if (length(dropped) > 0L) z <- z[-dropped, , drop = FALSE]
  bad <- which(abs(rowSums(z) - 1) > 1e-6)
  if (length(bad) > 0L) fail(
    paste0("Row ", bad[[1L]], " sums to ", format(sum(z[bad[[1L]], ])), ".")
  )
  k <- ncol(z) - noise
  if (k < 1L) fail("There is no column for a Gaussian component.")
  list(value = matrix(as.double(z), nrow(z)), k = k)
}

start_parameters <- function(start, d, call, argument = "start") {
  check_parameter_list(start, argument, call)
  if (is.null(start$means)) {
    abort_argument(argument, "must have `means` when it is a list.", NULL, call)
  }
  value <- list(means = check_means(start$means, d, argument, call))
  k <- nrow(value$means)
  if (!is.null(start$weights)) value$weights <- check_weights_of_components(
    start$weights, argument, call
  )
  if (!is.null(start$covariances)) value$covariances <- check_covariances(
    start$covariances, d, argument, call
  )
  sizes <- unlist(implied_components(value))
  if (any(sizes != k)) {
    facts <- paste0("`", names(sizes), "` has ", sizes, collapse = ", ")
    abort_argument(
      argument, "disagrees about the number of components.", c(x = paste0(facts, ".")), call
    )
  }
  list(value = expand_covariances(value, k), k = k)
}

# A list of starting parameters with all its parts: known values, whatever the start says; for what
# is left out equal weights and the variances of the columns.
complete_start <- function(start, known, k, design, noise) {
  if (!is.list(start)) {
    return(start)
  }
  start[names(known)] <- known
  if (is.null(start$weights)) {
    start$weights <- rep((1 - 0.05 * noise) / k, k)
  }
  if (is.null(start$covariances)) {
    variances <- design$variances
    if (is.null(variances)) variances <- apply(design$x, 2L, stats::var, na.rm = TRUE)
    d <- length(variances)
    start$covariances <- array(diag(variances, d), c(d, d, k))
  }
  start[c("weights", "means", "covariances")]
}
