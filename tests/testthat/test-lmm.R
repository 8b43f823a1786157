# lmm() from formula to fit, with lme4, nlme and definitions; methods and accuracy have files of
# their own.

herd <- local({
  set.seed(8)
  n <- 200
  d <- data.frame(
    x = rnorm(n), z = runif(n), g = gl(20, 10), h = factor(rep(1:10, 20)), w = runif(n, 0.5, 2),
    f = factor(sample(c("low", "mid", "high"), n, TRUE))
  )
  d$y <- 1 + d$x + rnorm(20)[d$g] + 0.5 * rnorm(20)[d$g] * d$x + rnorm(10)[d$h] + rnorm(n) /
    sqrt(d$w)
  d
})

weighted_lmer <- function(formula, data, REML) { # nolint: object_name_linter.
  suppressMessages(suppressWarnings(lme4::lmer(
    formula, data, REML = REML, weights = w, # nolint: object_usage_linter.
    control = lme4::lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10))
  )))
}

test_that("fits are those of lme4", {
  skip_if_not_installed("lme4")
  formulas <- list(
    y ~ x + (1 | g), y ~ x + (x | g), y ~ x + (x || g), y ~ x * f + (x | g) + (1 | h),
    y ~ 0 + f + (1 | h / f), y ~ poly(x, 2) + (1 | h) + (0 + x | g), y ~ 1 + (1 | g:f)
  )
  for (formula in formulas) {
    for (reml in c(TRUE, FALSE)) {
      ours <- suppressMessages(lmm(formula, herd, REML = reml, weights = w))
      theirs <- weighted_lmer(formula, herd, reml)
      label <- paste(deparse1(formula), reml)
      expect_lte(ours$criterion, lme4::getME(theirs, "devfun")(lme4::getME(theirs, "theta")) + 1e-6)
      expect_equal(ours$beta, lme4::fixef(theirs), tolerance = 1e-4, label = label)
      expect_equal(
        ours$theta, unname(lme4::getME(theirs, "theta")), tolerance = 1e-2, label = label
      )
      expect_equal(ours$sigma, stats::sigma(theirs), tolerance = 1e-4, label = label)
      expect_identical(ours$df, attr(stats::logLik(theirs), "df"), label = label)
      expect_equal(ours$loglik, c(stats::logLik(theirs)), tolerance = 1e-8, label = label)
      modes <- lme4::ranef(theirs, condVar = FALSE)
      for (term in ours$random) {
        expect_equal(
          ours$b[[term$label]], as.matrix(modes[[term$group]][term$names]), tolerance = 1e-2,
          label = label
        )
      }
    }
  }
})

test_that("a fit has the fields that methods read", {
  fit <- lmm(y ~ x + (x | g) + (1 | h), herd)
  expect_s3_class(fit, c("ember_lmm", "ember_mixed", "ember_fit"), exact = TRUE)
  expect_identical(fit$call, quote(lmm(formula = y ~ x + (x | g) + (1 | h), data = herd)))
  expect_identical(fit$status, "converged")
  expect_identical(fit$design$columns, c("(Intercept)", "x"))
  expect_identical(fit$design$aliased, character())
  expect_identical(dim(fit$b$g), c(20L, 2L))
  expect_identical(dimnames(fit$b$h), list(levels(herd$h), "(Intercept)"))
  expect_identical(dim(fit$u$g), c(20L, 2L))
  expect_equal(fit$b$g, fit$u$g %*% t(relative_factor(fit, fit$random[[1]])), ignore_attr = TRUE)
  expect_identical(fit$df, 7L)
  expect_identical(fit$nobs, 200L)
  expect_identical(dimnames(fit$vcov_beta), list(names(fit$beta), names(fit$beta)))
  expect_identical(fit$trace$iteration[[1]], 0L)
  expect_identical(fit$loglik, -fit$criterion / 2)
  # Nothing of the size of the data but the frame, which shares its columns.
  expect_identical(fit$frame$y, herd$y)
  expect_lt(as.numeric(object.size(fit$statistics)), 2e5)
})

