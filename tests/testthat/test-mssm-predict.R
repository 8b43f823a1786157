# Linear predictors, n x 2J, from the definition.
predictors_of <- function(fit, designs = c(fit$rows$outcome, fit$rows$selection)) {
  unname(mapply(function(x, beta) drop(x %*% beta), designs, fit$coefficients))
}

test_that("one equation is Heckman's closed form", {
  fit <- truth_fit(1L)$fit
  eta <- predictors_of(fit)
  covariance <- fit$omega[1L, 2L]
  ratio <- dnorm(eta[, 2L]) / pnorm(eta[, 2L])
  of <- function(type) unname(predict(fit, type = type))
  expect_equal(of("outcome"), eta[, 1L], tolerance = 1e-12)
  expect_equal(of("latent"), eta[, 2L], tolerance = 1e-12)
  expect_equal(of("probability"), pnorm(eta[, 2L]), tolerance = 1e-12)
  expect_equal(of("mills"), ratio, tolerance = 1e-12)
  expect_equal(of("selected"), eta[, 1L] + covariance * ratio, tolerance = 1e-12)
  expect_equal(
    of("not_selected"), eta[, 1L] - covariance * dnorm(eta[, 2L]) / pnorm(-eta[, 2L]),
    tolerance = 1e-12
  )
  expect_equal(of("joint"), of("probability"), tolerance = 1e-12)
  expect_equal(of("pattern"), of("selected"), tolerance = 1e-12)
})

test_that("two equations agree with mvtnorm and with integration over the selections", {
  skip_if_not_installed("mvtnorm")
  fit <- truth_fit(2L)$fit
  eta <- predictors_of(fit)
  omega <- unname(fit$omega)
  rho <- omega[3L, 4L]
  for (pattern in list(c(1, 1), c(1, 0), c(0, 1), c(0, 0))) {
    q <- 2 * pattern - 1
    joint <- predict(fit, type = "joint", pattern = pattern)
    means <- predict(fit, type = "pattern", pattern = pattern)
    for (i in 1:5) {
      corr <- matrix(c(1, q[1] * q[2] * rho, q[1] * q[2] * rho, 1), 2)
      p <- mvtnorm::pmvnorm(upper = q * eta[i, 3:4], corr = corr)[[1L]]
      expect_equal(joint[[i]], p, tolerance = 1e-10)
      # E[v_1 | pattern]: integrate over v_1, the other selection given it.
      side <- function(k, l) {
        value <- function(v) {
          inside <- pnorm(q[[l]] * (eta[i, 2L + l] + rho * v) / sqrt(1 - rho^2))
          v * dnorm(v) * inside
        }
        bound <- -eta[i, 2L + k]
        ends <- if (q[[k]] > 0) c(bound, 12) else c(-12, bound)
        integrate(value, ends[[1L]], ends[[2L]], rel.tol = 1e-11)$value / p
      }
      v <- c(side(1L, 2L), side(2L, 1L))
      expected <- eta[i, 1:2] + drop(omega[1:2, 3:4] %*% solve(omega[3:4, 3:4], v))
      expect_equal(unname(means[i, ]), expected, tolerance = 1e-7)
    }
  }
})

test_that("the law of total expectation holds over all patterns", {
  for (equations in 2:3) {
    fit <- truth_fit(equations)$fit
    patterns <- unname(as.matrix(expand.grid(rep(list(0:1), equations))))
    joint <- apply(patterns, 1L, function(p) predict(fit, type = "joint", pattern = p))
    expect_equal(rowSums(joint), rep(1, nrow(joint)), tolerance = 1e-10, ignore_attr = TRUE)
    total <- 0
    for (k in seq_len(nrow(patterns))) {
      means <- predict(fit, type = "pattern", pattern = patterns[k, ])
      total <- total + joint[, k] * means
    }
    expect_equal(total, predict(fit, type = "outcome"), tolerance = 1e-8)
  }
})

