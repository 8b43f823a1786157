# Tests of the errors' correlations, each against its definition.

test_that("without selection the likelihood is a probit and a regression", {
  fit <- one_equation()
  data <- workers()
  probit <- glm(s1 ~ x1 + z1, binomial("probit"), data)
  regression <- lm(y1 ~ x1 + group, data, subset = s1 == 1)
  null <- as.numeric(logLik(probit)) + as.numeric(logLik(regression))
  test <- selection_test(fit)
  expect_s3_class(test, "htest")
  expect_equal(test$statistic, c(LR = 2 * (fit$loglik - null)), tolerance = 1e-6)
  expect_equal(test$parameter, c(df = 1))
  expect_equal(test$p.value, pchisq(test$statistic[[1L]], 1, lower.tail = FALSE))
  expect_equal(test$loglik, c(restricted = null, full = fit$loglik), tolerance = 1e-8)
  expect_output(print(test), "Likelihood ratio test of no selection")
})

test_that("the Wald test is a quadratic form on the scale of Fisher's z", {
  fit <- one_equation()
  rho <- coef(fit)[["rho(y1,s1)"]]
  for (type in c("hessian", "HC0")) {
    error <- sqrt(vcov(fit, type = type)["rho(y1,s1)", "rho(y1,s1)"]) / (1 - rho^2)
    test <- selection_test(fit, "Wald", type = type)
    expect_equal(test$statistic, c(Wald = (atanh(rho) / error)^2), tolerance = 1e-10)
  }
  two <- households_fit()
  names <- c("rho(y1,s1)", "rho(y1,s2)", "rho(y2,s1)", "rho(y2,s2)")
  rho <- coef(two)[names]
  scaled <- vcov(two)[names, names] / tcrossprod(1 - rho^2)
  test <- selection_test(two, "Wald")
  expect_equal(
    test$statistic[[1L]], drop(atanh(rho) %*% solve(scaled, atanh(rho))), tolerance = 1e-8
  )
  expect_equal(test$parameter, c(df = 4))
})

test_that("the score test is that of the derivatives at the restricted estimates", {
  skip_if_not_installed("numDeriv")
  fit <- one_equation()
  data <- workers()
  regression <- lm(y1 ~ x1 + group, data, subset = s1 == 1)
  probit <- glm(s1 ~ x1 + z1, binomial("probit"), data, control = list(epsilon = 1e-14))
  null <- c(coef(regression), coef(probit), sqrt(mean(residuals(regression)^2)), 0)
  scores <- heckman_scores(null, fit)
  gradient <- colSums(scores)
  expect_equal(
    selection_test(fit, "score")$statistic[[1L]],
    drop(gradient %*% solve(crossprod(scores), gradient)), tolerance = 1e-5
  )
  expect_equal(
    selection_test(fit, "score", information = "observed")$statistic[[1L]],
    drop(gradient %*% solve(heckman_information(null, fit), gradient)), tolerance = 1e-4
  )
})

test_that("independent equations are separate fits", {
  fit <- households_fit()
  frame <- fit$frame
  alone <- list(mssm(y1 ~ x1, s1 ~ x1 + z1, frame), mssm(y2 ~ x1, s2 ~ x1 + z2, frame))
  sum <- alone[[1L]]$loglik + alone[[2L]]$loglik
  test <- selection_test(fit, of = "equations")
  expect_equal(test$statistic, c(LR = 2 * (fit$loglik - sum)), tolerance = 1e-5)
  expect_equal(test$parameter, c(df = 4))
  names <- c("rho(y1,y2)", "rho(y1,s2)", "rho(y2,s1)", "rho(s1,s2)")
  rho <- coef(fit)[names]
  scaled <- vcov(fit)[names, names] / tcrossprod(1 - rho^2)
  expect_equal(
    selection_test(fit, "Wald", "equations")$statistic[[1L]],
    drop(atanh(rho) %*% solve(scaled, atanh(rho))), tolerance = 1e-8
  )
  # The score of the joint model at the separate estimates, from the fit's own rows.
  null <- c(coef(alone[[1L]], "outcome"), coef(alone[[2L]], "outcome"),
    coef(alone[[1L]], "selection"), coef(alone[[2L]], "selection"),
    coef(alone[[1L]])["sigma(y1)"], coef(alone[[2L]])["sigma(y2)"],
    0, coef(alone[[1L]])["rho(y1,s1)"], 0, 0, coef(alone[[2L]])["rho(y2,s2)"], 0)
  scores <- estfun.ember_mssm(fit_with_naturals(fit, unname(null)))
  gradient <- colSums(scores)
  test <- selection_test(fit, "score", "equations")
  expect_equal(
    test$statistic[[1L]], drop(gradient %*% solve(crossprod(scores), gradient)), tolerance = 1e-3
  )
  expect_true(all(abs(gradient[setdiff(names(gradient), names)]) < 0.05))
})

