labels <- 1L + (faithful$waiting > 66)
one <- gaussian_mixture(~waiting, model = "V", data = faithful, start = labels)
two <- gaussian_mixture(faithful, k = 1:2, model = c("VVV", "EEE"))
four <- gaussian_mixture(iris[, 1:4], model = "VVV", start = as.integer(iris$Species))

test_that("every plot draws, and gives the fit back", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  for (fit in list(one, two, four)) {
    for (what in c("density", "classification", "uncertainty", "BIC", "ICL", "AIC", "trace")) {
      expect_identical(plot(fit, what), fit)
    }
  }
  expect_identical(plot(four, dimensions = c("Petal.Width", "Sepal.Length")), four)
  expect_identical(plot(four, dimensions = 2, main = "One", xlab = "cm"), four)
  expect_snapshot(error = TRUE, plot(four, dimensions = "Petal"))
  expect_snapshot(error = TRUE, plot(four, "dendrogram"))
})

test_that("noise, weights and missing values are drawn too", {
  x <- as.matrix(faithful)
  x[3, 1] <- NA
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  holes <- gaussian_mixture(x, k = 2, model = "VVV", weights = rep(1:2, 136))
  noisy <- gaussian_mixture(faithful, k = 2, model = "VVV", noise = TRUE)
  for (fit in list(holes, noisy)) {
    for (what in c("density", "classification", "uncertainty")) expect_identical(
      plot(fit, what), fit
    )
    expect_identical(plot(fit, dimensions = 2), fit)
  }
})

test_that("an ellipse holds its share of a Gaussian", {
  sigma <- matrix(c(2, 0.8, 0.8, 1), 2)
  points <- ellipse_points(c(1, 2), sigma, 0.5)
  centred <- sweep(points, 2, c(1, 2))
  expect_equal(rowSums(centred %*% solve(sigma) * centred), rep(qchisq(0.5, 2), nrow(points)))
})

test_that("a margin of a mixture has the same density as integrating it out", {
  margin <- marginal_mixture(two, 2L)
  at <- c(55, 80)
  grid <- seq(-3, 10, length.out = 2001)
  by_hand <- vapply(at, function(w) {
    sum(predict(two, cbind(grid, w), type = "density")) * diff(grid[1:2])
  }, 0)
  expect_equal(rowSums(component_densities(margin, at)), by_hand, tolerance = 1e-6)
})
