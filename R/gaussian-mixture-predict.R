# What a fitted mixture says of rows: classes, posterior probabilities, densities, and new rows
# drawn from it.

#' Classes, posterior probabilities and densities
#'
#' @param object A fit of [gaussian_mixture()].
#' @param newdata Rows to predict: a data frame or matrix with the columns of the fit (matched by
#'   name where both have names), or a vector in one dimension. Missing values are allowed: a row is
#'   predicted from the values it has, and one without any gets the mixing weights. By default the
#'   data of the fit.
#' @param type `"class"`: the most probable component; `"posterior"`: the probability of each;
#'   `"density"` and `"log_density"`: the density of the row under the mixture (of its observed
#'   values).
#' @param ... Not used.
#' @returns For `"class"` an integer vector with values `1..k`, and 0 for noise; for `"posterior"`
#'   an n x k matrix (n x (k + 1) with noise, in the last column) whose rows sum to 1; otherwise a
#'   numeric vector. Names are the row names of the data where it has some.
#' @examples
#' fit <- gaussian_mixture(faithful, k = 2, model = "VVV")
#' table(predict(fit))
#' predict(fit, data.frame(eruptions = c(2, 3.3, NA), waiting = c(50, 67, 80)), type = "posterior")
#' @export
predict.ember_mixture <- function(object, newdata = NULL,
                                  type = c("class", "posterior", "density", "log_density"), ...) {
  call <- rlang::current_env()
  type <- match_choice("type", call)
  rows <- rows_to_predict(object, newdata, call)
  native <- native_mixture_posterior(rows$x, object, call = call)
  label <- function(values) stats::setNames(values, rows$names)
  switch(type,
    class = label(most_probable(native$posterior, object)),
    posterior = matrix(
      native$posterior, nrow(rows$x),
      dimnames = list(rows$names, names(component_weights(object)))
    ),
    density = label(exp(native$log_density)),
    log_density = label(native$log_density)
  )
}

rows_to_predict <- function(object, newdata, call) {
  if (is.null(newdata)) {
    return(list(x = data_of(object, call), names = object$row_names))
  }
  x <- newdata_matrix(object, newdata, call)
  list(x = x, names = rownames(x))
}

# The component of largest posterior probability, the first of several; noise is 0.
most_probable <- function(posterior, object) {
  class <- max.col(posterior, ties.method = "first")
  class[class > object$k] <- 0L
  class
}

#' Uncertainty of a classification
#'
#' One minus the largest posterior probability of each row: 0 for a row that surely belongs to its
#' component, up to 1 - 1/k for a row that could belong to any.
#'
#' @param object A fit of [gaussian_mixture()].
#' @param newdata Rows, as in [predict.ember_mixture()].
#' @param ... Not used.
#' @returns A numeric vector, one value in \[0, 1) per row.
#' @examples
#' fit <- gaussian_mixture(faithful, k = 2, model = "VVV")
#' head(sort(uncertainty(fit), decreasing = TRUE))
#' @export
uncertainty <- function(object, newdata = NULL, ...) {
  UseMethod("uncertainty")
}

#' @export
uncertainty.ember_mixture <- function(object, newdata = NULL, ...) {
  posterior <- stats::predict(object, newdata, type = "posterior")
  1 - apply(posterior, 1L, max)
}

#' Density, distribution function and quantiles of a fitted mixture
#'
#' For mixtures in one dimension. `density()` gives the density on a grid, for `plot()` and
#' `lines()`; `cdf()` gives probabilities \eqn{P(X \le q)} and `quantile()` their inverse. Densities
#' at given points, in any dimension, come from [predict.ember_mixture()].
#'
#' @param object,x A fit of [gaussian_mixture()] in one dimension.
#' @param q Points (numbers).
#' @param probs Probabilities, in \[0, 1\].
#' @param n Number of points of the grid.
#' @param ... Not used.
#' @returns `cdf()` and `quantile()` a numeric vector; `density()` an object of class
#'   [stats::density()].
#' @examples
#' fit <- gaussian_mixture(~waiting, k = 2, data = faithful)
#' cdf(fit, c(60, 80))
#' quantile(fit, c(0.05, 0.5, 0.95))
#' plot(density(fit))
#' @name mixture_distribution
NULL

#' @rdname mixture_distribution
#' @export
cdf <- function(object, q, ...) {
  UseMethod("cdf")
}

#' @rdname mixture_distribution
#' @export
cdf.ember_mixture <- function(object, q, ...) {
  call <- rlang::current_env()
  require_one_dimension(object, "cdf()", call)
  if (!is.numeric(q)) {
    abort_argument("q", "must be numbers.", c(x = paste0("It is ", describe_object(q), ".")), call)
  }
  stats::setNames(native_mixture_cdf(q, object, call = call), names(q))
}

