# What data_clone() refuses, and what it says.

refused <- function(..., class = "ember_error_argument") {
  testthat::expect_error(note_fit(...), class = class)
}

argument_of <- function(...) tryCatch(note_fit(...), error = function(cnd) cnd$argument)

test_that("arguments that cannot be used are errors that name them", {
  for (clones in list(0, c(10, 1), c(1, 1), 1.5, "a", NA, numeric(), Inf, -1)) {
    expect_identical(argument_of(clones = clones), "clones")
  }
  expect_identical(argument_of(n_iter = 10), "n_iter")
  expect_identical(argument_of(n_iter = 100, thin = 50), "n_iter")
  expect_identical(argument_of(n_iter = 10.5), "n_iter")
  expect_identical(argument_of(n_burnin = -1), "n_burnin")
  expect_identical(argument_of(n_chains = 0), "n_chains")
  expect_identical(argument_of(thin = 0), "thin")
  expect_identical(argument_of(cores = 0), "cores")
  expect_identical(argument_of(seed = "a"), "seed")
  expect_identical(argument_of(sampler = "metropolis"), "sampler")
  expect_identical(argument_of(control = list()), "control")
  expect_identical(argument_of(another = 1), "another")
  expect_identical(argument_of(family = gaussian("log")), "family")
  expect_identical(argument_of(family = "nothing"), "family")
  expect_error(data_clone(), class = "ember_error_argument")
  expect_error(data_clone(Y ~ 1, note_herd()), "no random term", class = "ember_error_argument")
})

test_that("data that cannot be fitted are errors", {
  herd <- note_herd()
  expect_error(
    data_clone(Y ~ 1 + (1 | nobody), herd), "nobody", class = "ember_error_data"
  )
  expect_error(
    data_clone(Y ~ 1 + (1 | one), transform(herd, one = "a")), "only one level",
    class = "ember_error_data"
  )
  expect_error(
    data_clone(flat ~ 1 + (1 | animal), transform(herd, flat = 1)), class = "ember_error_data"
  )
})

test_that("samplers are for the models they can sample", {
  skip_if_not_installed("lme4")
  expect_error(
    data_clone(Reaction ~ Days + (Days | Subject), lme4::sleepstudy, sampler = "independent"),
    "one random intercept", class = "ember_error_argument"
  )
})

test_that("the default prior of fixed effects is wide whatever the units", {
  herd <- transform(note_herd(), x = stats::rnorm(200), year = 2000 + rep(1:10, 20))
  scale_of <- function(data) {
    prior <- prior(suppressWarnings(
      data_clone(Y ~ x + year + (1 | animal), data, clones = 1, n_iter = 50, seed = 1)
    ))
    prior$b[1:3]
  }
  one <- scale_of(herd)
  ten <- scale_of(transform(herd, x = 10 * x))
  expect_equal(ten[[2]], one[[2]] / 10)
  expect_equal(ten[-2], one[-2])
  size <- sqrt(mean(herd$Y^2))
  spread <- function(x) sqrt(mean((x - mean(x))^2))
  expect_equal(one[2:3], 100 * size / c(spread(herd$x), spread(herd$year)))
  expect_gt(one[[1]], 100 * size * 2000 / spread(herd$year))
})

test_that("a sparse X has the same default prior", {
  dense <- matrix(c(rep(1, 6), 0, 2, 0, 0, 5, 0), 6)
  sparse <- Matrix::Matrix(dense, sparse = TRUE)
  slots <- list(p = sparse@p, i = sparse@i, x = sparse@x, columns = 2L)
  expect_equal(column_moments(slots, 6L), column_moments(dense, 6L))
  expect_equal(unname(dense_fixed(slots)), dense)
})
