#' Fit a mixture of Gaussians
#'
#' Fits a Gaussian mixture by maximum likelihood with the EM algorithm, and chooses the number of
#' components and the covariance model by an information criterion. Missing values are fitted, not
#' imputed; any of the parameters may be known; rows may have weights.
#'
#' @param x What to cluster: a one-sided formula (`~ a + b`, with `data`; expressions such as
#'   `log(a)` and `.` work), a numeric matrix or data frame with one row per observation, or a
#'   numeric vector (one dimension). Missing values (`NA`) are allowed: a row enters the likelihood
#'   through the values it has. Rows without any value are left out. Factors, characters and
#'   logicals are errors. Or a source that yields rows in blocks: [row_chunks()].
#' @param k Numbers of components to try: whole numbers, no larger than the number of distinct rows.
#' @param model Names of the covariance models to try; `NULL` is all of them. In one dimension `"E"`
#'   (equal variance) and `"V"`; otherwise three letters for volume, shape and orientation, each
#'   equal (`E`), variable (`V`) or the identity (`I`): `"EII"`, `"VII"`, `"EEI"`, `"VEI"`, `"EVI"`,
#'   `"VVI"`, `"EEE"`, `"VEE"`, `"EVE"`, `"VVE"`, `"EEV"`, `"VEV"`, `"EVV"`, `"VVV"`. These are the
#'   names of the mclust package.
#' @param data A data frame in which the variables of a formula (and `weights`) are looked up, or
#'   [row_chunks()].
#' @param weights Case weights: non-negative, one per row; the name of a column if `x` is a source.
#'   A row of weight 2 counts as two equal rows, in the likelihood and in the number of observations
#'   of the criteria.
#' @param known Parameters that are known and not estimated: a list with any of `weights` (k
#'   numbers), `means` (k x d, or k numbers in one dimension) and `covariances` (d x d x k; or one d
#'   x d matrix, in one dimension a number, common to all components; in one dimension also k
#'   variances). All but a common variance or matrix imply `k`; with that one, `k` must be a single
#'   number. What is known does not count as a parameter and has no standard error.
#' @param noise `TRUE` adds a component of uniform noise over the smallest box around the data
#'   (along the axes or the principal components); a number is the volume of the region to use
#'   instead. Needs complete data.
#' @param start Where to begin. `NULL` lets ember choose; `"kmeans"` and `"hierarchical"` name a
#'   method; a vector gives each row a label `1..k` (0 for noise); an n x k matrix gives
#'   responsibilities (with noise, one column more, the last); `list(means =, weights =, covariances
#'   =)` gives parameters, shaped as in `known`, and so does a fit. In such a list weights default
#'   to equal ones, and covariances to the variances of the columns. Labels, responsibilities and
#'   parameters imply `k`.
#' @param n_starts How many starts to try for each number of components when `start` is `NULL` or
#'   names a method that draws at random. The best is kept; `$starts` has the others.
#' @param select The criterion that chooses: `"BIC"`, `"ICL"` or `"AIC"`. Smaller is better.
#' @param control Tolerances and limits: [em_control()].
#' @param prior `NULL` for maximum likelihood, or [mixture_prior()] for a posterior mode, which
#'   cannot collapse.
#' @param floor `NULL`, or the smallest variance that a component may have in any direction, as a
#'   share (between 0 and 1, for instance `1e-6`) of the variance of all rows in that direction.
#'   Units do not matter. For the models E, V, EII, VII, EEI, VVI, EEE and VVV; the others need
#'   `prior`.
#' @param keep_data Whether the fit holds the data. Without them `predict()` needs `newdata`, and
#'   what needs the rows (`vcov()`, `confint()`, most plots) is an `ember_error_no_data`.
#' @param ... Not used; an unknown argument is an error.
#'
#' @details
#' The density of a row is \eqn{f(x) = \sum_k \pi_k N(x; \mu_k, \Sigma_k)}. Each covariance matrix
#' is \eqn{\Sigma_k = \lambda_k D_k A_k D_k'} (volume, orientation, shape; Banfield and Raftery
#' 1993, Celeux and Govaert 1995).
#'
#' The likelihood of a mixture has several maxima, and is unbounded where a component collapses on
#' few points. ember runs several starts, stops a collapsing run and says which component it was,
#' and never reports such a run as the maximum if another one ended well. A start in which
#' components coincide stays where it is: this is a saddle point, reported as such. Look at
#' `$status`: `"converged"`, `"iteration_limit"`, `"degenerate"`, `"saddle"` or `"interrupted"`.
#'
#' @section Rows in chunks:
#' With a source made by [row_chunks()] or its relatives in `x` (or in `data`, with a formula in
#' `x`) the rows are never in memory together. A first pass counts them, takes their mean and
#' scatter, and draws up to 5,000 of them at random; a second is needed with missing values, for the
#' volume of the noise, or if the first block is far from the others. Starts are searched in the
#' sample, for each `k` and `model`; from there EM reads the source once per iteration. So give `k`
#' and `model`, or `start`: every further cell costs tens of passes.
#'
#' From the same start the fit is that in memory, up to rounding. What differs: `start` cannot be
#' labels or responsibilities; ICL is computed only with `select = "ICL"` (one more pass); a saddle
#' point is noticed only where components coincide; and the fit holds no data, so that standard
#' errors and some plots are missing and predictions need `newdata`. Weights are a column: give its
#' name, or an expression with a formula.
#'
#' @returns An object of class `ember_mixture` (and `ember_fit`): a list with
#' * `weights` (k), `means` (k x d, in the units of the data), `covariances` (d x d x k, in squared
#'   units); `noise`, `NULL` or `list(weight, log_density)`, the log of one over the volume of its
#'   region;
#' * `thin`: components with fewer rows than their own parameters need;
#' * `k`, `model`, `loglik`, `log_prior`, `df` (free parameters), `nobs` (sum of the row weights);
#' * `status`, `message`, `component` (the one that collapsed, or 0), `iterations`, `passes` (of the
#'   data);
#' * `trace` (data frame: `iteration`, `loglik`, `bound`, `step`), `starts` (data frame: `loglik`,
#'   `status`);
#' * `table` (data frame of the search: `k`, `model`, `loglik`, `df`, `AIC`, `BIC`, `ICL`, `status`,
#'   `message`);
#' * `data` (n x d), `row_weights`, `known`, `prior`, `select`, `control`, `call`, and, from a
#'   formula, `formula` and `terms`.
#'
#' Components come in no particular order: their numbers mean nothing. A constant column, or
#' fewer rows than variables, leaves only the models that such data can identify (spherical ones,
#' say); the others have a `status` and a `message` in `$table`. Standard errors and criteria take
#' `k` and `model` as given: they do not know that these were chosen from the same data.
#'
#' Random starts come from R's random numbers: [set.seed()] makes a fit repeatable, on any number of
#' threads.
#'
#' @section Errors and warnings:
#' An argument that cannot be used gives an `ember_error_argument`; data that cannot be fitted
#' (infinite values, a factor column) an `ember_error_data`; a source of rows that fails an
#' `ember_error_source`; if no cell of the search can be fitted,
#' an `ember_error_fit` with the whole search in its field `table`. All inherit `ember_error`. A fit
#' that is no maximum comes with a warning of class `ember_warning` and `ember_warning_<status>`.
#'
#' @references
#' Banfield, J. D. and Raftery, A. E. (1993). Model-based Gaussian and non-Gaussian clustering.
#' *Biometrics* 49, 803-821.
#'
#' Celeux, G. and Govaert, G. (1995). Gaussian parsimonious clustering models. *Pattern Recognition*
#' 28, 781-793.
#'
#' Sridharan, R. Gaussian mixture models and the EM algorithm.
#'
#' @seealso [predict.ember_mixture()], [plot.ember_mixture()], [bootstrap_lrt()],
#'   [merge_components()], [as_mclust()]; `vignette("gaussian-mixtures")` for a tour,
#'   `vignette("mixture-algorithm")` for the computations.
#' @examples
#' fit <- gaussian_mixture(faithful, k = 1:4)
#' fit
#' summary(fit)
#'
#' # One dimension, a formula
#' gaussian_mixture(~waiting, k = 2, model = "E", data = faithful)
#'
#' # Known variance and weights: only the means are estimated
#' heights <- c(rnorm(100, 69.5, 2.5), rnorm(100, 64.5, 2.5))
#' two <- gaussian_mixture(heights, known = list(weights = c(0.5, 0.5), covariances = 2.5^2))
#' two$means
#' @export
gaussian_mixture <- function(x, k = 1:9, model = NULL, data = NULL, weights = NULL, known = list(),
                             noise = FALSE, start = NULL, n_starts = 10, select = "BIC",
                             control = em_control(), prior = NULL, floor = NULL,
                             keep_data = TRUE, ...) {
  call <- match.call()
  here <- rlang::current_env()
  check_no_dots(..., call = here)
  if (missing(x)) {
    abort_argument(
      "x", "is missing.", c(i = "Give a formula, a matrix, a data frame or a vector."), here
    )
  }
  row_weights <- if (inherits(x, "formula")) substitute(weights) else weights
  if (!is_flag(keep_data)) abort_argument("keep_data", "must be TRUE or FALSE.", NULL, here)
  if (is_chunked(x, data)) {
    return(chunked_mixture(
      x, data, row_weights, k, !missing(k), model, known, noise, start, n_starts, select, prior,
      floor, control, call, here
    ))
  }
  design <- unsupervised_design(x, data, row_weights, here)
  problem <- mixture_problem(
    design, k, !missing(k), model, known, noise, start, n_starts, select, prior, floor, control,
    here
  )
  native <- native_mixture_search(
    design$x, design$weights, problem$k, problem$models, problem$select, problem$start,
    problem$n_starts,
    problem$known, problem$noise, problem$prior, problem$floor, control,
    call = here
  )
  fit <- new_gaussian_mixture(native, design, problem, call, here)
  if (!keep_data) fit$data <- NULL
  warn_status(fit, here, mixture_remedy(fit$status))
  fit
}

