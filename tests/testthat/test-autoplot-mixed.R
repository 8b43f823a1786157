skip_if_not_installed("ggplot2")
fit <- lmm(score ~ Machine + (Machine | Worker), nlme::Machines)

expect_builds <- function(plot) {
  testthat::expect_s3_class(plot, "ggplot")
  testthat::expect_no_warning(built <- ggplot2::ggplot_build(plot))
  invisible(built)
}

test_that("ggplot2 versions build", {
  for (what in c("residuals", "qq", "scale", "panels")) expect_builds(ggplot2::autoplot(fit, what))
  expect_builds(ggplot2::autoplot(fit, "trace"))
  expect_error(ggplot2::autoplot(fit, "density"), class = "ember_error_argument")
})

test_that("a caterpillar has a point per effect", {
  built <- expect_builds(ggplot2::autoplot(ranef(fit)))
  expect_equal(nrow(built$data[[3L]]), 18L)
  expect_builds(ggplot2::autoplot(ranef(fit), "qq"))
  skip_if_not_installed("lme4")
  crossed <- ranef(lmm(diameter ~ 1 + (1 | plate) + (1 | sample), lme4::Penicillin))
  expect_equal(nrow(expect_builds(ggplot2::autoplot(crossed))$data[[3L]]), 30L)
  one <- expect_builds(ggplot2::autoplot(crossed, which = "sample"))
  expect_equal(nrow(one$data[[3L]]), 6L)
})

test_that("profiles are drawn", {
  profiled <- profile(lmm(score ~ Machine + (1 | Worker), nlme::Machines, REML = FALSE))
  for (what in c("zeta", "density")) expect_builds(ggplot2::autoplot(profiled, what))
})
