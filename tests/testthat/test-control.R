test_that("the defaults and every choice are valid", {
  control <- em_control()
  expect_s3_class(control, "ember_control")
  expect_identical(control$accelerate, "squarem")
  expect_identical(em_control(accelerate = "anderson")$accelerate, "anderson")
  expect_identical(em_control(tol = 0, max_iter = 1L, threads = 2L)$threads, 2)
})

test_that("a control list prints", {
  expect_snapshot(em_control())
  expect_snapshot(em_control(accelerate = "anderson", memory = 3, progress = TRUE))
})

test_that("bad values are refused by name", {
  expect_snapshot(error = TRUE, {
    em_control(tol = -1)
    em_control(tol = NA)
    em_control(max_iter = 0)
    em_control(max_iter = 1.5)
    em_control(accelerate = "fast")
    em_control(accelerate = c("none", "squarem"))
    em_control(memory = 50)
    em_control(threads = 0)
    em_control(progress = "yes")
  })
  expect_error(em_control(tol = "a"), class = "ember_error_argument")
  expect_identical(rlang::catch_cnd(em_control(threads = -1))$argument, "threads")
})

test_that("progress is shown and changes nothing", {
  slow <- function(p) {
    Sys.sleep(0.03)
    linkage$e_step(p)
  }
  quiet <- fit_linkage(0.01, control = em_control(accelerate = "none"))
  rlang::local_options(cli.progress_show_after = 0, cli.dynamic = FALSE, cli.progress_clear = FALSE)
  control <- em_control(accelerate = "none", progress = TRUE)
  shown <- cli::cli_fmt(loud <- fit_linkage(0.01, e_step = slow, control = control))
  expect_identical(coef(loud), coef(quiet))
  expect_match(shown, "iteration [0-9]+, log-likelihood 6", all = FALSE)
})
