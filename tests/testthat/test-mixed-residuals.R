test_that("fitted values, residuals, leverages and distances are lme4's", {
  with_peers(function(ours, peer, name, case) {
    same <- function(mine, theirs, tolerance = 1e-7) {
      expect_equal(mine, theirs, tolerance = tolerance, info = name)
    }
    same(fitted(ours), stats::fitted(peer))
    for (type in c("response", "pearson", "working", "deviance")) {
      same(residuals(ours, type = type), stats::residuals(peer, type = type))
    }
    same(residuals(ours, type = "scaled"), stats::residuals(peer, "pearson", scaled = TRUE))
    same(residuals(ours, scaled = TRUE), stats::residuals(peer, scaled = TRUE))
    seen <- function(values) as.vector(stats::na.omit(values))
    same(seen(hatvalues(ours)), seen(stats::hatvalues(peer)), 1e-6)
    if (is.null(na.action(ours))) {
      same(unname(rstudent(ours)), unname(stats::rstudent(peer)), 1e-6)
      same(unname(cooks.distance(ours)), unname(stats::cooks.distance(peer)), 1e-6)
    }
  })
})

test_that("leverages are the derivatives of the fitted values", {
  fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
  x <- model.matrix(fit)
  z <- as.matrix(getME(fit, "Z")) %*% as.matrix(getME(fit, "Lambda"))
  design <- cbind(x, z)
  penalty <- diag(rep(0:1, c(ncol(x), ncol(z))))
  hat <- design %*% solve(crossprod(design) + penalty, t(design))
  expect_equal(unname(hatvalues(fit)), unname(diag(hat)), tolerance = 1e-9)
  expect_equal(unname(hatvalues(fit, fullHatMatrix = TRUE)), unname(hat), tolerance = 1e-8)
  expect_equal(unname(fitted(fit)), drop(unname(hat %*% nlme::Machines$score)), tolerance = 1e-9)
})

test_that("a fit holds nothing of the size of the data but its frame", {
  fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
  sizes <- vapply(fit[setdiff(names(fit), c("frame", "trace", "na_action"))], function(part) {
    is.atomic(part) && length(part) >= fit$nobs
  }, NA)
  expect_false(any(sizes))
  expect_error(residuals(fit, type = "partial"), class = "ember_error_argument")
})
