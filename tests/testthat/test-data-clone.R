# data_clone() against the note, closed forms, lmm(), and its own promises.

test_that("the figures of the note come out", {
  fit <- note_fit(derived = list(sum = ~ sigma_sq + tau_sq))
  expect_s3_class(fit, c("ember_clone", "ember_fit"), exact = TRUE)
  expect_identical(fit$status, "converged")
  errors <- summary(fit)$coefficients[, "MC error"]
  # Solymos and Lele printed 2.56555, 0.042965, 0.243821 and 0.286696, with errors of their own.
  note <- c(2.56555021, 0.04296504, 0.24382137, 0.2866957)
  expect_lt(max(abs(coef(fit) - note) / pmax(errors, 1e-3 * note)), 4)
  lambda <- dc_diag(fit)$lambda.max
  expect_equal(lambda, c(2.83e-3, 2.44e-4, 1.20e-4, 4.97e-5), tolerance = 0.12)
  # Covariance of mu and the logs of the standard deviations, 50 clones.
  logs <- note_fit(
    derived = list(log_sigma = ~ log(sigma), log_tau = ~ log(tau)), n_iter = 3000
  )
  v <- vcov(logs, c("(Intercept)", "log_sigma", "log_tau"))
  expect_equal(unname(diag(v)), c(0.00248, 0.00523, 0.00601), tolerance = 0.1)
  expect_lt(abs(stats::cov2cor(v)[2, 3] - -0.103), 0.06)
})

test_that("with 50 clones estimates and errors are those of maximum likelihood", {
  herd <- note_herd()
  truth <- one_way_maximum(herd$Y, herd$animal)
  fit <- note_fit()
  table <- summary(fit)$coefficients
  expect_lt(max(abs(table[, "Mean"] - truth$estimates) / table[, "MC error"]), 4)
  expect_equal(unname(table[, "DC SD"]), sqrt(diag(truth$covariance)), tolerance = 0.05)
  ml <- lmm(Y ~ 1 + (1 | animal), herd, REML = FALSE)
  expect_lt(max(abs(coef(fit)[1:2] - c(fixef(ml), sigma(ml)^2)) / table[1:2, "MC error"]), 4)
  asymptotic <- summary(fit)$diagnostics$asymptotic
  expect_equal(asymptotic, 2.651e-3 / c(1, 10, 25, 50), tolerance = 2e-3)
})

test_that("set.seed() rules, or `seed` does, and cores do not", {
  herd <- note_herd()
  draws <- function(...) {
    data_clone(Y ~ 1 + (1 | animal), herd, clones = 5, n_iter = 50, ...)$runs[[1]]$draws
  }
  set.seed(7)
  one <- suppressWarnings(draws())
  after <- stats::runif(1)
  set.seed(7)
  expect_identical(suppressWarnings(draws(cores = 3)), one)
  expect_identical(stats::runif(1), after)
  seeded <- suppressWarnings(draws(seed = 3))
  set.seed(8)
  before <- stats::runif(2)
  set.seed(8)
  expect_identical(stats::runif(1), before[[1]])
  expect_identical(suppressWarnings(draws(seed = 3)), seeded)
  expect_identical(stats::runif(1), before[[2]])
  expect_false(identical(suppressWarnings(draws(seed = 4)), seeded))
})

test_that("correlated, crossed and split random effects are fitted as lmm() has them", {
  skip_if_not_installed("lme4")
  compared <- function(formula, data, ...) {
    ml <- lmm(formula, data, REML = FALSE)
    fit <- data_clone(formula, data, clones = c(10, 200), n_iter = 2000, seed = 1, ...)
    table <- compare_fits(ml, fit, effects = FALSE)$estimates
    wide <- split(table, table$fit)
    expect_identical(wide$ml$parameter, wide$fit$parameter)
    list(
      off = (wide$fit$estimate - wide$ml$estimate) / wide$fit$std.error,
      errors = wide$fit$std.error / wide$ml$std.error
    )
  }
  for (formula in c(Reaction ~ Days + (Days | Subject), Reaction ~ Days + (Days || Subject))) {
    found <- compared(formula, lme4::sleepstudy)
    expect_lt(max(abs(found$off)), 0.03)
    expect_lt(max(abs(log(found$errors))), 0.1)
  }
  found <- compared(diameter ~ 1 + (1 | plate) + (1 | sample), lme4::Penicillin)
  expect_lt(max(abs(found$off)), 0.03)
  expect_lt(max(abs(log(found$errors))), 0.1)
})

test_that("weights and offset count", {
  herd <- transform(note_herd(), w = rep(1:2, 100), o = rep(0:3, 50))
  herd$Y <- herd$Y + herd$o
  ml <- lmm(Y ~ 1 + (1 | animal), herd, REML = FALSE, weights = w, offset = o)
  fit <- data_clone(Y ~ 1 + (1 | animal), herd, weights = w, offset = o, clones = 100, seed = 1)
  table <- summary(fit)$coefficients
  truth <- c(fixef(ml), sigma(ml)^2, VarCorr(ml)$animal)
  expect_lt(max(abs(table[, "Mean"] - truth) / table[, "DC SD"]), 0.05)
})

