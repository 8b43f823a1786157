# Covariance matrices of the estimates of a sample selection model.

#' Covariance matrix of a sample selection model
#'
#' The covariance matrix of all parameters (coefficients, then standard deviations and correlations
#' of the errors, in the order and under the names of [coef()][coef.ember_mssm]), by several
#' estimators. `estfun()` and `bread()` of package sandwich work on fits of [mssm()] too, and with
#' them `sandwich::sandwich()`, `sandwich::vcovCL()` and `lmtest::coeftest()`.
#'
#' @details
#' With \eqn{s_i} the score of row i (its case weight in it) and \eqn{I} the observed information,
#' * `"hessian"` is \eqn{I^{-1}}, from derivatives of the exact score at the estimates;
#' * `"louis"` is \eqn{I^{-1}} by Louis's (1982) formula, the expected information of the complete
#'   data less the variance of its score, row by row. A fit by PX-MCEM takes both from its draws. In
#'   other fits they are exact, so that this is the same matrix as `"hessian"`;
#' * `"opg"` is \eqn{(\sum_i s_i s_i' / w_i)^{-1}}, the outer products of gradients (Berndt, Hall,
#'   Hall and Hausman 1974), with \eqn{w_i} the case weights;
#' * `"HC0"` is the sandwich \eqn{I^{-1} (\sum_i s_i s_i') I^{-1}}, which stays valid when the
#'   errors are not normal but the estimates are consistent all the same. It has no correction for
#'   small samples, as in `sandwich::sandwich()`;
#' * `"cluster"` is the same with the scores added up within clusters first, times
#'   \eqn{G / (G - 1)} for G clusters, as in `sandwich::vcovCL()` and Stata.
#'
#' The default is `"cluster"` if the fit has clusters, else `"louis"` for fits by PX-MCEM and
#' `"hessian"` for others. Sandwiches take case weights for sampling weights, the others take them
#' for numbers of rows.
#'
#' Of a two-step fit there is only Heckman's corrected covariance of the coefficients of each
#' equation, which has no covariances between equations and none of the errors' parameters: these
#' are `NA`.
#'
#' @param object,x,... A fit of [mssm()]; further arguments are not used.
#' @param type The estimator, see below; `NULL` for the default.
#' @param component Which parameters: `"all"`, those of the `"outcome"` or `"selection"` equations,
#'   or the `"error"` parameters.
#' @param cluster For `type = "cluster"` a vector with the cluster of each row, or a formula such as
#'   `~ id`; by default the clusters of the fit.
#' @returns A matrix, with attribute `type`: the estimator in words. `estfun()`: a matrix with the
#'   scores, rows by parameters. `bread()`: \eqn{n I^{-1}}.
#' @references
#' Berndt, E. K., Hall, B. H., Hall, R. E. and Hausman, J. A. (1974). Estimation and inference in
#' nonlinear structural models. *Annals of Economic and Social Measurement* 3, 653-665.
#'
#' Louis, T. A. (1982). Finding the observed information matrix when using the EM algorithm.
#' *Journal of the Royal Statistical Society B* 44, 226-233.
#' @examples
#' set.seed(1)
#' fit <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = simulate_mssm(500))
#' sqrt(diag(vcov(fit)))
#' sqrt(diag(vcov(fit, type = "HC0", component = "outcome")))
#' @importFrom stats vcov
#' @export
vcov.ember_mssm <- function(object, type = NULL,
                            component = c("all", "outcome", "selection", "error"), cluster = NULL,
                            ...) {
  # Other packages pass on arguments of other models, as `complete`.
  call <- rlang::current_env()
  component <- match_choice("component", call)
  type <- covariance_type(object, type, cluster, call)
  covariance <- switch(type,
    hessian = hessian_covariance(object, call),
    louis = if (object$method == "px-mcem") object$vcov else hessian_covariance(object, call),
    opg = inverse_information(score_products(object, call), object, call),
    HC0 = sandwich_covariance(object, estfun.ember_mssm(object), call),
    cluster = cluster_covariance(object, cluster, call),
    "two-step" = two_step_covariance(object)
  )
  if (component != "all") {
    shown <- natural_components(object) == component
    covariance <- covariance[shown, shown, drop = FALSE]
  }
  structure(covariance, type = covariance_words(type, object))
}

covariance_type <- function(fit, type, cluster, call) {
  types <- if (fit$method == "two-step") {
    "two-step"
  } else {
    c("hessian", "louis", "opg", "HC0", "cluster")
  }
  if (is.null(type)) {
    return(default_covariance_type(fit, cluster))
  }
  if (!rlang::is_string(type) || !type %in% types) {
    abort_argument(
      "type", paste0(
        if (length(types) > 1L) "must be one of " else "of a two-step fit must be ",
        quoted(types), "."
      ), NULL, call
    )
  }
  type
}

default_covariance_type <- function(fit, cluster = NULL) {
  if (fit$method == "two-step") {
    return("two-step")
  }
  if (!is.null(cluster) || !is.null(fit$cluster)) {
    return("cluster")
  }
  if (fit$method == "px-mcem") "louis" else "hessian"
}