test_that("the rows of a fit are those it was fitted to", {
  fit <- suppressMessages(
    lmm(y ~ x + f + offset(z) + (f | g), herd, weights = w, subset = z > 0.2)
  )
  rows <- mixed_rows(fit)
  used <- herd[herd$z > 0.2, ]
  expect_identical(rows$y, used$y)
  expect_identical(rows$weights, used$w)
  expect_identical(rows$offset, used$z)
  expect_equal(x_of(rows), model.matrix(~ x + f, used), ignore_attr = TRUE)
  expect_identical(mixed_rows(fit, y = rows$y + 1)$y, rows$y + 1)
  again <- refit_rows(fit, rows)
  expect_equal(again$criterion, fit$criterion, tolerance = 1e-9)
  expect_equal(again$beta, fit$beta, tolerance = 1e-5)
  shifted <- refit_rows(fit, mixed_rows(fit, y = rows$y + 1))
  expect_equal(shifted$beta, fit$beta + c(1, 0, 0, 0), tolerance = 1e-5)
})

test_that("a basis that depends on the data is rebuilt from the frame, not from its rows", {
  fit <- lmm(y ~ poly(x, 2) + (1 | g), herd, contrasts = NULL)
  expect_equal(x_of(mixed_rows(fit))[, 2:3], unclass(poly(herd$x, 2)), ignore_attr = TRUE)
  expect_match(deparse1(attr(fit$terms, "predvars")), "coefs")
})

test_that("weights, offset, subset and variables are found where lm() finds them", {
  reference <- lmm(y ~ x + (1 | g), herd, weights = w, offset = z)
  weight <- herd$w
  shift <- herd$z
  expect_equal(lmm(y ~ x + (1 | g), herd, weights = weight, offset = shift)$theta, reference$theta)
  wrapper <- function(formula, data, case_weights) {
    lmm(formula, data, weights = case_weights, offset = z)
  }
  expect_equal(wrapper(y ~ x + (1 | g), herd, herd$w)$theta, reference$theta)
  y <- herd$y
  x <- herd$x
  g <- herd$g
  from_environment <- lmm(y ~ x + (1 | g), weights = weight, offset = shift)
  expect_equal(from_environment$theta, reference$theta)
  expect_equal(lmm(y ~ x + (1 | g), as.list(herd), weights = w, offset = z)$theta, reference$theta)
  expect_equal(do.call(lmm, list(y ~ x + (1 | g), herd, weights = herd$w, offset = shift))$theta,
    reference$theta
  )
  expect_equal(
    lmm(y ~ x + offset(z) + (1 | g), herd, weights = w)$criterion, reference$criterion
  )
  both <- lmm(y ~ x + offset(z) + (1 | g), herd, weights = w, offset = z)
  expect_equal(both$offset, 2 * herd$z)
})

test_that("missing rows go by na.action", {
  holes <- herd
  holes$x[3] <- NA
  holes$g[11] <- NA
  holes$w[20] <- NA
  omitted <- lmm(y ~ x + (1 | g), holes, weights = w)
  expect_identical(omitted$nobs, 197L)
  expect_identical(unname(c(omitted$na_action)), c(3L, 11L, 20L))
  expect_s3_class(omitted$na_action, "omit")
  excluded <- lmm(y ~ x + (1 | g), holes, weights = w, na.action = na.exclude)
  expect_s3_class(excluded$na_action, "exclude")
  expect_equal(excluded$beta, omitted$beta)
  for (action in list(na.fail, "na.fail", na.pass, NULL)) {
    error <- expect_error(
      lmm(y ~ x + (1 | g), holes, na.action = action), "missing values in `x`",
      class = "ember_error_data"
    )
  }
})

test_that("columns that others determine are left out and named", {
  d <- transform(herd, twice = 2 * x)
  expect_message(
    fit <- lmm(y ~ x + twice + z + (1 | g), d), "`twice`", class = "ember_message_rank"
  )
  expect_identical(fit$design$aliased, "twice")
  expect_identical(names(fit$beta), c("(Intercept)", "x", "z"))
  expect_equal(fit$criterion, lmm(y ~ x + z + (1 | g), d)$criterion, tolerance = 1e-9)
  expect_identical(fit$df, 5L)
})

