tight <- function(...) em_control(tol = 1e-11, max_iter = 20000, ...)

stored <- utils::read.csv(test_path("oracles", "mclust-loglik.csv"))

test_that("every model reaches mclust's maximum from the same start", {
  cases <- mixture_cases()
  for (row in which(stored$data %in% names(cases))) {
    oracle <- stored[row, ]
    case <- cases[[oracle$data]]
    fit <- gaussian_mixture(case$x, model = oracle$model, start = case$labels, control = tight())
    label <- paste(oracle$data, oracle$model)
    if (oracle$model %in% mclust_stops_short) {
      expect_gte(fit$loglik, oracle$loglik - 1e-8 * abs(oracle$loglik), label = label)
    } else {
      expect_lt(relative_difference(fit$loglik, oracle$loglik), 1e-8, label = label)
    }
    expect_equal(fit$status, "converged", label = label)
  }
})

test_that("the stored log-likelihoods are those of the mclust that is installed", {
  skip_if_not_installed("mclust")
  cases <- mixture_cases()
  for (row in which(stored$data %in% c("faithful3", "iris", "precip", "galaxies"))) {
    oracle <- stored[row, ]
    expect_equal(mclust_loglik(cases[[oracle$data]], oracle$model), oracle$loglik, tolerance = 1e-9)
  }
})

test_that("VVE is truly maximised", {
  # mclust stops at -215.241 on iris; the maximum is -214.053.
  case <- mixture_cases()$iris
  fit <- gaussian_mixture(case$x, model = "VVE", start = case$labels, control = tight())
  expect_gt(fit$loglik, -214.0535)
})

test_that("the log-likelihood is that of the parameters, computed in plain R", {
  for (model in c("VVV", "EEI", "VEV")) {
    fit <- gaussian_mixture(iris[, 1:4], k = 2, model = model)
    expect_equal(
      sum(reference_log_density(as.matrix(iris[, 1:4]), fit)), fit$loglik, tolerance = 1e-10
    )
  }
})

test_that("the search keeps its table and every cell is at least mclust's", {
  skip_if_not_installed("mclust")
  set.seed(1)
  fit <- gaussian_mixture(faithful, k = 1:5)
  expect_equal(nrow(fit$table), 5L * 14L)
  expect_named(fit$table, c("k", "model", "loglik", "df", "AIC", "BIC", "ICL", "status", "message"))
  mclust_bic <- mclust::mclustBIC
  environment(mclust_bic) <- asNamespace("mclust")
  theirs <- -mclust_bic(faithful, G = 1:5, verbose = FALSE)
  ours <- matrix(NA_real_, 5L, 14L, dimnames = list(1:5, mclust_models))
  ours[cbind(fit$table$k, match(fit$table$model, mclust_models))] <- fit$table$BIC
  # One model of one component has several names in the search; mclust leaves cells it cannot fit
  # NA.
  gap <- ours - unclass(theirs)[, mclust_models]
  expect_lt(max(gap, na.rm = TRUE), 0.01)
  expect_equal(fit$BIC, NULL)
  expect_equal(BIC(fit), min(fit$table$BIC, na.rm = TRUE), tolerance = 1e-6)
  expect_equal(c(fit$k, fit$model), c("3", "EEE"))
})

test_that("the criterion chooses", {
  set.seed(1)
  by <- function(select) gaussian_mixture(faithful$waiting, k = 1:3, select = select)
  for (select in c("BIC", "ICL", "AIC")) {
    fit <- by(select)
    cell <- which.min(fit$table[[select]])
    expect_equal(fit$k, fit$table$k[[cell]])
    expect_equal(fit$model, fit$table$model[[cell]])
  }
})

test_that("the paper's heights: a bad start ends at the same maximum with the labels swapped", {
  heights <- paper_heights()
  known <- list(weights = c(0.5, 0.5), covariances = 2.5^2)
  from <- function(means) {
    gaussian_mixture(heights, known = known, start = list(means = means), control = tight())
  }
  good <- from(c(70, 64))
  bad <- from(c(36, 60))
  expect_equal(good$loglik, bad$loglik, tolerance = 1e-10)
  expect_equal(bad$means[, 1], rev(good$means[, 1]), tolerance = 1e-6, ignore_attr = TRUE)
  expect_equal(good$means[, 1], c(69.5, 64.5), tolerance = 0.01, ignore_attr = TRUE)
  expect_equal(good$df, 2L)
  expect_equal(good$weights, c(0.5, 0.5))
  expect_equal(as.vector(good$covariances), rep(6.25, 2))
  # Independent maximum: stats::optim of equation 3 of the paper.
  loss <- function(mu) {
    -sum(log(0.5 * dnorm(heights, mu[1], 2.5) + 0.5 * dnorm(heights, mu[2], 2.5)))
  }
  best <- stats::optim(c(70, 64), loss, method = "BFGS", control = list(reltol = 1e-15))
  expect_equal(good$loglik, -best$value, tolerance = 1e-10)
})

