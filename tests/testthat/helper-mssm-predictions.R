# Fits at known parameters, with a covariance matrix of their estimates: what predictions need.

# A fit of `model_of()` at `omega` and `coefficients` (2J vectors).
fit_at <- function(model, coefficients, omega, vcov = NULL) {
  model$method <- "ml"
  model$control <- mssm_control()
  model$seed <- c(1, 1)
  model$call <- quote(mssm())
  aliased <- lapply(coefficients, is.na)
  size <- sum(!unlist(aliased)) + 2L * length(model$equations$outcome)^2L
  if (is.null(vcov)) vcov <- small_covariance(size)
  new_mssm(model, list(
    coefficients = unname(coefficients), omega = unname(omega), aliased = unname(aliased),
    vcov = vcov, loglik = 0
  ))
}

# Standard errors about .02, correlated.
small_covariance <- function(size) {
  root <- outer(seq_len(size), seq_len(size), function(i, k) sin(1.3 * i * k + k))
  4e-4 * (crossprod(root) / size + diag(size)) / 2
}

# J equations at the truth of simulate_mssm().
truth_fit <- function(equations, n = 60L) {
  size <- 2L * equations
  rho <- outer(seq_len(size), seq_len(size), function(i, k) 0.55 * cos(0.9 * (i - k)))
  diag(rho) <- 1
  data <- withr_seed(40L + equations, simulate_mssm(
    n, equations, sigma = seq(1.5, 0.8, length.out = equations), rho = rho
  ))
  formulas <- attr(data, "formulas")
  truth <- attr(data, "truth")
  coefficients <- c(
    rep(list(c(1, 1)), equations), rep(list(c(0.25, 0.5, 1)), equations)
  )
  fit <- fit_at(model_of(formulas$outcome, formulas$selection, data), coefficients, truth$omega)
  list(fit = fit, data = data, latent = attr(data, "latent"))
}
