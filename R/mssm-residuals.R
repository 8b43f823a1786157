# Fitted values and residuals of a sample selection model.

#' Fitted values and residuals of a sample selection model
#'
#' Fitted values are the means of the outcomes given that they are selected, for selected and other
#' rows alike. Residuals are those of the outcomes, `NA` where an outcome is not selected, or those
#' of the selections.
#'
#' @param object A fit of [mssm()].
#' @param type `"response"`: \eqn{y_j - E[y_j | s_j = 1]}; `"pearson"`: the same divided by the
#'   standard deviation of \eqn{y_j} given \eqn{s_j = 1},
#'   \eqn{\sigma_j \sqrt{1 - \rho_j^2 \lambda (\lambda + w_j'\gamma_j)}}; `"latent"`: \eqn{y_j -
#'   x_j'\beta_j}, the error of the outcome equation; `"generalized"`: \eqn{E[v_j | s_j]}, which is
#'   \eqn{\lambda(w_j'\gamma_j)} for a selected row and \eqn{-\lambda(-w_j'\gamma_j)} for others,
#'   the generalized residual of the selection equation (Gourieroux et al. 1987).
#' @param ... Not used.
#' @returns Fitted values: as [predict()][predict.ember_mssm], a named vector for one equation and
#'   a matrix for several. Residuals have the same form. They are `NA` where `na.exclude` left a row
#'   out.
#' @references Gourieroux, C., Monfort, A., Renault, E. and Trognon, A. (1987). Generalised
#'   residuals. *Journal of Econometrics* 34, 5-32.
#' @examplesIf requireNamespace("AER", quietly = TRUE)
#' data("PSID1976", package = "AER")
#' PSID1976$lwage <- ifelse(PSID1976$participation == "yes", log(PSID1976$wage), NA)
#' fit <- mssm(
#'   lwage ~ education + experience, participation ~ education + age + youngkids,
#'   data = PSID1976
#' )
#' mean(residuals(fit), na.rm = TRUE)
#' @export
residuals.ember_mssm <- function(object,
                                 type = c("response", "pearson", "latent", "generalized"), ...) {
  call <- rlang::current_env()
  check_no_dots(..., call = call)
  type <- match_choice("type", call)
  observed <- mssm_observed(object)
  of <- function(type) as.matrix(stats::predict(object, type = type))
  values <- switch(type,
    response = observed - of("selected"),
    pearson = (observed - of("selected")) / selected_deviations(object, of),
    latent = observed - of("outcome"),
    generalized = generalized_residuals(object, of)
  )
  drop_column(values)
}

#' @rdname residuals.ember_mssm
#' @export
fitted.ember_mssm <- function(object, ...) {
  check_no_dots(..., call = rlang::current_env())
  stats::predict(object, type = "selected")
}

# Outcomes, NA where not selected, with the rows that `na.exclude` left out.
mssm_observed <- function(fit) {
  outcomes <- fit$rows$y
  outcomes[fit$rows$selected == 0L] <- NA
  dimnames(outcomes) <- list(row.names(fit$frame), fit$equations$outcome)
  stats::napredict(fit$na_action, outcomes)
}

# Standard deviations of the outcomes given that they are selected.
selected_deviations <- function(fit, of) {
  ratio <- of("mills")
  size <- ncol(ratio)
  outcome <- seq_len(size)
  variance <- diag(fit$omega)[outcome]
  covariance <- fit$omega[cbind(outcome, size + outcome)]
  less <- sweep(ratio * (ratio + of("latent")), 2L, covariance^2, `*`)
  sqrt(sweep(-less, 2L, variance, `+`))
}

generalized_residuals <- function(fit, of) {
  selected <- fit$rows$selected
  dimnames(selected) <- list(row.names(fit$frame), fit$equations$outcome)
  selected <- stats::napredict(fit$na_action, selected)
  # P lambda(a) = (1 - P) lambda(-a): the mean of both kinds is 0.
  ratio <- of("mills")
  index <- of("latent")
  other <- exp(stats::dnorm(index, log = TRUE) - stats::pnorm(-index, log.p = TRUE))
  residual <- ifelse(selected == 1, ratio, -other)
  dimnames(residual) <- list(rownames(ratio), fit$equations$selection)
  residual
}
