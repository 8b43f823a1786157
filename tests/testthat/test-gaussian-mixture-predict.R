labels <- 1L + (faithful$waiting > 66)
two <- gaussian_mixture(faithful, model = "VVV", start = labels)
one_d <- gaussian_mixture(~waiting, model = "V", data = faithful, start = labels)

test_that("predictions are those of plain R", {
  x <- as.matrix(faithful)
  expect_equal(
    unname(predict(two, type = "log_density")), reference_log_density(x, two), tolerance = 1e-12
  )
  expect_equal(
    unname(predict(two, type = "posterior")), reference_posterior(x, two), tolerance = 1e-10,
    ignore_attr = TRUE
  )
  expect_equal(predict(two, type = "density"), exp(predict(two, type = "log_density")))
  expect_equal(unname(predict(two)), max.col(reference_posterior(x, two)))
  expect_equal(
    unname(uncertainty(two)), 1 - apply(reference_posterior(x, two), 1, max), tolerance = 1e-10
  )
})

test_that("new rows with missing values are predicted from what they have", {
  new <- data.frame(waiting = c(60, NA, NA), eruptions = c(NA, 4, NA))
  x <- as.matrix(new[c("eruptions", "waiting")])
  expect_equal(
    unname(predict(two, new, "posterior")), reference_posterior(x, two), tolerance = 1e-10,
    ignore_attr = TRUE
  )
  expect_equal(unname(predict(two, new, "posterior")[3, ]), two$weights)
  expect_equal(unname(predict(two, new, "density")[3]), 1)
})

test_that("a type that is not one is an error", {
  expect_snapshot(error = TRUE, predict(two, type = "response"))
  expect_snapshot(error = TRUE, predict(two, letters))
})

test_that("the distribution in one dimension is right", {
  q <- c(45, 60, 70, 80, 95)
  by_hand <- colSums(
    one_d$weights * sapply(q, pnorm, one_d$means[, 1], sqrt(one_d$covariances[1, 1, ]))
  )
  expect_equal(cdf(one_d, q), by_hand, tolerance = 1e-12)
  expect_equal(unname(quantile(one_d, by_hand)), q, tolerance = 1e-8)
  expect_equal(names(quantile(one_d)), c("0%", "25%", "50%", "75%", "100%"))
  expect_equal(unname(quantile(one_d, c(0, 1))), c(-Inf, Inf))
  curve <- density(one_d, n = 1000)
  expect_s3_class(curve, "density")
  expect_equal(sum(curve$y) * diff(curve$x[1:2]), 1, tolerance = 1e-3)
  expect_output(print(curve))
  expect_snapshot(error = TRUE, cdf(two, 1))
  expect_snapshot(error = TRUE, quantile(one_d, 2))
  expect_snapshot(error = TRUE, cdf(one_d, "a"))
})

test_that("simulate follows R's conventions", {
  sims <- simulate(one_d, nsim = 2, seed = 1)
  expect_equal(dim(sims), c(272L, 2L))
  expect_named(sims, c("sim_1", "sim_2"))
  expect_identical(simulate(one_d, nsim = 2, seed = 1), sims)
  set.seed(9)
  before <- .Random.seed
  invisible(simulate(one_d, seed = 1))
  expect_identical(.Random.seed, before)
  a <- simulate(two, 1)
  set.seed(9)
  expect_identical(simulate(two, 1), a)
  expect_identical(attr(a, "seed"), before)
  many <- simulate(two, n = 20000, seed = 2)
  expect_named(many$sim_1, c("eruptions", "waiting"))
  mean <- colSums(two$weights * two$means)
  expect_equal(colMeans(many$sim_1), mean, tolerance = 0.01)
  component <- attr(many, "component")[, 1]
  expect_equal(mean(component == 1), two$weights[[1]], tolerance = 0.03)
  expect_equal(
    cov(many$sim_1[component == 2, ]), two$covariances[, , 2], tolerance = 0.05
  )
  expect_snapshot(error = TRUE, simulate(two, nsim = 0))
})

test_that("sizes and seeds that R cannot hold are errors, not a lack of memory", {
  line <- gaussian_mixture(faithful$waiting, model = "V", start = labels)
  for (n in list(Inf, 2^31, 1e10, 0, NA, "a", 1.5)) {
    expect_error(density(line, n = n), "`n`", class = "ember_error_argument")
    expect_error(simulate(line, n = n), "`n`", class = "ember_error_argument")
    expect_error(simulate(line, nsim = n), "`nsim`", class = "ember_error_argument")
  }
  for (seed in list(NA, "a", Inf, 2^31, 1:2, list(1))) {
    expect_error(simulate(line, seed = seed), "`seed`", class = "ember_error_argument")
  }
})
