hook_fit <- function() fit_glmm_peer_case(glmm_peer_cases()$counts_of_two)

test_that("broom's tables are those of broom.mixed for lme4", {
  skip_if_not_installed("broom.mixed")
  skip_if_not_installed("lme4")
  fit <- hook_fit()
  peer <- as_merMod(fit)
  expect_equal(
    as.data.frame(tidy(fit, "fixed", conf.int = TRUE)),
    as.data.frame(broom.mixed::tidy(peer, "fixed", conf.int = TRUE)), tolerance = 1e-5
  )
  expect_equal(
    as.data.frame(tidy(fit, "fixed", exponentiate = TRUE)),
    as.data.frame(broom.mixed::tidy(peer, "fixed", exponentiate = TRUE)), tolerance = 1e-5
  )
  expect_equal(
    as.data.frame(tidy(fit, "ran_pars")), as.data.frame(broom.mixed::tidy(peer, "ran_pars")),
    tolerance = 1e-5, ignore_attr = TRUE
  )
  expect_equal(
    as.data.frame(glance(fit)), as.data.frame(broom.mixed::glance(peer)), tolerance = 1e-5,
    ignore_attr = TRUE
  )
  mine <- augment(fit)
  theirs <- suppressWarnings(broom.mixed::augment(peer))
  shared <- c(
    ".fitted", ".resid", ".fixed", ".mu", ".offset", ".sqrtXwt", ".sqrtrwt", ".weights", ".wtres",
    ".eta"
  )
  expect_equal(
    as.data.frame(mine[shared]), as.data.frame(theirs[shared]), tolerance = 1e-5,
    ignore_attr = TRUE
  )
})

test_that("a model without fixed effects has tables too", {
  counts <- glmm_counts()
  fit <- glmm(y ~ 0 + (1 | g), counts, poisson())
  expect_identical(tidy(fit)$effect, "ran_pars")
  expect_identical(nrow(tidy(fit, "fixed")), 0L)
  expect_identical(tidy(lmm(y ~ 0 + (1 | g), counts))$effect, rep("ran_pars", 2L))
  expect_output(print(summary(fit)), "Random effects")
  expect_identical(dim(vcov(fit)), c(0L, 0L))
})

test_that("emmeans works on the link and on the response", {
  skip_if_not_installed("emmeans")
  fit <- hook_fit()
  means <- as.data.frame(emmeans::emmeans(fit, "period"))
  expect_equal(means$emmean, predict(fit, means, re.form = NA), ignore_attr = TRUE)
  expect_identical(means$df, rep(Inf, 4L))
  shares <- as.data.frame(emmeans::emmeans(fit, "period", type = "response"))
  expect_equal(shares$prob, plogis(means$emmean))
  regridded <- as.data.frame(emmeans::regrid(emmeans::emmeans(fit, "period")))
  error <- predict(fit, means, re.form = NA, type = "response", se.fit = TRUE)$se.fit
  expect_equal(regridded$SE, error, ignore_attr = TRUE)
})

test_that("easystats knows the model", {
  skip_if_not_installed("performance")
  skip_if_not_installed("parameters")
  skip_if_not_installed("lme4")
  fit <- hook_fit()
  peer <- as_merMod(fit)
  expect_true(insight::model_info(fit)$is_binomial)
  expect_equal(
    insight::get_variance(fit)[1:5], insight::get_variance(peer)[1:5], tolerance = 1e-5
  )
  expect_equal(
    unlist(performance::r2(fit)), unlist(performance::r2(peer)), tolerance = 1e-5
  )
  expect_equal(
    unclass(performance::check_overdispersion(fit)),
    unclass(performance::check_overdispersion(peer)), tolerance = 1e-5, ignore_attr = TRUE
  )
  mine <- parameters::model_parameters(fit, effects = "fixed")
  theirs <- parameters::model_parameters(peer, effects = "fixed")
  for (column in c("Coefficient", "SE", "CI_low", "CI_high", "z", "p")) {
    expect_equal(mine[[column]], theirs[[column]], tolerance = 1e-5, info = column)
  }
  expect_error(
    parameters::model_parameters(fit, ci_method = "kenward"), class = "ember_error_unsupported"
  )
})

