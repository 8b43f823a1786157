test_that("exclusion restrictions are found and tested", {
  fit <- one_equation()
  table <- exclusion_restrictions(fit)
  expect_identical(table$excluded[[1L]], "z1")
  error <- sqrt(vcov(fit)["s1:z1", "s1:z1"])
  expect_equal(table$chisq, (coef(fit)[["s1:z1"]] / error)^2)
  expect_equal(table$df, 1L)
  probit <- glm(s1 ~ x1 + z1, binomial("probit"), workers(), control = list(epsilon = 1e-14))
  chosen <- workers()$s1 == 1
  index <- predict(probit)[chosen]
  ratio <- dnorm(index) / pnorm(index)
  share <- summary(lm(ratio ~ x1 + group, workers()[chosen, ]))$r.squared
  expect_equal(table$r_squared, share, tolerance = 1e-6)
  expect_equal(table$condition, sqrt((1 + sqrt(share)) / (1 - sqrt(share))), tolerance = 1e-5)
  # Nothing to say.
  expect_null(exclusion_words(fit))
})

test_that("the summary says where there is none, or a weak one", {
  data <- workers()
  none <- mssm(y1 ~ x1, s1 ~ x1, data)
  expect_identical(exclusion_restrictions(none)$excluded[[1L]], character())
  expect_match(exclusion_words(none), "`s1` has no exclusion restriction", all = FALSE)
  set.seed(2)
  data$noise <- rnorm(400)
  weak <- mssm(y1 ~ x1, s1 ~ x1 + noise, data)
  words <- exclusion_words(weak)
  if (exclusion_restrictions(weak)$p_value > 0.05) expect_match(words, "are weak: `noise`")
  expect_output(print(summary(none)), "no exclusion restriction")
})

test_that("a condition number above 20 is a weak identification", {
  row <- data.frame(
    outcome = "y", selection = "s", excluded = I(list("z")), p_value = 0, r_squared = 0.995,
    condition = ratio_condition(0.995)
  )
  expect_gt(row$condition, 20)
  expect_match(equation_exclusion_words(row), "weakly identified.*99.5%")
  row$r_squared <- 0.5
  row$condition <- ratio_condition(0.5)
  expect_null(equation_exclusion_words(row))
})
