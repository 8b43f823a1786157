skip_if_not_installed("lme4")
data <- lme4::sleepstudy
data$Reaction[c(4, 9)] <- NA
fit <- lmm(Reaction ~ Days + (1 | Subject), data, na.action = na.exclude)
rows <- !is.na(data$Reaction)

test_that("vectors have a value for each row that was used", {
  expect_equal(getObservedResponse.ember_mixed(fit), data$Reaction[rows])
  expect_equal(getFitted.ember_mixed(fit), unname(predict(fit, data[rows, ], re.form = NA)))
  expect_equal(getResiduals.ember_mixed(fit), unname(residuals(fit)[rows]))
  expect_equal(getPearsonResiduals.ember_mixed(fit), unname(residuals(fit, type = "pearson")[rows]))
  expect_equal(getFixedEffects.ember_mixed(fit), fixef(fit))
})

test_that("simulations are a matrix; a refit of them is a fit", {
  set.seed(1)
  draws <- getSimulations.ember_mixed(fit, 500)
  expect_equal(dim(draws), c(178L, 500L))
  # New random effects are drawn: the variance is that of the margin.
  total <- sigma(fit)^2 + VarCorr(fit)$Subject[[1L]]
  expect_equal(mean((draws - getFitted.ember_mixed(fit))^2), total, tolerance = 0.1)
  frame <- getSimulations.ember_mixed(fit, 2, type = "refit")
  expect_s3_class(frame, "data.frame")
  again <- getRefit.ember_mixed(fit, frame[[1L]])
  expect_s3_class(again, "ember_lmm")
  expect_equal(getObservedResponse.ember_mixed(again), frame[[1L]], ignore_attr = TRUE)
})

test_that("DHARMa's residuals are uniform where the model is true", {
  skip_if_not_installed("DHARMa")
  residuals <- suppressWarnings(DHARMa::simulateResiduals(fit, n = 250))
  expect_gt(stats::ks.test(residuals$scaledResiduals, "punif")$p.value, 1e-3)
})
