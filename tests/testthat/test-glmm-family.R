test_that("a family is its name, its function or itself", {
  for (family in list("poisson", poisson, poisson())) {
    known <- glmm_family(family, environment())
    expect_identical(known$native, list(name = "poisson", link = "log", shape = NULL))
    expect_s3_class(known$family, "family")
  }
  for (family in list("negative_binomial", negative_binomial, negative_binomial(), "nbinom2")) {
    expect_identical(
      glmm_family(family, environment())$native,
      list(name = "negative_binomial", link = "log", shape = NULL)
    )
  }
  expect_identical(glmm_family(Gamma("log"), environment())$native$link, "log")
  expect_identical(glmm_family("gamma", environment())$native$link, "inverse")
})

test_that("every link of every family is taken, and no other", {
  makers <- list(
    binomial = binomial, poisson = poisson, negative_binomial = function(link) {
      negative_binomial(link = link)
    }, Gamma = Gamma
  )
  for (name in names(makers)) {
    for (link in family_links[[name]]) {
      native <- glmm_family(makers[[name]](link), environment())$native
      expect_identical(native[c("name", "link")], list(name = name, link = link))
    }
  }
  expect_error(
    glmm_family(poisson(link = power(0.3)), environment()), class = "ember_error_argument"
  )
  inverse <- binomial()
  inverse$link <- "inverse"
  expect_error(glmm_family(inverse, environment()), "must be one of \"logit\"")
  expect_error(negative_binomial(link = "logit"), class = "ember_error_argument")
})

test_that("families that are not fitted are errors that say what to do", {
  cases <- list(
    "lmm()" = gaussian(), "lmm()" = "gaussian", "identity link" = gaussian("log"),
    "negative_binomial" = quasipoisson(), "random effect for each" = "quasibinomial",
    "binomial()" = inverse.gaussian(), "which is none" = "weibull", "must be a family" = 3,
    "must be a family" = NULL, "gives no family" = function(theta) theta
  )
  for (k in seq_along(cases)) {
    expect_error(
      glmm_family(cases[[k]], environment()), names(cases)[[k]],
      class = "ember_error_argument", fixed = TRUE
    )
  }
})

test_that("the theta of other packages' families is known", {
  skip_if_not_installed("MASS")
  native <- glmm_family(MASS::negative.binomial(2.5), environment())$native
  expect_identical(native, list(name = "negative_binomial", link = "log", shape = 2.5))
  expect_error(
    glmm_family(MASS::negative.binomial, environment()), "gives no family",
    class = "ember_error_argument"
  )
})

test_that("negative_binomial() is what MASS has, for a known theta", {
  skip_if_not_installed("MASS")
  mine <- negative_binomial(1.7)
  theirs <- MASS::negative.binomial(1.7)
  y <- c(0, 1, 3, 10, 40)
  mu <- c(0.5, 1.2, 3, 12, 30)
  w <- c(1, 2, 1, 0.5, 3)
  expect_equal(mine$variance(mu), theirs$variance(mu))
  expect_equal(mine$dev.resids(y, mu, w), theirs$dev.resids(y, mu, w))
  expect_equal(mine$aic(y, 1, mu, w, 0), theirs$aic(y, 1, mu, w, 0))
  expect_identical(mine$family, theirs$family)
  expect_identical(mine$theta, 1.7)
  data <- data.frame(y = y, x = 1:5)
  expect_equal(
    coef(glm(y ~ x, mine, data)), coef(glm(y ~ x, theirs, data)), tolerance = 1e-6
  )
  expect_error(negative_binomial()$variance(1), class = "ember_error_argument")
  for (theta in list(-1, 0, NA, "a", c(1, 2), Inf)) {
    expect_error(negative_binomial(theta), class = "ember_error_argument")
  }
})
