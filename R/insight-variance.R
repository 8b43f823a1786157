#' @rdname lmm_insight
#' @exportS3Method insight::get_variance
get_variance.ember_mixed <- function(x, component = c(
  "all", "fixed", "random", "residual", "distribution", "dispersion", "intercept", "slope", "rho01",
  "rho00"
),
                                   ...) {
  component <- match_choice("component", rlang::current_env())
  variances <- variance_parts(x)
  if (component == "all") {
    return(variances)
  }
  wanted <- switch(component,
    rho01 = "cor.slope_intercept", rho00 = "cor.slopes", paste0("var.", component)
  )
  variances[intersect(wanted, names(variances))]
}

variance_parts <- function(fit) {
  blocks <- VarCorr(fit)
  residual <- mean_residual_variance(fit)
  parts <- list(
    var.fixed = stats::var(as.vector(stats::model.matrix(fit) %*% fixef(fit))),
    var.random = mean_random_variance(fit, blocks),
    var.residual = residual, var.distribution = residual, var.dispersion = 0,
    var.intercept = intercept_variances(blocks), var.slope = slope_variances(blocks),
    cor.slope_intercept = intercept_correlations(blocks), cor.slopes = slope_correlations(blocks)
  )
  parts[lengths(parts) > 0L]
}

# Mean of z' Sigma z over the observations, summed over the terms: the trace of Sigma times the
# moments of the columns.
mean_random_variance <- function(fit, blocks) {
  parts <- Map(function(part, block) {
    sum(block * crossprod(part$columns)) / stats::nobs(fit)
  }, term_rows(fit), blocks)
  sum(unlist(parts))
}

mean_residual_variance <- function(fit) {
  if (length(fit$dispersion) == 1L) {
    return(fit$sigma^2)
  }
  fit$sigma^2 * mean(fit$dispersion[mixed_rows(fit)$dispersion$codes]^2)
}

has_intercept <- function(block) colnames(block)[[1L]] == "(Intercept)"

intercept_variances <- function(blocks) {
  unlist(lapply(Filter(has_intercept, blocks), function(block) block[[1L]]))
}

slope_variances <- function(blocks) {
  unlist(lapply(blocks, function(block) {
    diag(block)[colnames(block) != "(Intercept)"]
  }))
}

intercept_correlations <- function(blocks) {
  unlist(lapply(Filter(has_intercept, blocks), function(block) {
    attr(block, "correlation")[-1L, 1L]
  }))
}

slope_correlations <- function(blocks) {
  unlist(lapply(blocks, function(block) {
    slopes <- colnames(block) != "(Intercept)"
    correlations <- attr(block, "correlation")[slopes, slopes, drop = FALSE]
    pairs <- which(lower.tri(correlations), arr.ind = TRUE)
    names <- colnames(block)[slopes]
    stats::setNames(correlations[pairs], paste(names[pairs[, 2L]], names[pairs[, 1L]], sep = "-"))
  }))
}
