# Random effects and predictions after data cloning.

herd <- note_herd()
truth <- attr(herd, "effects")
fit <- data_clone(Y ~ 1 + (1 | animal), herd, clones = c(1, 50), seed = 1)

# Effects of the one-way layout given parameters, in closed form: draws x animals.
closed_form_effects <- function(w, data) {
  sums <- tapply(data$Y, data$animal, sum)
  count <- as.vector(table(data$animal))
  t(apply(w, 1L, function(one) {
    precision <- count * exp(-2 * one[[2]]) + exp(-2 * one[[3]])
    centre <- (sums - count * one[[1]]) * exp(-2 * one[[2]]) / precision
    stats::rnorm(length(sums), centre, sqrt(1 / precision))
  }))
}

test_that("conditional draws are those of Hamilton's recipe in closed form", {
  drawn <- predictive_draws(fit, "conditional", 4000, 2, rlang::current_env())
  expect_identical(dim(drawn$w), c(4000L, 3L))
  expect_identical(dim(drawn$effects[[1]]), c(4000L, 100L))
  x <- unconstrained_draws(base_draws(fit$runs[[2]], fit$table), fit$table)
  expect_lt(max(abs(colMeans(drawn$w) - colMeans(x)) / sqrt(50 * diag(stats::cov(x)) / 4000)), 4)
  expect_equal(stats::cov(drawn$w), 50 * stats::cov(x), tolerance = 0.1, ignore_attr = TRUE)
  set.seed(3)
  expected <- closed_form_effects(drawn$w, herd)
  spread <- apply(expected, 2L, stats::sd)
  off <- (colMeans(drawn$effects[[1]]) - colMeans(expected)) / (spread * sqrt(2 / 4000))
  expect_lt(max(abs(off)), 4.5)
  expect_lt(max(abs(log(apply(drawn$effects[[1]], 2L, stats::sd) / spread))), 0.06)
})

test_that("intervals cover as many of the note's effects as the note says", {
  for (method in c("conditional", "note")) {
    table <- as.data.frame(ranef(fit, method, seed = 4))
    table <- table[match(levels(herd$animal), table$grp), ]
    covered <- sum(table$lower < truth & truth < table$upper)
    expect_true(covered %in% 91:95)
  }
})

test_that("the note's recipe uses the data twice: the mean varies less than its estimate", {
  once <- predictive_draws(fit, "conditional", 4000, 5, rlang::current_env())$w[, 1]
  twice <- predictive_draws(fit, "note", 6000, 5, rlang::current_env())$w[, 1]
  expect_equal(stats::sd(once), 0.0515, tolerance = 0.05)
  expect_equal(stats::sd(twice), 0.0363, tolerance = 0.1)
})

test_that("ranef() has the form of lmm()", {
  effects <- ranef(fit, level = 0.9, seed = 6)
  expect_s3_class(effects, c("ember_clone_ranef", "ember_ranef"), exact = TRUE)
  own <- ranef(lmm(Y ~ 1 + (1 | animal), herd, REML = FALSE))
  expect_identical(dimnames(effects$animal), dimnames(own$animal))
  expect_lt(max(abs(effects$animal[[1]] - own$animal[[1]])), 0.03)
  # The uncertainty of the parameters counts.
  expect_true(all(sqrt(attr(effects$animal, "postVar")) > 0.99 * sqrt(attr(own$animal, "postVar"))))
  table <- as.data.frame(effects)
  expect_named(table, c("grpvar", "term", "grp", "condval", "condsd", "lower", "upper"))
  normal <- table$condval + stats::qnorm(0.95) * table$condsd
  expect_lt(max(abs(table$upper - normal) / table$condsd), 0.15)
  expect_identical(ranef(fit, level = 0.9, seed = 6), effects)
  expect_output(print(effects), "90% intervals, method \"conditional\"", fixed = TRUE)
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_no_error(plot(effects))
})

