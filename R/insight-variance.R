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
  random <- random_variances(fit, blocks)
  # A random effect for each row is a model of the dispersion, except in a linear model.
  for_rows <- vapply(fit$random, function(term) length(term$levels) == fit$nobs, NA) &
    inherits(fit, "ember_glmm")
  distribution <- distribution_variance(fit)
  parts <- list(
    var.fixed = stats::var(as.vector(stats::model.matrix(fit) %*% fixef(fit))),
    var.random = sum(random[!for_rows]), var.residual = distribution + sum(random[for_rows]),
    var.distribution = distribution, var.dispersion = sum(random[for_rows]),
    var.intercept = intercept_variances(blocks), var.slope = slope_variances(blocks),
    cor.slope_intercept = intercept_correlations(blocks), cor.slopes = slope_correlations(blocks)
  )
  parts[lengths(parts) > 0L]
}

# For each term the mean of z' Sigma z over the observations: the trace of Sigma times the moments
# of the columns.
random_variances <- function(fit, blocks) {
  parts <- Map(function(part, block) {
    sum(block * crossprod(part$columns)) / stats::nobs(fit)
  }, term_rows(fit), blocks)
  unlist(parts)
}

# The variance of an observation about its mean, on the scale of the linear predictor.
distribution_variance <- function(fit) {
  if (inherits(fit, "ember_lmm")) {
    return(mean_residual_variance(fit))
  }
  name <- fit$distribution$name
  latent <- c(logit = pi^2 / 3, probit = 1, cloglog = pi^2 / 6)
  if (name == "binomial" && fit$distribution$link %in% names(latent)) {
    return(latent[[fit$distribution$link]])
  }
  eta <- null_intercept(fit)
  mu <- fit$family$linkinv(eta)
  variance <- fit$sigma^2 * fit$family$variance(mu)
  if (fit$distribution$link == "log" && name %in% c("poisson", "negative_binomial")) {
    log1p(variance / mu^2)
  } else {
    variance / fit$family$mu.eta(eta)^2
  }
}

# The intercept of the model without predictors.
null_intercept <- function(fit) {
  if (identical(names(fit$beta), "(Intercept)")) {
    return(fit$beta[[1L]])
  }
  bars <- lapply(written_terms(fit), `[[`, "bar")
  null <- Reduce(function(a, b) call("+", a, b), bars, quote(1))
  formula <- stats::as.formula(
    call("~", fit$formula[[2L]], null), environment(fit$formula)
  )
  suppressMessages(fixef(stats::update(fit, formula = formula))[[1L]])
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