#' @rdname mixture_distribution
#' @export
quantile.ember_mixture <- function(x, probs = seq(0, 1, 0.25), ...) {
  call <- rlang::current_env()
  require_one_dimension(x, "quantile()", call)
  if (!is.numeric(probs) || any(probs < 0 | probs > 1, na.rm = TRUE)) {
    abort_argument("probs", "must be probabilities from 0 to 1.", NULL, call)
  }
  values <- native_mixture_quantile(probs, x, call = call)
  labels <- if (length(probs) > 0L) paste0(format(100 * probs, trim = TRUE, digits = 7), "%")
  stats::setNames(values, labels)
}

#' @rdname mixture_distribution
#' @export
density.ember_mixture <- function(x, n = 512, ...) {
  call <- rlang::current_env()
  require_one_dimension(x, "density()", call)
  n <- check_count(n, "n", 1e7, call)
  points <- density_grid(x, n)
  structure(
    list(
      x = points, y = exp(native_mixture_posterior(matrix(points), x, call)$log_density),
      bw = NA_real_, n = x$nobs,
      call = x$call, data.name = colnames(x$means), has.na = FALSE
    ),
    class = "density"
  )
}

# Wide enough for every component and every observation.
density_grid <- function(fit, n) {
  spread <- 3.5 * sqrt(fit$covariances[1L, 1L, ])
  ends <- range(fit$means[, 1L] - spread, fit$means[, 1L] + spread, fit$data, na.rm = TRUE)
  seq(ends[[1L]], ends[[2L]], length.out = n)
}

require_one_dimension <- function(fit, what, call) {
  d <- ncol(fit$means)
  if (d > 1L) {
    ember_abort(
      paste0("`", what, "` is for mixtures in one dimension; this one has ", d, "."),
      class = "unsupported",
      details = c(i = "`predict(type = \"density\")` gives densities in any dimension."),
      call = call
    )
  }
}

#' Draw rows from a fitted mixture
#'
#' @param object A fit of [gaussian_mixture()].
#' @param nsim Number of data sets.
#' @param seed `NULL`, to go on with R's random numbers, or a seed for [set.seed()]; the state is
#'   put back afterwards.
#' @param n Rows of each data set; by default the number of rows of the data.
#' @param ... Not used.
#' @returns In one dimension a data frame with `nsim` columns `sim_1, sim_2, ...` and `n` rows, as
#'   for other models; in more dimensions a list of `nsim` data frames, each with the columns of the
#'   data. Attribute `component` has the component each row was drawn from (n x nsim, integer),
#'   attribute `seed` the state of the generator before.
#' @details With a noise component the region of the noise is needed, which the fit does not
#'   describe: this is an `ember_error_unsupported`.
#' @examples
#' fit <- gaussian_mixture(~waiting, k = 2, data = faithful)
#' head(simulate(fit, nsim = 2, seed = 1))
#' @export
simulate.ember_mixture <- function(object, nsim = 1, seed = NULL, n = NULL, ...) {
  call <- rlang::current_env()
  nsim <- check_count(nsim, "nsim", 1e6, call)
  if (is.null(n)) n <- if (is.null(object$data)) round(object$nobs) else nrow(object$data)
  n <- check_count(n, "n", .Machine$integer.max, call)
  if (!is.null(seed) && !(is_number(seed) && abs(seed) <= .Machine$integer.max)) {
    abort_argument("seed", "must be NULL or one whole number, as for `set.seed()`.", NULL, call)
  }
  if (!is.null(object$noise)) {
    ember_abort(
      "A mixture with noise cannot be simulated: the region of the noise is not part of the fit.",
      class = "unsupported", call = call
    )
  }
  before <- generator_state()
  state <- before
  if (!is.null(seed)) {
    on.exit(assign(".Random.seed", before, envir = globalenv()))
    set.seed(seed)
    state <- structure(seed, kind = as.list(RNGkind()))
  }
  draws <- replicate(nsim, native_mixture_simulate(n, object, call = call), simplify = FALSE)
  names <- paste0("sim_", seq_len(nsim))
  variables <- colnames(object$means)
  values <- lapply(draws, function(draw) {
    as.data.frame(matrix(draw$x, n, dimnames = list(NULL, variables)))
  })
  out <- if (length(variables) == 1L) {
    as.data.frame(stats::setNames(lapply(values, `[[`, 1L), names))
  } else {
    stats::setNames(values, names)
  }
  structure(
    out, seed = state, component = vapply(draws, function(draw) as.integer(draw$class), integer(n))
  )
}

# R's random number state; made first if no number has been drawn yet.
generator_state <- function() {
  if (!exists(".Random.seed", envir = globalenv(), inherits = FALSE)) stats::runif(1L)
  get(".Random.seed", envir = globalenv())
}
