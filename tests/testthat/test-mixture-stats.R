test_that("statistics of parts add to those of the whole", {
  case <- chunk_cases()
  for (x in list(case$x, case$holes)) {
    fit <- suppressWarnings(gaussian_mixture(
      x, k = 3, model = "VVE", start = case$start, weights = case$weights,
      control = em_control(max_iter = 3)
    ))
    whole <- mixture_stats(x, fit, case$weights)
    parts <- lapply(split(1:150, rep(1:4, c(10, 60, 79, 1))), function(i) {
      mixture_stats(x[i, , drop = FALSE], fit, case$weights[i])
    })
    merged <- merge_stats(parts)
    expect_equal(merged, whole, tolerance = 1e-12)
    expect_equal(merge_stats(parts[[1]], parts[2:3], parts[[4]]), merged)
    expect_equal(as.numeric(logLik(merged)), fit$loglik, tolerance = 1e-12)
    expect_identical(attr(logLik(merged), "nobs"), merged$total_weight)
  }
})

test_that("statistics agree with their definition", {
  at <- two_at_faithful()
  stats <- mixture_stats(faithful, at)
  z <- reference_posterior(as.matrix(faithful), at)
  expect_equal(stats$statistics$counts, colSums(z), tolerance = 1e-12)
  log_lik <- sum(reference_log_density(as.matrix(faithful), at))
  expect_equal(stats$statistics$log_lik, log_lik, tolerance = 1e-12)
  next_at <- mixture_update(stats)
  expect_equal(next_at$weights, colMeans(z), tolerance = 1e-12)
  expect_equal(next_at$means, crossprod(z, as.matrix(faithful)) / colSums(z), tolerance = 1e-12)
  first <- cov.wt(faithful, z[, 1], method = "ML")$cov
  expect_equal(next_at$covariances[, , 1], unname(first), tolerance = 1e-12)
})

test_that("steps by hand are the iterations of plain EM", {
  at <- two_at_faithful("EEV")
  steps <- 5
  fit <- suppressWarnings(gaussian_mixture(
    faithful, model = "EEV", start = at[-1],
    control = em_control(accelerate = "none", max_iter = steps)
  ))
  for (step in seq_len(steps)) at <- mixture_update(mixture_stats(faithful, at))
  expect_equal(at$means, unname(fit$means), tolerance = 1e-12, ignore_attr = TRUE)
  expect_equal(at$covariances, unname(fit$covariances), tolerance = 1e-12)
})

test_that("the update respects what is known, and the prior", {
  stats <- mixture_stats(faithful, two_at_faithful())
  fixed <- list(weights = c(0.4, 0.6), means = rbind(c(2, 54), c(4, 80)))
  known <- mixture_update(stats, known = fixed)
  expect_identical(known$weights, c(0.4, 0.6))
  expect_equal(known$means, rbind(c(2, 54), c(4, 80)), ignore_attr = TRUE)
  prior <- mixture_prior(shrinkage = 1e6, mean = c(3, 70), scale = diag(2))
  means <- mixture_update(stats, prior = prior)$means
  expect_equal(means, rbind(c(3, 70), c(3, 70)), tolerance = 1e-3, ignore_attr = TRUE)
  expect_error(mixture_update(stats, prior = mixture_prior()), class = "ember_error_unsupported")
})

test_that("noise travels with the parameters", {
  fit <- gaussian_mixture(faithful, k = 2, model = "VVV", noise = TRUE)
  stats <- merge_stats(lapply(split(faithful, rep(1:2, 136)), mixture_stats, at = fit))
  expect_equal(as.numeric(logLik(stats)), fit$loglik, tolerance = 1e-12)
  expect_equal(mixture_update(stats)$noise, fit$noise, tolerance = 1e-4)

  holes <- replace(as.matrix(faithful), 5, NA)
  expect_error(mixture_stats(holes, fit), "missing", class = "ember_error_argument")
})

test_that("a fit from statistics is the fit in memory", {
  parts <- split(faithful, rep(1:3, length.out = 272))
  collect <- function(at) merge_stats(lapply(parts, mixture_stats, at = at))
  for (model in c("EEE", "VVV", "VEV")) {
    fit <- mixture_from_stats(collect, two_at_faithful(model))
    expect_same_fit(fit, gaussian_mixture(faithful, model = model, start = two_at_faithful()[-1]))
    expect_identical(ICL(fit), NA_real_)
  }
  rules <- list(known = list(weights = c(0.4, 0.6)), prior = mixture_prior())
  whole <- list(faithful, model = "VVV", start = two_at_faithful()[-1])
  expect_same_fit(
    do.call(mixture_from_stats, c(list(collect, two_at_faithful()), rules)),
    do.call(gaussian_mixture, c(whole, rules))
  )
})

test_that("it runs over two R processes", {
  skip_on_cran()
  skip_if_not_installed("future.apply")
  future::plan(future::multisession, workers = 2)
  on.exit(future::plan(future::sequential))
  parts <- split(faithful, rep(1:2, 136))
  collect <- function(at) {
    merge_stats(future.apply::future_lapply(parts, ember::mixture_stats, at = at))
  }
  fit <- mixture_from_stats(collect, two_at_faithful())
  expect_same_fit(fit, gaussian_mixture(faithful, model = "VVV", start = two_at_faithful()[-1]))
})

test_that("a function that fails, or returns something else, ends the fit", {
  calls <- 0
  fails <- function(at) {
    calls <<- calls + 1
    if (calls == 4) stop("worker {lost}")
    mixture_stats(faithful, at)
  }
  error <- expect_error(mixture_from_stats(fails, two_at_faithful()), class = "ember_error_source")
  expect_match(conditionMessage(error), "worker {lost}", fixed = TRUE)
  expect_identical(calls, 4)
  elsewhere <- mixture_stats(faithful, two_at_faithful())
  for (answer in list(1, elsewhere)) {
    wrong <- function(at) answer
    expect_error(mixture_from_stats(wrong, two_at_faithful()), class = "ember_error_source")
  }
})

test_that("statistics print, and arguments that cannot be used are named", {
  at <- two_at_faithful()
  stats <- mixture_stats(faithful, at)
  expect_snapshot({
    stats
    mixture_stats(faithful, at, rep(2, 272))
  })
  expect_snapshot(error = TRUE, {
    merge_stats(stats, mixture_stats(faithful, mixture_update(stats)))
    merge_stats()
    merge_stats(stats, 1)
    mixture_update(at)
    mixture_update(stats, known = list(weights = c(0.1, 0.2, 0.7)))
    mixture_stats(faithful, 1)
    mixture_stats(faithful, at[-3])
    mixture_stats(faithful, replace(at, "model", "E"))
    mixture_stats(faithful, replace(at, "weights", list(c(0.5, 0.4))))
    mixture_stats(faithful, c(at, noise = 1))
    mixture_stats(faithful[1], at)
    mixture_stats(faithful[0, ], at)
    mixture_stats(faithful, at, weights = 1)
    mixture_from_stats(faithful, at)
  })
})
