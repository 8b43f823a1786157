test_that("principal components are lme4's", {
  with_peers(function(ours, peer, name, case) {
    mine <- rePCA(ours)
    theirs <- lme4::rePCA(peer)
    expect_identical(names(mine), names(theirs))
    for (group in names(mine)) {
      expect_equal(mine[[group]]$sdev, theirs[[group]]$sdev, tolerance = 1e-6, info = name)
      expect_equal(
        abs(mine[[group]]$rotation), abs(theirs[[group]]$rotation), tolerance = 1e-5, info = name
      )
      expect_equal(
        summary(mine)[[group]]$importance, summary(theirs)[[group]]$importance, tolerance = 1e-4
      )
    }
  })
})

test_that("they are printed by factor", {
  fit <- lmm(score ~ Machine + (Machine | Worker), data = nlme::Machines)
  expect_output(print(rePCA(fit)), "Worker")
  expect_output(print(summary(rePCA(fit))), "Proportion of Variance")
})
