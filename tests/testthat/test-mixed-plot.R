fit <- lmm(score ~ Machine + (Machine | Worker), nlme::Machines)

# Draws to a file and says whether anything was drawn, without an error or a warning.
expect_drawn <- function(expression) {
  file <- tempfile(fileext = ".pdf")
  grDevices::pdf(file)
  on.exit(unlink(file))
  testthat::expect_silent(force(expression))
  grDevices::dev.off()
  testthat::expect_gt(file.size(file), 2000)
}

test_that("every picture of a fit is drawn", {
  for (what in c("residuals", "qq", "scale", "panels")) expect_drawn(plot(fit, what))
  expect_drawn(plot(fit, resid(., type = "scaled") ~ fitted(.) | Machine))
  expect_drawn(plot(fit, Worker ~ resid(.)))
  expect_drawn(plot(fit, form = ~ resid(.)))
  expect_drawn(plot(fit, score ~ fitted(.), main = "observed and fitted"))
  em <- lmm(score ~ Machine + (1 | Worker), nlme::Machines, method = "em")
  for (each in list(fit, em)) expect_drawn(plot(each, "trace"))
  expect_error(plot(fit, "density"), class = "ember_error_argument")
  expect_error(plot(fit, form = "resid"), class = "ember_error_argument")
})

test_that("every picture of random effects is drawn", {
  effects <- ranef(fit)
  for (what in c("caterpillar", "qq")) expect_drawn(plot(effects, what))
  expect_drawn(plot(ranef(fit, condVar = FALSE)))
  expect_error(plot(effects, which = "Machine"), class = "ember_error_argument")
  skip_if_not_installed("lattice")
  expect_drawn(lattice::dotplot(effects))
  expect_drawn(lattice::qqmath(effects))
  expect_drawn(lattice::qqmath(fit))
})

test_that("the device is left as it was", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  before <- graphics::par(c("mfrow", "mar", "oma"))
  plot(fit, "panels")
  plot(ranef(fit))
  plot(fit, resid(.) ~ fitted(.) | Machine)
  testthat::expect_equal(graphics::par(c("mfrow", "mar", "oma")), before)
})

test_that("what is drawn is what was fitted", {
  table <- residual_table(fit)
  testthat::expect_equal(table$residual, unname(residuals(fit)))
  testthat::expect_equal(table$scaled, unname(residuals(fit)) / sigma(fit))
  effects <- effect_table(ranef(fit), "Worker", 0.9, rlang::current_env())
  variances <- attr(ranef(fit)$Worker, "postVar")
  testthat::expect_equal(effects$half[1:6], qnorm(0.95) * sqrt(variances[1, 1, ]))
})
