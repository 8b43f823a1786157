test_that("predictions are those of lme4", {
  with_glmm_peers(function(ours, theirs, name) {
    data <- getData(ours)
    new <- data[c(5, 1, 9), ]
    for (type in c("link", "response")) {
      for (effects in list(NULL, NA)) {
        expect_equal(
          predict(ours, re.form = effects, type = type),
          predict(theirs, re.form = effects, type = type), tolerance = 1e-5, info = name
        )
        expect_equal(
          predict(ours, new, re.form = effects, type = type),
          predict(theirs, new, re.form = effects, type = type), tolerance = 1e-5, info = name
        )
      }
    }
  })
})

test_that("standard errors of conditional predictions are those of the joint curvature", {
  fit <- fit_glmm_peer_case(glmm_peer_cases()$bernoulli)
  x <- cbind(getME(fit, "X"), as.matrix(getME(fit, "Z")))
  # The inverse of the penalised information of the fixed and random effects.
  w <- weights(fit, "working")
  lambda <- as.matrix(getME(fit, "Lambda"))
  prior <- solve(tcrossprod(lambda))
  penalty <- matrix(0, ncol(x), ncol(x))
  penalty[-(1:2), -(1:2)] <- prior
  variance <- rowSums((x %*% solve(crossprod(sqrt(w) * x) + penalty)) * x)
  link <- predict(fit, se.fit = TRUE)
  expect_equal(link$se.fit, sqrt(variance), tolerance = 1e-6, ignore_attr = TRUE)
  expect_equal(vcov(fit, full = TRUE)[-(1:2), -(1:2)] |> diag() |> unname(),
    diag(solve(crossprod(sqrt(w) * x) + penalty))[-(1:2)] |> unname(), tolerance = 1e-6
  )
  response <- predict(fit, type = "response", se.fit = TRUE)
  mu <- unname(response$fit)
  expect_equal(response$se.fit, link$se.fit * mu * (1 - mu), ignore_attr = TRUE)
})

test_that("population errors come from vcov(), intervals from the scale of the link", {
  fit <- fit_glmm_peer_case(glmm_peer_cases()$counts_of_two)
  new <- data.frame(period = factor(1:4))
  link <- predict(fit, new, re.form = NA, se.fit = TRUE)
  x <- model.matrix(~period, new)
  expect_equal(link$se.fit, sqrt(diag(x %*% vcov(fit) %*% t(x))), ignore_attr = TRUE)
  interval <- predict(fit, new, re.form = NA, type = "response", interval = "confidence")
  expect_equal(interval[, "lwr"], plogis(link$fit - qnorm(0.975) * link$se.fit))
  expect_equal(interval[, "upr"], plogis(link$fit + qnorm(0.975) * link$se.fit))
  expect_true(all(interval >= 0 & interval <= 1))
})

test_that("a link that decreases has its limits the right way round", {
  fit <- suppressMessages(glmm(pace ~ x + (1 | g), glmm_times(), Gamma()))
  interval <- predict(fit, type = "response", interval = "confidence")
  expect_true(all(interval[, "lwr"] < interval[, "fit"] & interval[, "fit"] < interval[, "upr"]))
})

test_that("new levels and bad arguments are as for linear models", {
  fit <- fit_glmm_peer_case(glmm_peer_cases()$counts_of_two)
  new <- data.frame(period = factor(2, 1:4), herd = "new")
  expect_error(predict(fit, new), "allow.new.levels", class = "ember_error_argument")
  known <- predict(fit, new, allow.new.levels = TRUE, se.fit = TRUE)
  population <- predict(fit, new, re.form = NA, se.fit = TRUE)
  expect_equal(known$fit, population$fit)
  expect_gt(known$se.fit, sqrt(VarCorr(fit)$herd))
  expect_error(predict(fit, type = "terms"), class = "ember_error_argument")
  expect_error(predict(fit, interval = "prediction"), class = "ember_error_argument")
  expect_error(predict(fit, level = 2), class = "ember_error_argument")
  expect_error(predict(fit, re.form = ~ (1 | nothing)), class = "ember_error_argument")
  expect_error(predict(fit, data.frame(a = 1)), class = "ember_error_argument")
})

test_that("rows with missing values are padded with na.exclude", {
  fit <- fit_glmm_peer_case(glmm_peer_cases()$offset)
  fitted <- predict(fit, type = "response")
  expect_length(fitted, 160L)
  expect_identical(which(is.na(unname(fitted))), c(3L, 50L))
  errors <- predict(fit, se.fit = TRUE)$se.fit
  expect_identical(which(is.na(unname(errors))), c(3L, 50L))
})
