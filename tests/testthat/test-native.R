test_that("the compiled core is the one this version of the package was written for", {
  expect_identical(native_core_version(), as.character(packageVersion("ember")))
})
