skip_if_not_installed("parameters")
skip_if_not_installed("lme4")
form <- Reaction ~ Days + (Days | Subject)
fit <- lmm(form, lme4::sleepstudy)
peer <- lme4::lmer(form, lme4::sleepstudy, control = tight_control())

expect_same_table <- function(ours, theirs, tolerance = 1e-4) {
  # Columns of NA are logical there.
  numeric <- function(table) {
    table <- as.data.frame(table)
    empty <- vapply(table, function(column) all(is.na(column)), NA)
    table[empty] <- NA_real_
    table
  }
  testthat::expect_equal(numeric(ours), numeric(theirs), tolerance = tolerance, ignore_attr = TRUE)
}

test_that("the table is that of lme4's fit", {
  theirs <- function(...) suppressMessages(parameters::model_parameters(peer, ...))
  expect_same_table(parameters::model_parameters(fit), theirs())
  for (effects in c("fixed", "random")) {
    expect_same_table(
      parameters::model_parameters(fit, effects = effects), theirs(effects = effects)
    )
  }
  expect_same_table(
    parameters::model_parameters(fit, group_level = TRUE), theirs(group_level = TRUE)
  )
  expect_same_table(
    parameters::model_parameters(fit, ci = 0.9, exponentiate = TRUE, effects = "fixed"),
    theirs(ci = 0.9, exponentiate = TRUE, effects = "fixed")
  )
  skip_if_not_installed("lmerTest")
  skip_if_not_installed("pbkrtest")
  for (method in c("satterthwaite", "kenward")) {
    expect_same_table(
      parameters::model_parameters(fit, ci_method = method), theirs(ci_method = method)
    )
  }
  normal <- parameters::model_parameters(fit, ci_method = "normal")
  # parameters prints the residual degrees of freedom there, which it does not use.
  expect_same_table(normal[names(normal) != "df_error"], {
    table <- theirs(ci_method = "normal")
    table[names(table) != "df_error"]
  })
})

test_that("parts of the table are those of lme4's fit", {
  for (verb in c("standard_error", "p_value", "ci")) {
    verb <- getExportedValue("parameters", verb)
    expect_equal(verb(fit), verb(peer), tolerance = 1e-4, ignore_attr = TRUE)
  }
  expect_equal(
    parameters::degrees_of_freedom(fit, method = "residual"),
    parameters::degrees_of_freedom(peer, method = "residual")
  )
})

test_that("several terms and profile intervals", {
  nested <- strength ~ 1 + (1 | batch / cask)
  expect_same_table(
    parameters::model_parameters(lmm(nested, lme4::Pastes)),
    suppressMessages(parameters::model_parameters(
      lme4::lmer(nested, lme4::Pastes, control = tight_control())
    ))
  )
  table <- parameters::model_parameters(fit, ci_method = "profile")
  limits <- confint(fit, method = "profile")
  expect_equal(table$CI_low[1:2], unname(limits[c("(Intercept)", "Days"), 1L]), tolerance = 1e-6)
  expect_false(anyNA(table$CI_low))
})

test_that("it prints as parameters prints", {
  printed <- capture.output(print(parameters::model_parameters(fit)))
  expect_match(printed, "# Fixed Effects", all = FALSE, fixed = TRUE)
  expect_match(printed, "SD (Intercept: Subject)", all = FALSE, fixed = TRUE)
  expect_match(printed, "SD (Residual)", all = FALSE, fixed = TRUE)
})
