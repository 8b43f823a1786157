# Estimates with their standard errors, and the bootstrap test for the number of components.

# The free parameters of a fit, in the order of the core: weights, means, covariances (once if all
# components share them), each left out if known. `scale` "entries" gives the lower triangle of each
# covariance matrix by columns, "deviations" standard deviations and then correlations. Component 0
# is shared; `row` and `column` index variables.
coefficient_table <- function(fit, scale = "entries") {
  k <- fit$k
  d <- ncol(fit$means)
  parts <- list()
  if (is.null(fit$known$weights)) {
    labels <- c(seq_len(k), if (!is.null(fit$noise)) 0L)
    parts$weights <- data.frame(
      kind = "weight", component = labels, row = 0L, column = 0L, estimate = c(
        fit$weights, fit$noise$weight
      )
    )
  }
  if (is.null(fit$known$means)) {
    parts$means <- data.frame(
      kind = "mean", component = rep(seq_len(k), each = d), row = rep(seq_len(d), k), column = 0L,
      estimate = as.vector(t(fit$means))
    )
  }
  if (is.null(fit$known$covariances)) {
    pooled <- fit$model %in% pooled_models
    parts$covariances <- do.call(rbind, lapply(if (pooled) 1L else seq_len(k), function(component) {
      rows <- covariance_coefficients(fit, component, scale)
      cbind(rows[1L], component = if (pooled) 0L else component, rows[-1L])
    }))
  }
  table <- do.call(rbind, unname(parts))
  if (is.null(table)) {
    table <- data.frame(
      kind = character(), component = integer(), row = integer(), column = integer(),
      estimate = numeric()
    )
  }
  row.names(table) <- coefficient_names(table, colnames(fit$means))
  table
}

covariance_coefficients <- function(fit, component, scale) {
  d <- ncol(fit$means)
  sigma <- matrix(fit$covariances[, , component], d)
  lower <- which(lower.tri(sigma), arr.ind = TRUE)
  if (is_diagonal_model(fit$model)) lower <- lower[0L, , drop = FALSE]
  diagonal <- cbind(row = seq_len(d), col = seq_len(d))
  if (scale == "entries") {
    cells <- rbind(diagonal, lower)
    cells <- cells[order(cells[, "col"], cells[, "row"]), , drop = FALSE]
    return(data.frame(
      kind = "covariance", row = cells[, "row"], column = cells[, "col"], estimate = sigma[cells],
      row.names = NULL
    ))
  }
  deviations <- sqrt(diag(sigma))
  correlations <- sigma / outer(deviations, deviations)
  data.frame(
    kind = rep(c("sd", "correlation"), c(d, nrow(lower))), row = c(seq_len(d), lower[, "row"]),
    column = c(seq_len(d), lower[, "col"]), estimate = c(deviations, correlations[lower])
  )
}

is_diagonal_model <- function(model) {
  model %in% c("E", "V", "EII", "VII", "EEI", "VEI", "EVI", "VVI")
}

# weight[1], mean[1,a], covariance[1,a,b]; a shared covariance has no component: covariance[a,b].
coefficient_names <- function(table, variables) {
  component <- ifelse(table$kind == "weight" & table$component == 0L, "noise", table$component)
  shared <- table$kind != "weight" & table$component == 0L
  one_variable <- table$kind == "sd" | table$column == 0L
  inside <- Map(function(component, shared, row, column, one) {
    c(
      if (!shared) component, if (row > 0L) variables[[row]],
      if (!one) variables[[column]]
    )
  }, component, shared, table$row, table$column, one_variable)
  if (nrow(table) == 0L) {
    return(character())
  }
  paste0(table$kind, "[", vapply(inside, paste, "", collapse = ","), "]")
}

