skip_if_not_installed("ggplot2")

test_that("ggplot2 versions build", {
  fit <- note_fit(clones = c(1, 10), n_iter = 200)
  for (what in c("trace", "density")) {
    plot <- ggplot2::autoplot(fit, what)
    expect_s3_class(plot, "ggplot")
    expect_no_warning(built <- ggplot2::ggplot_build(plot))
    expect_identical(nrow(built$layout$layout), 3L)
  }
  expect_error(ggplot2::autoplot(fit, "nothing"), class = "ember_error_argument")
})
