test_that("every component is lme4's", {
  plain <- function(value) {
    if (inherits(value, "CHMfactor")) {
      # The permutation is a matter of taste.
      root <- as.matrix(Matrix::expand(value)$L)
      order <- as.matrix(Matrix::expand(value)$P)
      return(crossprod(order, tcrossprod(root)) %*% order)
    }
    if (inherits(value, "Matrix")) as.matrix(value) else value
  }
  with_peers(function(ours, peer, name, case) {
    for (component in setdiff(names(component_makers), c("devfun", "RZX", "Ztlist", "devcomp"))) {
      expect_equal(
        plain(getME(ours, component)), plain(lme4::getME(peer, component)), tolerance = 1e-6,
        ignore_attr = TRUE, info = paste(name, component)
      )
    }
    parts <- getME(ours, c("theta", "Ztlist", "devcomp", "Tp", "lower", "RZX"))
    expect_identical(names(parts$theta), names(lme4::getME(peer, "theta")))
    expect_identical(names(parts$Tp), names(lme4::getME(peer, "Tp")))
    expect_identical(names(parts$lower), names(lme4::getME(peer, "lower")))
    theirs <- lme4::getME(peer, "Ztlist")
    expect_identical(names(parts$Ztlist), names(theirs))
    for (k in seq_along(theirs)) {
      expect_equal(as.matrix(parts$Ztlist[[k]]), as.matrix(theirs[[k]]), ignore_attr = TRUE)
    }
    components <- lme4::getME(peer, "devcomp")
    kept <- names(parts$devcomp$cmp) %in% c("ldL2", "ldRX2", "wrss", "ussq", "pwrss", "sigmaML")
    expect_equal(parts$devcomp$cmp[kept], components$cmp[names(which(kept |> stats::setNames(
      names(parts$devcomp$cmp)
    )))], tolerance = 1e-6)
    expect_equal(crossprod(parts$RZX), crossprod(lme4::getME(peer, "RZX")),
      tolerance = 1e-6, ignore_attr = TRUE
    )
  })
})

test_that("the criterion can be evaluated elsewhere", {
  skip_if_not_installed("lme4")
  case <- peer_cases()$slope
  fit <- fit_case(case)
  theirs <- lme4::lmer(case[[1L]], case[[2L]], devFunOnly = TRUE)
  criterion <- getME(fit, "devfun")
  expect_equal(criterion(c(1, 0.1, 0.5)), theirs(c(1, 0.1, 0.5)), tolerance = 1e-10)
  expect_equal(criterion(fit$theta), fit$criterion)
  points <- rbind(fit$theta, c(1, 0.1, 0.5), c(0, 0, 0))
  expect_identical(criterion(points), apply(points, 1L, criterion))
  expect_equal(as.function(fit)(fit$theta), fit$criterion)
  expect_error(criterion(1), class = "ember_error_argument")
  expect_error(criterion(points[, 1:2]), class = "ember_error_argument")
})

test_that("unknown components are named in the error", {
  fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
  expect_error(getME(fit, "thetas"), "thetas", class = "ember_error_argument")
  expect_error(getME(fit), class = "ember_error_argument")
  expect_true(all(c("X", "theta", "L") %in% names(getME(fit, "ALL"))))
})
