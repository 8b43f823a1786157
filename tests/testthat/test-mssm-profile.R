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

test_that("the other mode of Mroz's wages is seen from the textbook one", {
  fit <- suppressWarnings(mroz_fit())
  textbook <- modes(fit, which.min(abs(modes(fit)$loglik + 1581.2577)))
  limits <- confint(textbook, "rho(wage,participation)", method = "profile")
  expect_true(limits[[1L]] < -0.1319 && limits[[2L]] > -0.1319)
  test <- selection_test(textbook, "Wald")
  # rho -.1319586 (.1651271 by outer products of scores) in the published fit.
  by_scores <- sqrt(vcov(textbook, type = "opg")[
    "rho(wage,participation)", "rho(wage,participation)"
  ])
  expect_equal(by_scores, 0.1651271, tolerance = 0.01)
  expect_gt(test$p.value, 0.3)
})
