parse_mixed <- function(formula, data = NULL) mixed_formula(formula, data, rlang::current_env())

groups_of <- function(formula) {
  unlist(lapply(parse_mixed(formula)$bars, `[[`, "labels"))
}

test_that("nested groupings are expanded, the finest first", {
  expect_identical(groups_of(y ~ (1 | a / b)), c("b:a", "a"))
  expect_identical(groups_of(y ~ (1 | a / b / c)), c(deparse1(quote(c:(b:a))), "b:a", "a"))
  expect_identical(groups_of(y ~ (1 | a:b) + (x || g)), c("a:b", "g"))
  expect_identical(groups_of(y ~ (1 | factor(a) / b)), c("b:factor(a)", "factor(a)"))
})

test_that("the fixed part is what lme4::nobars() leaves", {
  cases <- list(
    y ~ x + (1 | g), y ~ (1 | g), y ~ 0 + (x | g), y ~ x + (1 | g) - 1, y ~ (1 | g) + x,
    y ~ (x + (1 | g)), y ~ x * z + (1 | a) + (0 + x | a), log(y) ~ x + ((1 | g)), y ~ -1 + x +
      (1 | g), y ~ x + (x || g) + z
  )
  for (formula in cases) {
    fixed <- parse_mixed(formula)$fixed
    if (requireNamespace("lme4", quietly = TRUE)) {
      expect_identical(
        attributes(terms(fixed))[c("term.labels", "intercept", "response")],
        attributes(terms(lme4::nobars(formula)))[c("term.labels", "intercept", "response")],
        label = deparse1(formula)
      )
    }
    expect_false(has_bar(fixed[[3]]), label = deparse1(formula))
  }
})

test_that("a bar that is no random term stays", {
  expect_identical(deparse1(parse_mixed(y ~ I(a | b) + (1 | g))$fixed), "y ~ I(a | b)")
  expect_length(parse_mixed(y ~ I(a | b) + (1 | g))$bars, 1L)
})

test_that("variables of the fixed part come first among all variables", {
  parsed <- parse_mixed(y ~ (z | g) + x + log(w) + (1 | a / b))
  variables <- vapply(as.list(attr(terms(parsed$all), "variables"))[-1], deparse1, "")
  expect_identical(variables, c("y", "x", "log(w)", "z", "g", "b", "a"))
})

test_that("random terms of any formula are listed with their groupings", {
  terms <- expand_random_terms(~ (x || a / b) + (1 | g))
  expect_identical(lapply(terms, `[[`, "grouping"), list(quote(b:a), quote(a), quote(g)))
  expect_identical(vapply(terms, `[[`, NA, "split"), c(TRUE, TRUE, FALSE))
  expect_equal(terms[[1]]$expression, ~x, ignore_formula_env = TRUE)
  expect_identical(expand_random_terms(~0), NULL)
})

test_that("formulas that mean nothing are errors that say what to write", {
  expect_argument_error <- function(formula, pattern, ...) {
    error <- expect_error(parse_mixed(formula, ...), pattern, class = "ember_error_argument")
    expect_s3_class(error, "ember_error")
    expect_identical(error$argument, "formula")
  }
  expect_argument_error(y ~ x, "lm\\(\\)")
  expect_argument_error(~ x + (1 | g), "response")
  expect_argument_error("y ~ x + (1 | g)", "must be a formula")
  expect_argument_error(NULL, "must be a formula")
  expect_argument_error(y ~ x * (1 | g), "inside `\\*`")
  expect_argument_error(y ~ x - (1 | g), "inside `-`")
  expect_argument_error(y ~ x + (1 | g | h), "inside a random term")
  expect_argument_error(y ~ x + ((1 | a) | h), "inside a random term")
  expect_argument_error(y ~ x + (. | g), "dot in a random term")
  expect_argument_error(y ~ . + (1 | g), "needs `data`")
})
