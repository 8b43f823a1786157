skip_if_not_installed("lmtest")
skip_if_not_installed("lme4")
fit <- lmm(Reaction ~ Days + (Days | Subject), lme4::sleepstudy)

test_that("the table is that of the summary", {
  for (ddf in c("Satterthwaite", "Kenward-Roger")) {
    table <- lmtest::coeftest(fit, ddf = ddf)
    cells <- coef(summary(fit, ddf = ddf))[, c(1, 2, 4, 5)]
    expect_equal(unclass(table)[, 1:4], cells, ignore_attr = "dimnames")
  }
  expect_output(print(table), "t test of coefficients")
  limits <- lmtest::coefci(fit)
  cells <- coef(summary(fit))
  expect_equal(
    limits[, 2L], cells[, 1L] + qt(0.975, cells[, "df"]) * cells[, 2L], tolerance = 1e-10
  )
  expect_equal(colnames(limits), c("2.5 %", "97.5 %"))
  expect_equal(lmtest::coefci(fit, "Days"), limits["Days", , drop = FALSE])
})

test_that("other covariances and degrees of freedom", {
  # A model without coef() of a list, so that lmtest's own method can be the peer.
  plain <- structure(list(fit = fit), class = "plain_fit")
  local_method <- function(generic, method) {
    registerS3method(generic, "plain_fit", method, asNamespace("stats"))
  }
  local_method("coef", function(object, ...) fixef(object$fit))
  local_method("vcov", function(object, ...) as.matrix(vcov(object$fit)))
  robust <- function(x, ...) 1.5 * as.matrix(vcov(x))
  expect_equal(
    unclass(lmtest::coeftest(fit, vcov. = robust))[, 1:4],
    unclass(lmtest::coeftest(plain, vcov. = robust))[, 1:4]
  )
  expect_equal(
    unclass(lmtest::coeftest(fit, df = 12))[, 1:4],
    unclass(lmtest::coeftest(plain, df = 12))[, 1:4]
  )
  expect_equal(
    lmtest::coefci(fit, vcov. = robust, df = 5, level = 0.9),
    lmtest::coefci(plain, vcov. = robust, df = 5, level = 0.9)
  )
  expect_output(print(lmtest::coeftest(fit, ddf = "none")), "z test of coefficients")
  expect_error(lmtest::coeftest(fit, vcov. = diag(3)), class = "ember_error_argument")
})
