# What cannot be fitted is a classed error that names the variable and says what to do; several
# hundred calls that users make by mistake return a fit or end in such an error.

cows <- local({
  set.seed(11)
  d <- data.frame(
    x = rnorm(60), z = runif(60), g = gl(6, 10), h = factor(rep(1:10, 6)), w = runif(60, 0.5, 2),
    f = factor(rep(c("a", "b", "c"), 20)), word = rep(c("u", "v"), 30)
  )
  d$y <- 1 + d$x + rnorm(6)[d$g] + rnorm(60)
  d
})

with_value <- function(column, row, value) {
  cows[[column]][row] <- value
  cows
}

expect_data_error <- function(object, column, pattern) {
  error <- expect_error(object, pattern, class = "ember_error_data")
  expect_s3_class(error, "ember_error")
  expect_identical(error$column, column)
  expect_match(conditionMessage(error), column, fixed = TRUE)
}

test_that("variables that cannot be used are named", {
  expect_data_error(lmm(y ~ mass + (1 | g), cows), "mass", "not in `data`")
  expect_data_error(lmm(y ~ x + (1 | farm), cows), "farm", "not in `data`")
  expect_data_error(lmm(milk ~ x + (1 | g), cows), "milk", "not in `data`")
  expect_data_error(lmm(y ~ log(mass) + (1 | g), cows), "mass", "not in `data`")
  expect_data_error(lmm(y ~ x + (mass | g), cows), "mass", "not in `data`")
  expect_data_error(lmm(y ~ mean + (1 | g), cows), "mean", "a function")
  cows$list <- as.list(1:60)
  expect_data_error(lmm(y ~ list + (1 | g), cows), "list", "cannot be used")
  expect_data_error(lmm(y ~ x + (1 | list), cows), "list", "cannot be used")
  cows$wave <- complex(60, 1, 1)
  expect_data_error(lmm(y ~ wave + (1 | g), cows), "wave", "cannot be used")
  short <- 1:7
  expect_data_error(lmm(y ~ short + (1 | g), cows), "short", "7 values for 60 rows")
})

test_that("responses that are not numbers are refused", {
  expect_data_error(lmm(word ~ x + (1 | g), cows), "word", "must be numeric")
  expect_data_error(lmm(f ~ x + (1 | g), cows), "f", "must be numeric")
  cows$yes <- cows$y > 0
  expect_data_error(lmm(yes ~ x + (1 | g), cows), "yes", "must be numeric")
  cows$when <- as.Date("2024-01-01") + 1:60
  expect_data_error(lmm(when ~ x + (1 | g), cows), "when", "must be numeric")
  expect_data_error(lmm(cbind(y, x) ~ z + (1 | g), cows), "cbind(y, x)", "2 columns")
  expect_data_error(lmm(y ~ x + (1 | g), transform(cows, y = 2)), "y", "2 in every row")
  expect_error(lmm(y ~ y + (1 | g), cows), "response", class = "ember_error")
  expect_s3_class(lmm(scale(y) ~ x + (1 | g), cows), "ember_lmm")
})

test_that("values that are not finite are found", {
  expect_data_error(lmm(y ~ x + (1 | g), with_value("y", 3, Inf)), "y", "1 value")
  expect_data_error(lmm(y ~ x + (1 | g), with_value("x", 3:4, -Inf)), "x", "2 values")
  expect_data_error(lmm(y ~ z + (x | g), with_value("x", 3, Inf)), "x", "not finite")
  expect_data_error(lmm(y ~ x:f + (1 | g), with_value("x", 3, Inf)), "x", "not finite")
  expect_error(
    lmm(y ~ x + (1 | g), with_value("z", 2, Inf), offset = z), "offset", class = "ember_error_data"
  )
  expect_identical(lmm(y ~ x + (1 | g), with_value("x", 3, NaN))$nobs, 59L)
  expect_data_error(lmm(y ~ x + log(z - 5) + (1 | g), cows) |> suppressWarnings(), "log(z - 5)",
    "no observed value"
  )
})

test_that("predictors beyond the arithmetic are named", {
  far <- transform(cows, x = 1e12 + x)
  expect_data_error(lmm(y ~ x + (x | g), far), "x", "[Cc]entre")
})

