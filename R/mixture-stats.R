#' Sufficient statistics of a Gaussian mixture
#'
#' What an E-step says about some rows: small, and it adds. Statistics of parts of the data can be
#' taken where the parts are (other processes, other machines, sites that may not share rows),
#' merged in one place, and turned into new parameters there.
#'
#' @param x Rows: a matrix or data frame with the columns of the means, or a vector in one
#'   dimension. Missing values are allowed; rows without any value are left out.
#' @param at Parameters at which the statistics are taken: a fit of [gaussian_mixture()], or a list
#'   with `model` (the name of a covariance model), `weights` (k), `means` (k x d), `covariances` (d
#'   x d x k), and, with a noise component, `noise = list(weight =, log_density =)` (not where
#'   values are missing). [mixture_update()] returns such a list.
#' @param weights Row weights: non-negative numbers, one per row; or `NULL`.
#' @param threads Threads of the computation; the answer does not depend on them.
#' @param ... Statistics, or lists of them.
#' @param stats Statistics of all rows.
#' @param known,prior,floor As in [gaussian_mixture()]. A prior needs its `mean` and `scale` here,
#'   since their defaults come from the data.
#'
#' @details
#' Statistics are those of one set of parameters: `merge_stats()` adds only statistics that were
#' taken at the same one. First and second moments are taken in coordinates in which each component
#' has mean 0 and unit variance, so that no digits are lost to a large mean (the component's own
#' Cholesky factor whitens). They hold \eqn{1 + d + d(d + 1) / 2} numbers per component, whatever
#' the number of rows.
#'
#' [mixture_from_stats()] runs a whole fit on statistics.
#'
#' @returns `mixture_stats()` and `merge_stats()` an object of class `mixture_stats`: a list with
#'   `at` (the parameters), `rows`, `total_weight` and `statistics` (in the form of the core). Its
#'   `logLik()` is the log-likelihood of the rows at the parameters. `mixture_update()` a list of
#'   new parameters, as `at`: those of one EM step.
#' @section Errors:
#' `ember_error_stats` for statistics at different parameters; `ember_error_degenerate` when a
#' component collapses in the M-step.
#' @examples
#' at <- list(
#'   model = "VVV", weights = c(0.5, 0.5), means = rbind(c(2, 55), c(4, 80)),
#'   covariances = array(diag(c(0.2, 40)), c(2, 2, 2))
#' )
#' here <- mixture_stats(faithful[1:100, ], at)
#' there <- mixture_stats(faithful[101:272, ], at)
#' both <- merge_stats(here, there)
#' both
#' mixture_update(both)$means
#' @export
mixture_stats <- function(x, at, weights = NULL, threads = 1) {
  call <- rlang::current_env()
  threads <- check_count(threads, "threads", 1024L, call)
  parameters <- mixture_parameters(at, "at", call)
  like <- list(means = parameters$means, terms = if (inherits(at, "ember_mixture")) at$terms)
  x <- newdata_matrix(like, x, call, "x")
  weights <- check_row_weights(weights, nrow(x), call)
  empty <- empty_rows(x)
  if (length(empty) > 0L) {
    x <- x[-empty, , drop = FALSE]
    weights <- weights[-empty]
  }
  if (nrow(x) == 0L) {
    abort_data("`x` has no rows with an observed value.", call = call)
  }
  if (anyNA(x) && !is.null(parameters$noise)) {
    abort_argument(
      "at", "cannot have noise where values are missing: its density in some columns is not known.",
      NULL, call
    )
  }
  new_mixture_stats(native_mixture_expect(x, weights, parameters, threads, call), parameters)
}

new_mixture_stats <- function(statistics, at) {
  structure(
    list(
      at = at, rows = statistics$rows, total_weight = statistics$total_weight,
      statistics = statistics
    ),
    class = "mixture_stats"
  )
}

#' @rdname mixture_stats
#' @export
merge_stats <- function(...) {
  call <- rlang::current_env()
  as_parts <- function(part) if (inherits(part, "mixture_stats")) list(part) else part
  parts <- do.call(c, lapply(list(...), as_parts))
  if (length(parts) == 0L || !all(vapply(parts, inherits, NA, "mixture_stats"))) {
    abort_argument(
      "...", "must be statistics made by `mixture_stats()`, or lists of them.", NULL, call
    )
  }
  at <- parts[[1L]]$at
  same <- vapply(parts, function(part) identical(part$at, at), NA)
  if (!all(same)) {
    ember_abort(
      "Statistics can be merged only if they were taken at the same parameters.",
      class = "stats", call = call,
      details = c(x = paste0("Number ", which(!same)[[1L]], " was taken at others than number 1."))
    )
  }
  merge_two <- function(sum, part) native_mixture_stats_merge(sum, part$statistics, call)
  new_mixture_stats(Reduce(merge_two, parts, NULL), at)
}