test_that("standard errors are the delta method's, by numerical derivatives", {
  skip_if_not_installed("numDeriv")
  for (equations in 1:2) {
    fit <- truth_fit(equations, 24L)$fit
    types <- c(
      "outcome", "selected", "not_selected", "pattern", "latent", "probability", "joint", "mills",
      "missing"
    )
    for (type in types) {
      pattern <- if (type %in% c("joint", "pattern")) c(0, 1)[seq_len(equations)]
      predicted <- predict(fit, type = type, pattern = pattern, se.fit = TRUE)
      slopes <- numDeriv::jacobian(function(values) {
        at <- fit_with_naturals(fit, stats::setNames(values, natural_names(fit)))
        as.vector(predict(at, type = type, pattern = pattern))
      }, unname(naturals_of(fit)))
      expected <- sqrt(rowSums((slopes %*% fit$vcov) * slopes))
      expect_equal(as.vector(predicted$se.fit), expected, tolerance = 1e-6, info = type)
    }
  }
})

test_that("standard errors are the spread of predictions at drawn parameters", {
  fit <- truth_fit(2L, 24L)$fit
  draws <- withr_seed(1L, {
    at <- naturals_of(fit)
    root <- chol(fit$vcov)
    replicate(1500L, {
      drawn <- fit_with_naturals(fit, at + drop(rnorm(length(at)) %*% root))
      as.vector(predict(drawn, type = "pattern", pattern = c(1, 0)))
    })
  })
  errors <- predict(fit, type = "pattern", pattern = c(1, 0), se.fit = TRUE)$se.fit
  expect_lt(max(abs(apply(draws, 1L, sd) / as.vector(errors) - 1)), 0.1)
})

test_that("missing outcomes use what was observed in the row", {
  made <- truth_fit(2L, 4000L)
  fit <- made$fit
  expected <- predict(fit, type = "missing")
  seen <- fit$rows$selected == 1L
  expect_equal(expected[seen], fit$rows$y[seen])
  error <- made$latent[, 1:2] - expected
  for (j in 1:2) {
    hidden <- !seen[, j]
    other <- ifelse(seen[, 3L - j], fit$rows$y[, 3L - j], 0)
    for (instrument in list(1, made$data$x1, other)) {
      values <- (error[, j] * instrument)[hidden]
      expect_lt(abs(mean(values)), 4 * sd(values) / sqrt(length(values)))
    }
    plain <- made$latent[, j] - predict(fit, type = "not_selected")[, j]
    expect_lt(var(error[hidden, j]), var(plain[hidden]))
  }
  expect_error(
    predict(fit, made$data, type = "missing"), class = "ember_error_argument"
  )
})

test_that("new data are coded as the fit's", {
  made <- truth_fit(2L, 60L)
  fit <- made$fit
  for (type in c("outcome", "selected", "probability")) {
    expect_equal(predict(fit, made$data, type = type), predict(fit, type = type))
  }
  data <- made$data
  data$g <- factor(rep(c("a", "b", "c"), 20L))
  model <- model_of(y1 ~ g + poly(x1, 2), s1 ~ z1 + g, data)
  fit <- fit_at(model, list(c(1, 0.5, -0.5, 2, 1), c(0.2, 1, 0.3, 0.1)), matrix(c(1, .5, .5, 1), 2))
  few <- data[c(7L, 3L), ]
  few$g <- as.character(few$g)
  expect_equal(
    predict(fit, few, type = "selected"), predict(fit, type = "selected")[c("7", "3")]
  )
  few$g[[1L]] <- "d"
  expect_error(predict(fit, few), "newdata", class = "ember_error_argument")
  expect_error(predict(fit, few["x1"]), class = "ember_error_argument")
  few$g[[1L]] <- NA
  expect_equal(unname(is.na(predict(fit, few, se.fit = TRUE)$se.fit)), c(TRUE, FALSE))
  expect_named(predict(fit, few, na.action = na.omit), "3")
  expect_error(predict(fit, few, na.action = na.fail))
})

test_that("only the regressors of the type are needed", {
  made <- truth_fit(1L, 30L)
  only <- data.frame(x1 = c(0.5, 1))
  expect_equal(unname(predict(made$fit, only)), c(1.5, 2))
  expect_error(predict(made$fit, only, type = "selected"), class = "ember_error_argument")
  only$z1 <- c(NA, 0)
  expect_equal(unname(predict(made$fit, only)), c(1.5, 2))
  expect_equal(unname(predict(made$fit, only, type = "probability")), c(NA, pnorm(0.75)))
})