test_that("the distribution has the variance of Nakagawa and others", {
  counts <- glmm_counts()
  fit <- glmm(y ~ x + (1 | g) + (1 | h), counts, poisson())
  null <- update(fit, . ~ . - x)
  parts <- variance_parts(fit)
  expect_equal(parts$var.distribution, log1p(1 / exp(fixef(null)[[1L]])))
  expect_equal(parts$var.random, sum(as.data.frame(VarCorr(fit))$vcov))
  herds <- glmm_herds()
  rows <- glmm(
    cbind(incidence, size - incidence) ~ period + (1 | herd) + (1 | row), herds, binomial("probit")
  )
  parts <- variance_parts(rows)
  expect_equal(parts$var.distribution, 1)
  expect_equal(parts$var.dispersion, VarCorr(rows)$row[[1L]])
  expect_equal(parts$var.residual, 1 + VarCorr(rows)$row[[1L]])
})

test_that("car, lmtest, effects and ggeffects give what they give for lme4", {
  fit <- hook_fit()
  peer <- as_merMod(fit)
  skip_if_not_installed("car")
  expect_equal(
    as.data.frame(car::Anova(fit)), as.data.frame(car::Anova(peer)), tolerance = 1e-5,
    ignore_attr = TRUE
  )
  expect_error(car::Anova(fit, test.statistic = "F"), class = "ember_error_unsupported")
  skip_if_not_installed("lmtest")
  expect_equal(lmtest::coeftest(fit)[, 4L], coef(summary(fit))[, 4L])
  new <- data.frame(period = factor(1:4))
  interval <- predict(fit, new, re.form = NA, type = "response", interval = "confidence")
  skip_if_not_installed("effects")
  means <- as.data.frame(effects::Effect("period", fit))
  expect_equal(means$fit, interval[, "fit"], ignore_attr = TRUE)
  skip_if_not_installed("ggeffects")
  table <- as.data.frame(ggeffects::ggpredict(fit, "period"))
  expect_equal(table$predicted, interval[, "fit"], ignore_attr = TRUE)
  expect_equal(table$conf.low, interval[, "lwr"], tolerance = 1e-6, ignore_attr = TRUE)
})

test_that("marginaleffects and DHARMa find what they ask for", {
  fit <- hook_fit()
  expect_equal(get_predict.ember_mixed(fit)$estimate, unname(fitted(fit)))
  expect_equal(get_predict.ember_mixed(fit, type = "link")$estimate, unname(predict(fit)))
  expect_equal(get_vcov.ember_mixed(fit), vcov(fit))
  expect_true("ember_glmm" %in% getOption("marginaleffects_model_classes"))
  herds <- glmm_herds()
  expect_equal(getObservedResponse.ember_mixed(fit), herds$incidence)
  draws <- getSimulations.ember_mixed(fit, 3)
  expect_identical(dim(draws), c(56L, 3L))
  expect_true(all(draws == round(draws) & draws <= herds$size))
  expect_equal(
    getFitted.ember_mixed(fit), unname(predict(fit, re.form = NA, type = "response"))
  )
  again <- getRefit.ember_mixed(fit, getSimulations.ember_mixed(fit, 1, type = "refit"))
  expect_s3_class(again, "ember_glmm")
})

test_that("plots draw", {
  fit <- hook_fit()
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  for (what in c("residuals", "qq", "scale", "panels", "trace")) {
    expect_identical(plot(fit, what), fit)
  }
  expect_no_error(plot(fit, resid(.) ~ fitted(.) | period))
  skip_if_not_installed("ggplot2")
  expect_s3_class(ggplot2::autoplot(fit, "panels"), "ggplot")
})
