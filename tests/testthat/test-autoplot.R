test_that("ggplot2 versions build", {
  skip_if_not_installed("ggplot2")
  labels <- 1L + (faithful$waiting > 66)
  one <- gaussian_mixture(~waiting, model = "V", data = faithful, start = labels)
  two <- gaussian_mixture(faithful, model = "VVV", start = labels)
  for (fit in list(one, two)) {
    for (what in c("density", "classification", "uncertainty", "BIC", "trace")) {
      plot <- ggplot2::autoplot(fit, what)
      expect_s3_class(plot, "ggplot")
      expect_no_error(ggplot2::ggplot_build(plot))
    }
  }
  four <- gaussian_mixture(iris[, 1:4], k = 2, model = "EEI")
  expect_s3_class(ggplot2::autoplot(four), "ggplot")
  expect_snapshot(error = TRUE, ggplot2::autoplot(four, dimensions = 1:3))
})
