labels <- 1L + (faithful$waiting > 66)
fit <- gaussian_mixture(faithful, model = "VVV", start = labels)

test_that("tidy has a row per component or coefficient", {
  components <- tidy(fit)
  expect_named(components, c("component", "size", "proportion", "mean.eruptions", "mean.waiting"))
  expect_equal(components$size, as.vector(table(predict(fit))))
  expect_named(
    tidy(gaussian_mixture(~waiting, k = 2, data = faithful)),
    c("component", "size", "proportion", "variance", "mean")
  )
  coefficients <- tidy(fit, "coefficients", conf.int = TRUE)
  expect_named(coefficients, c("term", "estimate", "std.error", "conf.low", "conf.high"))
  expect_equal(coefficients$term, names(coef(fit)))
})

test_that("glance and augment agree with the fit", {
  expect_equal(glance(fit)$BIC, BIC(fit))
  expect_equal(nrow(glance(fit)), 1L)
  rows <- augment(fit, faithful)
  expect_equal(as.integer(as.character(rows$.class)), unname(predict(fit)))
  expect_equal(rows$.uncertainty, unname(uncertainty(fit)))
  expect_equal(nrow(augment(fit, newdata = head(faithful))), 6L)
  expect_equal(augment(fit)$waiting, faithful$waiting)
})

test_that("columns of components are broom's for Mclust", {
  skip_if_not_installed("mclust")
  skip_if_not_installed("broom")
  theirs <- tidy(as_mclust(fit))
  expect_equal(
    as.data.frame(tidy(fit)), as.data.frame(theirs), tolerance = 1e-6, ignore_attr = TRUE
  )
})