test_that("without selection outcomes and selections have likelihoods of their own", {
  skip_if_not_installed("mvtnorm")
  fit <- households_fit()
  null <- unselected_fit(fit, NULL)
  omega <- null$parameters$omega
  expect_true(all(omega[1:2, 3:4] == 0))
  rows <- fit$rows
  s <- rows$selected
  predict_part <- function(x, b) drop(x %*% b)
  e <- rows$y - cbind(
    predict_part(rows$outcome[[1L]], null$parameters$coefficients[[1L]]),
    predict_part(rows$outcome[[2L]], null$parameters$coefficients[[2L]])
  )
  index <- cbind(
    predict_part(rows$selection[[1L]], null$parameters$coefficients[[3L]]),
    predict_part(rows$selection[[2L]], null$parameters$coefficients[[4L]])
  )
  row <- function(i) {
    seen <- s[i, ] == 1L
    q <- 2 * s[i, ] - 1
    r <- prod(q) * omega[3L, 4L]
    latent <- mvtnorm::pmvnorm(upper = q * index[i, ], corr = matrix(c(1, r, r, 1), 2L))
    outcome <- if (any(seen)) {
      own <- omega[which(seen), which(seen), drop = FALSE]
      mvtnorm::dmvnorm(e[i, seen], sigma = own, log = TRUE)
    } else {
      0
    }
    log(latent[[1L]]) + outcome
  }
  expect_equal(sum(vapply(seq_len(nrow(s)), row, 0)), null$loglik, tolerance = 1e-8)
  # At its maximum: its own scores vanish, those of the hypothesis do not.
  scores <- colSums(native_mssm_scores(rows, null$parameters, fit_control(fit), NULL))
  free <- setdiff(seq_along(scores), tested_correlations(fit, "selection"))
  errors <- sqrt(diag(vcov(fit)))
  expect_lt(max(abs(scores * errors)[free]), 1e-2)
})

test_that("tests that say nothing are refused", {
  fit <- one_equation()
  expect_error(selection_test(fit, of = "equations"), class = "ember_error_argument")
  expect_error(selection_test(lm(y1 ~ x1, workers())), class = "ember_error_argument")
  two_step <- update(fit, method = "two-step")
  expect_error(selection_test(two_step), class = "ember_error_unsupported")
  lower <- fit
  lower$loglik <- fit$loglik - 100
  expect_warning(selection_test(lower), class = "ember_warning_comparison")
})

test_that("a size of 5% is kept when there is no selection", {
  skip_on_cran()
  set.seed(5)
  rejected <- replicate(200, {
    n <- 300
    data <- data.frame(x = rnorm(n), z = rnorm(n))
    data$s <- as.integer(data$z + rnorm(n) > 0)
    data$y <- ifelse(data$s == 1L, data$x + rnorm(n), NA)
    fit <- suppressWarnings(mssm(y ~ x, s ~ x + z, data))
    c(selection_test(fit)$p.value, selection_test(fit, "Wald")$p.value) < 0.05
  })
  # Binomial(200, .05) is below 21 with probability .999.
  expect_true(all(rowMeans(rejected) < 21 / 200))
})
