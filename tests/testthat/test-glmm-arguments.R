visits <- function() {
  data.frame(
    y = c(3, 0, 2, 5, 1, 0, 4, 2, 1, 7, 0, 3), g = factor(rep(1:4, each = 3)),
    h = factor(rep(1:3, 4)), x = c(1, 4, 2, 5, 3, 1, 2, 6, 4, 4, 2, 1), one = 1
  )
}

argument_error <- function(expression, words) {
  expect_error(expression, words, class = "ember_error_argument")
}

test_that("an argument that cannot be used is named", {
  data <- visits()
  argument_error(glmm(data = data, family = poisson()), "`formula` is missing")
  argument_error(glmm(y ~ x + (1 | g), data), "`family` is missing")
  argument_error(glmm(y ~ x, data, poisson()), "no random term")
  argument_error(glmm("y", data, poisson()), "`formula` must be a formula")
  argument_error(glmm(y ~ x + (1 | g), 1:3, poisson()), "`data`")
  argument_error(glmm(y ~ x + (1 | g), data, poisson(), REML = TRUE), "`REML` is not an argument")
  argument_error(glmm(y ~ x + (1 | g), data, poisson(), control = list()), "`control`")
  argument_error(glmm(y ~ x + (1 | g), data, poisson(), weights = letters[x]), "`weights`")
  argument_error(glmm(y ~ x + (1 | g), data, poisson(), weights = x - 1), "Weight 1 is 0")
  argument_error(glmm(y ~ x + (1 | g), data, poisson(), weights = nowhere), "`weights`")
  argument_error(glmm(y ~ x + (1 | g), data, poisson(), offset = letters[x]), "`offset`")
  argument_error(glmm(y ~ x + (1 | g), data, poisson(), subset = letters[x]), "`subset`")
  argument_error(glmm(y ~ x + (1 | g), data, poisson(), na.action = "nothing"), "`na.action`")
  argument_error(glmm(y ~ x + (1 | g), data, poisson(), contrasts = "a"), "`contrasts`")
  expect_error(glmm(y ~ x + (1 | one), data, poisson()), "one level", class = "ember_error_data")
  expect_error(glmm(y ~ nowhere + (1 | g), data, poisson()), class = "ember_error_data")
})

test_that("quadrature is for one grouping factor with few effects", {
  data <- visits()
  for (points in list(0, 101, 1.5, "a", NA, c(1, 2), NULL)) {
    argument_error(glmm(y ~ x + (1 | g), data, poisson(), n_agq = points), "n_agq")
  }
  argument_error(glmm(y ~ (1 | g) + (1 | h), data, poisson(), n_agq = 5), "several grouping")
  argument_error(glmm(y ~ (poly(x, 3) | g), data, poisson(), n_agq = 5), "4 random effects")
})

test_that("a start has the right lengths", {
  data <- visits()
  start <- function(value) glmm(y ~ x + (1 | g), data, poisson(), start = value)
  argument_error(start(c(1, 2)), "`start\\$theta` must be 1 finite number")
  argument_error(start(list(theta = NA)), "start\\$theta")
  argument_error(start(list(beta = 1)), "`start\\$beta` must be 2 finite numbers")
  argument_error(start(list(fixef = "a")), "start\\$beta")
  argument_error(start(list(sigma = 1)), "`start` must be a list")
  argument_error(start("a"), "`start` must be a list")
  argument_error(
    glmm(y ~ x + (1 | g), data, negative_binomial(), start = list(shape = -1)), "start\\$shape"
  )
})

test_that("a random effect for each single trial is refused, for each count it is not", {
  data <- transform(visits(), row = factor(1:12))
  expect_error(
    glmm((y > 2) ~ x + (1 | row), data, binomial()), "as many levels as there are rows",
    class = "ember_error_data"
  )
  expect_identical(ngrps(suppressMessages(glmm(y ~ x + (1 | row), data, poisson()))), c(row = 12L))
})
