skip_if_not_installed("emmeans")
skip_if_not_installed("lme4")
skip_if_not_installed("lmerTest")
skip_if_not_installed("pbkrtest")

machines <- as.data.frame(nlme::Machines)
machines$Machine <- factor(machines$Machine, ordered = FALSE)
machines$Worker <- factor(machines$Worker, ordered = FALSE)

test_that("means and contrasts are those of lme4's fit, with three kinds of df", {
  fit <- lmm(score ~ Machine + (1 | Worker), machines)
  peer <- lme4::lmer(score ~ Machine + (1 | Worker), machines, control = tight_control())
  for (mode in c("satterthwaite", "kenward-roger", "asymptotic")) {
    ours <- emmeans::emmeans(fit, pairwise ~ Machine, lmer.df = mode)
    theirs <- emmeans::emmeans(peer, pairwise ~ Machine, lmer.df = mode)
    for (part in c("emmeans", "contrasts")) {
      expect_equal(
        as.data.frame(ours[[part]]), as.data.frame(theirs[[part]]),
        tolerance = 1e-4, ignore_attr = TRUE
      )
    }
    expect_output(print(ours), mode)
  }
})

test_that("unbalanced data, covariates and transformed responses", {
  data <- machines[-c(1, 2, 17, 30:33), ]
  data$x <- seq_len(nrow(data)) / 10
  form <- log(score) ~ Machine * x + (1 | Worker)
  fit <- lmm(form, data)
  peer <- lme4::lmer(form, data, control = tight_control())
  expect_equal(
    as.data.frame(emmeans::emmeans(fit, "Machine", at = list(x = 2), type = "response")),
    as.data.frame(emmeans::emmeans(peer, "Machine", at = list(x = 2), type = "response")),
    tolerance = 1e-4, ignore_attr = TRUE
  )
  expect_equal(
    as.data.frame(emmeans::emtrends(fit, "Machine", "x")),
    as.data.frame(emmeans::emtrends(peer, "Machine", "x")),
    tolerance = 1e-4, ignore_attr = TRUE
  )
  # joint_tests() rounds to three decimals, so two values that agree may be printed one unit apart.
  tests <- lapply(list(fit, peer), function(model) as.data.frame(emmeans::joint_tests(model)))
  expect_lte(max(abs(tests[[1L]]$F.ratio - tests[[2L]]$F.ratio)), 0.001 * (1 + 1e-9))
  columns <- c("model term", "df1", "df2")
  expect_equal(tests[[1L]][columns], tests[[2L]][columns], tolerance = 1e-3, ignore_attr = TRUE)
})

test_that("what was not estimated is said to be so", {
  data <- machines[!(machines$Machine == "C" & machines$Worker %in% 1:3), ]
  data$half <- factor(ifelse(data$Worker %in% 1:3, "a", "b"))
  form <- score ~ Machine * half + (1 | Worker)
  fit <- suppressMessages(lmm(form, data))
  peer <- suppressMessages(lme4::lmer(form, data, control = tight_control()))
  ours <- as.data.frame(emmeans::emmeans(fit, ~ Machine:half))
  theirs <- as.data.frame(emmeans::emmeans(peer, ~ Machine:half))
  expect_equal(sum(is.na(ours$emmean)), 1L)
  expect_equal(ours, theirs, tolerance = 1e-4, ignore_attr = TRUE)
})

test_that("fits by ML and given covariances have Satterthwaite's df", {
  fit <- lmm(score ~ Machine + (1 | Worker), machines, REML = FALSE)
  expect_output(print(emmeans::emmeans(fit, "Machine")), "satterthwaite")
  given <- emmeans::emmeans(fit, "Machine", vcov. = 4 * vcov(fit))
  plain <- emmeans::emmeans(fit, "Machine")
  expect_equal(as.data.frame(given)$SE, 2 * as.data.frame(plain)$SE)
  expect_error(emmeans::emmeans(fit, "Machine", lmer.df = "between"), "satterthwaite")
})
