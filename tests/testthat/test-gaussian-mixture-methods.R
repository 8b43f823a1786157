two <- gaussian_mixture(faithful, model = "VVV", start = 1L + (faithful$waiting > 66))
one_d <- gaussian_mixture(
  ~waiting, model = "V", data = faithful, start = 1L + (waiting_labels <- faithful$waiting > 66)
)

test_that("print is short", {
  expect_snapshot(two)
  expect_snapshot(one_d)
})

test_that("the criteria have R's sign", {
  n <- nrow(faithful)
  expect_equal(AIC(two), -2 * two$loglik + 2 * two$df)
  expect_equal(BIC(two), -2 * two$loglik + log(n) * two$df)
  expect_equal(nobs(two), n)
  # ICL: BIC and twice the entropy of the hard classification (mclust's form, the other sign).
  z <- predict(two, type = "posterior")
  expect_equal(ICL(two), BIC(two) - 2 * sum(log(apply(z, 1, max))), tolerance = 1e-6)
})

test_that("model words are right", {
  expect_equal(model_words("E"), "equal variance")
  expect_equal(model_words("EII"), "spherical, equal volume")
  expect_equal(model_words("VEI"), "diagonal, equal shape, variable volume")
  expect_equal(model_words("EEE"), "ellipsoidal, equal volume, shape and orientation")
  expect_equal(model_words("EVV"), "ellipsoidal, equal volume, variable shape and orientation")
})

test_that("update changes arguments and formula", {
  smaller <- update(one_d, start = NULL, k = 1)
  expect_equal(smaller$k, 1L)
  both <- update(one_d, ~ . + eruptions, model = "VVV")
  expect_equal(colnames(both$means), c("waiting", "eruptions"))
  expect_equal(update(one_d, k = 3, evaluate = FALSE)$k, 3)
  expect_error(formula(two), class = "ember_error_unsupported")
})

test_that("anova compares without a chi-square test", {
  one <- gaussian_mixture(faithful, k = 1, model = "VVV")
  table <- anova(one, two)
  expect_s3_class(table, "anova")
  expect_equal(table$BIC, c(BIC(one), BIC(two)))
  expect_equal(rownames(table), c("one", "two"))
  expect_output(print(table), "bootstrap_lrt")
  expect_snapshot(error = TRUE, anova(two, one_d))
  expect_snapshot(error = TRUE, anova(two, 1))
})

test_that("what a mixture has not is an error that says where to look", {
  expect_snapshot(error = TRUE, residuals(two))
  expect_snapshot(error = TRUE, fitted(two))
  expect_snapshot(error = TRUE, formula(two))
  light <- gaussian_mixture(faithful, k = 1, model = "VVV", keep_data = FALSE)
  expect_snapshot(error = TRUE, predict(light))
  expect_equal(model.frame(two), faithful, ignore_attr = TRUE)
})
