test_that("the linkage example reaches the published estimate by every method", {
  for (method in c("squarem", "anderson", "none")) {
    fit <- fit_linkage(control = em_control(accelerate = method, tol = 1e-13))
    expect_identical(fit$status, "converged")
    expect_equal(unname(coef(fit)), 0.6268214980, tolerance = 1e-7)
    expect_identical(fit$loglik, linkage$log_lik(coef(fit)[[1L]]))
  }
})

test_that("ABO frequencies satisfy the likelihood equations and the published values", {
  people <- c(A = 186, B = 38, AB = 13, O = 284)
  fit <- em(
    start = c(A = 1, B = 1, O = 1) / 3,
    e_step = function(p) {
      unname(people[c("A", "B")] * p[c("A", "B")] / (p[c("A", "B")] + 2 * p[["O"]]))
    },
    m_step = function(homozygous) {
      genes <- c(
        A = homozygous[[1L]] + people[["A"]] + people[["AB"]],
        B = homozygous[[2L]] + people[["B"]] + people[["AB"]], O = 0
      )
      genes[["O"]] <- 2 * sum(people) - sum(genes)
      genes / sum(genes)
    }
  )
  expect_equal(coef(fit), c(A = 0.2136, B = 0.0501, O = 0.7363), tolerance = 1e-4)
  log_lik <- function(free) {
    p <- c(free, 1 - sum(free))
    groups <- c(p[1]^2 + 2 * p[1] * p[3], p[2]^2 + 2 * p[2] * p[3], 2 * p[1] * p[2], p[3]^2)
    sum(people * log(groups))
  }
  direct <- optim(c(0.2, 0.1), log_lik, control = list(fnscale = -1, reltol = 1e-14))
  expect_equal(unname(coef(fit)[1:2]), direct$par, tolerance = 1e-5)
})

test_that("a fit without log-likelihood converges, unchecked, to the same point", {
  fit <- fit_linkage(log_lik = NULL)
  expect_identical(fit$status, "converged")
  root <- (15 + sqrt(53809)) / 394
  expect_lt(abs(coef(fit)[[1L]] - root), 1.1e-8 * (1 + root))
  expect_identical(fit$loglik, NA_real_)
  expect_setequal(em_trace(fit)$step, c("start", "em"))
  expect_error(vcov(fit), class = "ember_error_argument")
  expect_error(plot(fit), class = "ember_error_argument")
})

test_that("Old Faithful EEE with three components needs at most 40 passes, stopping included", {
  by_eruption <- as.integer(cut(faithful$eruptions, c(0, 3, 4.3, 9)))
  limit <- faithful_eee(by_eruption, em_control(accelerate = "none", tol = 1e-12))$loglik
  expect_equal(limit, -1126.3159, tolerance = 1e-6)
  plain <- faithful_eee(by_eruption, em_control(accelerate = "none"))
  expect_lt(abs(plain$loglik - limit), 1.1e-8)
  for (method in c("squarem", "anderson")) {
    fit <- faithful_eee(by_eruption, em_control(accelerate = method))
    expect_identical(fit$status, "converged")
    expect_lt(abs(fit$loglik - limit), 1.1e-8)
    expect_lte(fit$passes, 40L)
    expect_lt(fit$passes, plain$passes / 2)
  }
})

test_that("the trace holds the lower bound, between the log-likelihoods of plain EM", {
  by_eruption <- as.integer(cut(faithful$eruptions, c(0, 3, 4.3, 9)))
  fit <- faithful_eee(by_eruption, em_control(accelerate = "none"))
  trace <- em_trace(fit)
  expect_identical(trace$iteration, seq(0L, fit$iterations))
  before <- head(trace$loglik, -1L)
  after <- trace$loglik[-1L]
  expect_true(all(trace$bound[-1L] >= before - 1e-9 & trace$bound[-1L] <= after + 1e-9))
  expect_gt(sum(after - trace$bound[-1L]), 1)
})

