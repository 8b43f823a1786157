fit <- note_fit(clones = c(1, 10, 50))

test_that("the influence of a prior fades like 1/K", {
  moved <- prior_influence(fit, list(`(Intercept)` ~ normal(10, 1)), seed = 2)
  expect_s3_class(moved, "ember_prior_influence")
  own <- moved[moved$parameter == "(Intercept)", ]
  # A normal prior and a nearly normal likelihood: the shift in standard errors is that of their
  # product.
  error <- own$dc.sd[[3]]
  expected <- (10 - coef(fit)[["(Intercept)"]]) * error / (own$n.clones + error^2)
  expect_lt(max(abs(own$shift - expected) - 4 * own$mc.error - 0.03 * expected), 0)
  expect_output(print(moved), "Largest with 50 clones")
})

test_that("several priors are compared, and there is a default", {
  both <- prior_influence(fit,
    list(
      note = list(sigma^2 ~ uniform(0.001, 5), tau^2 ~ gamma(0.01, 0.01)),
      tight = list(`(Intercept)` ~ normal(0, 0.2))
    ),
    clones = c(1, 50), seed = 3
  )
  expect_identical(unique(both$prior), c("note", "tight"))
  expect_identical(unique(both$n.clones), c(1L, 50L))
  at <- function(k) abs(both$shift[both$n.clones == k])
  expect_lt(max(at(50)), max(at(1)) / 10)
  default <- prior_influence(fit, clones = 50, seed = 4)
  expect_identical(unique(default$prior), "half-Cauchy")
  expect_lt(max(abs(default$shift) - 4 * default$mc.error), 0.05)
})

test_that("the shift is drawn", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  moved <- prior_influence(fit, list(`(Intercept)` ~ normal(10, 1)), seed = 2)
  expect_no_error(plot(moved))
  expect_no_error(plot(moved, "sigma_sq"))
})

test_that("what cannot be used is an error", {
  expect_error(prior_influence(1), class = "ember_error_argument")
  expect_error(prior_influence(fit, clones = 7), class = "ember_error_argument")
  expect_error(prior_influence(fit, list(sigma ~ nothing(1))), class = "ember_error_argument")
  expect_error(
    prior_influence(fit, list(list(sigma ~ half_cauchy(1)))), class = "ember_error_argument"
  )
})
