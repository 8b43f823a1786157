#' A fitted mixture as an object of package mclust
#'
#' Gives an object of class `Mclust`, so that mclust's own tools (`summary()`, `plot()`,
#' `predict()`, `MclustDR()`, `clustCombi()`, ...) work on a fit of ember.
#'
#' @param object A fit of [gaussian_mixture()] to complete data.
#' @param ... Not used.
#' @returns A list of class `Mclust` with the fields of mclust 6: `call`, `data`, `modelName`, `n`,
#'   `d`, `G`, `BIC`, `loglik`, `df`, `bic`, `icl`, `hypvol`, `parameters`, `z`, `classification`,
#'   `uncertainty`.
#'
#' @details
#' mclust's criteria have the opposite sign: its `bic` is `-BIC(fit)`. With noise, mclust counts the
#' volume of the noise as one parameter more; `df` is ember's. Row weights have no place in an
#' `Mclust` object: mclust's tools would ignore them, so a weighted fit is an error, and so is one
#' to data with missing values.
#' @examplesIf requireNamespace("mclust", quietly = TRUE)
#' fit <- gaussian_mixture(faithful, k = 1:3)
#' library(mclust)
#' summary(as_mclust(fit))
#' @export
as_mclust <- function(object, ...) {
  UseMethod("as_mclust")
}

#' @export
as_mclust.ember_mixture <- function(object, ...) {
  call <- rlang::current_env()
  data <- data_of(object, call)
  refuse <- function(what) {
    ember_abort(
      paste0("A fit with ", what, " cannot be an `Mclust` object: mclust has no place for them."),
      class = "unsupported", call = call
    )
  }
  if (anyNA(data)) refuse("missing values")
  if (!is.null(object$row_weights)) refuse("row weights")
  posterior <- unname(stats::predict(object, type = "posterior"))
  classification <- stats::setNames(as.numeric(most_probable(posterior, object)), object$row_names)
  dimnames(data) <- list(object$row_names, colnames(object$means))
  dimnames(posterior) <- list(object$row_names, NULL)
  structure(
    list(
      call = object$call, data = data, modelName = object$model, n = nrow(data), d = ncol(data),
      G = object$k,
      BIC = mclust_bic_table(object), loglik = object$loglik, df = object$df, bic = -stats::BIC(
        object
      ),
      icl = -ICL(object), hypvol = if (is.null(object$noise)) NA else exp(
        -object$noise$log_density
      ),
      parameters = mclust_parameters(object), z = posterior, classification = classification,
      uncertainty = stats::setNames(1 - apply(posterior, 1L, max), object$row_names)
    ),
    class = "Mclust"
  )
}

# The criterion of the search as mclust's matrix k x model, larger being better.
mclust_bic_table <- function(fit) {
  ks <- sort(unique(fit$table$k))
  models <- unique(fit$table$model)
  values <- matrix(NA_real_, length(ks), length(models), dimnames = list(ks, models))
  values[cbind(match(fit$table$k, ks), match(fit$table$model, models))] <- -fit$table$BIC
  d <- ncol(fit$means)
  structure(values,
    G = ks, modelNames = models, criterion = "BIC", n = nrow(fit$data), d = d, oneD = d == 1L,
    warn = FALSE,
    control = list(
      eps = .Machine$double.eps, tol = c(1e-05, sqrt(.Machine$double.eps)),
      itmax = rep(.Machine$integer.max, 2L), equalPro = FALSE
    ),
    initialization = list(hcPairs = NULL, subset = NULL, noise = NULL), returnCodes = 0 * values,
    class = "mclustBIC"
  )
}

mclust_parameters <- function(fit) {
  means <- unname(fit$means)
  one <- ncol(means) == 1L
  parameters <- list(
    pro = c(fit$weights, fit$noise$weight),
    mean = if (one) stats::setNames(means[, 1L], seq_len(fit$k)) else matrix(
      t(means), ncol(means), dimnames = list(colnames(fit$means), NULL)
    ),
    variance = if (one) univariate_variance(fit) else multivariate_variance(fit)
  )
  if (!is.null(fit$noise)) parameters$Vinv <- exp(fit$noise$log_density)
  parameters
}

univariate_variance <- function(fit) {
  variances <- as.vector(fit$covariances)
  if (fit$model == "E") {
    return(list(modelName = "E", d = 1, G = fit$k, sigmasq = variances[[1L]]))
  }
  list(modelName = "V", d = 1, G = fit$k, sigmasq = variances, scale = variances)
}

# mclust keeps, beside the matrices, the parts of the decomposition that its model shares or frees.
multivariate_variance <- function(fit) {
  d <- ncol(fit$means)
  sigma <- fit$covariances
  dimnames(sigma)[3L] <- list(NULL)
  variance <- list(modelName = fit$model, d = d, G = fit$k, sigma = sigma)
  common <- matrix(sigma[, , 1L], d, dimnames = dimnames(sigma)[1:2])
  if (fit$model %in% pooled_models) variance$Sigma <- common
  if (fit$model == "EEE") variance$cholSigma <- chol(common)
  if (fit$model == "VVV") variance$cholsigma <- array(apply(sigma, 3L, chol), dim(sigma))
  if (fit$model %in% c("EEE", "VVV")) {
    return(variance)
  }
  c(variance, covariance_parts(fit, sigma))
}

# Sigma_k = scale_k O_k diag(shape_k) O_k', with det(diag(shape)) = 1; one number, vector or matrix
# for what is shared.
covariance_parts <- function(fit, sigma) {
  letters <- strsplit(fit$model, "")[[1L]]
  d <- ncol(fit$means)
  frames <- lapply(
    seq_len(fit$k), function(component) covariance_axes(fit, sigma, component, letters[[3L]])
  )
  scale <- vapply(frames, function(frame) exp(mean(log(frame$axes))), 0)
  if (letters[[1L]] == "E") scale <- scale[[1L]]
  if (letters[[2L]] == "I") {
    return(list(sigmasq = scale, scale = scale))
  }
  shape <- vapply(frames, function(frame) frame$axes / exp(mean(log(frame$axes))), numeric(d))
  if (letters[[2L]] == "E") shape <- shape[, 1L]
  parts <- list(scale = scale, shape = shape)
  if (letters[[3L]] == "E") parts$orientation <- frames[[1L]]$vectors
  if (letters[[3L]] == "V") {
    parts$orientation <- array(
      unlist(lapply(frames, function(frame) frame$vectors)), c(d, d, fit$k)
    )
  }
  parts
}

# Axes of one covariance matrix; in the common directions where the model has such (those of the
# component whose axes differ most in length, since equal axes have no direction of their own).
covariance_axes <- function(fit, sigma, component, orientation) {
  d <- ncol(fit$means)
  matrix_of <- function(j) matrix(sigma[, , j], d)
  if (orientation == "I") {
    return(list(axes = diag(matrix_of(component))))
  }
  source <- component
  if (orientation == "E") {
    gaps <- vapply(seq_len(fit$k), function(j) {
      axes <- eigen(matrix_of(j), symmetric = TRUE, only.values = TRUE)$values
      # Rounding may turn the smallest of very different axes negative.
      min(abs(diff(log(pmax(axes, .Machine$double.xmin)))))
    }, 0)
    source <- which.max(gaps)
  }
  vectors <- eigen(matrix_of(source), symmetric = TRUE)$vectors
  list(axes = diag(crossprod(vectors, matrix_of(component) %*% vectors)), vectors = vectors)
}
