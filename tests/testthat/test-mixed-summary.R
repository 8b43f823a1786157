test_that("summaries read as lme4's, line by line", {
  cases <- peer_cases()
  with_peers(function(ours, peer, name, case) {
    peer <- as(peer, "lmerMod")
    theirs <- comparable_lines(capture.output(print(summary(peer), correlation = TRUE)))
    mine <- comparable_lines(
      capture.output(print(summary(ours, ddf = "none"), correlation = TRUE))
    )
    expect_identical(mine, theirs, info = name)
    theirs <- comparable_lines(capture.output(print(peer)))
    expect_identical(comparable_lines(capture.output(print(ours))), theirs, info = name)
  }, cases[names(cases) != "aliased"])
})

test_that("summaries with degrees of freedom read as lmerTest's", {
  cases <- peer_cases()
  # lme4 breaks the title in the middle of the class.
  old <- options(width = 120)
  on.exit(options(old))
  with_peers(function(ours, peer, name, case) {
    theirs <- comparable_lines(capture.output(print(summary(peer), correlation = TRUE)))
    mine <- comparable_lines(capture.output(print(summary(ours), correlation = TRUE)))
    expect_identical(mine, theirs, info = name)
  }, cases[c("slope", "crossed", "nested")])
})

test_that("Kenward-Roger errors and degrees of freedom are pbkrtest's", {
  skip_if_not_installed("pbkrtest")
  with_peers(function(ours, peer, name, case) {
    theirs <- stats::coef(summary(peer, ddf = "Kenward-Roger"))
    expect_equal(
      stats::coef(summary(ours, ddf = "Kenward-Roger")), theirs, tolerance = 1e-4, info = name
    )
  }, peer_cases()[c("slope", "offset")])
})

test_that("aliased coefficients have a row of NA and a note", {
  fit <- suppressMessages(lmm(y ~ kind + twin + day + (1 | person), data = study()))
  shown <- capture.output(print(summary(fit)))
  expect_match(shown, "^twinb +NA +NA +NA", all = FALSE)
  expect_match(shown, "2 coefficients not defined because of singularities", all = FALSE)
  expect_equal(names(which(summary(fit)$aliased)), c("twinb", "twinc"))
  expect_equal(nrow(coef(summary(fit))), 4L)
  expect_match(capture.output(print(fit)), "2 coefficients not defined", all = FALSE)
})

test_that("a singular fit says so in plain words, and so does one that did not converge", {
  data <- study()
  data$random <- factor(rep_len(1:5, 120))
  data$y <- 5 * (data$day - 4.5) + rep(c(-1, 1), 60)
  fit <- suppressWarnings(suppressMessages(lmm(y ~ day + (1 | random), data = data)))
  expect_true(isSingular(fit))
  shown <- paste(capture.output(print(summary(fit))), collapse = " ")
  expect_match(shown, "The fit is singular: .*`random` is zero")
  fit$status <- "iteration_limit"
  expect_match(capture.output(print(summary(fit))), "^NOT an optimum", all = FALSE)
})

test_that("arguments of summary are checked", {
  fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
  expect_error(summary(fit, ddf = "none of them"), class = "ember_error_argument")
  expect_error(summary(fit, correlation = "yes"), class = "ember_error_argument")
  expect_false(any(grepl(
    "Correlation of Fixed", capture.output(print(summary(fit, correlation = FALSE)))
  )))
  expect_match(
    capture.output(print(summary(fit), symbolic.cor = TRUE)), "attr\\(,\"legend\"\\)", all = FALSE
  )
})
