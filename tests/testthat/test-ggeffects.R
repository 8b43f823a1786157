skip_if_not_installed("ggeffects")
skip_if_not_installed("lme4")

test_that("adjusted predictions are those of lme4's fit", {
  data <- lme4::sleepstudy
  data$sex <- factor(rep(c("f", "m"), each = 90))
  form <- Reaction ~ Days * sex + (Days | Subject)
  fit <- lmm(form, data)
  peer <- lme4::lmer(form, data, control = tight_control())
  for (terms in list("Days", c("Days [0:9]", "sex"), "sex")) {
    ours <- as.data.frame(ggeffects::ggpredict(fit, terms))
    theirs <- as.data.frame(ggeffects::ggpredict(peer, terms))
    columns <- c("x", "predicted", "conf.low", "conf.high", "group")
    expect_equal(ours[columns], theirs[columns], tolerance = 1e-4, ignore_attr = TRUE)
  }
  skip_if_not_installed("emmeans")
  expect_equal(
    as.data.frame(ggeffects::ggemmeans(fit, "Days"))$predicted,
    as.data.frame(ggeffects::ggemmeans(peer, "Days"))$predicted,
    tolerance = 1e-4
  )
})