#' @rdname mixture_stats
#' @export
mixture_update <- function(stats, known = list(), prior = NULL, floor = NULL) {
  call <- rlang::current_env()
  check_stats(stats, "stats", call)
  at <- stats$at
  known <- known_at(known, at, call)
  check_floor(floor, at$model, TRUE, call)
  prior <- check_prior(prior, ncol(at$means), call)
  if (!is.null(prior) && (is.null(prior$mean) || is.null(prior$scale))) {
    ember_abort(
      "`prior` must have its `mean` and `scale` here: the statistics do not tell the defaults.",
      class = "unsupported", call = call
    )
  }
  moments <- native_mixture_moments(stats$statistics, at, call)
  rules <- mixture_rules(known, prior, floor, at$noise, total_of_components(moments, stats))
  next_parameters(native_mixture_maximize(stats$statistics, at, rules, call), at)
}

# Mean and scatter of all rows but those of the noise, from the moments within components.
total_of_components <- function(moments, stats) {
  counts <- moments$counts
  mean <- colSums(moments$means * counts) / sum(counts)
  between <- crossprod(sweep(moments$means, 2L, mean) * sqrt(counts))
  list(
    mean = mean, scatter = moments$scatter + between, total_weight = stats$total_weight,
    rows = stats$rows
  )
}

known_at <- function(known, at, call) {
  known <- check_known(known, ncol(at$means), call)
  k <- nrow(at$means)
  sizes <- unlist(implied_components(known))
  if (any(sizes != k)) {
    abort_argument(
      paste0("known$", names(sizes)[sizes != k][[1L]]), paste0("must be of ", k, " components."),
      NULL, call
    )
  }
  if (length(known) > 0L) known_for_components(known, k, !is.null(at$noise), call) else known
}

# Parameters as mixture_stats() takes them, named as those before.
next_parameters <- function(native, at) {
  list(
    model = native$model, weights = native$weights,
    means = matrix(native$means, nrow(at$means), dimnames = dimnames(at$means)),
    covariances = array(native$covariances, dim(at$covariances)),
    noise = native$noise
  )
}

check_stats <- function(stats, argument, call) {
  if (!inherits(stats, "mixture_stats")) {
    abort_argument(
      argument, "must be statistics made by `mixture_stats()`.",
      c(x = paste0("It is ", describe_object(stats), ".")), call
    )
  }
}

# A fit or a list as list(model, weights, means, covariances, noise), checked. Components have no
# names, variables do.
mixture_parameters <- function(at, argument, call) {
  parts <- c("model", "weights", "means", "covariances", "noise")
  absent <- if (is.list(at)) setdiff(parts[1:4], names(at)) else parts
  if (length(absent) > 0L) {
    abort_argument(
      argument, "must be a fit, or a list of `model`, `weights`, `means` and `covariances`.",
      c(x = if (is.list(at)) paste0("There is no `", absent[[1L]], "`.")), call
    )
  }
  at <- unclass(at)[intersect(parts, names(at))]
  d <- if (is.null(dim(at$means)) && all(at$model %in% univariate_models)) 1L else NCOL(at$means)
  model <- check_models(at$model, d, call)
  if (length(model) != 1L) {
    abort_argument(paste0(argument, "$model"), "must be one name.", NULL, call)
  }
  values <- start_parameters(at[c("weights", "means", "covariances")], d, call, argument)$value
  variables <- colnames(at$means)
  if (is.null(variables)) variables <- variable_names(values$means, call)
  out <- list(
    model = model, weights = values$weights,
    means = matrix(values$means, ncol = d, dimnames = list(NULL, variables)),
    covariances = values$covariances, noise = check_noise_parameters(at$noise, argument, call)
  )
  if (abs(sum(out$weights, out$noise$weight) - 1) > 1e-8) {
    abort_argument(
      paste0(argument, "$weights"), "must sum to 1, with that of the noise.", NULL, call
    )
  }
  out
}

check_noise_parameters <- function(noise, argument, call) {
  if (is.null(noise)) {
    return(NULL)
  }
  fail <- function(message) abort_argument(paste0(argument, "$noise"), message, NULL, call)
  numbers <- is.list(noise) && is_number(noise$weight) && is_number(noise$log_density)
  if (!numbers || noise$weight < 0) {
    fail("must be `list(weight =, log_density =)`, two numbers.")
  }
  list(weight = as.double(noise$weight), log_density = as.double(noise$log_density))
}

#' @export
logLik.mixture_stats <- function(object, ...) {
  # Statistics do not know which of the parameters were estimated.
  structure(
    object$statistics$log_lik,
    df = NA_integer_, nobs = object$total_weight, class = "logLik"
  )
}

#' @export
print.mixture_stats <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  at <- x$at
  k <- nrow(at$means)
  weight <- if (x$total_weight != x$rows) paste0(", total weight ", format(x$total_weight))
  cat("Statistics of a Gaussian mixture\n")
  cat("  At: ", at$model, ", ", k, if (k == 1L) " component" else " components",
    if (!is.null(at$noise)) " and uniform noise", ", ", toString(colnames(at$means)), "\n",
    sep = ""
  )
  cat("  Rows: ", format(x$rows), weight, "\n", sep = "")
  cat("  Log-likelihood: ", format(x$statistics$log_lik, digits = digits + 4L), "\n", sep = "")
  cat("  Counts:", format(x$statistics$counts, digits = digits), "\n")
  invisible(x)
}

