test_that("parameters are named by equation and term, errors by equations", {
  fit <- households_fit()
  names <- names(coef(fit))
  expect_identical(names[1:4], c("y1:(Intercept)", "y1:x1", "y2:(Intercept)", "y2:x1"))
  expect_identical(names[5:7], c("s1:(Intercept)", "s1:x1", "s1:z1"))
  expect_identical(names[11:12], c("sigma(y1)", "sigma(y2)"))
  expect_identical(
    names[13:18],
    c("rho(y1,y2)", "rho(y1,s1)", "rho(y1,s2)", "rho(y2,s1)", "rho(y2,s2)", "rho(s1,s2)")
  )
  expect_identical(names, names(attr(households(), "truth")$coefficients))
  expect_identical(
    coef(fit), c(coef(fit, "outcome"), coef(fit, "selection"), coef(fit, "error"))
  )
  expect_equal(coef(fit)[["rho(y2,s1)"]], cov2cor(fit$omega)["s1", "y2"])
  expect_identical(unname(sigma(fit)), unname(coef(fit)[c("sigma(y1)", "sigma(y2)")]))
  expect_error(coef(fit, "errors"), class = "ember_error_argument")
})

test_that("parameters go to the core's form and back", {
  fit <- households_fit()
  expect_equal(parameters_at(fit, naturals_of(fit)), fit$parameters)
  fit$aliased$y2[["x1"]] <- TRUE
  fit$coefficients$y2[["x1"]] <- NA
  expect_length(naturals_of(fit), 17L)
  expect_identical(is.na(coef(fit))[["y2:x1"]], TRUE)
  expect_identical(parameters_at(fit, naturals_of(fit))$coefficients[[2]][[2]], NA_real_)
})

test_that("the likelihood generics know the parameters and the rows", {
  fit <- people_fit()
  expect_identical(attr(logLik(fit), "df"), 7)
  expect_identical(nobs(fit), 400L)
  expect_equal(AIC(fit), 14 - 2 * fit$loglik)
  expect_equal(BIC(fit), 7 * log(400) - 2 * fit$loglik)
  expect_identical(df.residual(fit), 393)
})

test_that("formulas, frames and matrices are those of an equation", {
  fit <- households_fit()
  expect_identical(deparse1(formula(fit, "selection", 2)), "s2 ~ x1 + z2")
  expect_identical(formula(fit, "outcome", "s2"), formula(fit, "outcome", "y2"))
  expect_named(formula(fit), c("outcome", "selection"))
  expect_identical(attr(terms(fit, "outcome"), "term.labels"), "x1")
  expect_named(model.frame(fit), c("y1", "x1", "y2", "s1", "z1", "s2", "z2"))
  expect_equal(
    model.matrix(fit, "selection", 2), model.matrix(~ x1 + z2, households()), ignore_attr = TRUE
  )
  expect_identical(weights(fit), rep(1, 500))
  expect_error(formula(fit, "error"), class = "ember_error_argument")
  expect_error(model.matrix(fit, equation = 3), "`y1`|\"y1\"", class = "ember_error_argument")
})

test_that("columns that earlier ones determine are left out, with a message", {
  data <- people()
  data$twice <- 2 * data$x1
  expect_message(
    fit <- mssm(y1 ~ x1, s1 ~ x1 + twice + z1, data = data), "`s1:twice`",
    class = "ember_message_rank"
  )
  expect_identical(coef(fit)[["s1:twice"]], NA_real_)
  kept <- coef(fit)[names(coef(people_fit()))]
  expect_equal(kept, coef(people_fit()), tolerance = 1e-5)
  expect_identical(dim(vcov(fit)), c(7L, 7L))
  expect_identical(ncol(model.matrix(fit, "selection")), 3L)
  expect_match(capture.output(print(fit)), "`s1:twice`", all = FALSE)
})

test_that("update() changes formulas and arguments", {
  data <- households()
  fit <- households_fit()
  call <- update(
    fit, outcome = list(. ~ . - x1, . ~ .), method = "two-step", evaluate = FALSE
  )
  expect_identical(deparse1(call$outcome[[1]]), "y1 ~ 1")
  expect_identical(call$method, "two-step")
  one <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = data)
  smaller <- update(one, outcome = . ~ . - x1)
  expect_named(coef(smaller, "outcome"), "y1:(Intercept)")
  expect_lt(smaller$loglik, one$loglik)
  expect_error(update(fit, outcome = . ~ 1), "2 formulas", class = "ember_error_argument")
})

test_that("update() goes on with a fit that did not end", {
  data <- people()
  expect_warning(
    short <- mssm(
      y1 ~ x1, s1 ~ x1 + z1, data = data, start = c(0, 0, 0, 0, 0, 2, 0),
      control = mssm_control(max_iter = 1)
    ),
    class = "ember_warning_iteration_limit"
  )
  fit <- update(short, control = mssm_control())
  expect_identical(fit$status, "converged")
  expect_equal(coef(fit), coef(people_fit()), tolerance = 1e-4)
})
