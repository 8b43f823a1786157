test_that("a fit is a fit of ember with the parts that are documented", {
  fit <- fit_glmm_peer_case(glmm_peer_cases()$offset)
  expect_s3_class(fit, c("ember_glmm", "ember_mixed", "ember_fit"), exact = TRUE)
  expect_identical(fit$status, "converged")
  expect_false(fit$REML)
  expect_null(fit$shape)
  expect_null(fit$separation)
  expect_identical(fit$n_agq, 1L)
  expect_identical(fit$sigma, 1)
  expect_identical(fit$df, 4L)
  expect_identical(nobs(fit), 158L)
  expect_equal(fit$criterion, -2 * as.numeric(logLik(fit)))
  expect_equal(getME(fit, "devfun")(c(fit$theta, fit$beta)), fit$criterion, tolerance = 1e-10)
  expect_true(convergence(fit)$converged)
})

test_that("estimates are those of glmer() with iterations to the end", {
  skip_if_not_installed("lme4")
  control <- lme4::glmerControl("bobyqa", tolPwrss = 1e-12)
  data <- glmm_counts()
  fit <- glmm(y ~ x + offset(log(exposure)) + (1 | g) + (1 | h), data, poisson())
  # Its numerical Hessian fails, not the fit.
  peer <- suppressWarnings(lme4::glmer(
    y ~ x + offset(log(exposure)) + (1 | g) + (1 | h), data, poisson(), control = control
  ))
  expect_lt(fit$criterion, -2 * as.numeric(logLik(peer)) + 1e-6)
  expect_equal(fixef(fit), lme4::fixef(peer), tolerance = 1e-3)
  expect_equal(fit$theta, unname(lme4::getME(peer, "theta")), tolerance = 1e-3)
  points <- glmm(y ~ x + (1 | g), data, poisson(), n_agq = 9)
  peer <- lme4::glmer(y ~ x + (1 | g), data, poisson(), control = control, nAGQ = 9)
  expect_equal(fixef(points), lme4::fixef(peer), tolerance = 1e-3)
})

test_that("estimates are those of glmmTMB, shape included", {
  skip_if_not_installed("glmmTMB")
  skip_on_cran()
  cases <- list(
    list(z ~ x + (1 | g), glmm_counts(), negative_binomial(), quote(glmmTMB::nbinom2())),
    list(y ~ x + (1 | g), glmm_times(), Gamma("log"), quote(Gamma("log"))),
    list(cbind(incidence, size - incidence) ~ period + (1 | herd), glmm_herds(),
      binomial("cloglog"), quote(binomial("cloglog"))
    )
  )
  for (case in cases) {
    fit <- glmm(case[[1L]], case[[2L]], case[[3L]])
    peer <- suppressWarnings(glmmTMB::glmmTMB(case[[1L]], case[[2L]], eval(case[[4L]])))
    expect_lt(fit$criterion, -2 * as.numeric(logLik(peer)) + 1e-5)
    expect_equal(fixef(fit), glmmTMB::fixef(peer)$cond, tolerance = 1e-3)
    expect_equal(vcov(fit), vcov(peer)$cond, tolerance = 1e-2, ignore_attr = TRUE)
    if (!is.null(fit$shape)) {
      shape <- if (family(fit)$family == "Gamma") 1 / sigma(peer)^2 else sigma(peer)
      expect_equal(fit$shape, shape, tolerance = 1e-3)
    }
  }
})

test_that("the forms of a response give the same fit", {
  data <- glmm_herds()
  counts <- glmm(cbind(incidence, size - incidence) ~ period + (1 | herd), data, binomial())
  shares <- glmm(incidence / size ~ period + (1 | herd), data, binomial(), weights = size)
  expect_equal(shares$criterion, counts$criterion, tolerance = 1e-10)
  rows <- data[rep(seq_len(nrow(data)), data$size), ]
  rows$ill <- unlist(Map(function(k, m) rep(1:0, c(k, m - k)), data$incidence, data$size))
  single <- glmm(ill ~ period + (1 | herd), rows, binomial())
  expect_equal(fixef(single), fixef(counts), tolerance = 1e-6)
  # The likelihoods differ by the binomial coefficients.
  constant <- 2 * sum(lchoose(data$size, data$incidence))
  expect_equal(single$criterion, counts$criterion + constant, tolerance = 1e-8)
  rows$answer <- factor(ifelse(rows$ill == 1, "yes", "no"))
  expect_equal(glmm(answer ~ period + (1 | herd), rows, binomial())$criterion, single$criterion)
})

test_that("missing values, subsets, contrasts and aliased columns are as in lmm()", {
  data <- glmm_counts()[1:160, ]
  data$x[7] <- NA
  data$twice <- 2 * data$x
  fit <- glmm(y ~ x + (1 | g), data, poisson())
  expect_identical(nobs(fit), 159L)
  expect_identical(nobs(glmm(y ~ x + (1 | g), data, poisson(), subset = x > 0)),
    sum(data$x > 0, na.rm = TRUE)
  )
  expect_error(
    glmm(y ~ x + (1 | g), data, poisson(), na.action = na.fail), class = "ember_error_data"
  )
  expect_message(
    aliased <- glmm(y ~ x + twice + (1 | g), data, poisson()), class = "ember_message_rank"
  )
  expect_identical(fixef(aliased, add.dropped = TRUE)[["twice"]], NA_real_)
  expect_equal(aliased$criterion, fit$criterion, tolerance = 1e-9)
  expect_equal(predict(aliased, data[1:3, ]), predict(fit, data[1:3, ]), tolerance = 1e-6)
  sums <- glmm(y ~ h + (1 | g), data, poisson(), contrasts = list(h = "contr.sum"))
  expect_equal(
    sums$criterion, glmm(y ~ h + (1 | g), data, poisson())$criterion, tolerance = 1e-8
  )
})

test_that("a start changes nothing but the way", {
  data <- glmm_counts()
  fit <- glmm(z ~ x + (1 | g), data, negative_binomial())
  for (start in list(fit, list(theta = 2, shape = 10), list(beta = c(0, 0)), 0.1)) {
    again <- glmm(z ~ x + (1 | g), data, negative_binomial(), start = start)
    expect_equal(again$criterion, fit$criterion, tolerance = 1e-8)
  }
})

test_that("weights multiply the log-density", {
  data <- glmm_counts()[1:120, ]
  twice <- rbind(data, data)
  fit <- glmm(y ~ x + (1 | g), data, poisson(), weights = rep(2, 120))
  expect_equal(
    fit$criterion, glmm(y ~ x + (1 | g), twice, poisson())$criterion, tolerance = 1e-8
  )
})

test_that("a fit that did not end is a warning, and the fit knows it", {
  data <- glmm_counts()
  expect_warning(
    fit <- glmm(z ~ x + (x | g), data, negative_binomial(), control = em_control(max_iter = 1)),
    class = "ember_warning_iteration_limit"
  )
  expect_false(convergence(fit)$converged)
  expect_output(print(fit), "NOT an optimum")
  expect_output(print(convergence(fit)), "method \"Laplace\"")
})