# The arguments after checks, in the shapes of the core. A design that holds only a sample of the
# rows has the `log_volume`, the `variances` and whether any value is `missing` of all of them.
mixture_problem <- function(design, k, k_given, model, known, noise, start, n_starts, select, prior,
                            floor, control, call) {
  d <- ncol(design$x)
  dropped <- design$na_action
  whole <- is.null(design$log_volume)
  noise <- check_noise(noise, if (whole) log_volume(design$x) else design$log_volume, call)
  if (!is.null(noise) && (if (whole) anyNA(design$x) else design$missing)) {
    abort_argument(
      "noise",
      "cannot be combined with missing values: its density in some of the columns is not known.",
      c(i = "Leave `noise` out, or fit the complete rows (`na.omit()`)."), call
    )
  }
  known <- check_known(known, d, call)
  start <- check_start(start, nrow(design$x) + length(dropped), d, !is.null(noise), dropped, call)
  implied <- implied_components(known)
  names(implied) <- sprintf("known$%s", names(implied))
  k <- check_components(k, k_given, c(implied, if (!is.null(start$k)) list(start = start$k)), call)
  models <- check_floor(floor, check_models(model, d, call), !is.null(model), call)
  if (length(known) > 0L) {
    known <- known_for_components(known, k, !is.null(noise), call)
  }
  if (!is.null(known$covariances)) {
    models <- model_of_known(known$covariances, models, d, !is.null(model), call)
  }
  check_control(control, call)
  list(
    k = k, models = models, known = known, noise = noise, n_starts = check_starts(n_starts, call),
    start = complete_start(start$value, known, k[[1L]], design, !is.null(noise)),
    select = check_select(select, call), prior = check_prior(prior, d, call), floor = floor,
    control = control
  )
}

