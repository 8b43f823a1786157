test_that("tables are those of lme4", {
  with_glmm_peers(function(ours, theirs, name) {
    if (grepl("Negative", family(ours)$family)) {
      return()
    }
    expect_equal(
      as.data.frame(anova(ours)), as.data.frame(anova(theirs)), tolerance = 1e-4,
      ignore_attr = TRUE, info = name
    )
  })
})

test_that("likelihood ratios compare nested fits", {
  data <- glmm_herds()
  larger <- glmm(cbind(incidence, size - incidence) ~ period + (1 | herd), data, binomial())
  smaller <- update(larger, . ~ . - period)
  table <- anova(larger, smaller)
  expect_identical(rownames(table), c("smaller", "larger"))
  expect_equal(table$Chisq[[2L]], 2 * as.numeric(logLik(larger) - logLik(smaller)))
  expect_equal(table[["Pr(>Chisq)"]][[2L]], pchisq(table$Chisq[[2L]], 3, lower.tail = FALSE))
  expect_false(any(grepl("REML", capture.output(print(table)))))
  expect_no_message(anova(larger, smaller))
  dropped <- drop1(larger, test = "Chisq")
  expect_equal(dropped$LRT[[2L]], table$Chisq[[2L]])
  expect_equal(dropped$npar, c(NA, 3))
  plain <- glm(cbind(incidence, size - incidence) ~ period, binomial(), data)
  with_glm <- anova(larger, plain)
  expect_equal(with_glm$logLik[[1L]], as.numeric(logLik(plain)))
  expect_error(anova(larger, 1), class = "ember_error_argument")
  expect_warning(anova(larger, update(larger, n_agq = 5)), class = "ember_warning_comparison")
})

test_that("ranova() ends at the generalized linear model", {
  data <- glmm_herds()
  fit <- glmm(cbind(incidence, size - incidence) ~ period + (1 | herd), data, binomial())
  plain <- glm(cbind(incidence, size - incidence) ~ period, binomial(), data)
  table <- ranova(fit)
  expect_equal(table$logLik[[2L]], as.numeric(logLik(plain)))
  expect_equal(table$LRT[[2L]], 2 * (fit$loglik - as.numeric(logLik(plain))))
  skip_if_not_installed("MASS")
  counts <- glmm(z ~ x + (1 | g), glmm_counts(), negative_binomial())
  expect_equal(
    ranova(counts)$logLik[[2L]], as.numeric(logLik(MASS::glm.nb(z ~ x, glmm_counts()))),
    tolerance = 1e-7
  )
})

test_that("extractAIC() and influence() know generalized fits", {
  data <- glmm_herds()
  fit <- glmm(cbind(incidence, size - incidence) ~ period + (1 | herd), data, binomial())
  expect_equal(extractAIC(fit), c(5, AIC(fit)))
  without <- influence(fit, "herd")
  kept <- data[data$herd != "4", ]
  again <- glmm(cbind(incidence, size - incidence) ~ period + (1 | herd), kept, binomial())
  expect_equal(without[["fixed.effects[-herd]"]]["4", ], fixef(again), tolerance = 1e-5)
  expect_false("sigma^2" %in% names(without$var.cov.comps))
})
