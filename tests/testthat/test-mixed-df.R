# Degrees of freedom and tests of contrasts, beside lmerTest 3.1-3 and pbkrtest 0.5.2.

study_fit <- function(...) lmm(y ~ kind + day + (day | person) + (1 | site), study(), ...)

unit_contrasts <- function(fit) {
  unit <- diag(length(fit$beta))
  dimnames(unit) <- list(names(fit$beta), names(fit$beta))
  unit
}

test_that("tests agree with stored values of lmerTest and pbkrtest", {
  fit <- study_fit()
  satterthwaite <- contrast_test(fit, unit_contrasts(fit))
  expect_equal(
    satterthwaite$df, c(16.92829017, 88.60804946, 88.60715903, 10.99141361), tolerance = 1e-4
  )
  expect_equal(
    satterthwaite$std_error, c(9.625794601, 4.952590624, 4.952579610, 1.933050267),
    tolerance = 1e-5
  )
  kenward <- contrast_test(fit, unit_contrasts(fit), "Kenward-Roger")
  expect_equal(
    kenward$df, c(17.09280237, 88.68339275, 88.68250005, 10.97508552), tolerance = 1e-5
  )
  expect_equal(
    kenward$std_error, c(9.627059410, 4.958325928, 4.958307254, 1.933071307), tolerance = 1e-5
  )
  kinds <- unit_contrasts(fit)[2:3, ]
  joint <- contrast_test(fit, kinds, joint = TRUE)
  expect_equal(joint$den_df, 88.60786858, tolerance = 1e-4)
  expect_equal(joint$statistic, 0.3451062946, tolerance = 1e-5)
  expect_equal(joint$sum_sq, 332.4622542, tolerance = 1e-5)
  expect_equal(joint$p_value, 0.7090926187, tolerance = 1e-5)
  joint <- contrast_test(fit, kinds, "Kenward-Roger", joint = TRUE)
  expect_equal(joint$den_df, 88.6832102, tolerance = 1e-5)
  expect_equal(joint$statistic, 0.3443092981, tolerance = 1e-5)
  # A hypothesis said twice is the same hypothesis.
  twice <- rbind(kinds, kinds[1, ] - kinds[2, ])
  for (ddf in c("Satterthwaite", "Kenward-Roger")) {
    expect_equal(
      contrast_test(fit, twice, ddf, joint = TRUE), contrast_test(fit, kinds, ddf, joint = TRUE),
      tolerance = 1e-8
    )
  }
})

test_that("sleepstudy has 17 degrees of freedom by either method", {
  skip_if_not_installed("lme4")
  fit <- lmm(Reaction ~ Days + (Days | Subject), lme4::sleepstudy)
  for (ddf in c("Satterthwaite", "Kenward-Roger")) {
    expect_equal(contrast_test(fit, diag(2), ddf)$df, c(17, 17), tolerance = 1e-4)
  }
})

test_that("tests agree with lmerTest and pbkrtest live", {
  skip_if_not_installed("lmerTest")
  skip_if_not_installed("pbkrtest")
  utils::data("beets", package = "pbkrtest", envir = environment())
  control <- lme4::lmerControl(
    optCtrl = list(xtol_abs = 1e-10, ftol_abs = 1e-12), check.conv.singular = "ignore"
  )
  cases <- list(
    list(sugpct ~ block + sow + harvest + (1 | block:harvest), beets),
    list(score ~ Machine + (1 | Worker / Machine), as.data.frame(nlme::Machines)),
    list(diameter ~ 1 + (1 | plate) + (1 | sample), lme4::Penicillin),
    list(angle ~ recipe * temperature + (1 | recipe:replicate), lme4::cake),
    list(Reaction ~ Days + (Days || Subject), lme4::sleepstudy)
  )
  for (case in cases) {
    fit <- suppressMessages(lmm(case[[1]], case[[2]]))
    peer <- suppressMessages(suppressWarnings(
      lmerTest::lmer(case[[1]], case[[2]], control = control)
    ))
    unit <- unit_contrasts(fit)
    theirs <- suppressMessages(summary(peer)$coefficients)
    expect_equal(contrast_test(fit, unit)$df, unname(theirs[, "df"]), tolerance = 2e-4)
    theirs <- suppressMessages(summary(peer, ddf = "Kenward-Roger")$coefficients)
    ours <- contrast_test(fit, unit, "Kenward-Roger")
    expect_equal(ours$df, unname(theirs[, "df"]), tolerance = 1e-4)
    expect_equal(ours$std_error, unname(theirs[, "Std. Error"]), tolerance = 1e-4)
    expect_equal(
      df_kenward_roger(fit)$vcov_adjusted, as.matrix(pbkrtest::vcovAdj(peer)), tolerance = 2e-4,
      ignore_attr = TRUE
    )
    if (nrow(unit) > 2L) {
      joint <- contrast_test(fit, unit[-1, ], "Kenward-Roger", joint = TRUE)
      stats <- pbkrtest::KRmodcomp(peer, unname(unit[-1, ]))$stats
      expect_equal(joint$den_df, stats$ddf, tolerance = 1e-5)
      expect_equal(joint$statistic, stats$Fstat, tolerance = 1e-4)
    }
  }
})

