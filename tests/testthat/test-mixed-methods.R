test_that("the short answers are lme4's", {
  with_peers(function(ours, peer, name, case) {
    expect_equal(fixef(ours), lme4::fixef(peer), tolerance = 1e-7, info = name)
    expect_equal(
      fixef(ours, add.dropped = TRUE), lme4::fixef(peer, add.dropped = TRUE), tolerance = 1e-7
    )
    expect_equal(vcov(ours), as.matrix(stats::vcov(peer)), tolerance = 1e-6, info = name)
    expect_equal(sigma(ours), stats::sigma(peer), tolerance = 1e-7, info = name)
    expect_identical(ngrps(ours), vapply(lme4::ngrps(peer), as.integer, 0L))
    expect_equal(logLik(ours), stats::logLik(peer), tolerance = 1e-9, info = name)
    other <- !isREML(ours)
    expect_equal(
      logLik(ours, REML = other), stats::logLik(peer, REML = other), tolerance = 1e-9, info = name
    )
    criterion <- if (isREML(ours)) lme4::REMLcrit(peer) else stats::deviance(peer)
    expect_equal(deviance(ours), criterion, tolerance = 1e-9)
    expect_equal(c(AIC(ours), BIC(ours)), c(AIC(peer), BIC(peer)), tolerance = 1e-9)
    expect_equal(df.residual(ours), stats::df.residual(peer))
    expect_equal(nobs(ours), stats::nobs(peer))
    expect_equal(weights(ours), stats::weights(peer))
    expect_equal(family(ours)$family, "gaussian")
    expect_identical(na.action(ours), attr(stats::model.frame(peer), "na.action"))
  })
})

test_that("what was fitted is told as lme4 tells it", {
  with_peers(function(ours, peer, name, case) {
    expect_equal(
      formula(ours), stats::formula(peer), ignore_attr = TRUE, info = name
    )
    expect_equal(
      formula(ours, fixed.only = TRUE), stats::formula(peer, fixed.only = TRUE), ignore_attr = TRUE
    )
    expect_equal(
      attr(terms(ours), "term.labels"), attr(stats::terms(peer), "term.labels"), info = name
    )
    mine <- model.matrix(ours)
    theirs <- stats::model.matrix(peer)
    for (attribute in c("dim", "dimnames", "contrasts")) {
      expect_equal(attr(mine, attribute), attr(theirs, attribute), info = paste(name, attribute))
    }
    expect_equal(mine, theirs, ignore_attr = TRUE)
    z <- as.matrix(model.matrix(ours, type = "random"))
    expect_equal(z, as.matrix(stats::model.matrix(peer, type = "random")), info = name)
    frame <- model.frame(ours)
    expect_equal(nrow(frame), nobs(ours))
    expect_true(all(all.vars(formula(ours)) %in% c(names(frame), "age", "shift")))
  })
})

test_that("the parts of the formula come apart", {
  fit <- lmm(y ~ poly(age, 2) + (day | person) + (1 | site), data = study())
  expect_equal(
    deparse1(formula(fit, random.only = TRUE)), "y ~ (day | person) + (1 | site)"
  )
  expect_setequal(
    attr(terms(fit, random.only = TRUE), "term.labels"), c("day", "person", "site")
  )
  expect_named(model.frame(fit, fixed.only = TRUE), c("y", "poly(age, 2)"))
  columns <- model.matrix(fit, type = "randomListRaw")
  expect_named(columns, c("day | person", "1 | site"))
  expect_equal(unname(columns[[1L]][, "day"]), study()$day)
  expect_error(formula(fit, fixed.only = TRUE, random.only = TRUE), class = "ember_error_argument")
  expect_error(weights(fit, type = "working"), class = "ember_error_argument")
  expect_equal(nlme::getData(fit), study())
})

test_that("the joint covariance matrix is the inverse of Henderson's equations", {
  data <- study()
  fit <- lmm(y ~ day + (day | person) + (1 | site), data = data, weights = weight)
  x <- model.matrix(fit)
  z <- as.matrix(model.matrix(fit, type = "random"))
  lambda <- as.matrix(getME(fit, "Lambda"))
  w <- data$weight
  coefficient <- rbind(
    cbind(crossprod(x, w * x), crossprod(x, w * z)),
    cbind(crossprod(z, w * x), crossprod(z, w * z) + solve(tcrossprod(lambda)))
  )
  joint <- vcov(fit, full = TRUE)
  expect_equal(unname(joint), unname(sigma(fit)^2 * solve(coefficient)), tolerance = 1e-6)
  expect_equal(joint[1:2, 1:2], vcov(fit), tolerance = 1e-8)
  expect_equal(colnames(joint)[1:4], c("(Intercept)", "day", "person.p01.(Intercept)",
                                       "person.p01.day"))
})

test_that("kinds of models are known, by the generics of lme4 too", {
  fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
  expect_true(isREML(fit) && isLMM(fit))
  expect_false(isGLMM(fit) || isNLMM(fit) || isSingular(fit))
  expect_error(ngrps(1), class = "ember_error_argument")
  skip_if_not_installed("lme4")
  expect_true(lme4::isREML(fit) && lme4::isLMM(fit) && !lme4::isGLMM(fit) && !lme4::isNLMM(fit))
  expect_false(lme4::isSingular(fit))
  expect_equal(lme4::ngrps(fit), c(Worker = 6L))
  expect_equal(lme4::getME(fit, "theta"), getME(fit, "theta"))
  expect_s3_class(lme4::refitML(fit), "ember_lmm")
  peer <- lme4::lmer(score ~ Machine + (1 | Worker), data = nlme::Machines)
  expect_equal(ngrps(peer), lme4::ngrps(peer))
  expect_true(isREML(peer))
  expect_equal(getME(peer, "theta"), lme4::getME(peer, "theta"))
  expect_false(isSingular(peer))
})

test_that("a model without fixed effects has all the answers too", {
  data <- study()
  data$z <- data$y - 250
  fit <- lmm(z ~ 0 + (1 | person), data = data)
  expect_length(fixef(fit), 0L)
  expect_equal(dim(vcov(fit)), c(0L, 0L))
  expect_output(print(summary(fit)), "Number of obs: 120")
  expect_output(print(fit), "No fixed effect coefficients")
  expect_equal(nrow(anova(fit)), 0L)
  expect_equal(rownames(drop1(fit)), "<none>")
  expect_equal(unname(rowSums(as.matrix(getME(fit, "Z")))), rep(1, 120))
  expect_type(getME(fit, "ALL"), "list")
  expect_equal(predict(fit, re.form = NA), 0 * fitted(fit))
  expect_equal(names(coef(fit)$person), "(Intercept)")
  spread <- predict(fit, data.frame(person = "new"), allow.new.levels = TRUE, se.fit = TRUE)
  expect_equal(unname(spread$se.fit), unname(attr(VarCorr(fit)$person, "stddev")))
  skip_if_not_installed("lme4")
  peer <- lme4::lmer(z ~ 0 + (1 | person), data = data)
  expect_equal(logLik(fit), logLik(peer), tolerance = 1e-8)
})
