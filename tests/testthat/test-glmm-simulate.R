test_that("with the same seed the responses are those of lme4", {
  cases <- glmm_peer_cases()[c("counts_of_two", "proportions", "bernoulli")]
  with_glmm_peers(function(ours, theirs, name) {
    mine <- simulate(ours, 2, seed = 5)
    peer <- simulate(theirs, 2, seed = 5)
    expect_equal(as.matrix(mine), as.matrix(peer), ignore_attr = TRUE, info = name)
    expect_equal(
      as.matrix(simulate(ours, seed = 5, re.form = NULL)),
      as.matrix(simulate(theirs, seed = 5, re.form = NULL)), ignore_attr = TRUE, info = name
    )
  }, cases)
})

test_that("responses have the form of the one that was fitted", {
  data <- glmm_bernoulli()
  forms <- list(
    data$y, data$y == 1, factor(c("no", "yes")[data$y + 1]), cbind(data$y, 2 - data$y)
  )
  for (y in forms) {
    data$response <- y
    fit <- suppressMessages(glmm(response ~ x + (1 | g), data, binomial()))
    drawn <- simulate(fit, seed = 1)$sim_1
    expect_identical(is.numeric(drawn), is.numeric(y))
    expect_identical(is.logical(drawn), is.logical(y))
    expect_identical(levels(drawn), levels(y))
    expect_identical(dim(drawn), dim(y))
  }
  expect_true(all(rowSums(drawn) == 2))
})

test_that("the moments are those of the family", {
  # Without much variation between groups mean and variance are those of the family.
  data <- data.frame(g = factor(rep(1:2, each = 20000)), y = 1)
  fits <- list(
    list(poisson("identity"), NULL, 3, 3),
    list(negative_binomial(2, "identity"), 2, 3, 3 + 9 / 2),
    list(Gamma("identity"), 4, 3, 9 / 4)
  )
  small <- glmm_counts()[1:80, ]
  for (case in fits) {
    y <- if (case[[1L]]$family == "Gamma") small$exposure else small$level
    small$y <- y
    fit <- suppressWarnings(suppressMessages(glmm(y ~ 1 + (1 | g), small, case[[1L]])))
    fit$beta[] <- 3
    fit$theta[] <- 1e-8
    fit$shape <- case[[2L]]
    drawn <- simulate(fit, newdata = data, seed = 2)$sim_1
    expect_equal(mean(drawn), case[[3L]], tolerance = 0.02)
    expect_equal(var(drawn), case[[4L]], tolerance = 0.05)
  }
})

test_that("seeds rule, and the generator is left alone", {
  fit <- fit_glmm_peer_case(glmm_peer_cases()$offset)
  set.seed(1)
  state <- .Random.seed
  one <- simulate(fit, seed = 9)
  expect_identical(.Random.seed, state)
  expect_identical(simulate(fit, seed = 9), one)
  expect_false(identical(simulate(fit, seed = 10), one))
  expect_identical(dim(one), c(160L, 1L))
  expect_identical(which(is.na(one$sim_1)), c(3L, 50L))
  expect_error(simulate(fit, 0), class = "ember_error_argument")
  expect_error(simulate(fit, use.u = TRUE, re.form = NA), class = "ember_error_argument")
})
