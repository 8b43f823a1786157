# PX-MCEM against exact maximum likelihood: the same estimates, within the Monte Carlo error that it
# states.

monte_carlo_pair <- local({
  fits <- NULL
  function() {
    if (is.null(fits)) {
      data <- mssm_two()
      outcome <- list(y1 ~ x + z, y2 ~ x + z)
      selection <- list(s1 ~ x + w1, s2 ~ x + w2)
      set.seed(4)
      fits <<- list(
        data = data, outcome = outcome, selection = selection,
        exact = mssm(outcome, selection, data = data),
        drawn = mssm(outcome, selection, data = data, method = "px-mcem")
      )
    }
    fits
  }
})

test_that("estimates are those of maximum likelihood, within their Monte Carlo errors", {
  fits <- monte_carlo_pair()
  drawn <- fits$drawn
  expect_identical(drawn$status, "converged")
  se <- sqrt(diag(vcov(fits$exact)))
  expect_true(all(drawn$mc$mc_error > 0 & drawn$mc$mc_error < 0.022 * se))
  expect_lt(max(abs(coef(drawn) - coef(fits$exact)) / (4 * drawn$mc$mc_error + 1e-3 * se)), 1)
  expect_lt(max(abs(sqrt(diag(drawn$vcov)) / se - 1)), 0.05)
  expect_lt(abs(as.numeric(logLik(drawn)) - as.numeric(logLik(fits$exact))), 0.01)
})

test_that("set.seed() decides the draws, threads do not", {
  fits <- monte_carlo_pair()
  again <- function(seed, threads) {
    set.seed(seed)
    fit <- mssm(fits$outcome, fits$selection,
      data = fits$data, method = "px-mcem", control = mssm_control(threads = threads, mc_tol = 0.1)
    )
    list(coef(fit), fit$mc$mc_error, fit$vcov)
  }
  first <- again(7, 1)
  expect_identical(again(7, 2), first)
  expect_false(identical(again(8, 1), first))
})

test_that("the history says what each iteration did", {
  history <- monte_carlo_pair()$drawn$mc$history
  columns <- c("iteration", "draws", "gain", "ase", "accepted", "newton", "newton_error")
  expect_named(history, columns)
  climbing <- is.na(history$newton)
  expect_true(all(is.finite(history$gain[climbing]) & history$ase[climbing] >= 0))
  expect_true(all(history$newton_error[!climbing] > 0))
  expect_identical(nrow(history), monte_carlo_pair()$drawn$iterations)
})

test_that("with one equation only the full sampler leaves something to chance", {
  data <- mssm_two()
  fit <- function(...) {
    mssm(y1 ~ x + z, s1 ~ x + w1, data = data, ...)
  }
  exact <- fit()
  se <- sqrt(diag(vcov(exact)))
  set.seed(1)
  drawn <- fit(method = "px-mcem")
  expect_lt(max(drawn$mc$mc_error / se), 1e-8)
  expect_lt(max(abs(coef(drawn) - coef(exact)) / se), 0.01)
  full <- fit(method = "px-mcem", control = mssm_control(sampler = "full", mc_tol = 0.1))
  expect_lt(max(abs(coef(full) - coef(exact)) / full$mc$mc_error), 4.5)
  expect_lt(max(full$mc$mc_error / se), 0.11)
})

test_that("a fit that ran out of iterations goes on with update()", {
  fits <- monte_carlo_pair()
  set.seed(3)
  expect_warning(
    short <- mssm(fits$outcome, fits$selection,
      data = fits$data, method = "px-mcem", control = mssm_control(max_iter = 4)
    ),
    class = "ember_warning_iteration_limit"
  )
  expect_true(all(is.na(short$mc$mc_error)))
  longer <- update(short, control = mssm_control())
  expect_identical(longer$status, "converged")
  expect_gt(longer$passes, short$passes)
  difference <- abs(coef(longer) - coef(fits$exact))
  expect_lt(max(difference / longer$mc$mc_error), 4.5)
})