# Balanced one-way layout: the mean has as many degrees of freedom as there are groups, less one.
test_that("a balanced layout has the degrees of freedom of the analysis of variance", {
  data <- withr_seed(1, data.frame(
    g = gl(8, 5), y = rep(stats::rnorm(8, sd = 2), each = 5) + stats::rnorm(40)
  ))
  fit <- lmm(y ~ 1 + (1 | g), data)
  between <- anova(lm(y ~ g, data))["g", "Mean Sq"]
  for (ddf in c("Satterthwaite", "Kenward-Roger")) {
    test <- contrast_test(fit, matrix(1), ddf)
    expect_equal(test$df, 7, tolerance = 1e-5)
    expect_equal(test$std_error, sqrt(between / 40), tolerance = 1e-6)
  }
})

test_that("Kenward and Roger's test of a fit by maximum likelihood refits it, and says so", {
  restricted <- contrast_test(study_fit(), diag(4), "Kenward-Roger")
  fit <- study_fit(REML = FALSE)
  expect_message(
    test <- contrast_test(fit, diag(4), "Kenward-Roger"), class = "ember_message_refit"
  )
  expect_equal(test, restricted, tolerance = 1e-5)
})

test_that("weights and units change what they should and nothing else", {
  data <- study()
  fit <- lmm(y ~ day + (day | person), data, weights = weight)
  data$y <- 1e6 * data$y
  data$weight <- data$weight * 100
  scaled <- lmm(y ~ day + (day | person), data, weights = weight)
  for (ddf in c("Satterthwaite", "Kenward-Roger")) {
    one <- contrast_test(fit, diag(2), ddf)
    other <- contrast_test(scaled, diag(2), ddf)
    expect_equal(other$df, one$df, tolerance = 1e-5)
    expect_equal(other$std_error, 1e6 * one$std_error, tolerance = 1e-5)
  }
})

test_that("singular fits have tests", {
  fit <- suppressMessages(lmm(y ~ day + (1 | person) + (1 | twin), study()))
  for (ddf in c("Satterthwaite", "Kenward-Roger")) {
    test <- contrast_test(fit, diag(2), ddf)
    expect_true(all(is.finite(test$df)) && all(test$df > 1))
  }
})

test_that("groups of residual variances have Satterthwaite's degrees of freedom only", {
  fit <- suppressMessages(lmm(y ~ day + (1 | person), study(), dispersion = ~kind))
  expect_true(all(contrast_test(fit, diag(2))$df > 1))
  expect_error(contrast_test(fit, diag(2), "Kenward-Roger"), class = "ember_error_argument")
})

test_that("known variances are not estimated", {
  data <- study()
  free <- lmm(y ~ day + (1 | person), data)
  sd <- free$sigma * free$theta
  known <- lmm(y ~ day + (1 | person), data, known = list(sd = c(person = sd), sigma = free$sigma))
  expect_equal(known$beta, free$beta, tolerance = 1e-6)
  test <- contrast_test(known, diag(2))
  expect_equal(test$df, c(Inf, Inf))
  expect_equal(test$p_value, 2 * stats::pnorm(-abs(test$statistic)))
})

test_that("contrasts of the wrong width are refused", {
  fit <- study_fit()
  expect_error(contrast_test(fit, diag(3)), class = "ember_error_argument")
  expect_error(contrast_test(fit, matrix(NA_real_, 1, 4)), class = "ember_error_argument")
  expect_equal(contrast_test(fit, diag(4), "none")$df, rep(Inf, 4))
})

test_that("Kenward and Roger's method takes seconds where n x n matrices take minutes", {
  skip_if_not_installed("lme4")
  skip_on_cran()
  rows <- withr_seed(1, sample(nrow(lme4::InstEval), 6000))
  fit <- lmm(y ~ service + (1 | s) + (1 | d) + (1 | dept), droplevels(lme4::InstEval[rows, ]))
  time <- system.time(test <- contrast_test(fit, diag(2), "Kenward-Roger"))
  expect_lt(time[["user.self"]], 5)
  expect_true(all(is.finite(test$df)))
})
