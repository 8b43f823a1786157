test_that("one equation is Heckman's model", {
  fit <- people_fit()
  data <- people()
  seen <- data$s1 == 1
  # The log-likelihood of Heckman's model, written down again.
  heckman <- function(p) {
    e <- (data$y1 - p[[1]] - p[[2]] * data$x1)[seen] / p[[6]]
    index <- p[[3]] + p[[4]] * data$x1 + p[[5]] * data$z1
    sum(pnorm(-index[!seen], log.p = TRUE)) + sum(
      dnorm(e, log = TRUE) - log(p[[6]]) +
        pnorm((index[seen] + p[[7]] * e) / sqrt(1 - p[[7]]^2), log.p = TRUE)
    )
  }
  expect_equal(fit$loglik, heckman(coef(fit)), tolerance = 1e-10)
  errors <- sqrt(diag(vcov(fit)))
  slope <- vapply(seq_along(errors), function(k) {
    step <- replace(numeric(7), k, 1e-4 * errors[[k]])
    (heckman(coef(fit) + step) - heckman(coef(fit) - step)) / (2e-4 * errors[[k]])
  }, 0)
  # The score in standard errors.
  expect_lt(max(abs(slope * errors)), 1e-3)
})

test_that("Mroz's wages: the published fit is a mode, and not the highest", {
  fit <- mroz_fit()
  expect_equal(fit$loglik, -1479.653923, tolerance = 1e-8)
  expect_equal(coef(fit)[["rho(wage,participation)"]], 0.99308, tolerance = 1e-5)
  all <- modes(fit)
  textbook <- which(abs(all$loglik + 1581.25767552) < 1e-5)
  expect_length(textbook, 1L)
  local <- modes(fit, textbook)
  published <- c(
    -1.9630242, 0.0278683, -0.0001038605, 0.4570051, 0.4465290, -4.1196920, 0.1840154,
    -0.0024086973, 5.67969e-6, -0.4506149, 0.0952808, 3.1083762, -0.1319586
  )
  expect_lt(max(abs(coef(local) - published) / sqrt(diag(vcov(local)))), 1e-4)
})

test_that("method two-step is Heckman's estimator", {
  data <- mroz()
  fit <- mssm(
    wage ~ experience + I(experience^2) + education + city,
    participation ~ age + I(age^2) + fincome + kids + education,
    data = data, method = "two-step"
  )
  expect_equal(
    unname(coef(fit, "outcome")),
    c(-0.9712003, 0.0210610, 0.0001370769, 0.4170174, 0.4438379), tolerance = 1e-6
  )
  expect_equal(unname(coef(fit, "error")), c(3.2000643, -0.3429992), tolerance = 1e-6)
  expect_identical(logLik(fit)[[1]], NA_real_)
  expect_output(print(summary(fit)), "Inverse Mills ratios")
})

test_that("weights count rows, and subsets leave them out", {
  data <- people()
  data$w <- rep(c(1, 2), 200)
  control <- mssm_control(search = FALSE)
  weighted <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = data, weights = w, control = control)
  doubled <- mssm(
    y1 ~ x1, s1 ~ x1 + z1, data = data[rep(seq_len(400), data$w), ], control = control
  )
  expect_equal(weighted$loglik, doubled$loglik, tolerance = 1e-9)
  expect_equal(coef(weighted), coef(doubled), tolerance = 1e-5)
  half <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = data, subset = w == 1, control = control)
  same <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = data[data$w == 1, ], control = control)
  expect_equal(coef(half), coef(same))
})

test_that("an exact fit leaves R's generator alone, and threads change nothing", {
  withr_seed(1, {
    before <- .Random.seed
    fit <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = people())
    expect_identical(.Random.seed, before)
  })
  twice <- mssm(
    y1 ~ x1, s1 ~ x1 + z1, data = people(), control = mssm_control(threads = 2)
  )
  expect_identical(coef(twice), coef(fit))
})

test_that("a start is climbed from, without a search", {
  fit <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = people(), start = coef(people_fit()))
  expect_equal(coef(fit), coef(people_fit()), tolerance = 1e-5)
  expect_null(fit$scans)
})

test_that("separation names its equation", {
  data <- people()
  data$s1 <- as.integer(data$z1 > 0)
  data$y1 <- ifelse(data$z1 > 0, attr(people(), "latent")[, "y1"], NA)
  error <- expect_error(
    mssm(y1 ~ x1, s1 ~ x1 + z1, data = data), "selection equation `s1`", class = "ember_error"
  )
  expect_identical(error$equation, "s1")
})
