# Heckman's likelihood in plain R, and fits that several tests of inference share.

# Log-likelihoods of rows at all parameters, in the order of coef(): one equation.
heckman_rows <- function(parameters, fit) {
  x <- fit$rows$outcome[[1L]]
  w <- fit$rows$selection[[1L]]
  seen <- fit$rows$selected[, 1L] == 1L
  k <- ncol(x)
  beta <- parameters[seq_len(k)]
  gamma <- parameters[k + seq_len(ncol(w))]
  sigma <- parameters[[k + ncol(w) + 1L]]
  rho <- parameters[[k + ncol(w) + 2L]]
  index <- drop(w %*% gamma)
  e <- (fit$rows$y[, 1L] - drop(x %*% beta)) / sigma
  rows <- pnorm(-index, log.p = TRUE)
  conditional <- pnorm((index + rho * e) / sqrt(1 - rho^2), log.p = TRUE)
  rows[seen] <- (dnorm(e, log = TRUE) - log(sigma) + conditional)[seen]
  rows
}

heckman_loglik <- function(parameters, fit) {
  weights <- fit$rows$weights
  rows <- heckman_rows(parameters, fit)
  sum(if (is.null(weights)) rows else weights * rows)
}

heckman_scores <- function(parameters, fit) {
  testthat::skip_if_not_installed("numDeriv")
  numDeriv::jacobian(heckman_rows, parameters, fit = fit)
}

heckman_information <- function(parameters, fit) {
  testthat::skip_if_not_installed("numDeriv")
  -numDeriv::hessian(heckman_loglik, parameters, fit = fit)
}

# The greatest log-likelihood with parameter `place` held.
held_maximum <- function(fit, place, value) {
  start <- coef(fit)[-place]
  negative <- function(rest) {
    all <- numeric(length(rest) + 1L)
    all[-place] <- rest
    all[place] <- value
    size <- length(all)
    if (all[[size - 1L]] <= 0 || abs(all[[size]]) >= 1) {
      return(1e10)
    }
    -heckman_loglik(all, fit)
  }
  control <- list(rel.tol = 1e-14, eval.max = 5000, iter.max = 2000)
  -nlminb(start, negative, control = control)$objective
}

# Data with a group, clusters and weights.
workers <- local({
  data <- NULL
  function() {
    if (is.null(data)) {
      set.seed(20)
      data <<- transform(
        simulate_mssm(400),
        group = factor(rep_len(c("a", "b", "c"), 400)), id = rep_len(1:50, 400),
        times = rep_len(1:3, 400)
      )
    }
    data
  }
})

one_equation <- local({
  fit <- NULL
  function() {
    if (is.null(fit)) fit <<- mssm(y1 ~ x1 + group, s1 ~ x1 + z1, data = workers())
    fit
  }
})
