test_that("the defaults and every choice are valid", {
  control <- mssm_control()
  expect_s3_class(control, c("mssm_control", "ember_control"), exact = TRUE)
  expect_identical(control$sampler, "collapsed")
  expect_identical(control$points, 128)
  expect_identical(mssm_control(sampler = "full", threads = 2L)$threads, 2)
})

test_that("em_control() stands for its fields", {
  control <- as_mssm_control(em_control(max_iter = 7, tol = 1e-3), NULL)
  expect_identical(control, mssm_control(max_iter = 7, tol = 1e-3))
  expect_error(as_mssm_control(list(), NULL), "mssm_control", class = "ember_error_argument")
})

test_that("a control list prints", {
  expect_snapshot(mssm_control())
})

test_that("bad values are refused by name", {
  expect_snapshot(error = TRUE, {
    mssm_control(tol = -1)
    mssm_control(points = 4)
    mssm_control(points = 1e6)
    mssm_control(draws = 1)
    mssm_control(sampler = "paper")
    mssm_control(mc_tol = 0)
    mssm_control(search = NA)
    mssm_control(threads = 0)
  })
})
