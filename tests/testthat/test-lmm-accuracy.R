# lmm() against the best optimum that several tight optimizers find of lme4's criterion: stored
# values always, lmer() itself where lme4 is installed. Our own data run everywhere, the example
# data of lme4 and nlme where those packages are. Cases: helper-mixed.R.

# Largest distances, by quantity, in the units of scale_of().
tolerances <- c(
  coefficient = 1e-5, "std. error" = 1e-4, sd = 1e-5, correlation = 1e-4, mode = 1e-4
)

# Fixed effects, standard errors and deviations are compared relative to themselves (near zero,
# fixed effects to a hundredth of their standard error and deviations to ten residual ones),
# conditional modes to the standard deviation of their effect.
scale_of <- function(values) {
  value <- function(quantity) values$value[values$quantity == quantity]
  deviations <- values[values$quantity == "sd", ]
  residual <- deviations$value[deviations$name == "Residual"]
  # VarCorr() numbers the second term of a group; ranef() does not.
  effects <- paste0(sub("[.][0-9]+:", ":", deviations$name), ":")
  mode_scale <- function(name) {
    max(deviations$value[startsWith(name, effects)], 0.01 * residual)
  }
  scale <- rep(1, nrow(values))
  scale[values$quantity == "coefficient"] <-
    pmax(abs(value("coefficient")), 0.01 * value("std. error"))
  scale[values$quantity == "std. error"] <- value("std. error")
  scale[values$quantity == "sd"] <-
    ifelse(value("sd") > 1e-3 * residual, value("sd"), 10 * residual)
  modes <- values$quantity == "mode"
  scale[modes] <- vapply(values$name[modes], mode_scale, 0)
  scale
}

# A correlation counts only if both effects vary.
correlation_is_defined <- function(values) {
  deviations <- values[values$quantity == "sd", ]
  residual <- deviations$value[deviations$name == "Residual"]
  none <- deviations$name[deviations$value < 1e-3 * residual]
  parts <- strsplit(none, ":(?=[^:]*$)", perl = TRUE)
  touches <- function(name) {
    any(vapply(parts, \(part) startsWith(name, part[[1L]]) && grepl(part[[2L]], name, fixed = TRUE),
      TRUE))
  }
  values$quantity != "correlation" | !vapply(values$name, touches, TRUE)
}

expect_same_fit <- function(ours, theirs, label) {
  names <- c("quantity", "name")
  testthat::expect_identical(ours[names], theirs[names], label = label)
  criterion <- theirs$quantity == "criterion"
  testthat::expect_lt(ours$value[criterion] - theirs$value[criterion], 1e-6,
    label = paste(label, "criterion"))
  distance <- abs(ours$value - theirs$value) / scale_of(theirs)
  defined <- correlation_is_defined(theirs)
  for (quantity in names(tolerances)) {
    worst <- max(0, distance[theirs$quantity == quantity & defined])
    testthat::expect_lt(worst, tolerances[[quantity]], label = paste(label, quantity))
  }
}

test_that("both criteria of every case reach the stored optimum", {
  stored <- utils::read.csv(test_path("oracles", "lmm.csv"))
  stored$name[is.na(stored$name)] <- ""
  cases <- mixed_cases()
  expect_setequal(stored$case, names(cases))
  for (name in names(cases)) {
    for (reml in c(TRUE, FALSE)) {
      fit <- fit_quietly(cases[[name]], lmm, REML = reml)
      if (!is.null(fit)) {
        theirs <- stored[stored$case == name & stored$REML == reml, c("quantity", "name", "value")]
        row.names(theirs) <- NULL
        expect_same_fit(mixed_values(fit), theirs, paste(name, if (reml) "REML" else "ML"))
      }
    }
  }
})

test_that("lmer() finds nothing better, live", {
  skip_if_not_installed("lme4")
  cases <- Filter(\(case) !case$slow, mixed_cases())
  for (name in names(cases)) {
    ours <- fit_quietly(cases[[name]], lmm)
    theirs <- fit_quietly(cases[[name]], lme4::lmer)
    expect_lt(-2 * as.numeric(logLik(ours)), -2 * as.numeric(logLik(theirs)) + 1e-6, label = name)
    # lmer() stops earlier than the stored optimum, hence the wider bounds.
    expect_equal(fixef(ours), lme4::fixef(theirs), tolerance = 1e-4, label = name)
    expect_equal(sigma(ours), sigma(theirs), tolerance = 1e-4, label = name)
    expect_equal(unname(fitted(ours)), unname(fitted(theirs)), tolerance = 1e-3, label = name)
  }
})

test_that("the herd of Solymos and Lele: the numbers of their notes", {
  fit <- lmm(y ~ 1 + (1 | animal), mixed_herd())
  components <- as.data.frame(VarCorr(fit))
  expect_equal(-2 * as.numeric(logLik(fit)), 193.318077, tolerance = 1e-8)
  expect_equal(components$vcov, c(0.24633, 0.042896), tolerance = 2e-5)
  expect_equal(fixef(fit), c("(Intercept)" = 2.56575), tolerance = 2e-6)
  expect_equal(sqrt(vcov(fit)[1L, 1L]), 0.05175, tolerance = 1e-4)
})

test_that("a balanced one-way layout has the closed form of the analysis of variance", {
  data <- mixed_herd(n = 50L, m = 4L)
  table <- anova(stats::lm(y ~ animal, data))
  between <- (table[1L, "Mean Sq"] - table[2L, "Mean Sq"]) / 4
  components <- as.data.frame(VarCorr(lmm(y ~ 1 + (1 | animal), data)))
  expect_equal(components$vcov, c(between, table[2L, "Mean Sq"]), tolerance = 1e-7)
})
