labels <- 1L + (faithful$waiting > 66)
fit <- gaussian_mixture(
  ~waiting, model = "V", data = faithful, start = labels, control = em_control(
    tol = 1e-12, max_iter = 10000
  )
)
x <- faithful$waiting

# Log-likelihood of the same model in coordinates without bounds: logit weight, means, log standard
# deviations.
free_loglik <- function(theta) {
  p <- plogis(theta[1])
  sum(log(p * dnorm(x, theta[2], exp(theta[4])) + (1 - p) * dnorm(x, theta[3], exp(theta[5]))))
}
theta <- c(qlogis(fit$weights[1]), fit$means[, 1], log(fit$covariances[1, 1, ]) / 2)

test_that("coefficients are named and in order", {
  expect_named(coef(fit), c(
    "weight[1]", "weight[2]", "mean[1,waiting]", "mean[2,waiting]", "covariance[1,waiting,waiting]",
    "covariance[2,waiting,waiting]"
  ))
  expect_named(coef(fit, scale = "sd")[5:6], c("sd[1,waiting]", "sd[2,waiting]"))
  pooled <- gaussian_mixture(faithful, model = "EEE", start = labels)
  expect_named(coef(pooled)[-(1:6)], c(
    "covariance[eruptions,eruptions]", "covariance[waiting,eruptions]",
    "covariance[waiting,waiting]"
  ))
  expect_named(
    coef(pooled, scale = "sd")[-(1:6)],
    c("sd[eruptions]", "sd[waiting]", "correlation[waiting,eruptions]")
  )
  known <- gaussian_mixture(x, known = list(weights = c(0.5, 0.5), covariances = 25))
  expect_named(coef(known), c("mean[1,x]", "mean[2,x]"))
})

test_that("the observed information is the numerical Hessian", {
  hessian <- stats::optimHess(
    theta, function(t) -free_loglik(t), control = list(ndeps = rep(1e-4, 5))
  )
  free <- solve(hessian)
  p <- fit$weights[1]
  sd <- sqrt(fit$covariances[1, 1, ])
  jacobian <- diag(c(p * (1 - p), 1, 1, sd))
  expected <- jacobian %*% free %*% jacobian
  v <- vcov(fit, scale = "sd")
  expect_equal(unname(v[-2, -2]), expected, tolerance = 1e-4)
  expect_equal(unname(v[2, 2]), expected[1, 1], tolerance = 1e-4)
  expect_equal(unname(v[1, 2]), -expected[1, 1], tolerance = 1e-4)
  variances <- diag(c(1, 1, 1, 2 * sd))
  expect_equal(unname(vcov(fit)[-2, -2]), variances %*% expected %*% variances, tolerance = 1e-4)
})

test_that("the sandwich and the outer products are those of numerical scores", {
  row_loglik <- function(t) {
    p <- plogis(t[1])
    log(p * dnorm(x, t[2], exp(t[4])) + (1 - p) * dnorm(x, t[3], exp(t[5])))
  }
  scores <- vapply(1:5, function(j) {
    h <- replace(numeric(5), j, 1e-5)
    (row_loglik(theta + h) - row_loglik(theta - h)) / 2e-5
  }, numeric(length(x)))
  meat <- crossprod(scores)
  bread <- solve(
    stats::optimHess(theta, function(t) -free_loglik(t), control = list(ndeps = rep(1e-4, 5)))
  )
  jacobian <- diag(c(prod(fit$weights), 1, 1, sqrt(fit$covariances[1, 1, ])))
  expect_equal(
    unname(vcov(fit, "opg", "sd")[-2, -2]), jacobian %*% solve(meat) %*% jacobian, tolerance = 1e-4
  )
  expect_equal(
    unname(vcov(fit, "sandwich", "sd")[-2, -2]), jacobian %*% bread %*% meat %*% bread %*% jacobian,
    tolerance = 1e-3
  )
})