test_that("columns that were left out have no part", {
  data <- truth_fit(1L, 60L)$data
  data$twice <- 2 * data$x1
  model <- model_of(y1 ~ x1 + twice, s1 ~ x1 + z1, data)
  omega <- matrix(c(1, .5, .5, 1), 2)
  with <- fit_at(model, list(c(1, 1, NA), c(0.25, 0.5, 1)), omega)
  without <- fit_at(
    model_of(y1 ~ x1, s1 ~ x1 + z1, data), list(c(1, 1), c(0.25, 0.5, 1)), omega
  )
  for (type in c("selected", "missing")) {
    expect_equal(
      predict(with, type = type, se.fit = TRUE), predict(without, type = type, se.fit = TRUE),
      tolerance = 1e-8
    )
  }
  expect_equal(
    predict(with, data, type = "selected", se.fit = TRUE),
    predict(without, data, type = "selected", se.fit = TRUE)
  )
})

test_that("rows that na.exclude left out are NA", {
  data <- truth_fit(1L, 60L)$data
  data$x1[5L] <- NA
  model <- model_of(y1 ~ x1, s1 ~ x1 + z1, data, na_action = stats::na.exclude)
  fit <- fit_at(model, list(c(1, 1), c(0.25, 0.5, 1)), matrix(c(1, .5, .5, 1), 2))
  expect_length(predict(fit), 60L)
  expect_identical(which(is.na(fitted(fit))), c("5" = 5L))
  expect_true(is.na(residuals(fit, "generalized")[[5L]]))
})

test_that("intervals stay in their range", {
  fit <- truth_fit(2L)$fit
  p <- predict(fit, type = "probability", interval = "confidence", equation = "y2")
  expect_identical(colnames(p), c("fit", "lwr", "upr"))
  expect_true(all(p[, "lwr"] < p[, "fit"] & p[, "fit"] < p[, "upr"] & p > 0 & p < 1))
  # The probit scale is that of the index.
  index <- predict(fit, type = "latent", interval = "confidence", equation = 2)
  expect_equal(p, pnorm(index), tolerance = 1e-8)
  all <- predict(fit, type = "selected", interval = "confidence", se.fit = TRUE, level = 0.9)
  expect_identical(dim(all$fit), c(60L, 3L, 2L))
  expect_equal(
    all$fit[, "upr", ] - all$fit[, "fit", ], qnorm(0.95) * all$se.fit, ignore_attr = TRUE
  )
  expect_identical(dimnames(all$fit)[[3L]], c("y1", "y2"))
})

test_that("patterns are positions or names", {
  fit <- truth_fit(2L, 24L)$fit
  joint <- function(pattern) predict(fit, type = "joint", pattern = pattern)
  expect_equal(joint(c(y2 = 0, y1 = 1)), joint(c(1, 0)))
  expect_equal(joint(c(s2 = FALSE)), joint(c(NA, 0)))
  expect_equal(joint(c(s2 = TRUE)), predict(fit, type = "probability", equation = 2))
  expect_equal(joint(NULL), joint(c(1, 1)))
  for (bad in list(1, c(1, 2), c(a = 1), c(y1 = 1, y1 = 0), "1", c(1, 0, 1))) {
    expect_error(joint(bad), "pattern", class = "ember_error_argument")
  }
  expect_error(
    predict(fit, type = "selected", pattern = c(1, 1)), class = "ember_error_argument"
  )
  expect_error(predict(fit, equation = 3), class = "ember_error_argument")
  expect_error(predict(fit, equation = "z"), class = "ember_error_argument")
  expect_error(predict(fit, type = "wage"), class = "ember_error_argument")
  expect_error(predict(fit, se.fit = NA), class = "ember_error_argument")
  expect_error(predict(fit, newdata = 3), class = "ember_error_argument")
})

test_that("predictions without a covariance matrix say so", {
  fit <- truth_fit(1L, 20L)$fit
  expect_error(
    predict(fit, se.fit = TRUE, vcov = matrix(NA_real_, 7L, 7L)), "vcov",
    class = "ember_error_argument"
  )
  doubled <- predict(fit, se.fit = TRUE, vcov = 4 * fit$vcov)
  expect_equal(doubled$se.fit, 2 * predict(fit, se.fit = TRUE)$se.fit)
})