test_that("a wrong M step is reported with its iteration", {
  calls <- 0
  wrong <- function(hidden) {
    calls <<- calls + 1
    if (calls == 3) 0.2 else linkage$m_step(hidden)
  }
  control <- em_control(accelerate = "none")
  warning <- expect_warning(
    fit <- fit_linkage(m_step = wrong, control = control),
    class = "ember_warning_not_monotone"
  )
  expect_match(conditionMessage(warning), "in iteration 3")
  expect_identical(fit$drop[["iteration"]], 3)
  expect_equal(fit$drop[["size"]], -diff(fit$trace$loglik)[[3L]])
  expect_output(print(fit), "WRONG: the log-likelihood dropped")
})

test_that("a limit of iterations warns and keeps the fit", {
  expect_warning(
    fit <- fit_linkage(0.01, control = em_control(max_iter = 2)),
    class = "ember_warning_iteration_limit"
  )
  expect_identical(fit$status, "iteration_limit")
  expect_identical(fit$iterations, 2L)
})

test_that("parameters keep the structure of start", {
  a <- matrix(c(1, 2, 3, 4), 2, dimnames = list(c("r", "s"), NULL))
  start <- list(a = a, b = list(u = 5, v = c(x = 6, y = 7)))
  halve <- function(x) rapply(x, function(v) unname(c(v)) / 2, how = "replace")
  fit <- em(start, function(p) p, halve, function(p) -sum(unlist(p)^2))
  expect_identical(attributes(fit$params), attributes(start))
  expect_identical(attributes(fit$params$a), attributes(start$a))
  expect_identical(names(fit$params$b$v), c("x", "y"))
  expect_identical(names(coef(fit)), names(unlist(start)))
  expect_lt(max(abs(coef(fit))), 1e-3)
})

test_that("data reach the functions through dots", {
  fit <- em(
    c(0, 10),
    e_step = function(mu, y) plogis((mu[2] - mu[1]) * (y - mean(mu))),
    m_step = function(r, y) c(sum((1 - r) * y) / sum(1 - r), sum(r * y) / sum(r)),
    log_lik = function(mu, y) sum(log(dnorm(y, mu[1]) + dnorm(y, mu[2]))),
    y = c(-1, 0, 1, 7, 8, 9)
  )
  expect_equal(unname(coef(fit)), c(0, 8), tolerance = 1e-2)
  expect_identical(names(coef(fit)), c("theta1", "theta2"))
})

test_that("extrapolation outside the domain is harmless", {
  # log(p) warns and gives NaN for p < 0, and the E step stops there.
  fit <- expect_silent(em(
    0.9,
    e_step = function(p) if (p <= 0 || p >= 1) stop("outside") else p,
    m_step = function(p) 0.001 + 0.95 * (p - 0.001),
    log_lik = function(p) 1e-3 * log(p) - p
  ))
  expect_equal(unname(coef(fit)), 0.001, tolerance = 1e-2)
})

test_that("vcov is the inverse of the observed information", {
  fit <- fit_linkage(control = em_control(tol = 1e-13))
  theta <- coef(fit)[[1L]]
  information <- 125 / (2 + theta)^2 + 38 / (1 - theta)^2 + 34 / theta^2
  expect_equal(vcov(fit)[["theta", "theta"]], 1 / information, tolerance = 1e-5)
  flat <- em(c(1, 1), identity, function(h) h, function(p) -(sum(p) - 2)^2)
  expect_error(vcov(flat), class = "ember_error_singular")
})

test_that("fits print as they ended", {
  expect_snapshot(print(fit_linkage()))
  expect_snapshot(print(fit_linkage(log_lik = NULL)))
  expect_snapshot(print(fit_linkage(0.01, control = em_control(max_iter = 2))))
})

test_that("a fit is visible", {
  expect_true(withVisible(fit_linkage())$visible)
})

test_that("arguments are checked", {
  expect_snapshot(error = TRUE, {
    fit_linkage("a")
    fit_linkage(numeric())
    fit_linkage(c(1, NA))
    fit_linkage(list(a = 1, b = "x"))
    em(1, 2, identity)
    em(1, identity, NULL)
    em(1, identity, identity, log_lik = "no")
    em(1, identity, identity, control = list())
  })
  expect_error(fit_linkage("a"), class = "ember_error_argument")
})
