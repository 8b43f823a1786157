# Every covariance matrix against its definition, computed from Heckman's likelihood in plain R.

plain <- function(x) unname(unclass(x)) |> structure(type = NULL)

test_that("scores are the derivatives of the rows' log-likelihoods", {
  skip_if_not_installed("numDeriv")
  fit <- one_equation()
  scores <- estfun.ember_mssm(fit)
  expect_equal(unname(scores), heckman_scores(coef(fit), fit), tolerance = 1e-6)
  expect_identical(colnames(scores), names(coef(fit)))
  expect_lt(max(abs(colSums(scores)) * sqrt(diag(vcov(fit)))), 1e-3)
})

test_that("the observed information and the outer products are those of the likelihood", {
  skip_if_not_installed("numDeriv")
  fit <- one_equation()
  hessian <- solve(heckman_information(coef(fit), fit))
  expect_equal(plain(vcov(fit)), hessian, tolerance = 1e-5)
  expect_identical(vcov(fit, type = "hessian"), vcov(fit))
  expect_equal(plain(vcov(fit, type = "louis")), plain(vcov(fit)))
  scores <- heckman_scores(coef(fit), fit)
  expect_equal(plain(vcov(fit, type = "opg")), solve(crossprod(scores)), tolerance = 1e-5)
})

test_that("sandwiches are those computed by hand", {
  skip_if_not_installed("numDeriv")
  fit <- one_equation()
  bread <- solve(heckman_information(coef(fit), fit))
  scores <- heckman_scores(coef(fit), fit)
  expect_equal(
    plain(vcov(fit, type = "HC0")), bread %*% crossprod(scores) %*% bread, tolerance = 1e-5
  )
  id <- workers()$id
  sums <- apply(scores, 2L, tapply, id, sum)
  clustered <- 50 / 49 * bread %*% crossprod(sums) %*% bread
  expect_equal(plain(vcov(fit, type = "cluster", cluster = id)), clustered, tolerance = 1e-5)
  expect_identical(vcov(fit, cluster = ~id), vcov(fit, type = "cluster", cluster = id))
  with_clusters <- update(fit, cluster = ~id)
  expect_equal(plain(vcov(with_clusters)), clustered, tolerance = 1e-5)
  expect_identical(attr(vcov(with_clusters), "type"), "clustered sandwich")
})

test_that("package sandwich works on fits", {
  skip_if_not_installed("sandwich")
  fit <- one_equation()
  expect_equal(plain(sandwich::sandwich(fit)), plain(vcov(fit, type = "HC0")), tolerance = 1e-10)
  id <- workers()$id
  expect_equal(
    plain(sandwich::vcovCL(fit, cluster = id)), plain(vcov(fit, cluster = id)), tolerance = 1e-10
  )
  expect_identical(rownames(sandwich::vcovOPG(fit)), names(coef(fit)))
  expect_equal(plain(sandwich::vcovOPG(fit)), plain(vcov(fit, type = "opg")), tolerance = 1e-8)
})

test_that("a weight is a number of rows, but not in a sandwich", {
  data <- workers()
  weighted <- mssm(y1 ~ x1, s1 ~ x1 + z1, data, weights = times)
  repeated <- mssm(y1 ~ x1, s1 ~ x1 + z1, data[rep(seq_len(400), data$times), ])
  expect_equal(coef(weighted), coef(repeated), tolerance = 1e-6)
  for (type in c("hessian", "opg")) {
    expect_equal(
      vcov(weighted, type = type), vcov(repeated, type = type), tolerance = 1e-5,
      ignore_attr = TRUE
    )
  }
  # All copies of a row in one cluster are one sampled row with a weight.
  copies <- rep(seq_len(400), data$times)
  expect_equal(
    400 / 399 * plain(vcov(weighted, type = "HC0")),
    plain(vcov(repeated, type = "cluster", cluster = copies)), tolerance = 1e-5
  )
})