test_that("a singular fit is a message that names the term, and no warning", {
  d <- data.frame(y = rep(c(-1, 1), 30) + 0.01 * (1:60), g = gl(6, 10))
  expect_no_warning(expect_message(
    fit <- lmm(y ~ 1 + (1 | g), transform(d, y = y - ave(y, g))),
    "variance of `\\(Intercept\\)` by `g` is zero", class = "ember_message_singular"
  ))
  expect_identical(fit$singular, "g")
  set.seed(2)
  slopes <- data.frame(x = rep(0:4, 12), g = gl(12, 5))
  slopes$y <- rnorm(12)[slopes$g] * (1 + slopes$x) + rnorm(60, sd = 0.5)
  expect_message(line <- lmm(y ~ x + (x | g), slopes), class = "ember_message_singular")
  expect_match(conditionMessage(tryCatch(lmm(y ~ x + (x | g), slopes), message = identity)),
    "correlation of `\\(Intercept\\)` and `x` by `g` is 1"
  )
  facts <- convergence(line)
  expect_true(facts$converged)
  expect_identical(facts$singular, "g")
})

test_that("known variances are kept and not counted", {
  fit <- lmm(y ~ x + (1 | g), herd, known = list(sigma = 1))
  expect_identical(fit$sigma, 1)
  expect_identical(fit$df, 3L)
  both <- lmm(y ~ x + (1 | g) + (1 | h), herd, known = list(sigma = 1, sd = c(g = 0.7)))
  expect_identical(both$df, 3L)
  g <- Filter(function(term) term$group == "g", both$random)[[1]]
  expect_equal(both$theta[g$theta] * both$sigma, 0.7)
  alone <- lmm(y ~ x + (1 | g), herd, known = list(sd = list(g = c(`(Intercept)` = 0.7))))
  expect_equal(alone$theta * alone$sigma, 0.7)
  expect_identical(alone$df, 3L)
  # Split effects have standard deviations of their own.
  split <- lmm(y ~ x + (x || g), herd, known = list(sd = list(g = c(x = 0.2))))
  expect_equal(split$theta[[2]] * split$sigma, 0.2)
  # The density of the data at known variances, by definition (ML).
  full <- lmm(
    y ~ x + (1 | g), herd, REML = FALSE, known = list(sigma = 1.1, sd = c(g = 0.7))
  )
  v <- 1.1^2 * diag(200) + 0.49 * outer(herd$g, herd$g, "==")
  x <- cbind(1, herd$x)
  beta <- solve(t(x) %*% solve(v, x), t(x) %*% solve(v, herd$y))
  r <- herd$y - x %*% beta
  expect_equal(unname(full$beta), c(beta), tolerance = 1e-8)
  expect_equal(
    full$criterion, 200 * log(2 * pi) + c(determinant(v)$modulus) + sum(r * solve(v, r)),
    tolerance = 1e-9
  )
})

test_that("a meta-analysis has as many groups as rows", {
  trials <- data.frame(
    effect = c(0.3, 0.1, 0.6, -0.1, 0.4, 0.9), v = c(0.02, 0.05, 0.03, 0.04, 0.01, 0.02),
    trial = letters[1:6]
  )
  fit <- lmm(effect ~ 1 + (1 | trial), trials, weights = 1 / v, known = list(sigma = 1))
  # REML of tau2 by its definition.
  criterion <- function(tau2) {
    w <- 1 / (trials$v + tau2)
    mu <- sum(w * trials$effect) / sum(w)
    5 * log(2 * pi) - sum(log(w)) + log(sum(w)) + sum(w * (trials$effect - mu)^2)
  }
  best <- optimize(criterion, c(0, 2), tol = 1e-10)
  expect_equal(fit$theta^2, best$minimum, tolerance = 1e-4)
  expect_equal(fit$criterion, best$objective, tolerance = 1e-8)
})

