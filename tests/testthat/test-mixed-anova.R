test_that("F tests of types I, II and III are lmerTest's", {
  data <- study()
  data <- data[-(5:30), ]
  cases <- list(
    factors = list(y ~ kind * site + (1 | person), data),
    covariate = list(y ~ kind * day + (1 | person), data),
    sums = list(y ~ kind * day + (1 | person), data,
      contrasts = list(kind = "contr.sum")
    ),
    one = list(y ~ day + (day | person), data),
    no_intercept = list(y ~ 0 + kind + day + (1 | person), data)
  )
  with_peers(function(ours, peer, name, case) {
    for (type in c("I", "II", "III")) {
      mine <- anova(ours, type = type)
      theirs <- suppressMessages(stats::anova(peer, type = type))
      expect_equal(mine, theirs, tolerance = 1e-4, ignore_attr = TRUE, info = paste(name, type))
      expect_identical(attr(mine, "heading"), attr(theirs, "heading"))
    }
    expect_equal(
      anova(ours, ddf = "none"), stats::anova(peer, ddf = "lme4"), tolerance = 1e-6, info = name,
      ignore_attr = "heading"
    )
  }, cases)
})

test_that("Kenward-Roger tests are lmerTest's", {
  skip_if_not_installed("pbkrtest")
  with_peers(function(ours, peer, name, case) {
    expect_equal(
      anova(ours, ddf = "Kenward-Roger"), stats::anova(peer, ddf = "Kenward-Roger"),
      tolerance = 1e-4, ignore_attr = TRUE
    )
  }, peer_cases()["nested"])
})

test_that("type III of cells that are missing is SAS's", {
  # Goodnight's hypotheses do not depend on the coding of the factors.
  data <- study()
  data <- data[!(data$kind == "a" & data$site == "2"), ]
  treatment <- suppressMessages(lmm(y ~ kind * site + (1 | person), data = data))
  sums <- suppressMessages(lmm(
    y ~ kind * site + (1 | person), data = data,
    contrasts = list(kind = "contr.sum", site = "contr.helmert")
  ))
  mine <- anova(treatment)
  theirs <- anova(sums)
  expect_equal(mine$"F value", theirs$"F value", tolerance = 1e-6)
  # Satterthwaite's degrees of freedom depend a little on the basis of the hypothesis.
  expect_equal(mine$DenDF, theirs$DenDF, tolerance = 1e-2)
  expect_equal(mine$NumDF, c(2, 6, 11))
})

test_that("likelihood ratio tests are laid out as lme4's", {
  skip_if_not_installed("lme4")
  data <- study()
  small <- lmm(y ~ 1 + (day | person), data = data)
  fit <- lmm(y ~ day + (day | person), data = data)
  expect_message(mine <- anova(fit, small), "refitting model\\(s\\) with ML")
  mine_lines <- capture.output(print(mine))
  lmer_both <- lapply(list(y ~ 1 + (day | person), y ~ day + (day | person)), lme4::lmer, data)
  tables <- local({
    small <- lme4::lmer(y ~ 1 + (day | person), data = data)
    fit <- lme4::lmer(y ~ day + (day | person), data = data)
    suppressMessages(stats::anova(fit, small))
  })
  expect_identical(mine_lines, capture.output(print(tables)))
  expect_equal(mine, tables, tolerance = 1e-6)
  expect_named(anova(fit, small, model.names = c("b", "a")) |> suppressMessages() |> t() |>
                 as.data.frame(), c("a", "b"))
  expect_warning(
    anova(fit, refitML(small), refit = FALSE), class = "ember_warning_comparison"
  )
  fixed <- stats::lm(y ~ day, data = data)
  expect_equal(suppressMessages(anova(fit, fixed))$npar, c(3, 6))
})

test_that("comparisons that mean nothing are refused", {
  data <- study()
  fit <- lmm(y ~ day + (1 | person), data = data)
  fewer <- lmm(y ~ day + (1 | person), data = data[1:60, ])
  expect_error(anova(fit, fewer), "observations differ", class = "ember_error_argument")
  expect_error(anova(fit, 3), class = "ember_error_argument")
  expect_error(anova(fit, type = 4), class = "ember_error_argument")
})

test_that("drop1() gives lme4's table and lmerTest's", {
  case <- list(y ~ kind + day + (1 | person), study())
  with_peers(function(ours, peer, name, case) {
    data <- case[[2L]]
    theirs <- lme4::lmer(y ~ kind + day + (1 | person), data = data)
    ours <- lmm(y ~ kind + day + (1 | person), data = data)
    expected <- stats::drop1(theirs, test = "Chisq")
    expect_equal(drop1(ours, test = "Chisq"), expected, tolerance = 1e-5, ignore_attr = "heading")
    expect_equal(drop1(ours), expected[1:2], tolerance = 1e-6, ignore_attr = TRUE)
    expect_equal(
      drop1(ours, test = "F"), stats::drop1(peer), tolerance = 1e-4, ignore_attr = TRUE
    )
    expect_equal(rownames(drop1(ours, scope = "day")), c("<none>", "day"))
    expect_equal(rownames(drop1(ours, scope = ~day)), c("<none>", "day"))
    expect_error(drop1(ours, scope = "month"), class = "ember_error_argument")
  }, list(one = case))
})
