#' @rdname lmm_insight
#' @exportS3Method performance::check_convergence
check_convergence.ember_mixed <- function(x, ...) is_converged.ember_mixed(x)

#' @rdname lmm_insight
#' @exportS3Method performance::check_singularity
check_singularity.ember_mixed <- function(x, ...) isSingular(x)

#' @rdname lmm_insight
#' @exportS3Method performance::performance_aic
performance_aic.ember_mixed <- function(x, ...) stats::AIC(x)

#' @rdname lmm_insight
#' @exportS3Method performance::performance_aicc
performance_aicc.ember_mixed <- function(x, ...) {
  loglik <- stats::logLik(x)
  k <- attr(loglik, "df")
  stats::AIC(loglik) + 2 * k * (k + 1) / (attr(loglik, "nobs") - k - 1)
}

#' @rdname lmm_insight
#' @exportS3Method performance::r2
r2.ember_mixed <- function(model, ...) performance::r2_nakagawa(model, ...)

#' @rdname lmm_insight
#' @param metrics `"all"`, `"common"`, or some of `"AIC"`, `"AICc"`, `"BIC"`, `"R2"`, `"ICC"`,
#'   `"RMSE"`, `"SIGMA"`. The criteria are those of the fit, by REML or by ML.
#' @exportS3Method performance::model_performance
model_performance.ember_mixed <- function(model, metrics = "all", ...) {
  known <- c("AIC", "AICC", "BIC", "R2", "ICC", "RMSE", "SIGMA")
  metrics <- toupper(metrics)
  if (identical(metrics, "ALL")) metrics <- known
  if (identical(metrics, "COMMON")) metrics <- setdiff(known, c("AICC", "SIGMA"))
  if (!all(metrics %in% known)) {
    abort_argument(
      "metrics", "must be \"all\", \"common\" or some of the known metrics.",
      c(i = paste0("They are ", quoted(known), "."))
    )
  }
  shares <- variance_shares(model)
  values <- data.frame(
    AIC = stats::AIC(model), AICc = performance_aicc.ember_mixed(model),
    BIC = stats::BIC(model), R2_conditional = shares[["conditional"]],
    R2_marginal = shares[["marginal"]], ICC = shares[["icc"]],
    RMSE = sqrt(mean(stats::residuals(without_padding(model), type = "response")^2)),
    Sigma = stats::sigma(model)
  )
  shown <- toupper(sub("_.*", "", names(values))) %in% metrics
  structure(values[shown], class = c("performance_model", "data.frame"))
}

# Shares of the variance (Nakagawa & Schielzeth 2013): of all effects, of the fixed effects, and of
# the random effects in what the fixed effects leave.
variance_shares <- function(fit) {
  parts <- variance_parts(fit)
  total <- parts$var.fixed + parts$var.random + parts$var.residual
  c(
    conditional = (parts$var.fixed + parts$var.random) / total, marginal = parts$var.fixed / total,
    icc = parts$var.random / (parts$var.random + parts$var.residual)
  )
}

#' @rdname lmm_insight
#' @exportS3Method performance::check_overdispersion
check_overdispersion.ember_glmm <- function(x, ...) { # nolint: object_length_linter.
  test <- overdispersion(x)
  structure(
    list(
      chisq_statistic = test$chisq, dispersion_ratio = test$ratio, residual_df = test$df,
      p_value = test$p_value
    ),
    class = c("check_overdisp", "see_check_overdisp")
  )
}