test_that("one row per group is sampled, and the sum of the variances is estimable", {
  herd <- note_herd()[1:100, ]
  expect_error(lmm(Y ~ 1 + (1 | animal), herd), class = "ember_error_data")
  fit <- suppressWarnings(data_clone(
    Y ~ 1 + (1 | animal), herd, clones = c(1, 10, 25), seed = 1,
    derived = list(sum = ~ sigma_sq + tau_sq)
  ))
  verdict <- estimability(fit)
  expect_false(verdict$estimable)
  expect_identical(unname(verdict$directions[, 1]), c(0, 1, -1))
  expect_match(verdict$words[[1]], "sigma_sq and tau_sq cannot be told apart")
  estimable <- verdict$parameters$parameter[verdict$parameters$estimable %in% TRUE]
  expect_identical(estimable, c("(Intercept)", "sum"))
  expect_match(verdict$words[[1]], "Estimable: .*sigma_sq \\+ tau_sq")
  # The maximum of the sum is the variance of the rows.
  off <- coef(fit)[["sum"]] - mean((herd$Y - mean(herd$Y))^2)
  expect_lt(abs(off), 0.01)
  expect_output(print(fit), "NOT estimable")
  expect_output(print(summary(fit)), "NOT estimable")
})

test_that("chains that fail are reported and the others kept", {
  run <- normal_run(c(2.5, 0.04, 0.25), diag(1e-4, 3), failures = c("lost", NA, NA))
  local_core(run)
  expect_warning(
    expect_warning(fit <- note_fit(clones = c(1, 5), n_iter = 100), class = "ember_warning_chain"),
    class = "ember_warning_chain"
  )
  expect_length(fit$runs[[1]]$draws, 2L)
  expect_output(print(fit), "2 chains failed and left out")
  run <- normal_run(c(2.5, 0.04, 0.25), diag(1e-4, 3), failures = "lost")
  local_core(run)
  expect_error(note_fit(clones = 1, n_iter = 100), class = "ember_error_sampling")
})

test_that("an interrupt keeps what was drawn", {
  run <- normal_run(
    c(2.5, 0.04, 0.25), diag(1e-4, 3), lengths = c(100, 80, 0), interrupted = TRUE
  )
  local_core(run)
  expect_warning(fit <- note_fit(clones = c(5, 10), n_iter = 100),
    class = "ember_warning_interrupted"
  )
  expect_identical(fit$status, "interrupted")
  expect_identical(fit$clones, 5L)
  expect_length(fit$runs[[1]]$draws, 2L)
  expect_identical(coda::niter(fit$runs[[1]]$draws), 80L)
  expect_output(print(fit), "INTERRUPTED.*not run: 10 clones")
})

test_that("Ctrl-C ends real chains with a fit", {
  skip_on_cran()
  skip_on_os("windows")
  lines <- lines_after_interrupt(c(
    "set.seed(1)",
    "d <- data.frame(g = rep(1:50, 4), y = rnorm(200) + rep(rnorm(50), 4))",
    "tell('started')",
    "fit <- withCallingHandlers(",
    "  data_clone(y ~ 1 + (1 | g), d, clones = c(1, 2), n_iter = 5e7, thin = 5000),",
    "  warning = function(w) { tell(class(w)[[1]]); invokeRestart('muffleWarning') })",
    "tell(fit$status)"
  ), 3L)
  expect_identical(lines[c(1, length(lines))], c("started", "interrupted"))
  expect_true("ember_warning_interrupted" %in% lines)
})

test_that("chains that have not mixed are a warning that says what to change", {
  local_core(function(...) {
    result <- normal_run(c(2.5, 0.04, 0.25), diag(1e-4, 3))(...)
    apart <- stats::sd(result$draws[[1]][, 2])
    result$draws[[1]][, 2] <- result$draws[[1]][, 2] + 2 * apart
    result
  })
  expect_warning(fit <- note_fit(clones = c(1, 5), n_iter = 100), "n_burnin",
    class = "ember_warning_mixing"
  )
  expect_identical(fit$status, "not_mixed")
  expect_output(print(fit), "NOT mixed")
})

test_that("the model without smoothing mixes as badly as the note shows", {
  expect_warning(
    fit <- note_fit(
      clones = 1, sampler = "independent", n_iter = 4000, n_burnin = 1000,
      derived = list(first = ~ `(Intercept)` + alpha[1])
    ),
    class = "ember_warning_mixing"
  )
  expect_identical(names(coef(fit)), c("(Intercept)", "sigma_sq", "first"))
  expect_named(coef(fit, c("alpha[1]", "alpha[100]")), c("alpha[1]", "alpha[100]"))
  herd <- note_herd()
  # The mean of an animal is known, though neither of its parts is.
  expect_lt(abs(coef(fit)[["first"]] - mean(herd$Y[herd$animal == "1"])), 0.02)
  within <- sum((herd$Y - stats::ave(herd$Y, herd$animal))^2)
  expect_equal(coef(fit)[["sigma_sq"]], within / 98, tolerance = 0.05)
  expect_lt(coda::effectiveSize(as.mcmc.list(fit, "(Intercept)")), 200)
  expect_output(print(fit), "independent effects")
  expect_identical(prior(fit)$left, c("(Intercept)", "log(sigma)", "alpha"))
  expect_error(ranef(fit), class = "ember_error_argument")
  expect_error(
    note_fit(sampler = "independent", prior = list(alpha ~ uniform(-1, 1))),
    class = "ember_error_argument"
  )
})
