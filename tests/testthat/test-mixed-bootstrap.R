# The parametric bootstrap: what is drawn, what is refitted, and the intervals made of it.

herd_fit <- function(...) lmm(y ~ 1 + (1 | animal), data = mixed_herd(), ...)

sleep_fit <- function(formula = Reaction ~ Days + (Days | Subject), ...) {
  skip_if_not_installed("lme4")
  lmm(formula, data = mixed_data("sleepstudy"), ...)
}

draws_of <- function(fit, ..., seed = 1) {
  set.seed(seed)
  suppressWarnings(bootstrap(fit, ...))
}

test_that("statistics are named as lme4 names them and start at the estimates", {
  fit <- sleep_fit()
  draws <- draws_of(fit, 20)
  expect_s3_class(draws, "ember_bootstrap")
  expect_identical(
    names(draws$t0),
    c(
      "sd_(Intercept)|Subject", "cor_Days.(Intercept)|Subject", "sd_Days|Subject", "sigma",
      "(Intercept)", "Days"
    )
  )
  table <- as.data.frame(VarCorr(fit), order = "lower.tri")
  expect_equal(unname(draws$t0), c(table$sdcor, unname(fixef(fit))), tolerance = 1e-10)
  expect_identical(dim(draws$t), c(20L, 6L))
  expect_identical(draws$R, 20L)
})

test_that("set.seed() rules, threads do not", {
  fit <- sleep_fit()
  one <- draws_of(fit, 50, threads = 1)
  expect_identical(draws_of(fit, 50, threads = 2)$t, one$t)
  expect_identical(draws_of(fit, 50, threads = 3)$t, one$t)
  expect_false(identical(draws_of(fit, 50, seed = 2)$t, one$t))
})

test_that("a statistic of the user's sees the same responses", {
  fit <- herd_fit()
  whole <- draws_of(fit, 12)
  own <- draws_of(fit, 12, statistic = function(fit) {
    c(sqrt(unlist(VarCorr(fit))), sigma = sigma(fit), fixef(fit))
  })
  expect_equal(unname(own$t), unname(whole$t), tolerance = 1e-5)
  conditional <- draws_of(fit, 12, use_u = TRUE)
  own <- draws_of(fit, 12, use_u = TRUE, statistic = fixef)
  expect_equal(unname(own$t[, 1L]), unname(conditional$t[, "(Intercept)"]), tolerance = 1e-5)
})

test_that("a statistic that fails is NA and counted", {
  fit <- herd_fit()
  calls <- 0
  fragile <- function(fit) {
    calls <<- calls + 1
    if (calls %in% c(3, 5)) stop("no") else sigma(fit)
  }
  set.seed(1)
  expect_warning(
    draws <- bootstrap(fit, 6, statistic = fragile), class = "ember_warning_bootstrap"
  )
  expect_identical(which(is.na(draws$t[, 1L])), c(2L, 4L))
  expect_output(print(draws), "2 replicates could not be fitted")
})

# Moments of independent estimates agree within Monte Carlo error.
expect_same_distribution <- function(ours, theirs, errors = 4.5) {
  for (j in seq_len(ncol(ours))) {
    x <- ours[is.finite(ours[, j]), j]
    y <- theirs[is.finite(theirs[, j]), j]
    spread <- sqrt(var(x) / length(x) + var(y) / length(y))
    expect_lt(abs(mean(x) - mean(y)), errors * spread)
    # The standard error of a log standard deviation, from the kurtosis.
    log_error <- function(x) {
      kurtosis <- mean((x - mean(x))^4) / var(x)^2
      sqrt((kurtosis - 1) / (4 * length(x)))
    }
    error <- sqrt(log_error(x)^2 + log_error(y)^2)
    expect_lt(abs(log(sd(x) / sd(y))), errors * error)
  }
}

