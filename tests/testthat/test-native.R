test_that("the compiled core is the one this version of the package was written for", {
  expect_identical(native_core_version(), as.character(packageVersion("ember")))
})

test_that("an error of the core becomes a classed condition with the user's call", {
  failed <- structure(
    list(message = "extendr_err", value = list(
      kind = "degenerate", message = "component 2 collapsed: 100%", argument = "", component = 2L
    )),
    class = c("extendr_error", "error", "condition")
  )
  user <- function() native_result(failed, rlang::current_env())
  error <- expect_error(user(), class = "ember_error_degenerate")
  expect_s3_class(error, "ember_error")
  expect_identical(error$component, 2L)
  expect_identical(error$call, quote(user()))
  expect_identical(conditionMessage(error), "component 2 collapsed: 100%")
  expect_identical(native_result(1:3), 1:3)
})

test_that("the core refuses a control list it cannot read", {
  bad <- em_control()
  bad$accelerate <- "warp"
  expect_error(em(1, identity, identity, control = bad), class = "ember_error_argument")
  bad <- em_control()
  bad$tol <- NULL
  expect_error(em(1, identity, identity, control = bad), class = "ember_error_argument")
})

test_that("seeds follow set.seed()", {
  set.seed(1)
  one <- draw_seed()
  set.seed(1)
  expect_identical(draw_seed(), one)
  expect_length(unique(replicate(5, draw_seed()[[1L]])), 5L)
})
