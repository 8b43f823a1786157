# What cannot be fitted is a classed error that names the equation and says what to do.

outcomes <- list(y1 ~ x1, y2 ~ x1)
selections <- list(s1 ~ x1 + z1, s2 ~ x1 + z2)

expect_named_error <- function(object, pattern, class = "data") {
  error <- expect_error(object, pattern, class = paste0("ember_error_", class))
  expect_s3_class(error, "ember_error")
}

changed <- function(column, values, rows = TRUE) {
  data <- households()
  data[[column]][rows] <- values
  data
}

fit_pair <- function(data = households(), ...) mssm(outcomes, selections, data = data, ...)

test_that("formulas must be there, have two sides, and be paired", {
  data <- households()
  expect_named_error(mssm(y1 ~ x1, data = data), "`selection` is missing", "argument")
  expect_named_error(mssm(selection = s1 ~ x1, data = data), "`outcome` is missing", "argument")
  expect_named_error(mssm(1, 2, data), "must be a formula or a list", "argument")
  expect_named_error(mssm(list(), list(), data), "must be a formula or a list", "argument")
  expect_named_error(
    mssm(outcomes, selections[1], data), "2 formulas of outcomes and 1 of selections", "argument"
  )
  expect_named_error(
    mssm(list(y1 ~ x1, ~x1), selections, data), "formula 2 is not one", "argument"
  )
  expect_named_error(mssm(rep(outcomes, 6), rep(selections, 6), data), "at most 10", "argument")
})

test_that("equations have different names", {
  data <- households()
  expect_named_error(
    mssm(outcomes, list(s1 ~ x1, s1 ~ z2), data), "two equations of the name `s1`", "argument"
  )
  expect_named_error(
    mssm(list(a = y1 ~ x1, b = y2 ~ x1), list(a = s1 ~ x1, s2 ~ z2), data),
    "two equations of the name `a`", "argument"
  )
})

test_that("terms that no equation can have are refused", {
  data <- households()
  expect_named_error(
    mssm(outcomes, list(s1 ~ x1, s2 ~ offset(z2)), data), "selection equation `s2` has an offset",
    "argument"
  )
  expect_named_error(
    mssm(list(y1 ~ 0, y2 ~ x1), selections, data), "outcome equation `y1` has no coefficients",
    "argument"
  )
  expect_named_error(
    mssm(list(y1 ~ x1, y2 ~ x1 + y2), selections, data), "`y2` has its response", "argument"
  )
  expect_named_error(mssm(y1 ~ x1, s1 ~ nowhere, data), "`nowhere` is not in `data`")
})

test_that("a selection has two values", {
  expect_named_error(
    fit_pair(changed("s1", 2, 3)), "selection equation `s1`, `s1` is 2 in row 3"
  )
  three <- changed("s2", 0)
  three$s2 <- factor(households()$s2, 0:2)
  expect_named_error(fit_pair(three), "selection equation `s2`, `s2` has 3 levels")
  words <- households()
  words$s1 <- as.character(words$s1)
  expect_named_error(fit_pair(words), "`s1` is a character vector")
})

test_that("outcomes are observed where they are selected, and only there", {
  data <- households()
  hidden <- which(data$s1 == 0)
  expect_named_error(
    fit_pair(changed("y1", 1, hidden[1:3])),
    paste0("outcome equation `y1`, `y1` is observed in 3 rows .* first is row ", hidden[[1]])
  )
  seen <- which(data$s2 == 1)
  expect_named_error(
    fit_pair(changed("y2", NA, seen[[1]])), "`y2`, `y2` is missing in 1 row that `s2` selects"
  )
  yes <- data
  yes$s1 <- factor(ifelse(data$s1 == 1, "yes", "no"))
  yes$y1[hidden] <- 0
  expect_named_error(fit_pair(yes), 'ifelse\\(s1 == "yes", y1, NA\\)')
})

test_that("a selection must sometimes select, and sometimes not", {
  data <- households()
  expect_named_error(
    fit_pair(data, subset = s1 == 1), "selection equation `s1`, `s1` always selects"
  )
  expect_named_error(
    fit_pair(data, subset = s2 == 0), "selection equation `s2`, `s2` never selects"
  )
  twins <- data
  twins[c("y2", "s2")] <- data[c("y1", "s1")]
  expect_named_error(fit_pair(twins), "`s1` and `s2` select the same rows")
})