test_that("the distribution is that of lme4::bootMer()", {
  skip_on_cran()
  fit <- sleep_fit()
  other <- lme4::lmer(Reaction ~ Days + (Days | Subject), data = mixed_data("sleepstudy"))
  statistic <- function(fit) {
    table <- as.data.frame(lme4::VarCorr(fit), order = "lower.tri")
    c(table$sdcor, lme4::fixef(fit))
  }
  for (use_u in c(FALSE, TRUE)) {
    ours <- draws_of(fit, 2000, use_u = use_u)
    set.seed(2)
    theirs <- suppressMessages(suppressWarnings(
      lme4::bootMer(other, statistic, nsim = 200, use.u = use_u)
    ))
    expect_same_distribution(ours$t, theirs$t)
  }
})

test_that("weights, dispersion and known parameters are part of the law", {
  data <- mixed_nested()
  data$half <- factor(data$x > 100, labels = c("low", "high"))
  fit <- lmm(y ~ x + (1 | school), data = data, weights = w, offset = known, dispersion = ~half)
  draws <- draws_of(fit, 400)
  expect_true(all(c("sigma|low", "sigma|high") %in% names(draws$t0)))
  # Estimates scatter around the truth, here the fit.
  off <- (colMeans(draws$t) - draws$t0) / (apply(draws$t, 2, sd) / sqrt(draws$R))
  expect_lt(max(abs(off[c("(Intercept)", "x")])), 4)
  fixed <- lmm(y ~ x + (1 | school), data = data, known = list(sigma = 1, sd = c(school = 1)))
  expect_identical(names(draws_of(fixed, 5)$t0), c("(Intercept)", "x"))
})

test_that("intervals are those of boot::boot.ci()", {
  skip_if_not_installed("boot")
  draws <- draws_of(herd_fit(), 399)
  as_boot <- structure(
    list(t0 = draws$t0, t = draws$t, R = draws$R, sim = "parametric", call = quote(boot())),
    class = "boot"
  )
  for (level in c(0.9, 0.95)) {
    for (j in seq_along(draws$t0)) {
      theirs <- boot::boot.ci(as_boot, conf = level, type = c("norm", "basic", "perc"), index = j)
      ends <- function(type) unname(confint(draws, j, level, type)[1L, ])
      expect_equal(ends("perc"), theirs$percent[4:5], tolerance = 1e-10)
      expect_equal(ends("basic"), theirs$basic[4:5], tolerance = 1e-10)
      expect_equal(ends("norm"), unname(theirs$normal[2:3]), tolerance = 1e-10)
    }
  }
  interval <- confint(draws)
  expect_identical(colnames(interval), c("2.5 %", "97.5 %"))
  expect_identical(rownames(interval), names(draws$t0))
  expect_identical(confint(draws, "sigma"), interval["sigma", , drop = FALSE])
})

test_that("print, data frame and plot show the replicates", {
  draws <- draws_of(herd_fit(), 30)
  expect_output(print(draws), "30 replicates.*original.*bias.*std. error.*sigma")
  expect_identical(dim(as.data.frame(draws)), c(30L, 3L))
  expect_identical(names(as.data.frame(draws)), names(draws$t0))
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_invisible(plot(draws))
  expect_invisible(plot(draws, which = "sigma"))
})

test_that("arguments that cannot be used are named", {
  fit <- herd_fit()
  argument_of <- function(expression) {
    tryCatch(expression, ember_error_argument = function(error) error$argument)
  }
  expect_identical(argument_of(bootstrap(1)), "fit")
  expect_identical(argument_of(bootstrap(fit, 0)), "replicates")
  expect_identical(argument_of(bootstrap(fit, statistic = 1)), "statistic")
  expect_identical(argument_of(bootstrap(fit, 2, statistic = function(fit) "a")), "statistic")
  expect_identical(argument_of(bootstrap(fit, use_u = NA)), "use_u")
  expect_identical(argument_of(bootstrap(fit, threads = 0)), "threads")
  expect_identical(argument_of(bootstrap(fit, progress = 1)), "progress")
  draws <- draws_of(fit, 5)
  expect_identical(argument_of(confint(draws, level = 2)), "level")
  expect_identical(argument_of(confint(draws, "nobody")), "parm")
})