test_that("effects of several terms and factors find their places", {
  skip_if_not_installed("lme4")
  formula <- Reaction ~ Days + (Days || Subject)
  own <- ranef(lmm(formula, lme4::sleepstudy, REML = FALSE))
  split <- data_clone(formula, lme4::sleepstudy, clones = 100, n_iter = 2000, seed = 1)
  effects <- ranef(split, seed = 2)
  expect_identical(dimnames(effects$Subject), dimnames(own$Subject))
  spread <- t(apply(attr(effects$Subject, "postVar"), 3L, function(v) sqrt(diag(v))))
  expect_lt(max(abs(as.matrix(effects$Subject - own$Subject)) / spread), 0.25)
  crossed <- diameter ~ 1 + (1 | plate) + (1 | sample)
  own <- ranef(lmm(crossed, lme4::Penicillin, REML = FALSE))
  fit <- data_clone(crossed, lme4::Penicillin, clones = 100, seed = 1)
  effects <- ranef(fit, seed = 2)
  expect_identical(lapply(effects, dimnames), lapply(own, dimnames))
  for (group in names(own)) {
    spread <- sqrt(as.vector(attr(effects[[group]], "postVar")))
    expect_lt(max(abs(effects[[group]][[1]] - own[[group]][[1]]) / spread), 0.25)
  }
  expect_named(ranef(fit, whichel = "sample"), "sample")
})

test_that("predictions add the parts up", {
  new <- data.frame(animal = c("1", "nobody", "nobody"))
  expect_error(predict(fit, new), class = "ember_error_argument")
  ask <- function(...) {
    predict(fit, new, allow.new.levels = TRUE, n_draws = 6000, seed = 7, se.fit = TRUE, ...)
  }
  found <- ask(interval = "confidence")
  b <- as.data.frame(ranef(fit, seed = 7, n_draws = 6000))
  expect_lt(abs(found$fit[1, 1] - coef(fit)[[1]] - b$condval[b$grp == "1"]), 0.01)
  errors <- sqrt(diag(vcov(fit)))
  expect_equal(found$se.fit[[2]], sqrt(errors[[1]]^2 + coef(fit)[["tau_sq"]]), tolerance = 0.06)
  # One unknown level is one level.
  expect_identical(found$se.fit[[2]], found$se.fit[[3]])
  wide <- ask(interval = "prediction")
  expect_equal(
    diff(wide$fit[2, 2:3])[[1]] / (2 * stats::qnorm(0.975)),
    sqrt(errors[[1]]^2 + coef(fit)[["tau_sq"]] + coef(fit)[["sigma_sq"]]),
    tolerance = 0.06
  )
  population <- predict(fit, new, re.form = NA, se.fit = TRUE, seed = 7)
  expect_equal(unname(population$fit), rep(coef(fit)[[1]], 3), tolerance = 1e-3)
  expect_equal(population$se.fit[[1]], errors[[1]], tolerance = 0.06)
  own <- predict(fit, seed = 7)
  expect_length(own, 200L)
  expect_lt(max(abs(own - fitted(lmm(Y ~ 1 + (1 | animal), herd, REML = FALSE)))), 0.03)
})

test_that("a variance at the boundary stays at its estimate", {
  set.seed(3)
  flat <- data.frame(y = stats::rnorm(60), g = gl(12, 5))
  fit <- data_clone(y ~ 1 + (1 | g), flat, clones = c(1, 50), seed = 1)
  table <- as.data.frame(ranef(fit, seed = 2))
  expect_lt(max(table$condsd), 1.1 * sqrt(coef(fit)[["tau_sq"]]))
})

test_that("what cannot be predicted is an error", {
  expect_error(ranef(fit, "nothing"), class = "ember_error_argument")
  expect_error(ranef(fit, level = 2), class = "ember_error_argument")
  expect_error(ranef(fit, n_draws = 0), class = "ember_error_argument")
  expect_error(ranef(fit, whichel = "nothing"), class = "ember_error_argument")
  expect_error(predict(fit, interval = "nothing"), class = "ember_error_argument")
  single <- data_clone(Y ~ 1 + (1 | animal), herd[1:100, ], clones = c(1, 10), seed = 1)
  expect_error(ranef(single), class = "ember_error_not_estimable")
})
