test_that("the short answers are those of lme4", {
  with_glmm_peers(function(ours, theirs, name) {
    # lme4's approximation differs for other than canonical links, and it counts the theta of
    # MASS's family though it was given.
    if (!grepl("Negative", family(ours)$family)) {
      expect_equal(logLik(ours), logLik(theirs), tolerance = 1e-7, ignore_attr = TRUE)
      expect_equal(AIC(ours), AIC(theirs), tolerance = 1e-6, info = name)
    }
    expect_equal(nobs(ours), nobs(theirs))
    peer <- sum(residuals(theirs, "deviance")^2, na.rm = TRUE)
    expect_equal(deviance(ours), peer, tolerance = 1e-6, info = name)
    expect_equal(sigma(ours), sigma(theirs))
    expect_equal(fixef(ours), lme4::fixef(theirs))
    expect_equal(vcov(ours), as.matrix(vcov(theirs)), tolerance = 1e-6, ignore_attr = TRUE)
    expect_equal(ngrps(ours), lme4::ngrps(theirs))
    expect_equal(family(ours)$link, family(theirs)$link)
    expect_equal(weights(ours), weights(theirs), ignore_attr = TRUE)
    expect_equal(
      weights(ours, "working"), weights(theirs, "working"), tolerance = 1e-6, ignore_attr = TRUE
    )
    expect_equal(
      as.data.frame(VarCorr(ours)), as.data.frame(lme4::VarCorr(theirs)), ignore_attr = TRUE
    )
    expect_true(isGLMM(ours))
    expect_false(isLMM(ours) || isNLMM(ours) || isREML(ours) || isSingular(ours))
  })
})

test_that("fitted values, residuals and random effects are those of lme4", {
  with_glmm_peers(function(ours, theirs, name) {
    expect_equal(fitted(ours), fitted(theirs), tolerance = 1e-5, info = name)
    for (type in c("deviance", "pearson", "working", "response")) {
      expect_equal(
        residuals(ours, type), residuals(theirs, type), tolerance = 1e-5, info = paste(name, type)
      )
    }
    expect_equal(residuals(ours), residuals(ours, "deviance"))
    effects <- as.data.frame(ranef(ours))
    peer <- as.data.frame(lme4::ranef(theirs, condVar = TRUE))
    same <- match(paste(effects$grpvar, effects$grp, effects$term),
      paste(peer$grpvar, peer$grp, peer$term)
    )
    expect_equal(effects$condval, peer$condval[same], tolerance = 1e-5, info = name)
    # lme4 takes the expected information, which is the observed one for canonical links only.
    if (!grepl("Negative", family(ours)$family)) {
      expect_equal(effects$condsd, peer$condsd[same], tolerance = 1e-5, info = name)
    }
    expect_equal(coef(ours), coef(theirs), tolerance = 1e-5, ignore_attr = TRUE, info = name)
  })
})

test_that("getME() has what lme4 has", {
  skip <- c("devfun", "devcomp", "flist", "Ztlist", "RX", "RZX", "L", "ST")
  with_glmm_peers(function(ours, theirs, name) {
    for (part in setdiff(names(component_makers), skip)) {
      expect_equal(
        getME(ours, part), lme4::getME(theirs, part), tolerance = 1e-5, ignore_attr = TRUE,
        info = paste(name, part)
      )
    }
    if (!grepl("Negative", family(ours)$family)) {
      # With several factors the permutations differ, and with them the rows of RZX.
      for (part in c("RX", if (length(ngrps(ours)) == 1L) "RZX")) {
        expect_equal(
          getME(ours, part), lme4::getME(theirs, part), tolerance = 1e-5, ignore_attr = TRUE,
          info = paste(name, part)
        )
      }
      mine <- getME(ours, "devcomp")
      peer <- lme4::getME(theirs, "devcomp")
      expect_equal(mine$cmp[1:6], peer$cmp[1:6], tolerance = 1e-5, info = name)
      expect_equal(mine$dims, peer$dims[names(mine$dims)], info = name)
    }
  })
})

test_that("leverages are the rate at which working responses move their own fitted value", {
  fit <- fit_glmm_peer_case(glmm_peer_cases()$bernoulli)
  w <- weights(fit, "working")
  x <- cbind(getME(fit, "X"), as.matrix(getME(fit, "Z") %*% getME(fit, "Lambda")))
  penalty <- diag(rep(0:1, c(2, getME(fit, "q"))))
  hat <- rowSums((x %*% solve(crossprod(sqrt(w) * x) + penalty)) * x) * w
  expect_equal(hatvalues(fit), hat, tolerance = 1e-6, ignore_attr = TRUE)
  expect_equal(diag(hatvalues(fit, fullHatMatrix = TRUE)), hat, tolerance = 1e-6,
    ignore_attr = TRUE
  )
  pearson <- residuals(fit, "pearson")
  expect_equal(rstudent(fit), pearson / sqrt(1 - hat), tolerance = 1e-6)
  expect_equal(cooks.distance(fit), (pearson / (1 - hat))^2 * hat / 2, tolerance = 1e-6)
})

test_that("refit() takes every form of response and finds the same fit", {
  for (case in glmm_peer_cases()[c("counts_of_two", "proportions", "bernoulli", "offset")]) {
    fit <- fit_glmm_peer_case(case)
    again <- refit(fit, simulate(fit, seed = 3))
    expect_s3_class(again, class(fit), exact = TRUE)
    data <- case[[2L]]
    direct <- case
    data$new <- NULL
    response <- simulate(fit, seed = 3)[[1L]]
    data$new <- response
    direct[[1L]] <- update(case[[1L]], new ~ .)
    direct[[2L]] <- data
    expect_equal(logLik(again), logLik(fit_glmm_peer_case(direct)), tolerance = 1e-6)
  }
  expect_equal(logLik(refit(fit)), logLik(fit), tolerance = 1e-7)
  expect_error(refit(fit, 1:3), class = "ember_error_argument")
  expect_error(refit(fit, rep(0.5, nobs(fit))), "no whole numbers", class = "ember_error_data")
  expect_error(refit(fit, list(1, 2)), class = "ember_error_argument")
})

test_that("update() changes formula, family and data", {
  data <- glmm_herds()
  fit <- glmm(cbind(incidence, size - incidence) ~ period + (1 | herd), data, binomial())
  smaller <- update(fit, . ~ . - period)
  expect_identical(names(fixef(smaller)), "(Intercept)")
  expect_identical(family(update(fit, family = binomial("probit")))$link, "probit")
  expect_identical(update(fit, n_agq = 5, evaluate = FALSE)$n_agq, 5)
})

test_that("what is true of linear models only is an error that says so", {
  data <- glmm_herds()
  fit <- glmm(cbind(incidence, size - incidence) ~ period + (1 | herd), data, binomial())
  expect_error(drop1(fit, test = "F"), class = "ember_error_unsupported")
  expect_error(conditional_aic(fit), class = "ember_error_argument")
  expect_error(refitML(fit), class = "ember_error_argument")
  expect_error(overdispersion(1), class = "ember_error_argument")
})