test_that("no rows, or none complete, is an error that says why", {
  expect_error(lmm(y ~ x + (1 | g), cows[0, ]), "no rows", class = "ember_error_data")
  expect_error(lmm(y ~ x + (1 | g), cows, subset = x > 99), "no rows", class = "ember_error_data")
  expect_data_error(lmm(y ~ x + (1 | g), transform(cows, x = NA_real_)), "x", "no observed value")
  expect_data_error(lmm(y ~ x + (1 | g), transform(cows, g = NA)), "g", "no observed value")
  halves <- transform(cows, x = replace(x, 1:30, NA), z = replace(z, 31:60, NA))
  error <- expect_error(
    lmm(y ~ x + z + (1 | g), halves), "Every row has a missing value", class = "ember_error_data"
  )
  expect_match(conditionMessage(error), "`x`, `z`")
})

test_that("random terms that nobody could estimate are errors", {
  expect_data_error(lmm(y ~ x + (1 | one), transform(cows, one = "a")), "one", "only one level")
  expect_data_error(lmm(y ~ x + (1 | row), transform(cows, row = 1:60)), "row", "as many levels")
  expect_data_error(lmm(y ~ x + (f * x | g:h), cows[c(1:30, 1:30), ]), "g:h", "effects")
  expect_data_error(lmm(y ~ x + (k | g), transform(cows, k = 3)), "k", "3 in every row")
  expect_data_error(lmm(y ~ x + (0 + k | g), transform(cows, k = 0)), "k", "0 in every row")
  expect_error(lmm(y ~ x + (1 | g) + (1 | g), cows), "twice", class = "ember_error_argument")
  expect_error(lmm(y ~ x + (x | g) + (1 | g), cows), "`\\(Intercept\\)` of `g` twice",
    class = "ember_error_argument"
  )
  expect_data_error(lmm(y ~ x + (1 | g / g), cows), "g:g", "same groups")
  alias <- transform(cows, farm = paste("farm", g))
  expect_error(lmm(y ~ x + (1 | g) + (1 | farm), alias), "same groups", class = "ember_error_data")
  expect_error(lmm(y ~ x + (0 | g), cows), "without effects", class = "ember_error_argument")
  expect_error(lmm(y ~ x + (1 | g + h), cows), "grouping factor", class = "ember_error_argument")
  expect_error(lmm(y ~ x + (1 | 1), cows), "grouping factor", class = "ember_error_argument")
  expect_data_error(lmm(y ~ one + (1 | g), transform(cows, one = "a")), "one", "only one level")
  # With a known residual variance, one row per group says something about the groups.
  expect_s3_class(
    suppressMessages(lmm(y ~ x + (1 | row), transform(cows, row = 1:60), known = list(sigma = 1))),
    "ember_lmm"
  )
})

