# Multiple imputations of the outcomes that were not observed.

#' Impute missing outcomes of a sample selection model
#'
#' Draws of the outcomes that selection has hidden, given all that was observed in their row: its
#' selections, its other outcomes and its regressors. Each imputation is a completed data set;
#' analyse each, and combine the results with Rubin's rules.
#'
#' @details
#' The latent selections are drawn from their normal law restricted to the signs observed, then the
#' missing outcomes given those and the observed outcomes. Draws are exact and independent, except
#' where an orthant is so improbable that a thousand proposals fail; then a Gibbs sampler of 200
#' sweeps goes on from one of them.
#'
#' A *proper* imputation (Rubin 1987) also draws the parameters each time, from the normal law of
#' the estimates: coefficients as they are, standard deviations on the log scale and correlations on
#' Fisher's atanh scale, with the covariance matrix transformed accordingly; draws whose error
#' covariance matrix is not positive definite are drawn again. With `proper = FALSE` the estimates
#' are taken as known, and variation between the imputations is too small.
#'
#' @param object A fit of [mssm()].
#' @param m Number of imputations.
#' @param proper Draw the parameters for every imputation?
#' @param seed `NULL`, to go on with R's random numbers, or a seed for [set.seed()].
#' @param vcov The covariance matrix of the parameters; by default `vcov(object)`.
#' @param ... Not used.
#' @returns A list of `m` data frames of class `ember_imputations`: the model frame of the fit, with
#'   the outcomes completed. Attribute `missing` says how many values of each outcome were drawn.
#' @references Rubin, D. B. (1987). *Multiple Imputation for Nonresponse in Surveys*. Wiley.
#' @seealso [predict()][predict.ember_mssm] with `type = "missing"` for the means.
#' @examplesIf requireNamespace("AER", quietly = TRUE)
#' data("PSID1976", package = "AER")
#' PSID1976$lwage <- ifelse(PSID1976$participation == "yes", log(PSID1976$wage), NA)
#' fit <- mssm(
#'   lwage ~ education + experience, participation ~ education + age + youngkids,
#'   data = PSID1976
#' )
#' completed <- impute(fit, m = 3, seed = 1)
#' completed
#' sapply(completed, function(data) mean(data$lwage))
#' @export
impute <- function(object, ...) UseMethod("impute")

#' @rdname impute
#' @export
impute.ember_mssm <- function(object, m = 5, proper = TRUE, seed = NULL, vcov = NULL, ...) {
  call <- rlang::current_env()
  check_no_dots(..., call = call)
  m <- check_count(m, "m", 1e5, call)
  if (!is_flag(proper)) abort_argument("proper", "must be TRUE or FALSE.", NULL, call)
  covariance <- if (proper) mssm_covariance(object, vcov, call)
  if (!is.null(seed)) {
    before <- generator_state()
    on.exit(assign(".Random.seed", before, envir = globalenv()))
    set.seed(seed)
  }
  control <- native_mssm_control(object$control, object$seed)
  draws <- if (proper) {
    lapply(seq_len(m), function(k) {
      parameters <- drawn_parameters(object, covariance, call)
      native_mssm_impute(object$rows, parameters, 1L, control, call)[, , 1L]
    })
  } else {
    all <- native_mssm_impute(object$rows, object$parameters, m, control, call)
    lapply(seq_len(m), function(k) all[, , k])
  }
  completed <- lapply(draws, function(values) completed_frame(object, values))
  names(completed) <- paste0("imputation_", seq_len(m))
  names <- vapply(object$terms$outcome, response_name, "", USE.NAMES = FALSE)
  missing <- stats::setNames(colSums(object$rows$selected == 0L), names)
  structure(completed, class = "ember_imputations", missing = missing, proper = proper)
}

completed_frame <- function(fit, values) {
  frame <- fit$frame
  values <- matrix(values, nrow(frame))
  for (j in seq_along(fit$terms$outcome)) {
    frame[[response_name(fit$terms$outcome[[j]])]] <- values[, j]
  }
  structure(frame, terms = NULL)
}

#' @export
print.ember_imputations <- function(x, ...) {
  missing <- attr(x, "missing")
  rows <- nrow(x[[1L]])
  cat(
    length(x), if (length(x) == 1L) " imputation" else " imputations", " of ", rows, " rows, ",
    if (attr(x, "proper")) "with parameters drawn each time" else "at the estimates", "\n", sep = ""
  )
  means <- vapply(x, function(data) colMeans(data[names(missing)]), numeric(length(missing)))
  table <- data.frame(
    imputed = missing, observed = rows - missing,
    mean = rowMeans(matrix(means, length(missing))), row.names = names(missing)
  )
  print(table, ...)
  invisible(x)
}

# ---- parameters

# Draws before a covariance matrix of the errors is given up.
most_refusals <- 1000L

# Parameters from the normal law of the estimates, as list(coefficients, omega).
drawn_parameters <- function(fit, covariance, call) {
  at <- naturals_of(fit)
  scale <- error_scale(names(at), natural_components(fit))
  root <- chol_or_abort(covariance / tcrossprod(scale$slope(at)), call)
  for (k in seq_len(most_refusals)) {
    drawn <- scale$to(at) + drop(stats::rnorm(length(at)) %*% root)
    point <- parameters_at(fit, scale$from(drawn))
    if (is_positive_definite(point$omega)) {
      return(point)
    }
  }
  ember_abort(
    "No positive definite covariance matrix of the errors was drawn.", class = "numerical",
    details = c(i = "The correlations are near their limits; use `proper = FALSE`."), call = call
  )
}

# log sigma and atanh rho: the way there, the way back, and the derivative of the way back.
error_scale <- function(names, components) {
  error <- components == "error"
  rho <- error & startsWith(names, "rho(")
  sigma <- error & !rho
  on <- function(of_sigma, of_rho, otherwise = identity) {
    function(x) {
      value <- otherwise(x)
      value[sigma] <- of_sigma(x[sigma])
      value[rho] <- of_rho(x[rho])
      value
    }
  }
  list(
    to = on(log, atanh), from = on(exp, tanh),
    slope = on(identity, function(r) 1 - r^2, function(x) rep(1, length(x)))
  )
}

chol_or_abort <- function(covariance, call) {
  rlang::try_fetch(
    chol(covariance),
    error = function(cnd) {
      abort_argument(
        "vcov", "must be positive definite.",
        c(i = "Use `proper = FALSE` to impute at the estimates."), call
      )
    }
  )
}

is_positive_definite <- function(omega) !inherits(try(chol(omega), silent = TRUE), "try-error")
