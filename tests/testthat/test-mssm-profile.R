# The profile: its points are held maxima, and it works as other profiles of ember do.

test_that("points of the curve are held maxima, to a zeta that the level asks for", {
  fit <- one_equation()
  curve <- profile(fit)
  expect_s3_class(curve, "ember_profile")
  expect_identical(as.character(unique(curve$.par)), "rho(y1,s1)")
  expect_equal(range(curve$.zeta), c(-1, 1) * sqrt(qchisq(0.99, 1)), tolerance = 1e-4)
  expect_false(is.unsorted(curve[["rho(y1,s1)"]], strictly = TRUE))
  for (k in c(1L, nrow(curve) %/% 3L, nrow(curve))) {
    naturals <- unlist(curve[k, names(coef(fit))])
    expect_equal(
      2 * (fit$loglik - heckman_loglik(naturals, fit)), curve$.zeta[[k]]^2, tolerance = 1e-6
    )
    # No slope is left in the others.
    place <- length(naturals)
    gradient <- colSums(heckman_scores(naturals, fit))[-place]
    expect_lt(max(abs(gradient) * sqrt(diag(vcov(fit)))[-place]), 1e-2)
  }
})

test_that("intervals of the curve are those of the fit, nearly", {
  fit <- one_equation()
  curve <- profile(fit, c("sigma(y1)", "rho(y1,s1)"))
  expect_equal(confint(curve), confint(fit, method = "profile"), tolerance = 1e-3)
})

test_that("the curve is drawn", {
  fit <- one_equation()
  curve <- profile(fit)
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_identical(plot(curve), curve)
  skip_if_not_installed("ggplot2")
  expect_s3_class(ggplot2::autoplot(curve), "ggplot")
})

test_that("a fit below its profile says so", {
  fit <- one_equation()
  fit$loglik <- fit$loglik - 1
  expect_warning(profile(fit), "higher log-likelihoods", class = "ember_warning_profile")
})

test_that("the profile of the textbook mode of Mroz's wages meets the higher mode", {
  fit <- suppressWarnings(mroz_fit())
  textbook <- modes(fit, which.min(abs(modes(fit)$loglik + 1581.2577)))
  name <- "rho(wage,participation)"
  expect_warning(
    limits <- confint(textbook, name, method = "profile"), "higher log-likelihoods",
    class = "ember_warning_profile"
  )
  expect_true(limits[[1L]] < -0.1319 && limits[[2L]] > -0.1319)
})

test_that("standard errors of the textbook mode are the published ones", {
  # sampleSelection 1.2-12, from the Hessian: outcome, selection, sigma, rho.
  published <- c(
    1.1982209, 0.0615514, 0.00183878, 0.0732299, 0.3159209, 1.4005164, 0.0658673, 0.000772297,
    4.41593e-6, 0.1301854, 0.0231534, 0.1138328, 0.1651271
  )
  fit <- suppressWarnings(mroz_fit())
  textbook <- modes(fit, which.min(abs(modes(fit)$loglik + 1581.2577)))
  expect_equal(unname(sqrt(diag(vcov(textbook)))) / published, rep(1, 13L), tolerance = 0.01)
})