#' Estimates, their covariance matrix and confidence intervals
#'
#' @param object A fit of [gaussian_mixture()].
#' @param type How the covariance matrix of the estimates is estimated: `"observed"`, the inverse of
#'   the observed information; `"opg"`, the inverse of the sum of outer products of the rows'
#'   scores; `"sandwich"`, which stays valid when the components are not Gaussian (Huber 1967, White
#'   1982).
#' @param scale `"covariance"` reports variances and covariances, `"sd"` standard deviations and
#'   correlations.
#' @param parm Names or numbers of the coefficients; all by default.
#' @param level Coverage, between 0 and 1.
#' @param ... Not used.
#'
#' @details
#' The coefficients are the mixing weights `weight[k]` (and `weight[noise]`), the means
#' `mean[k,variable]` and the covariances `covariance[k,variable,variable]`, without the component
#' where all share one matrix, and without what is known. The weights sum to one, so their
#' covariance matrix is singular.
#'
#' Intervals are normal ones; for weights on the logit scale, for variances and standard deviations
#' on the log scale, for correlations on Fisher's z scale, so that they stay in range.
#'
#' Where components coincide, or a component has too few rows, a parameter is not identified: its
#' rows are `NA`, with a warning of class `ember_warning_singular`.
#'
#' Standard errors describe the maximum that was found. With a prior they are those of the
#' likelihood part.
#'
#' @returns `coef()` a named vector, `vcov()` a named matrix, `confint()` a matrix with two columns.
#'   A fit without its data has only `coef()`; the others are an `ember_error_no_data`.
#' @references Louis, T. A. (1982). Finding the observed information matrix when using the EM
#'   algorithm. *Journal of the Royal Statistical Society B* 44, 226-233.
#' @examples
#' fit <- gaussian_mixture(~waiting, k = 2, data = faithful)
#' coef(fit)
#' sqrt(diag(vcov(fit)))
#' confint(fit, parm = "mean[1,waiting]")
#' @name mixture_inference
NULL

coefficient_scale <- function(scale) if (scale == "sd") "deviations" else "entries"

#' @rdname mixture_inference
#' @export
coef.ember_mixture <- function(object, scale = c("covariance", "sd"), ...) {
  call <- rlang::current_env()
  scale <- match_choice("scale", call)
  table <- coefficient_table(object, coefficient_scale(scale))
  stats::setNames(table$estimate, row.names(table))
}

#' @rdname mixture_inference
#' @export
vcov.ember_mixture <- function(object, type = c("observed", "opg", "sandwich"),
                               scale = c("covariance", "sd"), ...) {
  call <- rlang::current_env()
  type <- match_choice("type", call)
  scale <- match_choice("scale", call)
  native <- named_information(object, type, coefficient_scale(scale), call)
  if (native$singular) {
    lost <- rownames(native$vcov)[is.na(diag(native$vcov))]
    ember_warn(
      "The information matrix is singular: some parameters are not identified at this fit.",
      class = "singular",
      details = c(
        if (length(lost) > 0L) c(
          x = paste0("No standard errors for ", abbreviated_list(lost), ".")
        ),
        i = "Components may coincide or be nearly empty; try fewer components or a simpler model."
      ), call = call
    )
  }
  native$vcov
}

abbreviated_list <- function(words, most = 4L) {
  more <- length(words) - most
  paste0(
    paste(utils::head(words, most), collapse = ", "), if (more > 0L) paste(" and", more, "more")
  )
}

# The core's answer with names: list(estimates, vcov, singular).
named_information <- function(fit, type, scale, call) {
  table <- coefficient_table(fit, scale)
  x <- data_of(fit, call)
  if (nrow(table) == 0L) {
    return(list(estimates = numeric(), vcov = matrix(numeric(), 0L, 0L), singular = FALSE))
  }
  native <- native_mixture_information(x, fit$row_weights, fit, fit$known, type, scale, call = call)
  names <- row.names(table)
  vcov <- matrix(native$vcov, length(names), dimnames = list(names, names))
  vcov[is.nan(vcov)] <- NA_real_
  list(estimates = native$coef, vcov = vcov, singular = native$singular)
}

#' @rdname mixture_inference
#' @export
confint.ember_mixture <- function(object, parm, level = 0.95, type = c(
  "observed", "opg", "sandwich"
),
                                  scale = c("covariance", "sd"), ...) {
  call <- rlang::current_env()
  type <- match_choice("type", call)
  scale <- match_choice("scale", call)
  check_level(level, call)
  table <- coefficient_table(object, coefficient_scale(scale))
  table$std_error <- sqrt(diag(stats::vcov(object, type = type, scale = scale)))
  wanted <- if (missing(parm)) seq_len(nrow(table)) else match_parameters(
    parm, row.names(table), call
  )
  tail <- (1 - level) / 2
  limits <- confidence_limits(table[wanted, , drop = FALSE], stats::qnorm(1 - tail))
  dimnames(limits) <- list(row.names(table)[wanted], percent_names(level))
  limits
}

