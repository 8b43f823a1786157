test_that("predictions are lme4's, for the data and for new rows", {
  new <- data.frame(
    day = c(1, 2, NA, 3), person = c("p01", "p02", "p01", "nobody"), site = c("1", "2", "3", "9"),
    shift = 1:4, kind = c("a", "b", "c", "a"), twin = c("a", "b", "c", "a"), age = 41:44
  )
  with_peers(function(ours, peer, name, case) {
    for (form in list(NULL, NA, ~0)) {
      expect_equal(
        predict(ours, new, re.form = form, allow.new.levels = TRUE),
        stats::predict(peer, new, re.form = form, allow.new.levels = TRUE),
        tolerance = 1e-7, info = name
      )
    }
    expect_equal(predict(ours), stats::predict(peer), tolerance = 1e-7, info = name)
    expect_equal(predict(ours, re.form = NA), stats::predict(peer, re.form = NA), tolerance = 1e-7)
    expect_equal(fitted(ours), stats::fitted(peer), tolerance = 1e-7, info = name)
  })
})

test_that("some of the random effects can be chosen", {
  skip_if_not_installed("lme4")
  case <- list(y ~ day + (day | person) + (1 | site), study())
  fit <- fit_case(case)
  peer <- peer_of(case, fit)
  new <- study()[c(1, 15, 99), ]
  for (form in list(~ (1 | person), ~ (1 | site), ~ (0 + day | person), ~ (day | person))) {
    expect_equal(
      predict(fit, new, re.form = form), stats::predict(peer, new, re.form = form),
      tolerance = 1e-7, info = deparse1(form)
    )
  }
  expect_equal(
    predict(fit, new, random.only = TRUE), stats::predict(peer, new, random.only = TRUE),
    tolerance = 1e-6
  )
  expect_error(predict(fit, new, re.form = ~ (1 | age)), "age", class = "ember_error_argument")
  expect_error(predict(fit, new, re.form = ~ (kind | person)), "kind",
    class = "ember_error_argument"
  )
  expect_error(predict(fit, new, re.form = "all"), class = "ember_error_argument")
})

# Henderson's equations, written out: covariance of (beta, b) errors, and rows of new data.
dense_joint <- function(fit) {
  x <- model.matrix(fit)
  z <- as.matrix(getME(fit, "Z"))
  lambda <- as.matrix(getME(fit, "Lambda"))
  w <- weights(fit)
  coefficient <- rbind(
    cbind(crossprod(x, w * x), crossprod(x, w * z)),
    cbind(crossprod(z, w * x), crossprod(z, w * z) + solve(tcrossprod(lambda)))
  )
  list(rows = cbind(x, z), covariance = sigma(fit)^2 * solve(coefficient))
}

test_that("errors of conditional predictions are those of the dense formulas", {
  data <- study()
  fit <- lmm(y ~ day + (day | person) + (1 | site), data = data, weights = weight)
  dense <- dense_joint(fit)
  expected <- sqrt(rowSums((dense$rows %*% dense$covariance) * dense$rows))
  conditional <- predict(fit, se.fit = TRUE)
  expect_equal(unname(conditional$se.fit), unname(expected), tolerance = 1e-6)
  expect_equal(conditional$residual.scale, sigma(fit))
  again <- predict(fit, data, se.fit = TRUE)
  expect_equal(again$se.fit, conditional$se.fit, tolerance = 1e-8)

  x <- model.matrix(fit)
  population <- predict(fit, re.form = NA, se.fit = TRUE)
  expect_equal(
    unname(population$se.fit), unname(sqrt(rowSums((x %*% vcov(fit)) * x))), tolerance = 1e-8
  )
  # Only some effects: the columns of the others are zero.
  rows <- dense$rows
  rows[, !colnames(rows) %in% c(colnames(x), as.character(1:7))] <- 0
  some <- predict(fit, re.form = ~ (1 | site), se.fit = TRUE)
  expected <- sqrt(rowSums((rows %*% dense$covariance) * rows))
  expect_equal(unname(some$se.fit), unname(expected), tolerance = 1e-6)
})

