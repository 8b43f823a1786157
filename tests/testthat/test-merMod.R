skip_if_not_installed("lme4")

expect_same_model <- function(fit) {
  theirs <- as_merMod(fit)
  testthat::expect_s4_class(theirs, "lmerMod")
  testthat::expect_equal(c(logLik(theirs)), c(logLik(fit)), tolerance = 1e-9)
  testthat::expect_equal(lme4::fixef(theirs), fixef(fit), tolerance = 1e-7)
  testthat::expect_equal(sigma(theirs), sigma(fit), tolerance = 1e-7)
  testthat::expect_equal(as.matrix(vcov(theirs)), as.matrix(vcov(fit)), tolerance = 1e-6)
  modes <- lme4::ranef(theirs, condVar = FALSE)
  for (group in names(modes)) {
    testthat::expect_equal(
      unlist(modes[[group]]), unlist(ranef(fit, condVar = FALSE)[[group]]),
      tolerance = 1e-6, ignore_attr = TRUE
    )
  }
  testthat::expect_equal(fitted(theirs), fitted(fit), tolerance = 1e-7, ignore_attr = TRUE)
}

test_that("an lmerMod has the same numbers", {
  expect_same_model(lmm(Reaction ~ Days + (Days | Subject), lme4::sleepstudy))
  expect_same_model(lmm(Reaction ~ Days + (Days || Subject), lme4::sleepstudy, REML = FALSE))
  expect_same_model(lmm(strength ~ 1 + (1 | batch / cask), lme4::Pastes))
  expect_same_model(lmm(diameter ~ 1 + (1 | plate) + (1 | sample), lme4::Penicillin))
})

test_that("weights, offset, missing rows and transformed variables survive", {
  data <- lme4::sleepstudy
  data$w <- rep(c(1, 2, 0.5), 60)
  data$o <- data$Days / 2
  data$Reaction[c(3, 50)] <- NA
  expect_same_model(
    lmm(Reaction ~ poly(Days, 2) + offset(o) + (Days | Subject), data, weights = w)
  )
  expect_same_model(lmm(log(Reaction) ~ Days + (1 | Subject), data, offset = o))
})

test_that("a sparse X is made dense", {
  set.seed(1)
  data <- data.frame(f = gl(150, 4), g = gl(30, 1, 600), x = rnorm(600))
  data$y <- data$x + rnorm(150)[data$f] + rnorm(30)[data$g] + rnorm(600)
  fit <- lmm(y ~ x + f + (1 | g), data)
  expect_s4_class(model.matrix(fit), "sparseMatrix")
  expect_same_model(fit)
})

test_that("lme4's own tools work on it", {
  fit <- lmm(Reaction ~ Days + (Days | Subject), lme4::sleepstudy)
  theirs <- as_merMod(fit)
  new <- data.frame(Days = c(0, 12), Subject = c("308", "309"))
  expect_equal(predict(theirs, new), predict(fit, new), tolerance = 1e-7, ignore_attr = TRUE)
  again <- update(theirs, . ~ . - Days)
  expect_equal(c(logLik(again)), c(logLik(update(fit, . ~ . - Days))), tolerance = 1e-6)
  skip_if_not_installed("lmerTest")
  tested <- lmerTest::as_lmerModLmerTest(theirs)
  expect_equal(
    coef(summary(tested))[, "df"], coef(summary(fit))[, "df"], tolerance = 1e-4
  )
})

test_that("models that lme4 does not know are refused", {
  data <- lme4::sleepstudy
  data$late <- factor(data$Days > 4)
  expect_error(
    as_merMod(lmm(Reaction ~ Days + (1 | Subject), data, dispersion = ~late)),
    class = "ember_error_unsupported"
  )
  expect_error(
    as_merMod(lmm(Reaction ~ Days + (1 | Subject), data, known = list(sigma = 30))),
    class = "ember_error_unsupported"
  )
  expect_error(
    as_merMod(lmm(Reaction ~ Days + (late || Subject), data)), class = "ember_error_unsupported"
  )
})

test_that("a generalized fit is a glmerMod with the same answers", {
  skip_if_not_installed("lme4")
  herds <- glmm_herds()
  fit <- glmm(cbind(incidence, size - incidence) ~ period + (1 | herd), herds, binomial())
  peer <- as_merMod(fit)
  expect_s4_class(peer, "glmerMod")
  expect_equal(as.numeric(logLik(peer)), fit$loglik, tolerance = 1e-8)
  expect_identical(lme4::fixef(peer), fixef(fit))
  expect_equal(as.matrix(vcov(peer)), vcov(fit), tolerance = 1e-6, ignore_attr = TRUE)
  expect_equal(predict(peer, herds[1:3, ]), predict(fit, herds[1:3, ]), tolerance = 1e-6)
  expect_equal(lme4::getME(peer, "offset"), numeric(56))
  times <- glmm(y ~ x + (1 | g), glmm_times(), Gamma("log"))
  expect_error(as_merMod(times), class = "ember_error_unsupported")
})
