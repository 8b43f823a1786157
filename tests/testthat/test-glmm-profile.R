test_that("profile intervals are those of lme4", {
  skip_if_not_installed("lme4")
  skip_on_cran()
  fit <- fit_glmm_peer_case(glmm_peer_cases()$counts_of_two)
  herds <- glmm_herds()
  peer <- lme4::glmer(
    cbind(incidence, size - incidence) ~ period + (1 | herd), herds, binomial(),
    control = lme4::glmerControl("bobyqa", tolPwrss = 1e-12)
  )
  theirs <- suppressMessages(confint(peer))
  # lme4 interpolates its curve with splines.
  expect_equal(confint(fit), theirs, tolerance = 2e-4)
  curves <- profile(fit)
  expect_s3_class(curves, "ember_profile")
  expect_equal(confint(curves), confint(fit), tolerance = 1e-5)
})

test_that("on the curve the criterion is that of the best fit with the parameter held", {
  data <- glmm_counts()[1:200, ]
  fit <- glmm(z ~ x + (1 | g), data, negative_binomial())
  curves <- profile(fit, "shape", signames = FALSE)
  expect_identical(levels(curves$.par), c("sd_(Intercept)|g", "shape", "(Intercept)", "x"))
  point <- curves[which.max(curves$.zeta), ]
  held <- glmm(z ~ x + (1 | g), data, negative_binomial(point$shape))
  expect_equal(held$criterion - fit$criterion, point$.zeta^2, tolerance = 1e-5)
  expect_equal(fixef(held)[["x"]], point$x, tolerance = 1e-4)
  coefficient <- profile(fit, "x", signames = FALSE)
  point <- coefficient[which.min(coefficient$.zeta), ]
  offset <- glmm(
    z ~ 1 + (1 | g), data, negative_binomial(), offset = point$x * x
  )
  expect_equal(offset$criterion - fit$criterion, point$.zeta^2, tolerance = 1e-5)
})

test_that("a curve ends where its parameter does", {
  data <- withr_seed(4, data.frame(y = rpois(60, 3), g = factor(rep(1:12, 5))))
  fit <- suppressMessages(glmm(y ~ 1 + (1 | g), data, poisson()))
  limits <- confint(fit, "theta_", oldNames = FALSE)
  expect_identical(limits[[1L]], 0)
  expect_gt(limits[[2L]], 0.1)
  expect_error(confint(fit, "nothing"), class = "ember_error_argument")
})
