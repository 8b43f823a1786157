# The maximum that mclust finds from the same responsibilities, at ember's default tolerance. Where
# acceleration could jump to another maximum both run plain EM; mclust stops VVE, and sometimes EVE,
# short of the maximum (test of VVE in test-gaussian-mixture.R), so there its value is a lower
# bound.

as_responsibilities <- function(labels) outer(labels, seq_len(max(labels)), `==`) + 0

fit_to <- function(case, model, ...) {
  gaussian_mixture(
    case$x, model = model, start = as_responsibilities(case$labels), control = em_control(...)
  )
}

test_that("default tolerances reach the stored maximum in every case, accelerated or not", {
  stored <- utils::read.csv(test_path("oracles", "mclust-loglik.csv"))
  cases <- mixture_cases()
  stored <- stored[stored$data %in% names(cases), ]
  distance <- function(...) {
    vapply(seq_len(nrow(stored)), function(row) {
      fit <- fit_to(cases[[stored$data[[row]]]], stored$model[[row]], ...)
      (fit$loglik - stored$loglik[[row]]) / abs(stored$loglik[[row]])
    }, 0)
  }
  short <- stored$model %in% mclust_stops_short
  # Plain EM follows mclust's path; acceleration finds a better maximum of EVE on diabetes.
  for (accelerate in c("none", "squarem", "anderson")) {
    gained <- distance(accelerate = accelerate, max_iter = 5000)
    expect_lt(max(abs(gained[!short])), 1e-8, label = accelerate)
    expect_gt(min(gained[short]), -1e-8, label = accelerate)
  }
})

test_that("wine and iris: mclust's maximum, live", {
  skip_if_not_installed("mclust")
  for (case in mixture_cases()[c("iris", "wine")]) {
    for (model in setdiff(mclust_models, mclust_stops_short)) {
      expect_lt(
        relative_difference(fit_to(case, model)$loglik, mclust_loglik(case, model)), 1e-8,
        label = model
      )
    }
  }
})

test_that("plain EM from hierarchical clusters ends where mclust does, up to 9 components", {
  skip_if_not_installed("mclust")
  x <- as.matrix(faithful)
  clusters <- mclust::hclass(mclust::hcVVV(x), 1:9)
  plain <- em_control(accelerate = "none", max_iter = 20000)
  for (k in 2:9) {
    for (model in setdiff(mclust_models, "VVE")) {
      theirs <- mclust_loglik(list(x = x, labels = clusters[, k]), model)
      ours <- suppressWarnings(
        gaussian_mixture(x, model = model, start = clusters[, k], control = plain)
      )
      label <- paste(model, k)
      if (is.na(theirs)) {
        # A component collapses there, and ember says so.
        expect_identical(ours$status, "degenerate", label = label)
      } else {
        expect_lt(relative_difference(ours$loglik, theirs), 1e-8, label = label)
      }
    }
  }
})
