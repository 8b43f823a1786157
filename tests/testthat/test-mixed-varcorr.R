test_that("variances, their table and their printing are lme4's", {
  with_peers(function(ours, peer, name, case) {
    theirs <- lme4::VarCorr(peer)
    mine <- VarCorr(ours)
    expect_equal(as.data.frame(mine), as.data.frame(theirs), tolerance = 1e-7, info = name)
    expect_equal(
      as.data.frame(mine, order = "lower.tri"), as.data.frame(theirs, order = "lower.tri"),
      tolerance = 1e-7, info = name, ignore_attr = "row.names"
    )
    expect_identical(capture.output(print(mine)), capture.output(print(theirs)), info = name)
    both <- c("Variance", "Std.Dev.")
    expect_identical(
      capture.output(print(mine, comp = both, digits = 3)),
      capture.output(print(theirs, comp = both, digits = 3)), info = name
    )
    expect_equal(attr(mine, "sc"), stats::sigma(peer), tolerance = 1e-7)
    for (k in seq_along(theirs)) {
      expect_equal(attr(mine[[k]], "stddev"), attr(theirs[[k]], "stddev"), tolerance = 1e-6)
      expect_equal(
        attr(mine[[k]], "correlation"), attr(theirs[[k]], "correlation"), tolerance = 1e-6
      )
    }
  })
})

test_that("known values without lme4: Pixel of nlme's documentation, by lme()", {
  fit <- lmm(pixel ~ day + I(day^2) + (day | Dog) + (1 | Side:Dog), data = nlme::Pixel)
  # Pinheiro and Bates (2000), page 42.
  expect_equal(unname(attr(VarCorr(fit)$Dog, "stddev")), c(28.36994, 1.843750), tolerance = 1e-4)
  expect_equal(unname(attr(VarCorr(fit)[["Side:Dog"]], "stddev")), 16.82424, tolerance = 1e-4)
  expect_equal(attr(VarCorr(fit), "sc"), 8.989609, tolerance = 1e-4)
  expect_equal(attr(VarCorr(fit)$Dog, "correlation")[[2L]], -0.555, tolerance = 1e-3)
})

test_that("a residual standard deviation can be given, and groups have rows of their own", {
  fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
  half <- VarCorr(fit, sigma = fit$sigma / 2)
  expect_equal(half$Worker[[1L]], VarCorr(fit)$Worker[[1L]] / 4)
  fit$dispersion <- c(A = 1, B = 2)
  table <- as.data.frame(VarCorr(fit))
  expect_equal(table$var1[2:3], c("A", "B"))
  expect_equal(table$sdcor[2:3], fit$sigma * c(1, 2))
  expect_output(print(VarCorr(fit)), "Residual A .*\n +B ")
})
