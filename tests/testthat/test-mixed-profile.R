# Profile likelihood beside lme4.

study_profile_fit <- function(...) lmm(y ~ day + (day | person) + (1 | site), study(), ...)

test_that("intervals agree with stored values of lme4", {
  interval <- confint(study_profile_fit(REML = FALSE))
  stored <- rbind(
    c(8.9072741735, 33.7875803354), c(-0.6502109259, 0.6791065227),
    c(3.7816325385, 9.8583989521), c(9.1258003333, 31.3184456716),
    c(18.9618561773, 25.4220629616), c(225.3811068182, 262.4982681233),
    c(4.6798440710, 12.5379307695)
  )
  expect_equal(unname(interval), stored, tolerance = 1e-4)
  names <- c(".sig01", ".sig02", ".sig03", ".sig04", ".sigma", "(Intercept)", "day")
  expect_identical(dimnames(interval), list(names, c("2.5 %", "97.5 %")))
})

test_that("intervals agree with lme4 live", {
  skip_if_not_installed("lme4")
  cases <- list(
    list(Reaction ~ Days + (Days | Subject), lme4::sleepstudy),
    list(diameter ~ 1 + (1 | plate) + (1 | sample), lme4::Penicillin),
    list(strength ~ 1 + (1 | batch / cask), lme4::Pastes),
    list(Yield ~ 1 + (1 | Batch), lme4::Dyestuff2)
  )
  for (case in cases) {
    fit <- suppressMessages(lmm(case[[1]], case[[2]], REML = FALSE))
    peer <- suppressMessages(lme4::lmer(case[[1]], case[[2]], REML = FALSE))
    theirs <- suppressMessages(suppressWarnings(stats::confint(peer, quiet = TRUE)))
    expect_equal(confint(fit), theirs, tolerance = 1e-3)
  }
})

test_that("the ends of intervals are where the criterion has risen by the quantile", {
  data <- study()
  fit <- lmm(y ~ day + (1 | person), data)
  interval <- confint(fit, c(".sig01", ".sigma"))
  rise <- stats::qchisq(0.95, 1)
  for (end in interval[".sig01", ]) {
    held <- lmm(y ~ day + (1 | person), data, known = list(sd = c(person = end)))
    expect_equal(held$criterion - fit$criterion, rise, tolerance = 1e-5)
  }
  for (end in interval[".sigma", ]) {
    held <- lmm(y ~ day + (1 | person), data, known = list(sigma = end))
    expect_equal(held$criterion - fit$criterion, rise, tolerance = 1e-5)
  }
  # Fixed effects: an offset takes the place of the column, by maximum likelihood.
  ml <- lmm(y ~ day + (1 | person), data, REML = FALSE)
  for (end in confint(fit, "day")) {
    data$held <- end * data$day
    held <- lmm(y ~ 1 + offset(held) + (1 | person), data, REML = FALSE)
    expect_equal(held$criterion - ml$criterion, rise, tolerance = 1e-5)
  }
})

test_that("a profile has lme4's columns and any level inside it", {
  fit <- study_profile_fit()
  curves <- profile(fit)
  expect_s3_class(curves, c("ember_profile", "data.frame"))
  parameters <- c(".sig01", ".sig02", ".sig03", ".sig04", ".sigma", "(Intercept)", "day")
  expect_named(curves, c(".zeta", parameters, ".par"))
  expect_identical(levels(curves$.par), parameters)
  for (level in c(0.5, 0.9, 0.99)) {
    expect_equal(confint(curves, level = level), confint(fit, level = level), tolerance = 1e-4)
  }
  expect_warning(confint(curves, "day", level = 0.9999), class = "ember_warning_profile")
  # At the estimate everything is at the estimate.
  centre <- curves[curves$.zeta == 0 & curves$.par == ".sigma", ]
  expect_equal(centre$.sigma, fit$sigma, tolerance = 1e-5)
  expect_output(print(curves), "7 parameters")
})

test_that("parameters can be chosen and named in words", {
  fit <- study_profile_fit()
  all <- confint(fit)
  expect_equal(confint(fit, "beta_"), all[6:7, ])
  expect_equal(confint(fit, "theta_"), all[1:5, ])
  expect_equal(confint(fit, 3), all[3, , drop = FALSE])
  words <- confint(fit, oldNames = FALSE)
  expect_identical(rownames(words), c(
    "sd_(Intercept)|person", "cor_day.(Intercept)|person", "sd_day|person", "sd_(Intercept)|site",
    "sigma", "(Intercept)", "day"
  ))
  expect_equal(unname(words), unname(all))
  expect_error(confint(fit, "nobody"), class = "ember_error_argument")
  expect_error(confint(fit, level = 95), class = "ember_error_argument")
  expect_error(profile(fit, alphamax = 2), class = "ember_error_argument")
})

test_that("threads change nothing", {
  fit <- study_profile_fit()
  expect_identical(profile(fit, threads = 2), profile(fit))
})

test_that("intervals end at bounds, and undefined correlations have none", {
  flat <- suppressMessages(lmm(y ~ day + (1 | person) + (1 | twin), study()))
  interval <- confint(flat, "theta_")
  expect_equal(interval[".sig02", 1], 0)
  expect_gt(interval[".sig02", 2], 0)
})

test_that("known parameters are not profiled", {
  data <- study()
  known <- list(sd = c(person = 20))
  fit <- lmm(y ~ day + (1 | person) + (1 | site), data, known = known)
  interval <- confint(fit, oldNames = FALSE)
  expect_identical(
    rownames(interval), c("sd_(Intercept)|site", "sigma", "(Intercept)", "day")
  )
  expect_true(all(is.finite(interval)))
})

test_that("residual variances by group have profiles", {
  fit <- suppressMessages(lmm(y ~ day + (1 | person), study(), dispersion = ~kind))
  interval <- confint(fit, "theta_")
  expect_identical(rownames(interval), c(".sig01", ".sigma", ".ratio|b", ".ratio|c"))
  ratios <- fit$dispersion[-1]
  expect_true(all(interval[3:4, 1] < ratios & ratios < interval[3:4, 2]))
})

test_that("Wald and bootstrap intervals have lme4's form", {
  fit <- study_profile_fit()
  wald <- confint(fit, method = "Wald")
  expect_true(all(is.na(wald[1:5, ])))
  half <- stats::qnorm(0.975) * sqrt(diag(fit$vcov_beta))
  expect_equal(wald[6:7, 2], fit$beta + half)
  set.seed(1)
  boot <- confint(fit, method = "boot", nsim = 50)
  expect_identical(dimnames(boot), dimnames(wald))
  set.seed(1)
  expect_identical(confint(fit, "day", method = "boot", nsim = 50), boot["day", , drop = FALSE])
})

test_that("curves can be drawn", {
  fit <- lmm(y ~ day + (1 | person), study())
  curves <- profile(fit)
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_identical(plot(curves), curves)
  expect_identical(plot(curves, "day", what = "density"), curves)
  expect_error(plot(curves, "nobody"), class = "ember_error_argument")
})
