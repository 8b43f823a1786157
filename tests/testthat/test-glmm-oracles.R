# glmm() against the optimum that oracles/glmm.R finds, with a criterion of its own in plain R and
# from where glmmTMB and tight runs of glmer() end. Stored values always, the programs themselves
# where they are installed. Our own data run everywhere, the example data of lme4 where it is.
# Cases: helper-glmm.R.

# Largest distances: coefficients in standard errors, the rest relative to itself, correlations as
# they are, conditional modes in standard deviations of their effect.
tolerances <- c(
  coefficient = 1e-4, "std. error" = 1e-4, sd = 1e-4, correlation = 1e-4, shape = 1e-4, mode = 1e-4
)

scale_of <- function(values) {
  scale <- ifelse(values$quantity == "correlation", 1, abs(values$value))
  errors <- values$value[values$quantity == "std. error"]
  scale[values$quantity == "coefficient"] <- errors
  deviations <- values[values$quantity == "sd", ]
  effects <- paste0(sub("[.][0-9]+:", ":", deviations$name), ":")
  modes <- values$quantity == "mode"
  scale[modes] <- vapply(values$name[modes], function(name) {
    max(deviations$value[startsWith(name, effects)])
  }, 0)
  scale
}

expect_same_glmm <- function(ours, theirs, label) {
  names <- c("quantity", "name")
  key <- function(values) sort(paste(values$quantity, values$name))
  testthat::expect_identical(key(ours), key(theirs), label = paste(label, "names"))
  order <- match(paste(theirs$quantity, theirs$name), paste(ours$quantity, ours$name))
  ours <- ours[order, ]
  criterion <- theirs$quantity == "criterion"
  above <- ours$value[criterion] - theirs$value[criterion]
  testthat::expect_lt(above, 1e-6, label = paste(label, "criterion, above the stored one"))
  testthat::expect_gt(above, -1e-6, label = paste(label, "criterion, below the stored one"))
  distance <- abs(ours$value - theirs$value) / scale_of(theirs)
  for (quantity in names(tolerances)) {
    worst <- max(0, distance[theirs$quantity == quantity])
    testthat::expect_lt(worst, tolerances[[quantity]], label = paste(label, quantity))
  }
}

fit_by_ember <- function(case) {
  fit_glmm_case(case, quote(glmm), family = ember_family(case), n_agq = case$n_agq)
}

test_that("every case reaches the stored optimum", {
  stored <- utils::read.csv(test_path("oracles", "glmm.csv"))
  stored$name[is.na(stored$name)] <- ""
  cases <- glmm_cases()
  expect_setequal(stored$case, names(cases))
  for (name in names(cases)) {
    fit <- fit_by_ember(cases[[name]])
    if (!is.null(fit)) {
      theirs <- stored[stored$case == name, c("quantity", "name", "value")]
      expect_same_glmm(glmm_values(fit), theirs, name)
    }
  }
})

test_that("glmer() finds nothing better, live", {
  skip_if_not_installed("lme4")
  for (name in c("cbpp", "grouseticks", "counts_weights")) {
    case <- glmm_cases()[[name]]
    ours <- fit_by_ember(case)
    theirs <- fit_glmm_case(case, quote(lme4::glmer), family = ember_family(case))
    expect_lt(-2 * as.numeric(logLik(ours)), -2 * as.numeric(logLik(theirs)) + 1e-6, label = name)
    # glmer() stops its inner iterations early, hence the wider bounds.
    distance <- abs(fixef(ours) - lme4::fixef(theirs)) / sqrt(diag(as.matrix(vcov(ours))))
    expect_lt(max(distance), 0.05, label = name)
  }
})

test_that("glmmTMB finds nothing better, live", {
  skip_if_not_installed("glmmTMB")
  families <- list(overdispersed = quote(glmmTMB::nbinom2()), times_log = Gamma("log"))
  for (name in names(families)) {
    case <- glmm_cases()[[name]]
    ours <- fit_by_ember(case)
    theirs <- fit_glmm_case(case, quote(glmmTMB::glmmTMB), family = families[[name]])
    expect_lt(-2 * as.numeric(logLik(ours)), -2 * as.numeric(logLik(theirs)) + 1e-6, label = name)
    expect_equal(fixef(ours), glmmTMB::fixef(theirs)$cond, tolerance = 1e-4, label = name)
    expect_equal(sqrt(diag(as.matrix(vcov(ours)))), sqrt(diag(vcov(theirs)$cond)),
      tolerance = 1e-3, label = name)
  }
})