test_that("weights, offsets and subsets are checked", {
  expect_argument_error <- function(object, argument, pattern) {
    error <- expect_error(object, pattern, class = "ember_error_argument")
    expect_identical(error$argument, argument)
  }
  zero <- with_value("w", 5, 0)
  expect_argument_error(lmm(y ~ x + (1 | g), zero, weights = w), "weights", "Weight 5 is 0")
  negative <- with_value("w", 5, -2)
  expect_argument_error(lmm(y ~ x + (1 | g), negative, weights = w), "weights", "Weight 5 is -2")
  expect_argument_error(lmm(y ~ x + (1 | g), cows, weights = word), "weights", "numeric")
  expect_argument_error(lmm(y ~ x + (1 | g), cows, weights = nope), "weights", "evaluated")
  expect_error(lmm(y ~ x + (1 | g), cows, weights = 1:7), "`weights` has 7", class = "ember_error")
  expect_argument_error(lmm(y ~ x + (1 | g), cows, offset = word), "offset", "numeric")
  expect_error(lmm(y ~ x + (1 | g), cows, offset = 1:7), "`offset` has 7", class = "ember_error")
  expect_argument_error(lmm(y ~ x + (1 | g), cows, subset = "a"), "subset", "condition")
  expect_argument_error(lmm(y ~ x + (1 | g), 1:3), "data", "data frame")
  expect_argument_error(lmm(y ~ x + (1 | g), as.matrix(cows)), "data", "data frame")
  expect_argument_error(lmm(y ~ x + (1 | g), cows, REML = NA), "REML", "TRUE or FALSE")
  expect_argument_error(lmm(y ~ x + (1 | g), cows, method = "ml"), "method", "px-em")
  expect_argument_error(lmm(y ~ x + (1 | g), cows, start = 1:2), "start", "1 finite number")
  expect_argument_error(lmm(y ~ x + (1 | g), cows, control = list()), "control", "em_control")
  nothing <- "no_such_action"
  expect_argument_error(lmm(y ~ x + (1 | g), cows, na.action = nothing), "na.action", "na.omit")
  expect_argument_error(lmm(y ~ f + (1 | g), cows, contrasts = list(f = "none")), "contrasts", "")
  expect_argument_error(lmm(y ~ f + (1 | g), cows, contrasts = "contr.sum"), "contrasts", "list")
  expect_argument_error(lmm(y ~ x + (1 | g), cows, start = list(beta = 1)), "start", "theta")
  expect_argument_error(lmm(y ~ x + (y | g), cows), "formula", "response `y` among")
  expect_argument_error(lmm(y ~ x + (1 | g), cows, verbose = 1), "verbose", "not an argument")
  expect_argument_error(lmm(data = cows), "formula", "missing")
  expect_argument_error(lmm(y ~ x + (1 | g), cows, dispersion = "f"), "dispersion", "one-sided")
  expect_argument_error(lmm(y ~ x + (1 | g), cows, dispersion = ~nope), "dispersion", "evaluated")
  one <- transform(cows, one = "a")
  expect_argument_error(lmm(y ~ x + (1 | g), one, dispersion = ~one), "dispersion", "two levels")
})

test_that("known variances are checked", {
  expect_known_error <- function(known, argument, formula = y ~ x + (1 | g)) {
    error <- expect_error(lmm(formula, cows, known = known), class = "ember_error_argument")
    expect_identical(error$argument, argument)
  }
  expect_known_error(1, "known")
  expect_known_error(list(1), "known")
  expect_known_error(list(tau = 1), "known")
  expect_known_error(list(sigma = 0), "known$sigma")
  expect_known_error(list(sigma = "a"), "known$sigma")
  expect_known_error(list(sd = 1), "known$sd")
  expect_known_error(list(sd = c(h = 1)), "known$sd")
  expect_known_error(list(sd = c(g = -1)), "known$sd$g")
  expect_known_error(list(sd = list(g = c(x = 1))), "known$sd$g")
  expect_known_error(list(sd = list(g = c(x = 1))), "known$sd$g", y ~ x + (x | g))
})

