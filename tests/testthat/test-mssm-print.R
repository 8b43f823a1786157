test_that("the sections of print() and summary()", {
  fit <- people_fit()
  expect_snapshot(fit)
  expect_snapshot(summary(fit))
})

test_that("two equations have a block of errors and a table of patterns", {
  fit <- households_fit()
  expect_snapshot(fit)
  expect_snapshot(summary(fit))
})

test_that("several modes and a correlation near 1 are said", {
  fit <- mroz_fit()
  words <- paste(mssm_remarks(fit), collapse = " ")
  expect_match(words, "The likelihood has [2-9] modes")
  expect_match(words, "`rho\\(wage,participation\\)` is 0.993.*: near the edge")
  local <- modes(fit, which(modes(fit)$kind == "maximum")[[2]])
  expect_match(paste(mssm_remarks(local), collapse = " "), "NOT the highest")
})

test_that("a fit that is no maximum says so, and by which equation", {
  fit <- people_fit()
  fit[c("status", "message", "component")] <- list("degenerate", "a correlation is 1", 2L)
  expect_match(
    paste(mssm_remarks(fit), collapse = " "), "NOT a maximum: equation `s1` collapsed", fixed = TRUE
  )
  fit[c("status", "component")] <- list("interrupted", 0L)
  expect_match(paste(mssm_remarks(fit), collapse = " "), "`update(fit)` goes on", fixed = TRUE)
})

test_that("Monte Carlo and integration errors are said", {
  fit <- people_fit()
  fit$integration <- list(method = "ghk", points = 128, error = 0.0123)
  expect_match(integration_words(fit), "128 points; the error .* is about 0.012")
  fit$method <- "px-mcem"
  errors <- sqrt(diag(fit$vcov))
  fit$mc <- list(mc_error = errors * c(0.01, 0.02, 0.005, 0.01, 0.01, 0.015, 0.01))
  expect_match(integration_words(fit), "0.02 standard errors, of `y1:x1`")
})

test_that("many patterns are cut short", {
  patterns <- data.frame(a = rep(c(TRUE, FALSE), 5), rows = 10:1)
  expect_identical(
    tail(pattern_table(patterns, "a"), 1L), " and 2 more patterns of 3 rows"
  )
})

test_that("long formulas are wrapped, equations with names of their own named", {
  lines <- formula_lines("  Outcome: ", list(w = wage ~ age, wage = wage ~ age))
  expect_identical(lines, c("  Outcome: w: wage ~ age", "           wage ~ age"))
})
