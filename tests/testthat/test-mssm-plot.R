# Plots are drawn to a file that is thrown away; what they draw is tested where it is made.
drawn <- function(code) {
  file <- tempfile(fileext = ".pdf")
  grDevices::pdf(file)
  on.exit({
    grDevices::dev.off()
    unlink(file)
  })
  force(code)
}

test_that("every plot draws", {
  fits <- list(people_fit(), households_fit())
  for (fit in fits) {
    for (what in c("trace", "rho", "modes")) {
      expect_no_warning(result <- drawn(withVisible(plot(fit, what))))
      expect_false(result$visible)
      expect_identical(result$value, fit)
    }
  }
  expect_no_warning(drawn(plot(with_history(people_fit()))))
  expect_error(drawn(plot(people_fit(), "gain")), class = "ember_error_argument")
})

test_that("what was not kept cannot be drawn", {
  fit <- people_fit()
  fit["scans"] <- list(NULL)
  expect_error(drawn(plot(fit, "rho")), "has none", class = "ember_error_argument")
})

test_that("the band of a gain is its normal interval", {
  table <- gain_table(with_history(people_fit()))
  expect_equal(table$high[[2]] - table$low[[2]], 2 * qnorm(0.975))
  scale <- gain_scale(table)
  expect_equal(scale$transform(0), 0)
  expect_identical(scale$labels[scale$at == 0], "0")
})

test_that("scans are maximised over the rest: their top is the mode of one equation", {
  fit <- people_fit()
  tables <- scan_table(fit)
  expect_lte(max(tables$scans$loglik), fit$loglik + 1e-6)
  top <- tables$scans$rho[[which.max(tables$scans$loglik)]]
  expect_lt(abs(top - coef(fit)[["rho(y1,s1)"]]), 0.3)
  expect_identical(sum(tables$modes$current), 1L)
})

test_that("modes show every correlation", {
  table <- mode_error_table(households_fit())
  expect_identical(nlevels(table$parameter), 6L)
  first <- table[as.integer(table$mode) == 1L, ]
  expect_equal(first$rho, unname(coef(households_fit(), "error")[-(1:2)]), tolerance = 1e-6)
})
