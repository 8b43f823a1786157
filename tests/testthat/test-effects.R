skip_if_not_installed("effects")
skip_if_not_installed("lme4")

test_that("effects are those of lme4's fit, wherever the data are", {
  data <- lme4::sleepstudy
  data$sex <- factor(rep(c("f", "m"), each = 90))
  form <- Reaction ~ Days * sex + (Days | Subject)
  fit <- lmm(form, data)
  # effects looks for lme4's data in the global environment, where a test must not put them.
  peer <- eval(bquote(lme4::lmer(.(form), .(data), control = .(tight_control()))))
  columns <- c("fit", "se", "lower", "upper")
  expect_equal(
    as.data.frame(effects::Effect(c("Days", "sex"), fit))[columns],
    as.data.frame(effects::Effect(c("Days", "sex"), peer))[columns],
    tolerance = 1e-4
  )
  expect_equal(
    as.data.frame(effects::allEffects(fit))[[1L]][columns],
    as.data.frame(effects::allEffects(peer))[[1L]][columns],
    tolerance = 1e-4
  )
})