# Every value in the place of every argument, and of every variable.
mistakes <- function() {
  values <- odd_values()
  arguments <- c(
    "formula", "data", "REML", "weights", "offset", "subset", "na.action", "contrasts", "method",
    "start", "control", "dispersion", "known"
  )
  by_argument <- unlist(lapply(arguments, function(argument) {
    lapply(names(values), function(name) {
      arguments <- list(formula = y ~ x + (1 | g), data = cows)
      arguments[argument] <- list(values[[name]])
      list(label = paste(argument, name), arguments = arguments)
    })
  }), recursive = FALSE)
  columns <- Filter(function(value) {
    is.null(value) || is.atomic(value) || is.list(value)
  }, c(values, list(
    inf_column = rep(c(1, Inf), 30), na_column = rep(NA_real_, 60), constant = rep(1, 60),
    zeros = rep(0, 60), huge_column = rnorm(60) * 1e300, tiny_column = rnorm(60) * 1e-300,
    row_numbers = 1:60, halves = rep(c(0, NA), 30), strings = rep(c("a", "%s {b}"), 30),
    dates = as.Date("2020-01-01") + 1:60, list_column = as.list(1:60),
    matrix_column = matrix(rnorm(120), 60), shifted = 1e12 + rnorm(60), raws = as.raw(1:60),
    ordered = factor(rep(1:3, 20), ordered = TRUE), empty_levels = factor(rep(1:2, 30), 1:9),
    levels_na = addNA(factor(rep(c(1, NA), 30)))
  )))
  by_variable <- unlist(lapply(c("y", "x", "g", "w"), function(variable) {
    lapply(names(columns), function(name) {
      data <- as.list(cows)
      data[variable] <- list(columns[[name]])
      list(
        label = paste("column", variable, name),
        arguments = list(formula = y ~ x + (x | g), data = data, weights = quote(w))
      )
    })
  }), recursive = FALSE)
  texts <- c(
    "y ~ x | g", "y ~ (x | g) | h", "y ~ (1 | g)^2", "y ~ (1 | g):x", "y ~ (1 | g)/h", "~ (1 | g)",
    "y ~ (1 | )", "y ~ (g | 1)", "y ~ (1 | g*h)", "y ~ (1 | g - h)", "y ~ (1 | g^2)", "y ~ ((1 | g",
    "y ~ -(1 | g)", "y ~ 0 + (0 | g)", "y ~ (1 | g) + .", "y ~ (. | g)", "y ~ (1 | .)", "y ~ 0",
    "y ~ 0 + (1 | g)", "0 ~ x + (1 | g)", "1 ~ (1 | g)", "y + x ~ (1 | g)", "NULL ~ (1 | g)",
    "y ~ NULL + (1 | g)", "y ~ 'x' + (1 | g)", "y ~ TRUE + (1 | g)", "y ~ x + (1 | 'g')",
    "y ~ offset(f) + (1 | g)", "y ~ x + (offset(x) | g)", "y ~ poly(x, 99) + (1 | g)",
    "y ~ x + (poly(x, 59) | g)", "y ~ x + (f:h | g)", "y ~ f*h*g + (1 | g)", "y ~ g + (1 | g)",
    "y ~ x + (1 | x)", "y ~ x + (1 | y)", "y ~ x + (y | g)", "y ~ log(x) + (1 | g)",
    "y ~ I(x/0) + (1 | g)", "y ~ x + (I(x/0) | g)", "y ~ x + (1 | is.na(g))", "y ~ x + (1 | g > 3)",
    "y ~ x + (1 || g)", "y ~ x + (0 || g)", "y ~ x + (f || g)", "y ~ x + (x || g/h)",
    "y ~ stop('no') + (1 | g)", "y ~ x + (stop('no') | g)", "y ~ x + (1 | stop('no'))",
    "y ~ x + (1 | f(g))", "y ~ x + (1 | g:g)", "y ~ x + (1 | g:h:f)", "y ~ x + (x + x | g)",
    "y ~ x + (1 | g) + (1 | h) + (1 | f) + (1 | word)", "y ~ x + (1 | word)", "y ~ s(x) + (1 | g)",
    "y ~ word + (word | g)", "log(y) ~ x + (1 | g)", "sqrt(y - 99) ~ x + (1 | g)", "y ~ x + (1|g)+"
  )
  by_formula <- lapply(texts, function(text) {
    list(label = text, arguments = list(
      formula = tryCatch(stats::as.formula(text), error = function(cnd) text), data = cows
    ))
  })
  c(by_argument, by_variable, by_formula)
}

# NULL if the call gave a sound fit or a classed error, otherwise what it did.
judge <- function(case) {
  # Symbols and calls arrive as values, but where lmm() takes expressions.
  taken_as_written <- names(case$arguments) %in% c("weights", "offset", "subset")
  arguments <- Map(function(argument, as_written) {
    if (is.language(argument) && !as_written) call("quote", argument) else argument
  }, case$arguments, taken_as_written)
  outcome <- suppressWarnings(suppressMessages(
    tryCatch(eval(as.call(c(quote(lmm), arguments))), error = identity)
  ))
  if (inherits(outcome, "ember_lmm")) {
    numbers <- c(outcome$criterion, outcome$sigma, outcome$beta, outcome$theta)
    return(if (!all(is.finite(numbers))) paste0(case$label, ": unsound fit"))
  }
  if (!inherits(outcome, "ember_error") || grepl("panic", conditionMessage(outcome))) {
    paste0(case$label, ": ", conditionMessage(outcome))
  }
}

test_that("hundreds of mistaken calls give a sound fit or a classed error", {
  cases <- mistakes()
  expect_gt(length(cases), 800L)
  expect_identical(unlist(lapply(cases, judge)), NULL)
})
