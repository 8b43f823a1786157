test_that("coeftest() and coefci() are z tests, with any covariance matrix", {
  skip_if_not_installed("lmtest")
  fit <- one_equation()
  table <- lmtest::coeftest(fit)
  expect_identical(colnames(table)[3:4], c("z value", "Pr(>|z|)"))
  expect_equal(table[, 2L], sqrt(diag(vcov(fit))))
  skip_if_not_installed("sandwich")
  robust <- lmtest::coeftest(fit, vcov. = sandwich::sandwich)
  expect_equal(robust[, 2L], sqrt(diag(vcov(fit, type = "HC0"))), tolerance = 1e-8)
  limits <- lmtest::coefci(fit, parm = "y1:x1")
  expect_equal(
    unname(limits[1L, ]),
    coef(fit)[["y1:x1"]] + qnorm(c(0.025, 0.975)) * table["y1:x1", 2L]
  )
})

test_that("lrtest() compares fits", {
  skip_if_not_installed("lmtest")
  fit <- one_equation()
  smaller <- update(fit, outcome = . ~ . - group)
  table <- lmtest::lrtest(smaller, fit)
  expect_equal(table$Chisq[[2L]], anova(smaller, fit)$Chisq[[2L]])
})