# A common covariance fits any number of components, but the core takes one number at a time.
known_for_components <- function(known, k, noise, call) {
  if (length(k) > 1L) {
    abort_argument(
      "k", "must be a single number when `known` does not tell how many components there are.",
      c(i = "For instance `k = 2`."), call
    )
  }
  if (!is.null(known$weights) && !noise && abs(sum(known$weights) - 1) > 1e-8) {
    abort_argument(
      "known$weights", "must sum to 1.",
      c(x = paste0("The sum is ", format(sum(known$weights)), ".")), call
    )
  }
  expand_covariances(known, k)
}

new_gaussian_mixture <- function(native, design, problem, call, error_call) {
  table <- search_table(native$table)
  if (is.null(native$fit)) {
    abort_all_failed(table, error_call)
  }
  fit <- native$fit
  components <- as.character(seq_along(fit$weights))
  variables <- design$variables
  structure(
    list(
      call = call, formula = design$formula, terms = design$terms,
      weights = as.double(fit$weights),
      means = matrix(fit$means, length(components), dimnames = list(components, variables)),
      covariances = array(
        fit$covariances, c(length(variables), length(variables), length(components)),
        dimnames = list(variables, variables, components)
      ),
      noise = fit$noise, k = length(components), model = fit$model,
      loglik = fit$log_lik, log_prior = fit$log_prior, df = as.integer(fit$parameters),
      thin = fit$thin,
      nobs = if (is.null(design$weights)) nrow(design$x) else sum(design$weights),
      status = fit$status, message = fit$message, component = as.integer(fit$component),
      iterations = as.integer(fit$iterations), passes = as.integer(fit$passes),
      trace = trace_table(fit$trace), starts = starts_table(fit$starts), table = table,
      data = design$x, row_names = design$row_names, row_weights = design$weights,
      na_action = design$na_action,
      known = problem$known, prior = problem$prior, floor = problem$floor,
      select = problem$select, control = problem$control
    ),
    class = c("ember_mixture", "ember_fit")
  )
}