test_that("known variance and weights: the closed form of the paper's model", {
  heights <- paper_heights()
  known <- list(weights = c(0.5, 0.5), covariances = 6.25)
  two <- gaussian_mixture(
    heights, known = known, start = list(means = c(70, 64)), control = em_control(tol = 1e-12)
  )
  r <- predict(two, type = "posterior")
  u <- outer(heights, two$means[, 1], "-") / 6.25
  information <- diag(colSums(r / 6.25 - r * u^2)) + crossprod(r * u)
  expect_equal(unname(vcov(two)), unname(solve(information)), tolerance = 1e-7)
})

test_that("confidence intervals cover on their own scales and stay in range", {
  limits <- confint(fit)
  expect_equal(dim(limits), c(6L, 2L))
  expect_equal(colnames(limits), c("2.5 %", "97.5 %"))
  se <- sqrt(diag(vcov(fit)))
  expect_equal(
    limits["mean[1,waiting]", ], coef(fit)[[3]] + c(-1, 1) * qnorm(0.975) * se[[3]],
    ignore_attr = TRUE
  )
  wide <- confint(fit, level = 1 - 1e-12)
  expect_true(all(wide[1:2, ] > 0 & wide[1:2, ] < 1))
  expect_true(all(wide[5:6, ] > 0))
  expect_equal(confint(fit, "mean[2,waiting]"), limits["mean[2,waiting]", , drop = FALSE])
  expect_equal(confint(fit, 4), limits[4, , drop = FALSE])
  expect_snapshot(error = TRUE, confint(fit, "mu"))
  expect_snapshot(error = TRUE, confint(fit, level = 2))
  expect_snapshot(error = TRUE, vcov(fit, type = "bootstrap"))
})

test_that("coinciding components have no standard errors, and a warning says so", {
  known <- list(weights = c(0.5, 0.5), covariances = 6.25)
  saddle <- suppressWarnings(
    gaussian_mixture(paper_heights(100), known = known, start = list(means = c(67, 67)))
  )
  expect_warning(v <- vcov(saddle), class = "ember_warning_singular")
  expect_true(anyNA(v))
})

test_that("the bootstrap test finds two components in the waiting times", {
  skip_on_cran()
  set.seed(1)
  test <- bootstrap_lrt(fit, replicates = 39)
  expect_s3_class(test, "ember_bootstrap_lrt")
  expect_equal(test$k[[1]], 1L)
  expect_equal(test$p_value[[1]], 1 / 40)
  expect_gt(test$p_value[[2]], 0.05)
  one <- gaussian_mixture(x, k = 1, model = "V")
  expect_equal(test$statistic[[1]], 2 * (fit$loglik - one$loglik), tolerance = 1e-6)
  expect_output(print(test), "1 vs 2")
  set.seed(1)
  expect_identical(bootstrap_lrt(fit, replicates = 39), test)
})

test_that("what the bootstrap test cannot do is an error", {
  expect_snapshot(error = TRUE, bootstrap_lrt(cbind(x, y = c(NA, x[-1])), k = 1))
  expect_snapshot(error = TRUE, bootstrap_lrt(x, k = 1, replicates = 0))
  expect_snapshot(error = TRUE, bootstrap_lrt(x, k = 1, model = c("E", "V")))
  known <- gaussian_mixture(x, known = list(weights = c(0.5, 0.5)), model = "V")
  expect_snapshot(error = TRUE, bootstrap_lrt(known))
})

test_that("coefficients and levels that are none are errors", {
  fit <- gaussian_mixture(faithful, model = "VVV", start = 1L + (faithful$waiting > 66))
  for (parm in list(mean, quote(x), list(1), NA, "weight[3]", 99)) {
    expect_error(confint(fit, parm = parm), "`parm`", class = "ember_error_argument")
  }
  for (level in list(NULL, NA, 1, 0, "a", c(0.1, 0.2), mean)) {
    expect_error(bootstrap_lrt(fit, level = level), "`level`", class = "ember_error_argument")
  }
})