test_that("residual variances differ by group on request", {
  set.seed(4)
  d <- herd
  d$site <- factor(rep(c("s1", "s2"), 100))
  d$y <- d$y + ifelse(d$site == "s2", 2, 0) * rnorm(200)
  fit <- lmm(y ~ x + (1 | g), d, dispersion = ~site)
  expect_named(fit$dispersion, c("s1", "s2"))
  expect_identical(fit$dispersion[["s1"]], 1)
  expect_gt(fit$dispersion[["s2"]], 1.2)
  expect_identical(fit$df, 5L)
  reference <- nlme::lme(
    y ~ x, d, ~ 1 | g, weights = nlme::varIdent(form = ~ 1 | site),
    control = nlme::lmeControl(msTol = 1e-10, tolerance = 1e-10)
  )
  expect_equal(fit$loglik, c(logLik(reference)), tolerance = 1e-6)
  expect_equal(
    fit$dispersion[["s2"]], unname(coef(reference$modelStruct$varStruct, FALSE, TRUE)[["s2"]]),
    tolerance = 1e-3
  )
})

test_that("a start is a vector, a list or a fit, and leads to the same maximum", {
  fit <- lmm(y ~ x + (x | g), herd)
  for (start in list(c(1, 0, 1), list(theta = c(0.3, 0.1, 0.3)), fit)) {
    expect_equal(lmm(y ~ x + (x | g), herd, start = start)$criterion, fit$criterion,
      tolerance = 1e-8
    )
  }
})

test_that("wide factors and dense ones give the same fit", {
  set.seed(2)
  d <- data.frame(f = factor(rep(1:120, 5)), x = rnorm(600), g = gl(30, 20))
  d$y <- rnorm(120)[d$f] + d$x + rnorm(30)[d$g] + rnorm(600)
  sparse <- lmm(y ~ x + f + (1 | g), d)
  dense <- lmm(y ~ f + x + (1 | g), d, contrasts = list(f = "contr.sum"))
  expect_false(is.matrix(mixed_rows(sparse)$x))
  # REML criteria depend on the coding; estimates do not.
  expect_equal(sparse$beta[["x"]], dense$beta[["x"]], tolerance = 1e-5)
  expect_equal(sparse$theta, dense$theta, tolerance = 1e-4)
  expect_equal(sparse$sigma, dense$sigma, tolerance = 1e-5)
})

test_that("the facts of convergence are those of the criterion", {
  fit <- lmm(y ~ x + (x | g), herd)
  facts <- convergence(fit)
  expect_true(facts$converged)
  expect_lt(facts$gradient, 1e-2)
  expect_lt(facts$distance, 1e-6)
  expect_length(facts$eigenvalues, 3L)
  expect_true(all(facts$eigenvalues > 0))
  criterion <- getME(fit, "devfun")
  unit <- diag(3) * 1e-3
  second <- function(k) {
    values <- vapply(c(-1, 0, 1), function(step) criterion(fit$theta + step * unit[k, ]), 0)
    sum(values * c(1, -2, 1)) / 1e-6
  }
  expect_equal(diag(fit$convergence$hessian), vapply(1:3, second, 0), tolerance = 1e-3)
  expect_identical(facts$singular, character())
  expect_output(print(facts), "Converged in")
  expect_error(convergence(1), class = "ember_error_argument")
})

test_that("the fit is update()-able", {
  fit <- lmm(y ~ x + (1 | g), herd)
  expect_equal(update(fit, . ~ . - x)$criterion, lmm(y ~ 1 + (1 | g), herd)$criterion)
  expect_equal(update(fit, REML = FALSE)$criterion, lmm(y ~ x + (1 | g), herd, FALSE)$criterion)
})

test_that("a perfect fit says so", {
  rows <- data.frame(x = rep(1:6, 5), g = gl(5, 6))
  rows$y <- 2 + 3 * rows$x
  expect_warning(
    fit <- suppressMessages(lmm(y ~ x + (1 | g), rows)), class = "ember_warning_perfect_fit"
  )
  expect_equal(unname(fixef(fit)), c(2, 3))
  rows$y <- rows$y + 1e-6 * sin(seq_len(30))
  expect_no_warning(suppressMessages(lmm(y ~ x + (1 | g), rows)))
})
