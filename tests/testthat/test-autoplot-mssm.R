skip_if_not_installed("ggplot2")

test_that("ggplot2 versions build", {
  for (what in c("trace", "rho", "modes")) {
    plot <- ggplot2::autoplot(households_fit(), what)
    expect_s3_class(plot, "ggplot")
    expect_no_warning(ggplot2::ggplot_build(plot))
  }
  expect_no_warning(ggplot2::ggplot_build(ggplot2::autoplot(with_history(people_fit()))))
})
