skip_if_not_installed("insight")
skip_if_not_installed("lme4")

slopes <- fit_pair(Reaction ~ Days + (Days | Subject), lme4::sleepstudy)
nested <- fit_pair(strength ~ 1 + (1 | batch / cask), lme4::Pastes)

test_that("formulas, terms and parameters are found as in lme4's fits", {
  for (fits in list(slopes, nested)) {
    same <- function(verb, ...) {
      verb <- getExportedValue("insight", verb)
      expect_equal(verb(fits$ours, ...), verb(fits$theirs, ...), ignore_formula_env = TRUE)
    }
    same("find_formula")
    same("find_random")
    same("find_random", split_nested = TRUE, flatten = TRUE)
    same("find_predictors", effects = "all", flatten = TRUE)
    same("find_response")
    same("find_terms")
    same("find_variables")
    same("find_parameters")
    same("find_parameters", effects = "fixed")
    same("find_parameters", effects = "random", flatten = TRUE)
    same("n_parameters", effects = "random")
    same("n_parameters")
    same("n_obs")
    same("is_mixed_model")
    same("model_info")
    same("link_inverse")
  }
})

test_that("numbers are those of lme4's fits", {
  for (fits in list(slopes, nested)) {
    same <- function(verb, ..., tolerance = 1e-4) {
      verb <- getExportedValue("insight", verb)
      expect_equal(
        verb(fits$ours, ...), verb(fits$theirs, ...), tolerance = tolerance, ignore_attr = TRUE
      )
    }
    same("get_parameters")
    same("get_statistic")
    same("get_varcov")
    same("get_sigma")
    same("get_residuals")
    same("get_response")
    same("get_df", type = "residual")
    same("get_df", type = "model")
    same("get_df", type = "normal")
    same("get_loglikelihood")
    for (effects in c("random", "all")) {
      expect_equal(
        insight::get_data(fits$ours, effects = effects),
        suppressWarnings(insight::get_data(fits$theirs, effects = effects)),
        ignore_attr = TRUE
      )
    }
  }
  expect_s3_class(insight::get_parameters(slopes$ours, effects = "random"), "ember_ranef")
  expect_true(insight::is_converged(slopes$ours))
  skip_if_not_installed("lmerTest")
  skip_if_not_installed("pbkrtest")
  # lmerTest fits again, so that it must find the formula and the data.
  theirs <- lme4::lmer(Reaction ~ Days + (Days | Subject), lme4::sleepstudy,
    control = tight_control()
  )
  for (type in c("satterthwaite", "kenward")) {
    expect_equal(
      insight::get_df(slopes$ours, type = type), insight::get_df(theirs, type = type),
      tolerance = 1e-4, ignore_attr = TRUE
    )
  }
  expect_error(insight::get_df(slopes$ours, type = "none"), class = "ember_error_argument")
})

test_that("variance components are those of lme4's fits", {
  machines <- as.data.frame(nlme::Machines)
  machines$Machine <- factor(machines$Machine, ordered = FALSE)
  maximal <- fit_pair(score ~ Machine + (Machine | Worker), machines)
  for (fits in list(slopes, nested, maximal)) {
    ours <- insight::get_variance(fits$ours)
    theirs <- insight::get_variance(fits$theirs)
    expect_named(ours, names(theirs))
    for (name in names(ours)) {
      expect_equal(c(ours[[name]]), c(theirs[[name]]), tolerance = 1e-4, ignore_attr = TRUE)
    }
    expect_equal(insight::get_variance(fits$ours, "slope"), ours["var.slope"[
      "var.slope" %in% names(ours)
    ]])
  }
  expect_named(insight::get_variance(slopes$ours)$var.slope, "Subject.Days")
})

test_that("the random part is the mean of the variances of the rows", {
  data <- lme4::sleepstudy
  data$x <- data$Days^2 / 10
  # A slope without a fixed effect: its own column counts.
  fit <- lmm(Reaction ~ 1 + (x || Subject), data)
  sds <- as.data.frame(VarCorr(fit))$vcov
  expect_equal(insight::get_variance(fit)$var.random, sds[[1L]] + sds[[2L]] * mean(data$x^2))
  data$late <- factor(data$Days > 4)
  spread <- lmm(Reaction ~ Days + (1 | Subject), data, dispersion = ~late)
  by_row <- (spread$sigma * spread$dispersion[as.integer(data$late)])^2
  expect_equal(insight::get_variance(spread)$var.residual, mean(by_row))
})

test_that("predictions have intervals", {
  new <- data.frame(Days = c(0, 5), Subject = "308")
  ours <- as.data.frame(insight::get_predicted(slopes$ours, new))
  theirs <- as.data.frame(
    insight::get_predicted(slopes$theirs, new, ci = 0.95, include_random = FALSE)
  )
  expect_equal(ours, theirs, tolerance = 1e-4, ignore_attr = TRUE)
  expect_equal(
    c(insight::get_predicted(slopes$ours, new, ci = NULL, include_random = TRUE)),
    unname(predict(slopes$ours, new)), ignore_attr = TRUE
  )
  expect_equal(
    c(insight::get_predicted(slopes$ours)), unname(fitted(slopes$ours)), ignore_attr = TRUE
  )
  wide <- as.data.frame(insight::get_predicted(slopes$ours, new, predict = "prediction"))
  expect_equal(wide$SE^2 - ours$SE^2, rep(slopes$ours$sigma^2, 2L))
})