match_parameters <- function(parm, names, call) {
  if (!is.character(parm) && !is.numeric(parm)) {
    fact <- paste0("It is ", describe_object(parm), ".")
    abort_argument("parm", "must be names or numbers of coefficients.", c(x = fact), call)
  }
  at <- if (is.character(parm)) match(parm, names) else match(parm, seq_along(names))
  if (anyNA(at)) {
    abort_argument(
      "parm", paste0("has no coefficient \"", parm[is.na(at)][[1L]], "\"."),
      c(i = paste0("They are ", abbreviated_list(names), ".")), call
    )
  }
  at
}

# estimate +- z se on the scale where the parameter has no bounds, and back.
confidence_limits <- function(table, z) {
  variance <- table$kind == "sd" | table$kind == "covariance" & table$row == table$column
  kind <- ifelse(variance, "positive", table$kind)
  scales <- list(
    weight = list(to = stats::qlogis, back = stats::plogis, slope = function(x) 1 / (x * (1 - x))),
    positive = list(to = log, back = exp, slope = function(x) 1 / x),
    correlation = list(to = atanh, back = tanh, slope = function(x) 1 / (1 - x^2))
  )
  linear <- list(to = identity, back = identity, slope = function(x) rep(1, length(x)))
  limits <- matrix(NA_real_, nrow(table), 2L)
  for (one in unique(kind)) {
    at <- kind == one
    scale <- if (is.null(scales[[one]])) linear else scales[[one]]
    centre <- scale$to(table$estimate[at])
    half <- z * scale$slope(table$estimate[at]) * table$std_error[at]
    ends <- scale$back(cbind(centre - half, centre + half))
    # A weight of exactly 1 (one component) has no error and no interval but itself.
    fixed <- table$std_error[at] %in% 0
    ends[fixed, ] <- table$estimate[at][fixed]
    limits[at, ] <- ends
  }
  limits
}

#' Bootstrap likelihood ratio test for the number of components
#'
#' Tests k against k + 1 components by the parametric bootstrap (McLachlan 1987): data are drawn
#' from the fitted mixture with k components, both mixtures are fitted to each, and the observed
#' likelihood ratio is compared with theirs. The usual chi-square test does not hold here.
#'
#' The data must be complete and without row weights, and the fit without known parameters, noise or
#' a prior: anything else is an `ember_error_unsupported`. The samples come from R's random numbers
#' ([set.seed()]) and do not depend on the number of threads. A small p-value means that k
#' components are too few *if they are Gaussian*: with enough rows any other shape asks for more.
#'
#' @param x A fit of [gaussian_mixture()], or data as for [gaussian_mixture()].
#' @param k Numbers of components of the null hypotheses, tested in turn until one is not rejected.
#'   By default `1, 2, ...` up to the number in the fit (up to 8 for data).
#' @param model One covariance model; by default that of the fit, or the first letter of freedom
#'   (`"V"`, `"VVV"`) for data.
#' @param replicates Number of bootstrap samples, at least 1. The smallest possible p-value is
#'   `1 / (replicates + 1)`.
#' @param level The tests stop at the first p-value above this.
#' @param n_starts Starts of each fit.
#' @param control Tolerances, threads and progress: [em_control()].
#' @param ... Further arguments of [gaussian_mixture()] (`data`, `weights`) when `x` is not a fit.
#' @details Ctrl-C ends the test with the samples done so far, and a warning of class
#'   `ember_warning_interrupted`; before the first sample it is an interrupt like any other.
#' @returns An object of class `ember_bootstrap_lrt`: a data frame with columns `k` (null),
#'   `alternative`, `statistic` (twice the log-likelihood ratio), `p_value` (the share of samples,
#'   the observed one included, that reach it), `replicates` (those that could be fitted). Attribute
#'   `samples` is a list with the bootstrap statistics.
#' @references McLachlan, G. J. (1987). On bootstrapping the likelihood ratio test statistic for the
#'   number of components in a normal mixture. *Applied Statistics* 36, 318-324.
#' @examples
#' fit <- gaussian_mixture(~waiting, k = 2, data = faithful)
#' set.seed(1)
#' bootstrap_lrt(fit, k = 1, replicates = 19)
#' @export
bootstrap_lrt <- function(x, k = NULL, model = NULL, replicates = 199, level = 0.05, n_starts = 3,
                          control = em_control(), ...) {
  call <- rlang::current_env()
  tested <- if (inherits(x, "ember_mixture")) {
    check_no_dots(..., call = call)
    tested_fit(x, call)
  } else {
    tested_data(x, ..., call = call)
  }
  k <- check_components(if (is.null(k)) tested$k else k, TRUE, list(), call)
  model <- check_models(if (is.null(model)) tested$model else model, ncol(tested$x), call)
  if (length(model) > 1L) abort_argument("model", "must be a single model.", NULL, call)
  replicates <- check_starts(replicates, call, "replicates")
  n_starts <- check_starts(n_starts, call)
  check_level(level, call)
  check_control(control, call)
  test <- function(null) {
    native_mixture_bootstrap_lrt(
      tested$x, NULL, model, null, null + 1L, replicates, n_starts, control, call = call
    )
  }
  new_bootstrap_lrt(test_in_turn(test, k, replicates, level, call), model)
}

