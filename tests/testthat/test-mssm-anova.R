# Likelihood ratios of fits, and Wald tests of terms.

test_that("likelihood ratios are twice the differences", {
  fit <- one_equation()
  smaller <- update(fit, outcome = . ~ . - group)
  smallest <- update(smaller, selection = . ~ . - z1)
  table <- anova(fit, smallest, smaller)
  expect_s3_class(table, "anova")
  expect_identical(rownames(table), c("smallest", "smaller", "fit"))
  logliks <- c(smallest$loglik, smaller$loglik, fit$loglik)
  expect_equal(table$Chisq, c(NA, 2 * diff(logliks)))
  expect_equal(table$Df, c(NA, 1, 2))
  expect_equal(table[3L, "Pr(>Chisq)"], pchisq(table$Chisq[[3L]], 2, lower.tail = FALSE))
  expect_output(print(table), "y1 ~ x1 \\+ group, s1 ~ x1 \\+ z1")
})

test_that("terms have Wald tests of all their coefficients", {
  fit <- one_equation()
  table <- anova(fit)
  expect_identical(rownames(table), c("y1:x1", "y1:group", "s1:x1", "s1:z1"))
  own <- c("y1:groupb", "y1:groupc")
  expect_equal(
    table["y1:group", "Chisq"],
    drop(coef(fit)[own] %*% solve(vcov(fit)[own, own], coef(fit)[own])), tolerance = 1e-10
  )
  expect_equal(table$Df, c(1, 2, 1, 1))
  robust <- anova(fit, type = "HC0")
  error <- sqrt(vcov(fit, type = "HC0")["s1:z1", "s1:z1"])
  expect_equal(robust["s1:z1", "Chisq"], (coef(fit)[["s1:z1"]] / error)^2)
  expect_output(print(robust), "sandwich")
  expect_equal(nrow(anova(households_fit())), 6L)
})

test_that("comparisons that say nothing are refused", {
  fit <- one_equation()
  refused <- function(code, words) {
    expect_error(code, words, class = "ember_error_argument")
  }
  refused(anova(fit, lm(y1 ~ x1, workers())), "fits of `mssm\\(\\)`")
  refused(anova(fit, fit), "numbers of parameters")
  refused(anova(fit, update(fit, subset = x1 < 1, outcome = . ~ . - group)), "same rows")
  refused(anova(fit, update(fit, outcome = y1 ~ x1)  |> update(outcome = . ~ z1)), "nested")
  refused(anova(fit, update(fit, outcome = . ~ . - group), model.names = "one"), "model.names")
  two_step <- update(fit, method = "two-step")
  expect_error(anova(fit, two_step), class = "ember_error_unsupported")
  smaller <- update(fit, outcome = . ~ . - group)
  low <- fit
  low$loglik <- smaller$loglik - 1
  expect_warning(anova(low, smaller), "lower", class = "ember_warning_comparison")
})
