herd <- note_herd()
ml <- lmm(Y ~ 1 + (1 | animal), herd, REML = FALSE)

test_that("standard errors of variances are those of the information matrix", {
  table <- compare_fits(ml, effects = FALSE)$estimates
  truth <- one_way_maximum(herd$Y, herd$animal)
  expect_equal(table$estimate, truth$estimates, tolerance = 1e-6)
  expect_equal(table$std.error, sqrt(diag(truth$covariance)), tolerance = 1e-4)
  expect_identical(as.character(table$fit), rep("ml", 3))
})

test_that("fits of lme4 are beside those of ember", {
  skip_if_not_installed("lme4")
  formula <- Reaction ~ Days + (Days | Subject)
  own <- lmm(formula, lme4::sleepstudy)
  peer <- lme4::lmer(formula, lme4::sleepstudy)
  both <- compare_fits(lmm = own, lmer = peer)
  wide <- split(both$estimates, both$estimates$fit)
  expect_identical(wide$lmm$parameter, wide$lmer$parameter)
  expect_equal(wide$lmm$estimate, wide$lmer$estimate, tolerance = 1e-4)
  expect_equal(wide$lmm$std.error[1:2], wide$lmer$std.error[1:2], tolerance = 1e-4)
  effects <- split(both$effects, both$effects$fit)
  expect_equal(effects$lmm$lower, effects$lmer$lower, tolerance = 1e-3)
  expect_output(print(both), "mean width of the 95% intervals")
})

test_that("data cloning shows its Monte Carlo error beside the difference", {
  cloning <- note_fit()
  both <- compare_fits(ml, cloning, effects = FALSE)
  table <- both$estimates
  own <- table[table$fit == "cloning", ]
  expect_equal(own$mc.error, unname(summary(cloning)$coefficients[, "MC error"]))
  expect_true(all(is.na(table$mc.error[table$fit == "ml"])))
  expect_lt(max(abs(own$estimate - table$estimate[table$fit == "ml"]) / own$mc.error), 4)
  expect_output(print(both), "Monte Carlo error of cloning and difference from ml")
})

test_that("comparisons are drawn", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  both <- compare_fits(REML = lmm(Y ~ 1 + (1 | animal), herd), ML = ml)
  expect_no_error(plot(both))
  expect_no_error(plot(both, parameters = "tau_sq"))
  expect_no_error(plot(both, "effects"))
  expect_error(plot(both, "nothing"), class = "ember_error_argument")
  without <- compare_fits(ml, effects = FALSE)
  expect_error(plot(without, "effects"), class = "ember_error_argument")
})

test_that("fits that cannot be compared are errors, and labels are unique", {
  expect_error(compare_fits(), class = "ember_error_argument")
  expect_error(compare_fits(lm(Y ~ 1, herd)), class = "ember_error_argument")
  expect_error(compare_fits(ml, effects = 1), class = "ember_error_argument")
  expect_error(compare_fits(ml, level = 95), class = "ember_error_argument")
  expect_identical(levels(compare_fits(ml, ml, effects = FALSE)$estimates$fit), c("ml", "ml 1"))
})
