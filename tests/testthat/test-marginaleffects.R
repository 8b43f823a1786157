skip_if_not_installed("lme4")
fit <- lmm(Reaction ~ Days + (Days | Subject), lme4::sleepstudy)

test_that("coefficients go out and come in", {
  expect_equal(get_coef.ember_mixed(fit), fixef(fit))
  expect_equal(get_vcov.ember_mixed(fit), vcov(fit))
  expect_equal(get_vcov.ember_mixed(fit, function(x) 2 * vcov(x)), as.matrix(2 * vcov(fit)))
  expect_error(get_vcov.ember_mixed(fit, "HC3"), class = "ember_error_argument")
  moved <- set_coef.ember_mixed(fit, c(Days = 20))
  expect_equal(fixef(moved), replace(fixef(fit), "Days", 20))
  new <- data.frame(Days = 0:3, Subject = "308")
  shift <- get_predict.ember_mixed(moved, new)$estimate - get_predict.ember_mixed(fit, new)$estimate
  expect_equal(shift, (20 - fixef(fit)[["Days"]]) * 0:3)
})

test_that("predictions with and without random effects", {
  new <- data.frame(Days = c(1, 4), Subject = c("308", "nobody"), rowid = c(7L, 9L))
  expect_equal(
    get_predict.ember_mixed(fit, new),
    data.frame(
      rowid = c(7L, 9L), estimate = unname(predict(fit, new, allow.new.levels = TRUE))
    )
  )
  expect_equal(
    get_predict.ember_mixed(fit, new, type = "response", re.form = NA, vcov = FALSE)$estimate,
    unname(predict(fit, new, re.form = NA))
  )
  expect_equal(get_predict.ember_mixed(fit)$estimate, unname(fitted(fit)))
})

# The slope of the marginal predictions by numerical derivatives, as marginaleffects takes them.
test_that("the delta method on these four functions gives the standard errors of the slope", {
  new <- data.frame(Days = 2, Subject = "308")
  slope <- function(model) {
    ends <- rbind(transform(new, Days = 2), transform(new, Days = 3))
    diff(get_predict.ember_mixed(model, ends, re.form = NA)$estimate)
  }
  jacobian <- vapply(names(fixef(fit)), function(name) {
    step <- replace(fixef(fit), name, fixef(fit)[[name]] + 1e-3)
    (slope(set_coef.ember_mixed(fit, step)) - slope(fit)) / 1e-3
  }, 0)
  error <- sqrt(drop(jacobian %*% as.matrix(get_vcov.ember_mixed(fit)) %*% jacobian))
  expect_equal(error, sqrt(diag(as.matrix(vcov(fit))))[["Days"]], tolerance = 1e-6)
})

test_that("the class is announced", {
  expect_true("ember_lmm" %in% getOption("marginaleffects_model_classes"))
  skip_if_not_installed("marginaleffects")
  slopes <- marginaleffects::avg_slopes(fit, re.form = NA)
  expect_equal(slopes$estimate, fixef(fit)[["Days"]], tolerance = 1e-6)
})
