test_that("simulated responses follow the model", {
  made <- truth_fit(2L, 50L)
  fit <- made$fit
  new <- simulate(fit, nsim = 400, seed = 3)
  expect_length(new, 400L)
  expect_named(new$sim_1, c("y1", "y2", "s1", "s2"))
  expect_identical(is.na(new$sim_1$y2), new$sim_1$s2 == 0L)
  share <- rowMeans(vapply(new, function(one) one$s1 * (1 - one$s2), numeric(50L)))
  expected <- predict(fit, type = "joint", pattern = c(1, 0))
  expect_lt(max(abs(share - expected) / sqrt(expected * (1 - expected) / 400)), 4.5)
  mean <- vapply(1:50, function(i) {
    seen <- vapply(new, function(one) one$y1[[i]], 0)
    (mean(seen, na.rm = TRUE) - predict(fit, type = "selected")[i, 1L]) /
      (sd(seen, na.rm = TRUE) / sqrt(sum(!is.na(seen))))
  }, 0)
  expect_lt(max(abs(mean)), 4.5)
})

test_that("a seed gives the same numbers and leaves the generator alone", {
  fit <- truth_fit(1L, 20L)$fit
  set.seed(8)
  before <- .Random.seed
  first <- simulate(fit, seed = 5)
  expect_identical(.Random.seed, before)
  expect_identical(simulate(fit, seed = 5), first)
  expect_error(simulate(fit, nsim = 0), class = "ember_error_argument")
})

test_that("selections are coded as in the data, new data may have holes", {
  data <- truth_fit(1L, 40L)$data
  data$works <- factor(data$s1, 0:1, c("no", "yes"))
  model <- model_of(y1 ~ x1, works ~ x1 + z1, data)
  fit <- fit_at(model, list(c(1, 1), c(0.25, 0.5, 1)), matrix(c(1, .5, .5, 1), 2))
  new <- simulate(fit, seed = 1)$sim_1
  expect_identical(levels(new$works), c("no", "yes"))
  expect_identical(is.na(new$y1), new$works == "no")
  holes <- data[1:3, ]
  holes$z1[[2L]] <- NA
  new <- simulate(fit, newdata = holes, seed = 1)$sim_1
  expect_identical(is.na(new$works), c(FALSE, TRUE, FALSE))
  expect_true(is.na(new$y1[[2L]]))
})
