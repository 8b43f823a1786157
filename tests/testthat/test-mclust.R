test_that("mclust's tools work on every model", {
  skip_if_not_installed("mclust")
  cases <- mixture_cases()
  for (name in c("faithful3", "iris", "precip")) {
    case <- cases[[name]]
    models <- if (ncol(case$x) == 1L) c("E", "V") else mclust_models
    for (model in models) {
      fit <- gaussian_mixture(case$x, model = model, start = case$labels)
      theirs <- as_mclust(fit)
      expect_equal(
        unname(predict(theirs)$z), unname(predict(fit, type = "posterior")), tolerance = 1e-6,
        label = model
      )
      dens <- mclust::dens(
        data = case$x, modelName = theirs$modelName, parameters = theirs$parameters,
        logarithm = TRUE
      )
      expect_equal(
        as.vector(dens), unname(predict(fit, type = "log_density")), tolerance = 1e-8, label = model
      )
      expect_equal(as.numeric(logLik(theirs)), fit$loglik, tolerance = 1e-8)
    }
  }
})

test_that("summary, plots and the tools built on Mclust run", {
  skip_if_not_installed("mclust")
  fit <- gaussian_mixture(faithful, k = 1:3, model = c("EEE", "VVV"))
  theirs <- as_mclust(fit)
  expect_s3_class(theirs, "Mclust")
  expect_setequal(
    names(theirs),
    c("call", "data", "modelName", "n", "d", "G", "BIC", "loglik", "df", "bic", "icl", "hypvol",
      "parameters", "z",
      "classification", "uncertainty")
  )
  expect_equal(theirs$bic, -BIC(fit))
  expect_output(print(summary(theirs, parameters = TRUE)), "model with [123]\\s+component")
  expect_equal(max(theirs$BIC, na.rm = TRUE), theirs$bic, tolerance = 1e-6)
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  for (what in c("BIC", "classification", "uncertainty", "density")) expect_no_error(
    plot(theirs, what = what)
  )
  expect_s3_class(mclust::MclustDR(theirs), "MclustDR")
  expect_s3_class(mclust::clustCombi(theirs), "clustCombi")
  one <- gaussian_mixture(faithful, k = 1, model = "VVV")
  expect_equal(unname(predict(as_mclust(one))$classification), rep(1, 272))
})

test_that("noise carries over", {
  skip_if_not_installed("mclust")
  set.seed(5)
  fit <- gaussian_mixture(faithful, k = 2, model = "VVV", noise = TRUE)
  theirs <- as_mclust(fit)
  expect_equal(
    unname(predict(theirs)$z), unname(predict(fit, type = "posterior")), tolerance = 1e-6
  )
  expect_equal(theirs$hypvol, mclust::hypvol(faithful), tolerance = 1e-10)
})

test_that("what mclust has no place for is an error", {
  labels <- 1L + (faithful$waiting > 66)
  weighted <- gaussian_mixture(faithful, model = "EEE", start = labels, weights = rep(1:2, 136))
  expect_snapshot(error = TRUE, as_mclust(weighted))
  holes <- as.matrix(faithful)
  holes[1, 1] <- NA
  expect_snapshot(error = TRUE, as_mclust(gaussian_mixture(holes, model = "EEE", start = labels)))
})

test_that("axes of very different lengths are no obstacle", {
  # Rounding makes the smallest eigenvalue of such a matrix negative.
  turn <- qr.Q(qr(matrix(c(2, 1, 0, 1, 3, 1, 0, 1, 4), 3)))
  sigma <- array(turn %*% diag(c(1e30, 1, 1e-30)) %*% t(turn), c(3, 3, 1))
  axes <- covariance_axes(list(k = 1L, means = matrix(0, 1, 3)), sigma, 1L, "E")
  expect_equal(abs(axes$vectors[, 1]), abs(turn[, 1]))
})
