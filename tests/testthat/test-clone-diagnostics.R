# dc_diag() and dc_table() against their definitions, on draws that are known.

known_fit <- function() {
  set.seed(5)
  herd <- note_herd()
  local_core(normal_run(c(2.5, 0.04, 0.25), crossprod(matrix(stats::rnorm(9), 3)) / 100))
  data_clone(Y ~ 1 + (1 | animal), herd,
    clones = c(1, 4), n_iter = 200, n_burnin = 300, derived = list(sum = ~ sigma_sq + tau_sq)
  )
}

test_that("dc_diag() is what its definition says", {
  fit <- suppressWarnings(known_fit())
  table <- dc_diag(fit)
  expect_s3_class(table, c("ember_dcdiag", "data.frame"), exact = TRUE)
  expect_identical(table$n.clones, c(1L, 4L))
  for (k in 1:2) {
    draws <- as.mcmc.list(fit, fit$table$name, clones = table$n.clones[[k]])
    x <- do.call(rbind, draws)
    s <- stats::cov(x)
    expect_equal(table$lambda.max[[k]], max(eigen(s)$values))
    centred <- sweep(x, 2, colMeans(x))
    d <- sort(rowSums((centred %*% solve(s)) * centred))
    q <- stats::qchisq((seq_along(d) - 0.5) / length(d), 3)
    expect_equal(table$ms.error[[k]], mean((d - q)^2))
    expect_equal(table$r.squared[[k]], 1 - stats::cor(q, d)^2)
    expect_equal(table$r.hat[[k]], coda::gelman.diag(draws)$mpsrf)
  }
})

test_that("one parameter has a univariate R-hat, derived ones count if asked for", {
  fit <- suppressWarnings(known_fit())
  one <- dc_diag(fit, "sum")
  draws <- as.mcmc.list(fit, "sum", clones = 4)
  expect_equal(one$r.hat[[2]], coda::gelman.diag(draws)$psrf[[1]])
  expect_equal(one$lambda.max[[2]], stats::var(as.vector(unlist(draws))))
  # With the sum the covariance matrix is singular.
  all <- dc_diag(fit, c("sigma_sq", "tau_sq", "sum"))
  expect_true(all(is.finite(all$lambda.max)))
  expect_error(dc_diag(fit, "nothing"), class = "ember_error_argument")
  expect_error(dc_diag(1), class = "ember_error_argument")
})

test_that("R-hat leaves out half of a chain that began early, as coda does", {
  fit <- suppressWarnings(known_fit())
  fit$runs <- lapply(fit$runs, function(run) {
    run$draws <- coda::as.mcmc.list(lapply(run$draws, function(chain) coda::mcmc(chain, 10)))
    run
  })
  expect_false(isTRUE(all.equal(dc_diag(fit)$r.hat, dc_diag(suppressWarnings(known_fit()))$r.hat)))
})

test_that("dc_table() has a table for each parameter", {
  fit <- suppressWarnings(known_fit())
  table <- dc_table(fit)
  expect_s3_class(table, "ember_dctable")
  expect_named(table, c(fit$table$name, "sum"))
  x <- unlist(as.mcmc.list(fit, "tau_sq", clones = 4))
  row <- table$tau_sq[2, ]
  expect_equal(row$mean, mean(x))
  expect_equal(row$sd, stats::sd(x))
  expect_equal(row[["97.5%"]], unname(stats::quantile(x, 0.975)))
  flat <- as.data.frame(table)
  expect_identical(dim(flat), c(8L, 10L))
  expect_output(print(table), "`(Intercept)`", fixed = TRUE)
})

test_that("one chain has no R-hat", {
  fit <- note_fit(clones = c(1, 5), n_chains = 1, n_iter = 100)
  expect_identical(dc_diag(fit)$r.hat, c(NA_real_, NA_real_))
  expect_identical(unique(dc_table(fit)$sigma_sq$r.hat), NA_real_)
  expect_identical(fit$status, "converged")
})

test_that("methods for dclone's generics give its classes", {
  fit <- suppressWarnings(known_fit())
  expect_s3_class(dcdiag.ember_clone(fit), "dcdiag")
  expect_s3_class(dctable.ember_clone(fit), "dctable")
  expect_identical(nclones.ember_clone(fit), 4L)
  expect_equal(dcsd.ember_clone(fit), sqrt(diag(vcov(fit))))
})

test_that("diagnostics are drawn", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  fit <- suppressWarnings(known_fit())
  expect_no_error(plot(dc_diag(fit)))
  expect_no_error(plot(dc_diag(fit), "lambda.max", log = ""))
  expect_no_error(plot(dc_table(fit)))
  expect_no_error(plot(dc_table(fit), "sum"))
  expect_error(plot(dc_diag(fit), "nothing"), class = "ember_error_argument")
  expect_error(plot(dc_table(fit), "nothing"), class = "ember_error_argument")
  skip_if_not_installed("ggplot2")
  for (table in list(dc_diag(fit), dc_table(fit))) {
    expect_s3_class(ggplot2::autoplot(table), "ggplot")
    expect_no_warning(ggplot2::ggplot_build(ggplot2::autoplot(table)))
  }
})
