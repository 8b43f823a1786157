skip_if_not_installed("lme4")
fit <- lmm(Reaction ~ Days + (Days | Subject), lme4::sleepstudy)

test_that("tables have broom.mixed's names and lme4's numbers", {
  skip_if_not_installed("broom.mixed")
  peer <- lme4::lmer(Reaction ~ Days + (Days | Subject), lme4::sleepstudy,
    control = tight_control()
  )
  for (effects in list("fixed", "ran_pars", c("ran_pars", "fixed"), "ran_vals", "ran_coefs")) {
    expect_equal(
      as.data.frame(tidy(fit, effects, ddf.method = "lme4")),
      as.data.frame(broom.mixed::tidy(peer, effects)),
      tolerance = 1e-4
    )
  }
  expect_equal(
    as.data.frame(tidy(fit, "ran_pars", scales = "vcov")),
    as.data.frame(broom.mixed::tidy(peer, "ran_pars", scales = "vcov")),
    tolerance = 1e-4
  )
  expect_equal(
    as.data.frame(tidy(fit, c("fixed", "ran_vals"), conf.int = TRUE, ddf.method = "lme4")),
    as.data.frame(broom.mixed::tidy(peer, c("fixed", "ran_vals"), conf.int = TRUE)),
    tolerance = 1e-4
  )
  expect_equal(
    as.data.frame(glance(fit)), as.data.frame(broom.mixed::glance(peer)), tolerance = 1e-4
  )
  expect_equal(
    as.data.frame(augment(fit)), as.data.frame(broom.mixed::augment(peer)),
    tolerance = 1e-4, ignore_attr = TRUE
  )
})

test_that("crossed and split terms are named as broom.mixed does", {
  skip_if_not_installed("broom.mixed")
  split <- Reaction ~ Days + (Days || Subject)
  expect_equal(
    as.data.frame(tidy(lmm(split, lme4::sleepstudy), ddf.method = "lme4")),
    as.data.frame(broom.mixed::tidy(lme4::lmer(split, lme4::sleepstudy,
      control = tight_control()
    ))),
    tolerance = 1e-4
  )
  crossed <- diameter ~ 1 + (1 | plate) + (1 | sample)
  expect_equal(
    as.data.frame(tidy(lmm(crossed, lme4::Penicillin), c("fixed", "ran_pars", "ran_vals"),
      ddf.method = "lme4"
    )),
    as.data.frame(broom.mixed::tidy(
      lme4::lmer(crossed, lme4::Penicillin, control = tight_control()),
      c("fixed", "ran_pars", "ran_vals")
    )),
    tolerance = 1e-4
  )
})

test_that("degrees of freedom and profile intervals are in the table", {
  skip_if_not_installed("broom.mixed")
  skip_if_not_installed("lmerTest")
  skip_if_not_installed("pbkrtest")
  peer <- lmerTest::lmer(Reaction ~ Days + (Days | Subject), lme4::sleepstudy,
    control = tight_control()
  )
  for (ddf in c("Satterthwaite", "Kenward-Roger")) {
    expect_equal(
      as.data.frame(tidy(fit, conf.int = TRUE, ddf.method = ddf)),
      as.data.frame(broom.mixed::tidy(peer, conf.int = TRUE, ddf.method = ddf)),
      tolerance = 1e-4
    )
  }
  ml <- lmm(Reaction ~ Days + (Days | Subject), lme4::sleepstudy, REML = FALSE)
  peer <- lme4::lmer(Reaction ~ Days + (Days | Subject), lme4::sleepstudy,
    REML = FALSE, control = tight_control()
  )
  ours <- tidy(ml, conf.int = TRUE, conf.method = "profile", ddf.method = "lme4")
  theirs <- suppressMessages(
    broom.mixed::tidy(peer, conf.int = TRUE, conf.method = "profile")
  )
  # Limits are roots of lme4's spline of the profile there, of the profile itself here.
  expect_equal(as.data.frame(ours), as.data.frame(theirs), tolerance = 1e-3)
})

test_that("intervals of the random effects stand beside their own rows", {
  data <- lme4::sleepstudy
  data$late <- factor(data$Days > 4)
  spread <- lmm(Reaction ~ Days + (Days || Subject), data, dispersion = ~late)
  rows <- as.data.frame(
    tidy(spread, "ran_pars", conf.int = TRUE, conf.method = "profile")
  )
  limits <- confint(spread, "theta_", oldNames = FALSE)
  expect_equal(rows$conf.low[1:3], unname(limits[1:3, 1L]), tolerance = 1e-6)
  expect_true(all(rows$conf.low[1:3] < rows$estimate[1:3]))
  expect_true(all(rows$conf.high[1:3] > rows$estimate[1:3]))
  # sigma is that of the first group; the ratio of the second is no standard deviation.
  expect_identical(is.na(rows$conf.low), c(FALSE, FALSE, FALSE, TRUE))
})

test_that("options and wrong arguments", {
  plain <- tidy(fit, "fixed", conf.int = TRUE)
  risen <- tidy(fit, "fixed", conf.int = TRUE, exponentiate = TRUE)
  expect_equal(risen$estimate, exp(plain$estimate))
  expect_equal(risen$conf.low, exp(plain$conf.low))
  expect_equal(risen$std.error, plain$std.error * exp(plain$estimate))
  expect_equal(tidy(fit, "ran_pars", ran_prefix = c("s", "r"))$term[[2L]], "r__(Intercept).Days")
  expect_error(tidy(fit, "all"), class = "ember_error_argument")
  expect_error(tidy(fit, scales = "vcov"), class = "ember_error_argument")
  expect_error(augment(fit, head(lme4::sleepstudy)), class = "ember_error_argument")
})

test_that("rows that were left out do not confuse augment()", {
  data <- lme4::sleepstudy
  data$Reaction[c(2, 7)] <- NA
  for (action in list(na.omit, na.exclude)) {
    part <- lmm(Reaction ~ Days + (1 | Subject), data, na.action = action)
    rows <- augment(part, data)
    expect_equal(nrow(rows), 178L)
    expect_equal(rows$.resid, rows$Reaction - rows$.fitted)
  }
  new <- augment(fit, newdata = data.frame(Days = 1:2, Subject = c("308", "new")))
  expect_equal(new$.fitted[[2L]], new$.fixed[[2L]])
  expect_equal(new$.fixed, unname(predict(fit, data.frame(Days = 1:2), re.form = NA)))
})