test_that("new levels add the variance of their effects", {
  data <- study()
  fit <- lmm(y ~ day + (day | person) + (1 | site), data = data)
  new <- data.frame(day = 4, person = "nobody", site = "none")
  z <- c(1, 4)
  person <- drop(z %*% VarCorr(fit)$person %*% z)
  site <- VarCorr(fit)$site[[1L]]
  fixed <- drop(z %*% vcov(fit) %*% z)
  both <- predict(fit, new, allow.new.levels = TRUE, se.fit = TRUE)
  expect_equal(unname(both$se.fit)^2, fixed + person + site, tolerance = 1e-8)
  expect_equal(unname(both$fit), sum(z * fixef(fit)), tolerance = 1e-10)

  # The population's prediction interval holds the same: new person, new site, new residual.
  level <- 0.9
  interval <- predict(fit, new, re.form = NA, interval = "prediction", level = level)
  half <- stats::qnorm(0.95) * sqrt(fixed + person + site + sigma(fit)^2)
  expect_equal(interval[[1L, "upr"]] - interval[[1L, "fit"]], half, tolerance = 1e-8)
  confidence <- predict(fit, new, re.form = NA, interval = "confidence", level = level, df = 9)
  expect_equal(
    confidence[[1L, "upr"]] - confidence[[1L, "fit"]], stats::qt(0.95, 9) * sqrt(fixed),
    tolerance = 1e-8
  )
  # The grouping factors are not needed for the population.
  expect_equal(
    predict(fit, data.frame(day = 4), re.form = NA, interval = "prediction", level = level),
    interval, tolerance = 1e-12
  )
})

test_that("prediction intervals cover new observations of known and of new groups", {
  set.seed(7)
  data <- study()[c("day", "person")]
  covered <- replicate(60, {
    effects <- cbind(stats::rnorm(13, 0, 25), stats::rnorm(13, 0, 5))
    mean <- 250 + 10 * data$day + effects[data$person, 1] + effects[data$person, 2] * data$day
    data$y <- mean + stats::rnorm(120, 0, 20)
    fit <- suppressWarnings(suppressMessages(lmm(y ~ day + (day | person), data = data)))
    new <- data.frame(day = c(5, 5), person = c("p03", "new"))
    truth <- 250 + 50 + effects[c(3, 13), 1] + 5 * effects[c(3, 13), 2] + stats::rnorm(2, 0, 20)
    interval <- predict(fit, new, allow.new.levels = TRUE, interval = "prediction", level = 0.8)
    # se.fit of the unknown person already has the variance between persons.
    truth >= interval[, "lwr"] & truth <= interval[, "upr"]
  })
  # 60 trials at 0.8: a standard error of 0.052.
  expect_gt(min(rowMeans(covered)), 0.8 - 3 * 0.052)
  expect_lt(max(rowMeans(covered)), 0.8 + 3 * 0.052)
})

test_that("missing values in new data follow na.action", {
  fit <- lmm(y ~ day + (1 | person), data = study())
  new <- data.frame(day = c(1, NA, 3), person = "p01")
  expect_equal(unname(is.na(predict(fit, new))), c(FALSE, TRUE, FALSE))
  expect_named(predict(fit, new, na.action = na.omit), c("1", "3"))
  expect_equal(is.na(predict(fit, new, se.fit = TRUE)$se.fit), is.na(predict(fit, new)))
  excluded <- predict(fit, new, interval = "confidence", na.action = na.exclude)
  expect_equal(dim(excluded), c(3L, 3L))
  expect_error(predict(fit, new, na.action = na.fail))
})

test_that("new data that do not fit are refused with the reason", {
  fit <- lmm(y ~ kind + day + (1 | person), data = study())
  expect_error(
    predict(fit, data.frame(kind = "a", day = 1, person = "nobody")), "nobody",
    class = "ember_error_argument"
  )
  expect_error(
    predict(fit, data.frame(kind = "z", day = 1, person = "p01")), "new level",
    class = "ember_error_argument"
  )
  expect_error(
    predict(fit, data.frame(kind = "a", person = "p01")), "day", class = "ember_error_argument"
  )
  expect_error(predict(fit, level = 95), class = "ember_error_argument")
  expect_error(predict(fit, df = 0), class = "ember_error_argument")
  expect_error(predict(fit, df = "many"), class = "ember_error_argument")
  expect_error(predict(fit, interval = "both"), class = "ember_error_argument")
})

test_that("bases, interactions and argument offsets are rebuilt for new rows", {
  data <- study()
  fit <- lmm(y ~ poly(age, 2) + (poly(age, 2) | person), data = data, offset = shift)
  rows <- c(5L, 40L, 41L)
  expect_equal(predict(fit, data[rows, ]), fitted(fit)[rows], tolerance = 1e-8)
  nested <- lmm(y ~ day + (1 | person / kind), data = data)
  expect_equal(predict(nested, data[rows, ]), fitted(nested)[rows], tolerance = 1e-8)
  split <- lmm(y ~ day + (kind || person), data = data)
  expect_equal(predict(split, data[rows, ]), fitted(split)[rows], tolerance = 1e-8)
})
