# Names of the parameters, the two scales, derived parameters.

random_term <- function(group, names, core = 1L, first = 1L) {
  list(group = group, names = names, core = core, positions = first - 1L + seq_along(names))
}

test_that("names are those of the help page", {
  names_of <- function(...) parameter_table("(Intercept)", list(...), TRUE, FALSE)$name
  expect_identical(
    names_of(random_term("g", "(Intercept)")), c("(Intercept)", "sigma_sq", "tau_sq")
  )
  expect_identical(
    names_of(random_term("g", c("(Intercept)", "x"))),
    c("(Intercept)", "sigma_sq", "tau_sq[g]", "tau[g,(Intercept),x]", "tau_sq[g,x]")
  )
  expect_identical(
    names_of(random_term("b:a", "(Intercept)"), random_term("a", "(Intercept)", 2L)),
    c("(Intercept)", "sigma_sq", "tau_sq[b:a]", "tau_sq[a]")
  )
})

test_that("terms are in the order of the core: by factor, then by effect", {
  random <- list(
    random_term("g", "(Intercept)"), random_term("h", "(Intercept)", 2L),
    random_term("g", "x", 1L, 2L)
  )
  table <- parameter_table(character(), random, TRUE, FALSE)
  expect_identical(table$name, c("sigma_sq", "tau_sq[g]", "tau_sq[g,x]", "tau_sq[h]"))
  expect_identical(table$block, c(0L, 1L, 3L, 2L))
})

test_that("the two scales are inverse to each other, whatever the size of a block", {
  set.seed(1)
  for (q in 1:4) {
    random <- list(
      random_term("g", paste0("x", seq_len(q))), random_term("h", "(Intercept)", 2L)
    )
    table <- parameter_table(c("a", "b"), random, TRUE, TRUE)
    w <- matrix(stats::rnorm(5 * nrow(table)), 5)
    natural <- natural_draws(w, table)
    expect_identical(colnames(natural), table$name)
    expect_equal(unname(unconstrained_draws(natural, table)), w, tolerance = 1e-9)
    own <- table[table$block == 1L, ]
    covariance <- matrix(0, q, q)
    covariance[cbind(own$row, own$column)] <- natural[1, own$name]
    covariance[cbind(own$column, own$row)] <- natural[1, own$name]
    expect_true(all(eigen(covariance)$values > 0))
    expect_equal(log(diag(covariance)) / 2, w[1, 3 + seq_len(q)])
  }
})

test_that("with two effects the partial correlation is the correlation", {
  table <- parameter_table(character(), list(random_term("g", c("u", "v"))), FALSE, FALSE)
  natural <- rbind(c(4, 3, 9))
  colnames(natural) <- table$name
  w <- unconstrained_draws(natural, table)
  expect_equal(as.vector(w), c(log(2), log(3), atanh(0.5)))
  expect_identical(colnames(w), c("log_tau[g,u]", "log_tau[g,v]", "atanh_rho[g,u,v]"))
})

test_that("the order and the scale are the core's", {
  skip_if_not_installed("lme4")
  formula <- Reaction ~ Days + (Days | Subject)
  fit <- data_clone(formula, lme4::sleepstudy, clones = 200, seed = 1)
  ml <- lmm(formula, lme4::sleepstudy, REML = FALSE)
  mode <- fit$runs[[1]]$mode
  expect_equal(mode$w, unname(unconstrained_draws(rbind(
    stats::setNames(mode$natural, fit$table$name)
  ), fit$table)[1, ]), tolerance = 1e-8)
  truth <- c(fixef(ml), sigma(ml)^2, VarCorr(ml)$Subject[c(1, 2, 4)])
  expect_equal(mode$natural, unname(truth), tolerance = 0.01)
})

test_that("derived parameters are functions of the draws", {
  skip_if_not_installed("lme4")
  k <- 2
  fit <- data_clone(Reaction ~ Days + (Days | Subject), lme4::sleepstudy,
    clones = 5, n_iter = 100, seed = 1, derived = list(
      rho = ~ tau[Subject, (Intercept), Days] / (tau[Subject] * tau[Subject, Days]),
      twice = ~ k * sigma, effect = ~ Days
    )
  )
  draws <- as.matrix(as.mcmc.list(fit))
  expect_equal(draws[, "twice"], 2 * sqrt(draws[, "sigma_sq"]))
  expect_equal(draws[, "effect"], draws[, "Days"])
  rho <- draws[, "tau[Subject,(Intercept),Days]"] /
    sqrt(draws[, "tau_sq[Subject]"] * draws[, "tau_sq[Subject,Days]"])
  expect_equal(draws[, "rho"], rho)
})

test_that("derived parameters that cannot be computed are errors", {
  wrong <- list(
    list(~sigma_sq), list(sigma_sq = ~tau_sq), list(a = ~nothing_here), list(a = y ~ tau_sq),
    list(a = ~ sum(sigma_sq)), list(a = ~ as.character(sigma_sq)), list(a = ~ stop("no")), 1,
    list(a = ~tau_sq, a = ~tau_sq)
  )
  for (derived in wrong) {
    expect_error(note_fit(clones = 1, n_iter = 50, derived = derived),
      class = "ember_error_argument"
    )
  }
})
