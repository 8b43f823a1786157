# coef(), vcov(), confint(), quantile(), as.mcmc.list(), update(), print(), summary().

herd <- note_herd()
fit <- data_clone(Y ~ 1 + (1 | animal), herd,
  clones = c(1, 10), derived = list(sum = ~ sigma_sq + tau_sq), seed = 1
)

test_that("estimates and errors are those of the draws", {
  x <- do.call(rbind, as.mcmc.list(fit))
  expect_identical(colnames(x), c("(Intercept)", "sigma_sq", "tau_sq", "sum"))
  expect_equal(coef(fit), colMeans(x))
  expect_equal(vcov(fit), 10 * stats::cov(x))
  expect_equal(
    confint(fit, "tau_sq", level = 0.9)[1, ],
    coef(fit)[["tau_sq"]] + sqrt(10) * stats::sd(x[, "tau_sq"]) * stats::qnorm(c(0.05, 0.95)),
    ignore_attr = TRUE
  )
  expect_identical(colnames(confint(fit)), c("2.5 %", "97.5 %"))
  expect_identical(confint(fit, 2:3), confint(fit, c("sigma_sq", "tau_sq")))
  expect_equal(quantile(fit, 0.3)["sum", 1], stats::quantile(x[, "sum"], 0.3), ignore_attr = TRUE)
  expect_equal(coef(fit, "sum"), coef(fit)["sum"])
  expect_equal(fixef(fit), coef(fit)["(Intercept)"])
  varcorr <- VarCorr(fit)
  expect_equal(varcorr$animal[[1]], coef(fit)[["tau_sq"]])
  expect_equal(attr(varcorr, "sc")^2, coef(fit)[["sigma_sq"]])
})

test_that("one clone is an ordinary Bayesian fit", {
  x <- do.call(rbind, as.mcmc.list(fit, clones = 1))
  expect_equal(coef(fit, clones = 1), colMeans(x))
  expect_equal(vcov(fit, clones = 1), stats::cov(x))
  expect_error(coef(fit, clones = 7), class = "ember_error_argument")
})

test_that("draws are an mcmc.list that knows its number of clones", {
  draws <- as.mcmc.list(fit, c("sum", "tau_sq"), clones = 10)
  expect_s3_class(draws, "mcmc.list")
  expect_identical(attr(draws, "n.clones"), 10L)
  expect_identical(coda::varnames(draws), c("sum", "tau_sq"))
  expect_identical(coda::nchain(draws), 3L)
  expect_equal(stats::start(draws), 501)
  expect_equal(stats::end(draws), 1500)
  expect_identical(coda::varnames(as.mcmc.list(fit, "sum")), "sum")
  thinned <- note_fit(clones = 1, n_iter = 200, thin = 4)
  expect_equal(coda::thin(as.mcmc.list(thinned)), 4)
  expect_equal(coda::niter(as.mcmc.list(thinned)), 50)
})

test_that("the model can be asked for", {
  expect_identical(nobs(fit), 200L)
  expect_identical(formula(fit), Y ~ 1 + (1 | animal), ignore_formula_env = TRUE)
  expect_identical(family(fit)$family, "gaussian")
  expect_identical(names(model.frame(fit)), c("Y", "animal"))
  expect_true(is.na(logLik(fit)))
})

test_that("update() keeps the draws there are", {
  more <- update(fit, clones = c(1, 10, 20), seed = 2)
  expect_identical(more$clones, c(1L, 10L, 20L))
  expect_identical(more$runs[1:2], fit$runs)
  fewer <- update(fit, clones = 10)
  expect_identical(fewer$runs, fit$runs[2])
  long <- update(fit, n_iter = 1500, seed = 2)
  expect_identical(coda::niter(long$runs[[1]]$draws), 1500L)
  first <- stats::window(long$runs[[1]]$draws, end = 1500)
  expect_equal(as.matrix(first), as.matrix(fit$runs[[1]]$draws))
  expect_lt(max(abs(chain_rhat(long$runs[[2]]$draws) - 1)), 0.02)
  # Another prior is another fit.
  other <- update(fit, prior = list(log(sigma) ~ normal(0, 2)), seed = 1)
  expect_false(identical(other$runs[[1]]$draws, fit$runs[[1]]$draws))
  expect_identical(prior(other)$b[[2]], 2)
  wide_herd <- transform(herd, x = stats::rnorm(200))
  wider <- update(fit, . ~ . + x, data = wide_herd, clones = 1)
  expect_identical(names(fixef(wider)), c("(Intercept)", "x"))
  expect_identical(update(fit, n_iter = 10, evaluate = FALSE)$n_iter, 10)
})

test_that("an interrupted fit can be completed", {
  cut <- fit
  cut$runs <- fit$runs[1]
  cut$clones <- 1L
  cut$status <- "interrupted"
  whole <- update(cut, seed = 3)
  expect_identical(whole$clones, c(1L, 10L))
  expect_identical(whole$status, "converged")
})

test_that("print() and summary() show what a reader needs", {
  shown <- capture.output(print(fit))
  for (words in c("data cloning", "Number of obs: 200", "DC SD", "estimable", "tau_sq")) {
    expect_true(any(grepl(words, shown, fixed = TRUE)), label = words)
  }
  table <- summary(fit)
  expect_identical(
    colnames(table$coefficients), c("Mean", "SD", "DC SD", "R hat", "ESS", "MC error")
  )
  x <- as.mcmc.list(fit)
  expect_equal(table$coefficients[, "ESS"], coda::effectiveSize(x))
  expect_equal(
    table$coefficients[, "MC error"],
    apply(as.matrix(x), 2, stats::sd) / sqrt(coda::effectiveSize(x))
  )
  expect_output(print(table), "asymptotic")
  expect_output(print(table), "log\\(sigma\\)")
  one <- summary(fit, clones = 1)
  expect_equal(one$coefficients[, "DC SD"], one$coefficients[, "SD"])
})

test_that("questions that cannot be answered are errors", {
  expect_error(coef(fit, "nothing"), class = "ember_error_argument")
  expect_error(confint(fit, level = 2), class = "ember_error_argument")
  expect_error(quantile(fit, 2), class = "ember_error_argument")
  expect_error(update(fit, clones = c(2, 1)), class = "ember_error_argument")
  expect_error(prior(1), class = "ember_error_argument")
})