# The rows of a fit with the hypotheses it suggests: x, k, model.
tested_fit <- function(fit, call) {
  if (length(fit$known) > 0L || !is.null(fit$noise) || !is.null(fit$prior)) {
    ember_abort(
      "The bootstrap test is for mixtures without known parameters, noise or a prior.",
      class = "unsupported", call = call
    )
  }
  x <- data_of(fit, call)
  check_testable(x, fit$row_weights, call)
  list(x = x, k = seq_len(fit$k), model = fit$model)
}

# The same for data.
tested_data <- function(x, data = NULL, weights = NULL, call) {
  design <- unsupervised_design(x, data, weights, call)
  check_testable(design$x, design$weights, call)
  list(x = design$x, k = 1:8, model = if (ncol(design$x) == 1L) "V" else "VVV")
}

check_testable <- function(x, row_weights, call) {
  if (anyNA(x) || !is.null(row_weights)) {
    ember_abort(
      "The bootstrap test needs complete data without row weights.", class = "unsupported",
      details = c(i = "It is not known what samples with missing values or weights look like."),
      call = call
    )
  }
}

# Tests k against k + 1 components until one is not rejected, or the user stops.
test_in_turn <- function(test, k, replicates, level, call) {
  samples <- list()
  for (null in k) {
    native <- test(null)
    samples[[as.character(null)]] <- list(
      statistic = native$statistic, replicates = native$replicates
    )
    done <- length(native$replicates)
    if (done < replicates) {
      warn_interrupted_test(null, done, replicates, call)
      break
    }
    if (bootstrap_p_value(native) > level) break
  }
  samples
}

warn_interrupted_test <- function(null, done, replicates, call) {
  ember_warn(
    paste0("Interrupted after ", done, " of ", replicates, " samples for k = ", null, "."),
    class = "interrupted",
    details = c(i = "The p-value is that of the samples that were done."),
    call = call
  )
}

# The observed sample counts as one of the samples, so the p-value is never 0 (Davison and Hinkley
# 1997, eq. 4.11).
bootstrap_p_value <- function(test) {
  replicates <- test$replicates[!is.na(test$replicates)]
  (1 + sum(replicates >= test$statistic)) / (1 + length(replicates))
}

new_bootstrap_lrt <- function(samples, model) {
  null <- as.integer(names(samples))
  table <- data.frame(
    k = null, alternative = null + 1L,
    statistic = vapply(samples, function(test) test$statistic, 0),
    p_value = vapply(samples, bootstrap_p_value, 0),
    replicates = vapply(samples, function(test) sum(!is.na(test$replicates)), 0L),
    row.names = NULL
  )
  structure(table,
    model = model, samples = lapply(samples, function(test) test$replicates),
    class = c("ember_bootstrap_lrt", "data.frame")
  )
}

#' @export
print.ember_bootstrap_lrt <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  cat(
    "Bootstrap likelihood ratio test, Gaussian mixture, model ", attr(x, "model"), "\n\n", sep = ""
  )
  table <- data.frame(
    "k" = paste(x$k, "vs", x$alternative), "LRT" = format(x$statistic, digits = digits),
    "Pr(>=LRT)" = format.pval(x$p_value, digits = digits), "samples" = x$replicates,
    check.names = FALSE
  )
  print(table, row.names = FALSE, right = TRUE)
  invisible(x)
}
