skip_if_not_installed("car")
skip_if_not_installed("lme4")

cake <- as.data.frame(get0("cake", asNamespace("lme4"), ifnotfound = NULL))
if (length(cake) == 0L) cake <- lme4::cake
cake <- cake[-c(1:4, 50, 51, 120), ]
form <- angle ~ recipe * temp + (1 | recipe:replicate)
fit <- lmm(form, cake)
peer <- lme4::lmer(form, cake, control = tight_control())

test_that("Wald tests of type II and III are those of lme4's fit", {
  for (type in list("II", "III", 2, 3)) {
    ours <- car::Anova(fit, type = type)
    theirs <- car::Anova(peer, type = type)
    expect_equal(ours, theirs, tolerance = 1e-4, ignore_attr = TRUE)
    expect_equal(attr(ours, "heading"), attr(theirs, "heading"))
    expect_equal(dimnames(ours), dimnames(theirs))
  }
  doubled <- car::Anova(fit, vcov. = function(x) 2 * vcov(x))
  expect_equal(doubled$Chisq, car::Anova(fit)$Chisq / 2)
})

test_that("F tests have Kenward and Roger's degrees of freedom", {
  skip_if_not_installed("pbkrtest")
  for (type in c("II", "III")) {
    expect_equal(
      car::Anova(fit, type = type, test.statistic = "F"),
      car::Anova(peer, type = type, test.statistic = "F"),
      tolerance = 1e-4, ignore_attr = TRUE
    )
  }
  expect_error(
    car::Anova(fit, test.statistic = "F", vcov. = vcov(fit)), class = "ember_error_argument"
  )
})

test_that("linear hypotheses", {
  hypotheses <- c("recipeB = recipeC", "temp = 0.1")
  ours <- car::linearHypothesis(fit, hypotheses)
  theirs <- car::linearHypothesis(peer, hypotheses)
  expect_equal(ours, theirs, tolerance = 1e-4, ignore_attr = TRUE)
  expect_equal(attr(ours, "heading"), attr(theirs, "heading"))
  matrix <- rbind(c(0, 1, 0, 0, 0, 0), c(0, 0, 1, 0, 0, 0))
  expect_equal(
    car::linearHypothesis(fit, matrix), car::linearHypothesis(peer, matrix),
    tolerance = 1e-4, ignore_attr = TRUE
  )
  skip_if_not_installed("pbkrtest")
  expect_equal(
    car::linearHypothesis(fit, matrix, test = "F"), car::linearHypothesis(peer, matrix, test = "F"),
    tolerance = 1e-4, ignore_attr = TRUE
  )
  expect_error(
    car::linearHypothesis(fit, "temp = 1", test = "F"), class = "ember_error_argument"
  )
})

test_that("the delta method", {
  expect_equal(
    car::deltaMethod(fit, "temp / recipeB"), car::deltaMethod(peer, "temp / recipeB"),
    tolerance = 1e-4
  )
})

test_that("coefficients that were not estimated", {
  data <- cake[!(cake$recipe == "C" & cake$temperature == "225"), ]
  form <- angle ~ recipe * temperature + (1 | recipe:replicate)
  deficient <- suppressMessages(lmm(form, data, contrasts = list(temperature = "contr.treatment")))
  theirs <- suppressMessages(lme4::lmer(form, data,
    contrasts = list(temperature = "contr.treatment"), control = tight_control()
  ))
  expect_equal(car::Anova(deficient), car::Anova(theirs), tolerance = 1e-4, ignore_attr = TRUE)
  expect_error(car::Anova(deficient, type = "III"), class = "ember_error_unsupported")
})
