# Priors: what users write, what the core gets, and what is refused.

targets <- function(q = 2L) {
  random <- list(list(
    group = "g", label = "g", names = c("(Intercept)", "x")[seq_len(q)], core = 1L,
    positions = seq_len(q)
  ))
  table <- parameter_table(c("(Intercept)", "x"), random, TRUE, TRUE)
  prior_targets(table, random)
}

read_prior <- function(..., q = 2L) {
  clone_prior(list(...), targets(q), c(10, 20), rlang::current_env())
}

test_that("defaults are those of the help page", {
  prior <- read_prior()
  expect_identical(
    prior$left,
    c("(Intercept)", "x", "log(sigma)", "log(tau[g])", "log(tau[g,x])", "rho[g]", "log(shape)")
  )
  expect_identical(
    prior$density, c("normal", "normal", "normal", "normal", "normal", "lkj", "normal")
  )
  expect_identical(prior$index, 1:7)
  expect_identical(prior$b, c(10, 20, 31.6, 31.6, 31.6, NA, 31.6))
  expect_true(all(prior$default))
})

test_that("scales are powers of exp(w)", {
  power_of <- function(formula, index) {
    prior <- read_prior(formula)
    row <- prior[prior$index == index, ]
    expect_false(row$default)
    row$power
  }
  expect_identical(power_of(sigma ~ half_cauchy(2), 3), 1)
  expect_identical(power_of(sigma^2 ~ uniform(0, 5), 3), 2)
  expect_identical(power_of(sigma_sq ~ uniform(0, 5), 3), 2)
  expect_identical(power_of(1 / sigma^2 ~ gamma(1, 1), 3), -2)
  expect_identical(power_of((1 / sigma)^2 ~ gamma(1, 1), 3), -2)
  expect_identical(power_of(sqrt(sigma) ~ exponential(1), 3), 0.5)
  expect_identical(power_of(log(sigma) ~ normal(0, 1), 3), 0)
  expect_identical(power_of(1 / shape ~ half_normal(1), 7), -1)
  expect_identical(power_of(tau_sq[g, x] ~ inverse_gamma(1, 1), 5), 2)
})

test_that("a prior on the log of a power is one on the log", {
  prior <- read_prior(log(sigma^2) ~ normal(1, 4), log(1 / tau[g]) ~ uniform(-2, 5))
  expect_identical(unlist(prior[prior$index == 3, c("power", "a", "b")], use.names = FALSE),
    c(0, 0.5, 2)
  )
  expect_identical(unlist(prior[prior$index == 4, c("power", "a", "b")], use.names = FALSE),
    c(0, -5, 2)
  )
})

test_that("a name stands for one or for all parameters, and the last formula counts", {
  prior <- read_prior(beta ~ normal(1, 2), x ~ normal(3, 4), tau ~ half_normal(5))
  expect_identical(prior$a[1:2], c(1, 3))
  expect_identical(prior$density[4:5], rep("half_normal", 2))
  expect_identical(read_prior(x ~ normal(3, 4), beta ~ normal(1, 2))$a[1:2], c(1, 1))
  expect_identical(read_prior(tau[g] ~ half_normal(5))$density[4:5], rep("half_normal", 2))
  only <- read_prior(tau[g, (Intercept)] ~ half_normal(5))
  expect_identical(only$density[4:5], c("half_normal", "normal"))
  expect_identical(read_prior(rho ~ lkj(4))$a[[6]], 4)
  size <- 7
  expect_identical(read_prior(x ~ normal(sd = size, mean = 0))$b[[2]], 7)
})

test_that("distributions outside the support and unknown words are errors", {
  wrong <- list(
    sigma ~ normal(0, 1), sigma^2 ~ uniform(-1, 5), sigma^2 ~ uniform(5, 1), x ~ gamma(1, 1),
    log(sigma) ~ gamma(1, 1), tau ~ lkj(1), rho ~ normal(0, 1), sigma ~ gamma(0, 1),
    sigma ~ gamma(1), sigma ~ gamma(1, 2, 3), sigma ~ gamma(1, nothing_here), sigma ~ weird(1),
    sigma ~ 3, kappa ~ normal(0, 1), tau[h] ~ half_cauchy(1), log(beta) ~ normal(0, 1),
    beta^2 ~ gamma(1, 1), log(log(sigma)) ~ normal(0, 1), x ~ normal(0, -1), x ~ normal(0, Inf)
  )
  for (formula in wrong) {
    error <- expect_error(read_prior(formula), class = "ember_error_argument")
    expect_identical(error$argument, "prior")
  }
  expect_error(note_fit(prior = "a"), class = "ember_error_argument")
  expect_error(note_fit(prior = list(~sigma)), class = "ember_error_argument")
})

test_that("a prior that leaves out the estimate is an error", {
  expect_error(
    note_fit(prior = list(sigma^2 ~ uniform(1, 5))), "estimate is 0.0429",
    class = "ember_error_argument"
  )
  expect_error(
    note_fit(prior = list(`(Intercept)` ~ uniform(3, 5))), class = "ember_error_argument"
  )
})

test_that("priors are printed as they are written", {
  expect_snapshot(read_prior(sigma^2 ~ uniform(0.001, 5), rho ~ lkj(2), 1 / shape ~ flat()))
})
