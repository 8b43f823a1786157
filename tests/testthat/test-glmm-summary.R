test_that("print() and summary() say what lme4's do", {
  skip_if_not_installed("lme4")
  skip_if_not_installed("MASS")
  for (case in glmm_peer_cases()) {
    ours <- fit_glmm_peer_case(case)
    theirs <- as_merMod(ours)
    # The family's theta is a number that lme4 prints as MASS names it; the call differs.
    lines <- function(text) {
      text <- text[!grepl("^   Data|^Weights|^Control|^ Offset", text)]
      text <- gsub("glmerMod", "ember_glmm", text)
      text[seq_len(max(which(nzchar(text))))]
    }
    if (grepl("Negative", family(ours)$family)) next # lme4 counts theta as a parameter
    expect_identical(
      lines(capture.output(print(ours))), lines(capture.output(print(theirs)))
    )
    expect_identical(
      lines(capture.output(print(summary(ours)))),
      lines(capture.output(print(summary(theirs), correlation = TRUE)))
    )
  }
})

test_that("the table of coefficients has z tests", {
  fit <- fit_glmm_peer_case(glmm_peer_cases()$counts_of_two)
  table <- coef(summary(fit))
  expect_identical(colnames(table), c("Estimate", "Std. Error", "z value", "Pr(>|z|)"))
  expect_equal(table[, 2L], sqrt(diag(vcov(fit))))
  expect_equal(table[, 4L], 2 * pnorm(-abs(fixef(fit) / sqrt(diag(vcov(fit))))))
  expect_error(summary(fit, correlation = 3), class = "ember_error_argument")
})

test_that("only a Gamma fit has a residual row", {
  counts <- fit_glmm_peer_case(glmm_peer_cases()$bernoulli)
  expect_false("Residual" %in% as.data.frame(VarCorr(counts))$grp)
  expect_false(any(grepl("Residual", capture.output(print(VarCorr(counts))))))
  times <- glmm(y ~ x + (1 | g), glmm_times(), Gamma("log"))
  table <- as.data.frame(VarCorr(times))
  expect_equal(table$sdcor[table$grp == "Residual"], sigma(times))
  expect_equal(sigma(times), 1 / sqrt(times$shape))
})

test_that("the number of quadrature points stands in the title", {
  fit <- glmm(
    cbind(incidence, size - incidence) ~ period + (1 | herd), glmm_herds(), binomial(), n_agq = 5
  )
  expect_match(summary(fit)$methTitle, "Adaptive Gauss-Hermite Quadrature, nAGQ = 5")
})

test_that("separation is a warning, and stands in the summary", {
  data <- data.frame(
    y = rep(c(0, 0, 1, 0, 1, 1), 4), x = rep(c(0, 0, 0, 1, 1, 1), 4), g = factor(rep(1:4, each = 6))
  )
  data$y[data$x == 1] <- 1
  expect_warning(
    fit <- glmm(y ~ x + (1 | g), data, binomial()), "separated",
    class = "ember_warning_separation"
  )
  expect_identical(names(fixef(fit))[fit$separation$coefficients], "x")
  expect_identical(fit$separation$rows, 12L)
  text <- capture.output(print(summary(fit)))
  expect_match(paste(text, collapse = " "), "predicted without error in 12 rows by\\s+`x`")
})

test_that("a separated fit still answers", {
  data <- data.frame(y = rep(c(0, 0, 1, 1), 3), x = rep(1:4, 3), g = factor(rep(1:3, each = 4)))
  fit <- suppressWarnings(glmm(y ~ x + (1 | g), data, binomial()))
  expect_true(fit$separation$complete)
  for (answer in list(ranef, hatvalues, residuals, overdispersion, simulate, tidy, VarCorr)) {
    expect_no_error(answer(fit))
  }
  expect_length(predict(fit, se.fit = TRUE)$se.fit, 12L)
})

test_that("a singular fit says so", {
  data <- withr_seed(4, data.frame(y = rpois(60, 3), g = factor(rep(1:12, 5))))
  expect_message(
    fit <- glmm(y ~ 1 + (1 | g), data, poisson()), "variance of `\\(Intercept\\)` by `g` is zero",
    class = "ember_message_singular"
  )
  expect_true(isSingular(fit))
  expect_identical(convergence(fit)$singular, "g")
  expect_match(paste(capture.output(print(fit)), collapse = " "), "The fit is singular")
  # Without variance between groups it is the generalized linear model.
  expect_equal(fixef(fit), coef(glm(y ~ 1, poisson(), data)), tolerance = 1e-7)
  expect_equal(as.numeric(logLik(fit)), as.numeric(logLik(glm(y ~ 1, poisson(), data))))
})
