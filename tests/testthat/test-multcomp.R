skip_if_not_installed("multcomp")
skip_if_not_installed("lme4")

test_that("all pairs are compared as for lme4's fit", {
  machines <- as.data.frame(nlme::Machines)
  machines$Machine <- factor(machines$Machine, ordered = FALSE)
  fit <- lmm(score ~ Machine + (1 | Worker), machines)
  peer <- lme4::lmer(score ~ Machine + (1 | Worker), machines, control = tight_control())
  tests <- function(model, ...) {
    set.seed(1)
    summary(multcomp::glht(model, ...))$test[c("coefficients", "sigma", "tstat", "pvalues")]
  }
  pairs <- multcomp::mcp(Machine = "Tukey")
  expect_equal(tests(fit, pairs), tests(peer, pairs), tolerance = 1e-4, ignore_attr = TRUE)
  rows <- rbind("B - A" = c(0, 1, 0), mean = c(1, 1 / 3, 1 / 3))
  expect_equal(
    tests(fit, rows, df = 10), tests(peer, rows, df = 10), tolerance = 1e-4, ignore_attr = TRUE
  )
  expect_error(multcomp::glht(fit, rows, df = -1), class = "ember_error_argument")
  expect_error(
    multcomp::glht(fit, rows, vcov. = diag(2)), class = "ember_error_argument"
  )
})
