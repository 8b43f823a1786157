test_that("tidy() has a row per parameter, as coef() and vcov() have them", {
  fit <- households_fit()
  table <- as.data.frame(tidy(fit))
  expect_identical(
    names(table),
    c("component", "equation", "term", "estimate", "std.error", "statistic", "p.value")
  )
  expect_equal(table$estimate, unname(coef(fit)))
  expect_equal(table$std.error, unname(sqrt(diag(vcov(fit)))))
  expect_identical(unique(table$component), c("outcome", "selection", "error"))
  error <- table[table$component == "error", ]
  expect_identical(error$term[1:3], c("sigma(y1)", "sigma(y2)", "rho(y1,y2)"))
  expect_true(all(is.na(error$equation)) && all(is.na(error$statistic[1:2])))
  slope <- table[table$component == "outcome" & table$term == "x1", ]
  expect_identical(slope$equation, c("y1", "y2"))
  expect_equal(slope$p.value, 2 * pnorm(-abs(slope$estimate / slope$std.error)))
  expect_identical(as.data.frame(tidy(fit, "selection")), `row.names<-`(
    table[table$component == "selection", ], NULL
  ))
})

test_that("tidy() has intervals on request", {
  fit <- one_equation()
  table <- tidy(fit, conf.int = TRUE, conf.level = 0.9)
  limits <- confint(fit, level = 0.9)
  expect_equal(table$conf.low, unname(limits[, 1L]))
  profiled <- tidy(fit, conf.int = TRUE, conf.method = "profile")
  own <- confint(fit, method = "profile")
  expect_equal(tail(profiled$conf.high, 2L), unname(own[, 2L]))
  expect_equal(profiled$conf.low[1:3], unname(confint(fit)[1:3, 1L]))
  robust <- tidy(fit, type = "HC0")
  expect_equal(robust$std.error, unname(sqrt(diag(vcov(fit, type = "HC0")))))
})

test_that("glance() is one row", {
  fit <- one_equation()
  table <- glance(fit)
  expect_equal(c(table$AIC, table$BIC), c(AIC(fit), BIC(fit)))
  expect_identical(table$method, "ml")
  expect_true(table$converged)
  two_step <- glance(update(fit, method = "two-step"))
  expect_true(is.na(two_step$logLik))
})

test_that("augment() adds predictions to the data", {
  fit <- one_equation()
  table <- as.data.frame(augment(fit, workers()))
  expect_identical(nrow(table), 400L)
  expect_equal(table$.fitted, as.vector(predict(fit, type = "outcome")))
  index <- drop(fit$rows$selection[[1L]] %*% fit$coefficients$s1)
  expect_equal(table$.prob, pnorm(index), tolerance = 1e-10)
  omega <- fit$omega
  expect_equal(
    table$.selected, table$.fitted + omega[1L, 2L] * dnorm(index) / pnorm(index), tolerance = 1e-8
  )
  expect_equal(table$.resid, table$y1 - table$.selected)
  new <- as.data.frame(augment(fit, newdata = workers()[1:3, ]))
  expect_equal(new$.selected, table$.selected[1:3])
  expect_null(new$.resid)
  two <- as.data.frame(augment(households_fit()))
  expect_true(all(c(".fitted_y2", ".selected_y2", ".prob_s2", ".resid_y2") %in% names(two)))
})
