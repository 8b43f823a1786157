# Heckman's model by maxLik, in R as R packages do it: Heckman's two steps as a start, then BHHH on
# a vectorised log-likelihood with analytic gradients. Stands in for sampleSelection (which is built
# on maxLik) where that is not installed.

heckman_peer <- function(data, formulas) {
  selected <- data$s == 1L
  x <- model.matrix(delete.response(terms(formulas$outcome)), data)[selected, ]
  w <- model.matrix(delete.response(terms(formulas$selection)), data)
  y <- data$y[selected]
  beta_at <- seq_len(ncol(x))
  gamma_at <- ncol(x) + seq_len(ncol(w))
  probit <- glm.fit(w, data$s, family = binomial("probit"))$coefficients
  index <- drop(w[selected, ] %*% probit)
  mills <- dnorm(index) / pnorm(index)
  second <- lm.fit(cbind(x, mills), y)
  slope <- second$coefficients[[ncol(x) + 1L]]
  sigma <- sqrt(mean(second$residuals^2) + mean(mills * (mills + index)) * slope^2)
  rho <- max(-0.95, min(0.95, slope / sigma))
  value <- function(p) {
    sigma <- p[[length(p) - 1L]]
    rho <- p[[length(p)]]
    if (sigma <= 0 || abs(rho) >= 1) {
      return(NA)
    }
    root <- sqrt(1 - rho^2)
    index <- drop(w %*% p[gamma_at])
    e <- (y - drop(x %*% p[beta_at])) / sigma
    b <- (index[selected] + rho * e) / root
    log_lik <- pnorm(-index, log.p = TRUE)
    log_lik[selected] <- dnorm(e, log = TRUE) - log(sigma) + pnorm(b, log.p = TRUE)
    mills <- exp(dnorm(b, log = TRUE) - pnorm(b, log.p = TRUE))
    in_index <- -exp(dnorm(index, log = TRUE) - pnorm(-index, log.p = TRUE))
    in_index[selected] <- mills / root
    in_mean <- (e - mills * rho / root) / sigma
    gradient <- matrix(0, length(index), length(p))
    gradient[selected, beta_at] <- x * in_mean
    gradient[, gamma_at] <- w * in_index
    gradient[selected, length(p) - 1L] <- e * in_mean - 1 / sigma
    gradient[selected, length(p)] <- mills * (e + rho * index[selected]) / root^3
    attr(log_lik, "gradient") <- gradient
    log_lik
  }
  start <- c(second$coefficients[beta_at], probit, sigma, rho)
  fit <- maxLik::maxLik(value, start = start, method = "BHHH")
  list(loglik = fit$maximum, estimate = fit$estimate, covariance = solve(-fit$hessian))
}
