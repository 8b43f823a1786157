test_that("errors and warnings carry their classes, call and facts", {
  f <- function(x) {
    ember_abort("It broke.", class = "fit", details = c(i = "Try {again} 100%."), component = 2L)
  }
  error <- expect_error(f(1), class = "ember_error")
  expect_s3_class(error, "ember_error_fit")
  expect_identical(error$component, 2L)
  expect_identical(error$call, quote(f(1)))
  expect_match(conditionMessage(error), "Try {again} 100%.", fixed = TRUE)

  g <- function() ember_warn("Careful.", class = "saddle", fit = 3)
  warning <- expect_warning(g(), class = "ember_warning")
  expect_s3_class(warning, "ember_warning_saddle")
  expect_identical(warning$fit, 3)
})

test_that("arguments and data have errors of their own", {
  h <- function(k) abort_argument("k", "must be positive.")
  error <- expect_error(h(0), class = "ember_error_argument")
  expect_identical(conditionMessage(error), "`k` must be positive.")
  expect_identical(error$argument, "k")
})