test_that("equal starts stay on a saddle, and the fit says so", {
  known <- list(weights = c(0.5, 0.5), covariances = 2.5^2)
  expect_snapshot(
    fit <- gaussian_mixture(paper_heights(100), known = known, start = list(means = c(67, 67))),
    transform = \(x) gsub("[0-9]+ iteration(s?)", "some iterations", x)
  )
  expect_equal(fit$status, "saddle")
  expect_equal(fit$means[[1]], fit$means[[2]])
})

test_that("known parameters stay, and do not count", {
  x <- faithful$waiting
  free <- gaussian_mixture(x, k = 2, model = "V")
  expect_equal(free$df, 5L)
  weights <- gaussian_mixture(x, model = "V", known = list(weights = c(0.4, 0.6)))
  expect_equal(weights$weights, c(0.4, 0.6))
  expect_equal(weights$df, 4L)
  means <- gaussian_mixture(x, model = "V", known = list(means = c(55, 80)))
  expect_equal(as.vector(means$means), c(55, 80))
  expect_equal(means$df, 3L)
  covariances <- gaussian_mixture(faithful, k = 2, known = list(covariances = diag(c(0.1, 30))))
  expect_equal(unname(covariances$covariances), array(diag(c(0.1, 30)), c(2, 2, 2)))
  expect_equal(covariances$df, 5L)
  expect_lt(means$loglik, free$loglik)
})

test_that("a row of weight 2 counts as two rows", {
  w <- rep(1:3, length.out = nrow(faithful))
  start <- 1L + (faithful$waiting > 66)
  weighted <- gaussian_mixture(
    faithful, model = "VVV", weights = w, start = start, control = tight()
  )
  rows <- rep(seq_len(nrow(faithful)), w)
  repeated <- gaussian_mixture(
    faithful[rows, ], model = "VVV", start = start[rows], control = tight()
  )
  expect_equal(weighted$loglik, repeated$loglik, tolerance = 1e-10)
  expect_equal(weighted$means, repeated$means, tolerance = 1e-6)
  expect_equal(weighted$nobs, sum(w))
  expect_equal(BIC(weighted), BIC(repeated), tolerance = 1e-10)
  expect_equal(weighted$table$BIC, BIC(weighted), tolerance = 1e-8)
})

test_that("missing values are fitted through the likelihood of what was observed", {
  set.seed(3)
  x <- as.matrix(faithful)
  holes <- cbind(sample(nrow(x), 60), sample(1:2, 60, replace = TRUE))
  x[holes] <- NA
  fit <- gaussian_mixture(x, model = "VVV", start = 1L + (faithful$waiting > 66), control = tight())
  expect_equal(sum(reference_log_density(fit$data, fit)), fit$loglik, tolerance = 1e-9)
  complete <- gaussian_mixture(faithful, model = "VVV", start = 1L + (faithful$waiting > 66))
  expect_gt(fit$loglik, sum(reference_log_density(x, complete)))
  expect_equal(fit$means, complete$means, tolerance = 0.05)
  # One component, monotone pattern: factored likelihood in closed form (Little and Rubin, section
  # 7.2).
  y <- cbind(a = faithful$waiting, b = faithful$eruptions)
  y[1:80, "b"] <- NA
  one <- gaussian_mixture(y, k = 1, model = "VVV", control = tight())
  slope <- stats::lm(b ~ a, as.data.frame(y))
  expect_equal(one$means[1, "a"], mean(y[, "a"]), tolerance = 1e-6, ignore_attr = TRUE)
  expect_equal(
    one$means[1, "b"], sum(coef(slope) * c(1, mean(y[, "a"]))), tolerance = 1e-6, ignore_attr = TRUE
  )
})

test_that("shifting and scaling columns changes nothing but the Jacobian", {
  start <- as.integer(iris$Species)
  x <- as.matrix(iris[, 1:4])
  n <- nrow(x)
  for (model in c("VVV", "EEI", "EVV")) {
    base <- gaussian_mixture(x, model = model, start = start, control = tight())
    shifted <- gaussian_mixture(x + 1e7, model = model, start = start, control = tight())
    expect_equal(shifted$loglik, base$loglik, tolerance = 1e-7)
    if (model == "VVV") {
      scales <- c(1e-6, 1e6, 1, 10)
      scaled <- gaussian_mixture(
        sweep(x, 2, scales, "*"), model = model, start = start, control = tight()
      )
      expect_equal(scaled$loglik + n * sum(log(scales)), base$loglik, tolerance = 1e-8)
    }
  }
})

test_that("set.seed() decides, and threads do not", {
  run <- function(threads) {
    set.seed(11)
    gaussian_mixture(iris[, 1:4], k = 3, model = "VVV", control = em_control(threads = threads))
  }
  first <- run(1)
  expect_identical(run(1)$means, first$means)
  expect_identical(run(2)$means, first$means)
  expect_identical(run(2)$loglik, first$loglik)
})