#' Fit a mixture from statistics
#'
#' Runs [gaussian_mixture()] without rows: only on sufficient statistics, which a function of yours
#' collects from wherever the rows are. Use it to fit over several processes or machines.
#'
#' @param expect `function(at)`: the [mixture_stats()] of all rows at the parameters `at`, merged by
#'   [merge_stats()]. It is called once per iteration (and once before the first, with a mixture of
#'   one component).
#' @param start Parameters to begin with, as `at` in [mixture_stats()]; their `model` is fitted.
#' @param known,prior,floor,control As in [gaussian_mixture()].
#'
#' @details
#' The iterations are those of [gaussian_mixture()] from the same start: accelerated, with the same
#' rules for stopping and collapsing components. What needs the rows is missing: `ICL` is `NA`, and
#' methods want `newdata`.
#'
#' Parameters are sent out, statistics come back: a few numbers per component. On a cluster, let
#' each worker read its rows once and keep them.
#'
#' @returns An `ember_mixture`, as from [gaussian_mixture()], without data.
#' @section Errors:
#' An error in `expect()` ends the fit with an `ember_error_source` that shows its message. Ctrl-C
#' ends it with a warning and the parameters reached.
#' @seealso [mixture_stats()], [row_chunks()]
#' @examples
#' parts <- split(faithful, rep(1:4, length.out = 272))
#' start <- list(
#'   model = "VVV", weights = c(0.5, 0.5), means = rbind(c(2, 55), c(4, 80)),
#'   covariances = array(diag(c(0.2, 40)), c(2, 2, 2))
#' )
#' mixture_from_stats(function(at) merge_stats(lapply(parts, mixture_stats, at = at)), start)
#'
#' # The same over two R processes; on a cluster, plan(cluster, workers = c("host1", "host2")).
#' \dontrun{
#' future::plan(future::multisession, workers = 2)
#' everywhere <- function(at) {
#'   merge_stats(future.apply::future_lapply(parts, ember::mixture_stats, at = at))
#' }
#' mixture_from_stats(everywhere, start)
#' future::plan(future::sequential)
#' }
#' @export
mixture_from_stats <- function(expect, start, known = list(), prior = NULL, floor = NULL,
                               control = em_control()) {
  matched <- match.call()
  call <- rlang::current_env()
  check_function(expect, "expect", call)
  check_control(control, call)
  start <- mixture_parameters(start, "start", call)
  known <- known_at(known, start, call)
  check_floor(floor, start$model, TRUE, call)
  # Known values, whatever the start says, as for rows in memory.
  for (part in names(known)) start[[part]][] <- known[[part]]
  prior <- check_prior(prior, ncol(start$means), call)
  collect <- function(at) collect_stats(expect, at, call)
  overall <- collect(overall_component(start))
  total <- c(total_of(overall$statistics, overall$at, call), rows = overall$rows)
  run <- em_on_statistics(
    start, mixture_rules(known, prior, floor, start$noise, total),
    function(at) collect(next_parameters(at, start))$statistics, control, call
  )
  cell <- list(k = nrow(start$means), model = start$model, fit = run$fit)
  problem <- list(known = known, prior = prior, floor = floor, select = "BIC", control = control)
  design <- list(variables = colnames(start$means))
  fit <- new_gaussian_mixture(
    list(table = cell_row(cell, alone = TRUE), fit = run$fit), design, problem, matched, call
  )
  fit$nobs <- overall$total_weight
  for (warning in run$warnings) warning(warning)
  warn_status(fit, call, mixture_remedy(fit$status))
  fit
}

# What the user's function returns, checked.
collect_stats <- function(expect, at, call) {
  # An extrapolation can end where no covariance matrix is; the driver then goes another way.
  at <- tryCatch(mixture_parameters(at, "at", call), ember_error_argument = function(error) {
    ember_abort(conditionMessage(error), class = "numerical", call = call)
  })
  stats <- tryCatch(expect(at), error = function(error) {
    abort_source("`expect()` failed.", conditionMessage(error), call)
  })
  if (!inherits(stats, "mixture_stats") || !identical(stats$at, at)) {
    abort_source(
      "`expect()` must return the statistics at its argument.",
      paste0("It returned ", describe_object(stats), "."), call
    )
  }
  stats
}

# The normal distribution with the mean and covariance of a mixture.
overall_component <- function(mixture) {
  shares <- mixture$weights / sum(mixture$weights)
  mean <- colSums(mixture$means * shares)
  within <- apply(mixture$covariances, 1:2, function(cells) sum(cells * shares))
  between <- crossprod(sweep(mixture$means, 2L, mean) * sqrt(shares))
  out <- one_component(mean, within + between)
  colnames(out$means) <- colnames(mixture$means)
  out
}