search_table <- function(table) {
  data.frame(
    k = as.integer(table$k), model = table$model, loglik = table$log_lik, df = as.integer(
      table$parameters
    ),
    AIC = table$aic, BIC = table$bic, ICL = table$icl, status = table$status,
    message = named_component(table$message, table$component)
  )
}

# Names the component that a message is about (0: none).
named_component <- function(message, component) {
  ifelse(component > 0L & nzchar(message), paste0("component ", component, ": ", message), message)
}

starts_table <- function(starts) {
  data.frame(loglik = starts$log_lik, status = starts$status)
}

abort_all_failed <- function(table, call) {
  reasons <- unique(paste0("k = ", table$k, ", ", table$model, ": ", table$message))
  shown <- utils::head(reasons, 5L)
  more <- length(reasons) - length(shown)
  names(shown) <- rep("x", length(shown))
  ember_abort(
    if (nrow(table) == 1L) "The mixture cannot be fitted." else "No mixture can be fitted.",
    class = "fit",
    details = c(
      shown, if (more > 0L) c(" " = paste("and", more, "more")),
      i = "Try fewer components, a simpler model, or `prior = mixture_prior()`."
    ),
    call = call, table = table
  )
}

# What to do about a mixture that is no maximum.
mixture_remedy <- function(status) {
  switch(status,
    degenerate = "Try fewer components, a simpler model or start, or `prior = mixture_prior()`.",
    saddle = "Give components different starting values, or leave `start` out.",
    status_remedy(status)
  )
}

#' Prior against collapsing components
#'
#' The conjugate normal-inverse-Wishart prior of Fraley and Raftery (2007). With it
#' [gaussian_mixture()] finds the mode of the posterior instead of the maximum of the likelihood; no
#' component can then collapse on a few points. The defaults are those of mclust's `priorControl()`.
#'
#' @param shrinkage Weight of the prior mean, in observations; at least 0. With 0 the means have no
#'   prior.
#' @param mean Prior mean (d numbers, in the units of the data); `NULL` is the mean of the data.
#' @param dof Degrees of freedom, more than d - 1; `NULL` is d + 2.
#' @param scale Prior scale: a number, or a d x d positive definite matrix. `NULL` is the variance
#'   of the data divided by \eqn{k^{2/d}}.
#' @returns An object of class `ember_mixture_prior`: a list of the arguments.
#' @references Fraley, C. and Raftery, A. E. (2007). Bayesian regularization for normal mixture
#'   estimation and model-based clustering. *Journal of Classification* 24, 155-181.
#' @examples
#' gaussian_mixture(faithful, k = 3, model = "VVV", prior = mixture_prior())
#' @export
mixture_prior <- function(shrinkage = 0.01, mean = NULL, dof = NULL, scale = NULL) {
  call <- rlang::current_env()
  if (!is_number(shrinkage) || shrinkage < 0) {
    abort_argument("shrinkage", "must be a number, at least 0.", NULL, call)
  }
  if (!is.null(mean) && (!is.numeric(mean) || !all(is.finite(mean)))) {
    abort_argument("mean", "must be finite numbers, one per column of the data.", NULL, call)
  }
  if (!is.null(dof) && (!is_number(dof) || dof <= 0)) {
    abort_argument("dof", "must be a positive number.", NULL, call)
  }
  check_prior_scale(scale, call)
  structure(
    list(shrinkage = shrinkage, mean = mean, dof = dof, scale = scale),
    class = "ember_mixture_prior"
  )
}

check_prior_scale <- function(scale, call) {
  if (is.null(scale) || is_number(scale) && scale > 0) {
    return(invisible(scale))
  }
  if (!is.matrix(scale)) {
    message <- "must be a positive number or a positive definite matrix."
    abort_argument("scale", message, NULL, call)
  }
  if (!is.numeric(scale) || nrow(scale) != ncol(scale) || !all(is.finite(scale))) {
    abort_argument("scale", "must be a square matrix of finite numbers.", NULL, call)
  }
  check_positive_definite(scale, "scale", 1L, call)
}

#' @export
print.ember_mixture_prior <- function(x, ...) {
  value <- function(part) {
    if (is.null(part)) "from the data" else paste(format(part), collapse = " ")
  }
  cat("Prior of a Gaussian mixture (normal-inverse-Wishart)\n")
  cat("  shrinkage ", value(x$shrinkage), ", mean ", value(x$mean), ", degrees of freedom ", value(
    x$dof
  ),
    ", scale ", value(x$scale), "\n",
    sep = ""
  )
  invisible(x)
}
