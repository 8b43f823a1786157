test_that("the draws are lme4's where it draws what we draw", {
  cases <- peer_cases()
  with_peers(function(ours, peer, name, case) {
    expect_equal(
      simulate(ours, nsim = 3, seed = 11), stats::simulate(peer, nsim = 3, seed = 11),
      tolerance = 1e-6, ignore_attr = TRUE, info = name
    )
    expect_equal(
      simulate(ours, nsim = 2, seed = 5, re.form = NULL),
      stats::simulate(peer, nsim = 2, seed = 5, re.form = NULL), tolerance = 1e-6,
      ignore_attr = TRUE, info = name
    )
  }, cases[c("slope", "split", "crossed", "aliased", "nested")])
})

test_that("moments of the draws are those of the model", {
  data <- study()
  fit <- lmm(y ~ day + (day | person), data = data, weights = weight)
  draws <- as.matrix(simulate(fit, nsim = 4000, seed = 1))
  lambda <- as.matrix(getME(fit, "Z")) %*% as.matrix(getME(fit, "Lambda"))
  marginal <- sigma(fit)^2 * (tcrossprod(lambda) + diag(1 / data$weight))
  row <- c(1L, 10L, 25L)
  # Four standard errors of a mean and of a variance of 4000 draws.
  error <- sqrt(diag(marginal)[row] / 4000)
  expect_true(all(abs(rowMeans(draws[row, ]) - predict(fit, re.form = NA)[row]) < 4 * error))
  variances <- apply(draws[row, ], 1L, stats::var)
  expect_true(all(abs(variances / diag(marginal)[row] - 1) < 4 * sqrt(2 / 4000)))
  expect_lt(abs(stats::cor(draws[1L, ], draws[10L, ]) - stats::cov2cor(marginal)[1L, 10L]), 0.06)
  # With the effects kept, only the residuals vary.
  kept <- as.matrix(simulate(fit, nsim = 4000, seed = 1, use.u = TRUE))
  expect_true(all(abs(
    apply(kept[row, ], 1L, stats::var) * data$weight[row] / sigma(fit)^2 - 1
  ) < 4 * sqrt(2 / 4000)))
})

test_that("effects that are kept leave the others to be drawn", {
  fit <- lmm(y ~ day + (day | person) + (1 | site), data = study())
  draws <- as.matrix(simulate(fit, nsim = 4000, seed = 2, re.form = ~ (day | person)))
  expected <- VarCorr(fit)$site[[1L]] + sigma(fit)^2
  expect_lt(abs(stats::var(draws[7L, ]) / expected - 1), 4 * sqrt(2 / 4000))
  mean <- predict(fit, re.form = ~ (day | person))[[7L]]
  expect_lt(abs(mean(draws[7L, ]) - mean), 4 * sqrt(expected / 4000))
})

test_that("new rows and new levels are drawn, seeds kept", {
  fit <- lmm(y ~ day + (1 | person), data = gappy_study(), na.action = na.exclude)
  new <- data.frame(day = 1:3, person = c("p01", "new", "new"), row.names = c("a", "b", "c"))
  draws <- simulate(fit, nsim = 500, seed = 1, newdata = new, allow.new.levels = TRUE)
  expect_equal(rownames(draws), c("a", "b", "c"))
  expect_gt(stats::cor(t(as.matrix(draws)))[2L, 3L], 0.3)
  expect_error(simulate(fit, newdata = new), class = "ember_error_argument")
  expect_equal(which(is.na(simulate(fit)$sim_1)), c(3L, 50L, 77L))
  set.seed(1)
  one <- simulate(fit)
  set.seed(1)
  expect_identical(simulate(fit), one)
  before <- .Random.seed
  simulate(fit, seed = 3)
  expect_identical(.Random.seed, before)
  expect_error(simulate(fit, nsim = 0), class = "ember_error_argument")
  expect_error(simulate(fit, use.u = TRUE, re.form = NA), class = "ember_error_argument")
})
