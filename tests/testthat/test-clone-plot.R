fit <- note_fit(clones = c(1, 10), n_iter = 200, derived = list(sum = ~ sigma_sq + tau_sq))

test_that("chains and pairs are drawn", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  for (what in c("chains", "trace", "density", "pairs")) expect_no_error(plot(fit, what))
  expect_no_error(plot(fit, parameters = "sum", clones = 1))
  expect_no_error(pairs(fit, c("sum", "tau_sq")))
  expect_identical(plot(fit), fit)
  expect_error(plot(fit, "nothing"), class = "ember_error_argument")
  expect_error(plot(fit, parameters = "nothing"), class = "ember_error_argument")
  expect_error(pairs(fit, "sum"), class = "ember_error_argument")
})

test_that("the layout of the device is left as it was", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  before <- graphics::par("mfrow", "mar")
  plot(fit)
  pairs(fit)
  expect_identical(graphics::par("mfrow", "mar"), before)
})
