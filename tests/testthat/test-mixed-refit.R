test_that("refit() is a fit to the other response", {
  data <- study()
  fit <- lmm(y ~ day + (day | person), data = data)
  new <- simulate(fit, seed = 9)
  again <- refit(fit, new)
  data$y <- new$sim_1
  fresh <- lmm(y ~ day + (day | person), data = data)
  expect_equal(again$criterion, fresh$criterion, tolerance = 1e-9)
  expect_equal(fixef(again), fixef(fresh), tolerance = 1e-5)
  expect_equal(fitted(again), fitted(fresh), tolerance = 1e-5)
  expect_equal(unname(model.response(model.frame(again))), new$sim_1)
  expect_equal(refit(fit)$criterion, fit$criterion, tolerance = 1e-9)
})

test_that("rows that were left out may be in the response or not", {
  fit <- lmm(y ~ day + (1 | person), data = gappy_study(), na.action = na.exclude)
  new <- simulate(fit, seed = 9)
  expect_equal(nrow(new), 120L)
  expect_equal(
    refit(fit, new)$criterion, refit(fit, new$sim_1[!is.na(new$sim_1)])$criterion,
    tolerance = 1e-10
  )
  expect_error(refit(fit, 1:3), "117", class = "ember_error_argument")
  expect_error(refit(fit, rep(Inf, 117)), class = "ember_error_argument")
  expect_error(refit(fit, simulate(fit, nsim = 2)), class = "ember_error_argument")
})

test_that("refitML() is a fit by maximum likelihood", {
  fit <- lmm(y ~ day + (1 | person) + (1 | site), data = study())
  fresh <- lmm(y ~ day + (1 | person) + (1 | site), data = study(), REML = FALSE)
  again <- refitML(fit)
  expect_false(isREML(again))
  expect_equal(again$criterion, fresh$criterion, tolerance = 1e-10)
  expect_identical(refitML(fresh), fresh)
  expect_equal(extractAIC(fit), c(5, AIC(fresh)), tolerance = 1e-9)
})

test_that("update() changes the call and finds its variables", {
  data <- study()
  fit <- lmm(y ~ day + (1 | person), data = data)
  expect_named(fixef(update(fit, . ~ . + kind)), c("(Intercept)", "day", "kindb", "kindc"))
  expect_named(ngrps(update(fit, . ~ . - (1 | person) + (1 | site))), "site")
  expect_false(isREML(update(fit, REML = FALSE)))
  expect_equal(
    deparse1(update(fit, . ~ . - day, evaluate = FALSE)$formula), "y ~ (1 | person)"
  )
  inside <- function() {
    half <- data[1:60, ]
    update(fit, data = half)
  }
  expect_equal(nobs(inside()), 60)
})