test_that("outcomes are finite numbers that vary", {
  data <- households()
  words <- data
  words$y1 <- as.character(data$y1)
  expect_named_error(fit_pair(words), "outcome equation `y1`, `y1` must be numeric")
  seen <- which(data$s1 == 1)
  expect_named_error(fit_pair(changed("y1", Inf, seen[[1]])), "`y1` has 1 infinite value")
  expect_named_error(fit_pair(changed("y1", 4, seen)), "`y1` is 4 in every row that is selected")
  expect_named_error(
    mssm(cbind(y1, y2) ~ x1, s1 ~ x1, data), "has 2 columns"
  )
  expect_named_error(
    fit_pair(changed("x1", -Inf, 7)), "outcome equation `y1`, column `x1` has 1 value"
  )
})

test_that("more parameters than rows can bear are refused", {
  data <- households()
  expect_named_error(fit_pair(data[1:15, ]), "18 parameters for 15 rows")
  few <- data[c(which(data$s1 == 1)[1:2], which(data$s1 == 0)[1:60]), ]
  expect_named_error(
    mssm(y1 ~ x1 + z1, s1 ~ x1, few), "2 rows selected are not enough for 3 coefficients"
  )
})

test_that("weights, clusters, subsets and actions are checked", {
  data <- households()
  data$w <- 1
  expect_named_error(fit_pair(data, weights = w - 1), "must be positive", "argument")
  expect_named_error(fit_pair(data, weights = -w), "not negative", "argument")
  expect_named_error(fit_pair(data, weights = w[1:3]), "3 values for 500 rows")
  expect_named_error(fit_pair(data, cluster = ~nowhere), "cannot be evaluated", "argument")
  expect_named_error(fit_pair(data, cluster = w), "at least two groups", "argument")
  expect_named_error(fit_pair(data, subset = "a"), "logical condition", "argument")
  expect_named_error(fit_pair(data, subset = w > 1), "no rows to fit")
  expect_named_error(fit_pair(data, na.action = 3), "must be a function", "argument")
  expect_named_error(
    fit_pair(data, contrasts = list(g = "contr.sum")), "in no equation", "argument"
  )
  expect_named_error(fit_pair(data, method = "em"), "must be one of", "argument")
  expect_named_error(fit_pair(data, control = list()), "mssm_control", "argument")
  expect_named_error(fit_pair(data, metod = "ml"), "not an argument", "argument")
})

test_that("missing regressors are what na.action says", {
  holes <- changed("x1", NA, 4)
  expect_named_error(fit_pair(holes, na.action = na.fail), "missing values in `x1`")
  expect_named_error(fit_pair(changed("z2", NA)), "`z2` has no observed value")
})

test_that("a start has the shape of the model", {
  data <- people()
  start <- function(start) mssm(y1 ~ x1, s1 ~ x1 + z1, data, start = start)
  expect_named_error(start(1:3), "must have 7 parameters, not 3", "argument")
  expect_named_error(start("a"), "must be a fit", "argument")
  expect_named_error(
    start(list(coefficients = 1, omega = diag(2))), "list of 2 vectors of 2, 3", "argument"
  )
  expect_named_error(
    start(list(coefficients = list(1:2, 1:3), omega = matrix(2, 2, 2))), "positive definite",
    "argument"
  )
})

test_that("the start's latent errors are scaled to variance 1", {
  model <- list(columns = list(c("a", "b"), "c"))
  start <- check_mssm_start(
    list(coefficients = list(c(1, NA), 3), omega = matrix(c(9, 3, 3, 4), 2)), model, NULL
  )
  expect_equal(start$omega, matrix(c(9, 1.5, 1.5, 1), 2))
  expect_identical(start$coefficients, list(c(1, 0), 3))
  packed <- check_mssm_start(c(1, 2, 3, 3, 0.5), model, NULL)
  expect_equal(packed$omega, matrix(c(9, 1.5, 1.5, 1), 2))
  expect_identical(packed$coefficients, list(c(1, 2), 3))
})