test_that("components are parts of the whole", {
  fit <- households_fit()
  all <- vcov(fit)
  expect_identical(dimnames(all), list(names(coef(fit)), names(coef(fit))))
  for (component in c("outcome", "selection", "error")) {
    names <- names(coef(fit, component))
    expect_identical(
      plain(vcov(fit, component = component)), plain(all[names, names])
    )
  }
})

test_that("scores of two equations add up to zero, and their products give standard errors", {
  fit <- households_fit()
  scores <- estfun.ember_mssm(fit)
  expect_identical(dim(scores), c(500L, length(coef(fit))))
  expect_lt(max(abs(colSums(scores)) * sqrt(diag(vcov(fit)))), 1e-3)
  ratio <- sqrt(diag(vcov(fit, type = "opg")) / diag(vcov(fit)))
  expect_true(all(ratio > 0.5 & ratio < 2))
})

test_that("columns that were left out have no row", {
  data <- transform(workers(), twice = 2 * x1)
  fit <- suppressMessages(mssm(y1 ~ x1 + twice, s1 ~ x1 + z1, data))
  expect_identical(rownames(vcov(fit)), names(coef(fit))[!is.na(coef(fit))])
  expect_identical(dim(vcov(fit, type = "HC0")), dim(vcov(fit)))
  smaller <- mssm(y1 ~ x1, s1 ~ x1 + z1, data)
  expect_equal(plain(vcov(fit)), plain(vcov(smaller)), tolerance = 1e-5)
})

test_that("a two-step fit has the corrected covariance of each equation, and no more", {
  fit <- mssm(y1 ~ x1, s1 ~ x1 + z1, workers(), method = "two-step")
  covariance <- vcov(fit)
  own <- paste0("y1:", c("(Intercept)", "x1"))
  expect_equal(plain(covariance[own, own]), fit$two_step[[1L]]$vcov_outcome[1:2, 1:2])
  expect_true(all(is.na(covariance["rho(y1,s1)", ])))
  expect_true(all(is.na(covariance[own, "s1:x1"])))
  expect_error(vcov(fit, type = "HC0"), class = "ember_error_argument")
  expect_error(estfun.ember_mssm(fit), class = "ember_error_unsupported")
  expect_error(bread.ember_mssm(fit), class = "ember_error_unsupported")
})

test_that("what cannot be used is an error that names the argument", {
  fit <- one_equation()
  expect_error(vcov(fit, type = "robust"), "`type` must be one of", class = "ember_error_argument")
  expect_error(vcov(fit, type = "cluster"), "`cluster` is missing", class = "ember_error_argument")
  expect_error(vcov(fit, cluster = 1:3), "each of the 400 rows", class = "ember_error_argument")
  expect_error(vcov(fit, cluster = ~nothing), "cannot be evaluated", class = "ember_error_argument")
  expect_error(vcov(fit, cluster = rep(1, 400)), "two groups", class = "ember_error_argument")
})

test_that("a fit by PX-MCEM has its own information, and the exact one on request", {
  fit <- one_equation()
  exact <- vcov(fit)
  draws <- fit
  draws$method <- "px-mcem"
  draws$mc <- list(mc_error = 0.01 * sqrt(diag(exact)), draws = 50L, sweeps = 100L)
  draws$vcov <- 1.02 * draws$vcov
  expect_match(attr(vcov(draws), "type"), "Louis's formula, 50 draws")
  expect_equal(plain(vcov(draws)), 1.02 * plain(exact))
  expect_equal(plain(vcov(draws, type = "hessian")), plain(exact), tolerance = 1e-5)
  expect_equal(
    plain(vcov(draws, type = "HC0")), 1.02^2 * plain(vcov(fit, type = "HC0")), tolerance = 1e-10
  )
  expect_equal(tidy(draws)$mc.error, unname(draws$mc$mc_error))
})