test_that("a fit that is not a maximum warns and says so", {
  expect_warning(
    fit <- gaussian_mixture(faithful, k = 3, model = "VVV", control = em_control(max_iter = 2)),
    class = "ember_warning_iteration_limit"
  )
  expect_equal(fit$status, "iteration_limit")
  expect_output(print(fit), "NOT a maximum")
  expect_output(print(summary(fit)), "NOT A MAXIMUM")
})

test_that("what cannot be fitted is a classed error or a fit that says so", {
  try_fit <- function(...) {
    rlang::try_fetch(
      suppressWarnings(gaussian_mixture(...)),
      error = function(cnd) if (inherits(cnd, "ember_error")) cnd else stop(cnd)
    )
  }
  expect_error(gaussian_mixture(rep(1, 10), k = 2), class = "ember_error")
  expect_error(gaussian_mixture(c(1, 1, 2, 2, 3, 3), k = 5), class = "ember_error")
  expect_error(gaussian_mixture(matrix(rnorm(20), 4), k = 2, model = "VVV"), class = "ember_error")
  expect_true(inherits(try_fit(cbind(rnorm(20), 1), k = 1:2), c("ember_error", "ember_fit")))
  expect_true(inherits(try_fit(1), c("ember_error", "ember_fit")))
})

test_that("a component that collapses is named", {
  x <- c(rep(0, 5), seq(10, 20, length.out = 50))
  fit <- rlang::try_fetch(
    gaussian_mixture(x, model = "V", start = rep(1:2, c(5, 50))),
    ember_error = identity, warning = function(cnd) cnd
  )
  expect_match(conditionMessage(fit), "component 1", ignore.case = TRUE)
  map <- gaussian_mixture(x, model = "V", start = rep(1:2, c(5, 50)), prior = mixture_prior())
  expect_equal(map$status, "converged")
  expect_gt(min(map$covariances), 0)
})

test_that("the prior is mclust's", {
  skip_if_not_installed("mclust")
  labels <- 1L + (faithful$waiting > 66)
  # Not EII and EEI, where mclust departs from Fraley and Raftery (2007).
  for (model in c("VII", "VVI", "EEE", "VVV")) {
    maximize <- getExportedValue("mclust", paste0("me", model))
    theirs <- maximize(
      as.matrix(faithful), mclust::unmap(labels),
      prior = mclust::priorControl(), control = mclust::emControl(tol = c(1e-13, 1e-12))
    )
    ours <- gaussian_mixture(
      faithful, model = model, start = labels, prior = mixture_prior(), control = tight()
    )
    expect_equal(ours$loglik, theirs$loglik, tolerance = 1e-6, label = model)
    expect_equal(
      unname(t(ours$means)), unname(theirs$parameters$mean), tolerance = 1e-4, label = model
    )
  }
})

test_that("noise takes what belongs to no cluster", {
  set.seed(5)
  x <- rbind(matrix(rnorm(400), 200), matrix(rnorm(400, 8), 200), matrix(runif(80, -10, 18), 40))
  fit <- gaussian_mixture(x, k = 2, model = "VVV", noise = TRUE)
  expect_equal(sum(fit$weights) + fit$noise$weight, 1)
  expect_equal(fit$noise$weight, 1 / 11, tolerance = 0.35)
  expect_equal(fit$df, 12L)
  expect_equal(sum(reference_log_density(x, fit)), fit$loglik, tolerance = 1e-10)
  half <- gaussian_mixture(x, k = 2, model = "VVV", noise = 784)
  expect_equal(half$noise$log_density, -log(784))
})

test_that("integer, data frame and formula give the same fit", {
  set.seed(1)
  a <- gaussian_mixture(faithful$waiting, k = 2, model = "V", start = 1L + (faithful$waiting > 66))
  b <- gaussian_mixture(
    as.integer(faithful$waiting), k = 2, model = "V", start = 1L + (faithful$waiting > 66)
  )
  c <- gaussian_mixture(
    ~waiting, k = 2, model = "V", data = faithful, start = 1L + (faithful$waiting > 66)
  )
  expect_equal(b$loglik, a$loglik)
  expect_equal(c$loglik, a$loglik)
  expect_equal(formula(c), ~waiting, ignore_attr = TRUE)
})

test_that("components and shapes are as documented", {
  fit <- gaussian_mixture(iris[, 1:4], k = 2, model = "VVI")
  expect_s3_class(fit, c("ember_mixture", "ember_fit"), exact = TRUE)
  expect_length(fit$weights, 2L)
  expect_equal(sum(fit$weights), 1)
  expect_equal(dimnames(fit$means), list(c("1", "2"), names(iris)[1:4]))
  expect_equal(dim(fit$covariances), c(4L, 4L, 2L))
  expect_named(fit$trace, c("iteration", "loglik", "bound", "step"))
  expect_equal(max(fit$trace$loglik), fit$loglik, tolerance = 1e-9)
  expect_equal(diff(fit$trace$loglik) > -1e-8, rep(TRUE, nrow(fit$trace) - 1L))
  expect_named(fit$starts, c("loglik", "status"))
  expect_null(gaussian_mixture(faithful, k = 1, model = "VVV", keep_data = FALSE)$data)
})