covariance_words <- function(type, fit) {
  switch(type,
    hessian = "observed information",
    louis = paste0(
      "observed information by Louis's formula",
      if (fit$method == "px-mcem") paste0(", ", fit$mc$draws, " draws per row")
    ),
    opg = "outer products of scores", HC0 = "sandwich (HC0)", cluster = "clustered sandwich",
    "two-step" = "corrected for the estimated inverse Mills ratio"
  )
}

# What native functions of this fit need; the seed keeps the points of the integration.
fit_control <- function(fit, frame = rlang::caller_env()) {
  native_mssm_control(fit$control, fit$seed, frame)
}

# The inverse of the observed information; that of a fit by PX-MCEM is computed anew.
hessian_covariance <- function(fit, call) {
  if (fit$method == "ml" && !is.null(fit$vcov)) {
    return(fit$vcov)
  }
  information <- native_mssm_information(fit$rows, fit$parameters, fit_control(fit), call)
  inverse_information(information, fit, call)
}

# The inverse of an information matrix; NA, with a warning, where it is none.
inverse_information <- function(information, fit, call) {
  labels <- natural_names(fit)
  scale <- sqrt(diag(information))
  factor <- tryCatch(
    suppressWarnings(chol(information / tcrossprod(scale))),
    error = function(cnd) NULL
  )
  if (is.null(factor)) {
    ember_warn(
      "The information matrix is not positive definite: there are no standard errors.",
      "singular", c(i = "Are there more parameters than the data can tell apart?"), call
    )
    covariance <- matrix(NA_real_, length(labels), length(labels))
  } else {
    covariance <- chol2inv(factor) / tcrossprod(scale)
  }
  named_square(covariance, labels)
}

# Sum of w s s' over rows, s the score of one observation: weighted scores hold w once too often.
score_products <- function(fit, call) {
  unit_products(native_mssm_scores(fit$rows, fit$parameters, fit_control(fit), call), fit)
}

unit_products <- function(scores, fit) {
  weights <- fit$rows$weights
  crossprod(if (is.null(weights)) scores else scores / sqrt(weights))
}

# The covariance that the fit takes for that of its estimates, without a sandwich.
model_covariance <- function(fit, call) {
  if (is.null(fit$vcov)) hessian_covariance(fit, call) else fit$vcov
}

sandwich_covariance <- function(fit, scores, call) {
  bread <- model_covariance(fit, call)
  covariance <- bread %*% crossprod(scores) %*% bread
  (covariance + t(covariance)) / 2
}

cluster_covariance <- function(fit, cluster, call) {
  cluster <- fit_clusters(fit, cluster, call)
  sums <- rowsum(estfun.ember_mssm(fit), cluster, reorder = FALSE)
  count <- nrow(sums)
  if (count < 2L) abort_argument("cluster", "must have at least two groups.", NULL, call)
  count / (count - 1) * sandwich_covariance(fit, sums, call)
}

# The cluster of each row that was fitted.
fit_clusters <- function(fit, cluster, call) {
  if (is.null(cluster)) {
    if (is.null(fit$cluster)) {
      abort_argument(
        "cluster", "is missing, and the fit has no clusters.",
        c(i = "Give `cluster` a vector, or a formula such as `~ id`."), call
      )
    }
    return(fit$cluster)
  }
  if (rlang::is_formula(cluster, lhs = FALSE)) cluster <- cluster_variable(fit, cluster, call)
  all <- fit$nobs + length(fit$na_action)
  if (length(cluster) == all && all > fit$nobs) cluster <- cluster[-fit$na_action]
  if (!is.atomic(cluster) || length(cluster) != fit$nobs || anyNA(cluster)) {
    abort_argument(
      "cluster", paste0("must have a value, not NA, for each of the ", fit$nobs, " rows."), NULL,
      call
    )
  }
  cluster
}

# `~ id` in the data of the fit, for its rows.
cluster_variable <- function(fit, formula, call) {
  env <- environment(fit$formulas$outcome[[1L]])
  frame <- tryCatch(
    {
      data <- eval(fit$call$data, env)
      value <- eval(formula[[2L]], data, environment(formula))
      data.frame(value = value, row.names = if (is.data.frame(data)) row.names(data))
    },
    error = function(cnd) {
      abort_argument("cluster", "cannot be evaluated.", c(x = conditionMessage(cnd)), call)
    }
  )
  frame$value[match(row.names(fit$frame), row.names(frame))]
}

# Block by block; what Heckman's estimator does not know is NA.
two_step_covariance <- function(fit) {
  labels <- natural_names(fit)
  covariance <- matrix(NA_real_, length(labels), length(labels), dimnames = list(labels, labels))
  kept <- vapply(fit$aliased, function(lost) sum(!lost), 0L)
  last <- cumsum(kept)
  blocks <- c(
    lapply(fit$two_step, `[[`, "vcov_outcome"), lapply(fit$two_step, `[[`, "vcov_selection")
  )
  for (k in seq_along(kept)) {
    own <- seq_len(kept[[k]])
    at <- last[[k]] - kept[[k]] + own
    covariance[at, at] <- blocks[[k]][own, own, drop = FALSE]
  }
  covariance
}

# Heckman's estimator maximises no likelihood.
refuse_two_step <- function(fit, message, call) {
  if (fit$method == "two-step") {
    ember_abort(
      message, "unsupported", c(i = "Fit by `method = \"ml\"`: `update(fit, method = \"ml\")`."),
      call
    )
  }
}
