skip_if_not_installed("performance")
skip_if_not_installed("lme4")
form <- Reaction ~ Days + (Days | Subject)
fit <- lmm(form, lme4::sleepstudy)
peer <- lme4::lmer(form, lme4::sleepstudy, control = tight_control())

test_that("R2, ICC and the table are those of lme4's fit", {
  expect_equal(performance::r2(fit), performance::r2(peer), tolerance = 1e-4)
  expect_equal(performance::icc(fit), performance::icc(peer), tolerance = 1e-4)
  ours <- performance::model_performance(fit)
  expect_equal(ours, performance::model_performance(peer), tolerance = 1e-4)
  expect_output(print(ours), "Indices of model performance")
  expect_equal(
    performance::model_performance(fit, metrics = c("BIC", "RMSE")),
    performance::model_performance(peer, metrics = c("BIC", "RMSE")),
    tolerance = 1e-4
  )
  expect_equal(performance::performance_rmse(fit), performance::performance_rmse(peer),
    tolerance = 1e-4
  )
  for (verb in c("performance_aic", "performance_aicc", "performance_mae", "performance_mse")) {
    verb <- getExportedValue("performance", verb)
    expect_equal(verb(fit), verb(peer), tolerance = 1e-4, ignore_attr = TRUE)
  }
  expect_error(performance::model_performance(fit, "PCP"), class = "ember_error_argument")
})

test_that("convergence and singularity", {
  expect_true(performance::check_convergence(fit))
  expect_false(performance::check_singularity(fit))
  flat <- suppressMessages(lmm(Yield ~ 1 + (1 | Batch), lme4::Dyestuff2))
  expect_true(performance::check_singularity(flat))
  expect_equal(performance::icc(flat)$ICC_adjusted, 0)
})

test_that("simulated data have the shares that were put in", {
  set.seed(3)
  data <- data.frame(g = gl(400, 5), x = rnorm(2000))
  data$y <- data$x + rnorm(400, sd = 2)[data$g] + rnorm(2000)
  shares <- performance::r2(lmm(y ~ x + (1 | g), data))
  expect_equal(shares$R2_marginal[[1L]], 1 / 6, tolerance = 0.1)
  expect_equal(shares$R2_conditional[[1L]], 5 / 6, tolerance = 0.05)
})
