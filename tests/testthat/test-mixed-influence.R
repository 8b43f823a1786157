test_that("deletions are refits to the remaining rows", {
  data <- nlme::Machines
  fit <- lmm(score ~ Machine + (1 | Worker), data = data)
  without <- influence(fit, groups = "Worker")
  expect_equal(without$groups, "Worker")
  expect_setequal(without$deleted, as.character(1:6))
  one <- lmm(score ~ Machine + (1 | Worker), data = data[data$Worker != "3", ])
  expect_equal(without[["fixed.effects[-Worker]"]]["3", ], fixef(one), tolerance = 1e-6)
  expect_equal(without[["vcov[-Worker]"]][["3"]], vcov(one), tolerance = 1e-4)
  expect_equal(
    unname(without[["var.cov.comps[-Worker]"]]["3", ]),
    c(sigma(one)^2, VarCorr(one)$Worker[[1L]]), tolerance = 1e-4
  )
  expect_true(all(without$converged))

  rows <- influence(fit)
  case <- lmm(score ~ Machine + (1 | Worker), data = data[-7, ])
  expect_equal(rows[["fixed.effects[-case]"]][7L, ], fixef(case), tolerance = 1e-6)
  expect_equal(nrow(dfbeta(rows)), 54L)
})

test_that("influences are lme4's", {
  skip_if_not_installed("lme4")
  data <- study()
  fit <- lmm(y ~ day + (1 | person), data = data)
  peer <- lme4::lmer(y ~ day + (1 | person), data = data)
  for (group in c("person", "kind")) {
    mine <- influence(fit, groups = group)
    theirs <- stats::influence(peer, groups = group)
    theirs$deleted <- as.character(theirs$deleted)
    expect_identical(names(mine), names(theirs))
    rows <- as.character(theirs$deleted)
    expect_equal(dfbeta(mine)[rows, ], stats::dfbeta(theirs)[rows, ],
      tolerance = 1e-3, ignore_attr = TRUE
    )
    expect_equal(dfbetas(mine)[rows, ], stats::dfbetas(theirs)[rows, ],
      tolerance = 1e-3, ignore_attr = TRUE
    )
    expect_equal(
      dfbeta(mine, "var.cov")[rows, ], stats::dfbeta(theirs, "var.cov")[rows, ],
      tolerance = 1e-2, ignore_attr = TRUE
    )
    expect_identical(names(mine$var.cov.comps), names(theirs$var.cov.comps))
    m <- length(rows)
    expect_equal(
      unname(cooks.distance(mine)[rows]) * (m - 2) / m, unname(stats::cooks.distance(theirs)),
      tolerance = 1e-3
    )
  }
})

test_that("combinations of variables, leverages only, and mistakes", {
  fit <- lmm(y ~ day + (1 | person), data = study())
  both <- influence(fit, groups = c("person", "day"))
  expect_equal(both$groups, "person.day")
  expect_equal(nrow(dfbeta(both)), 120L)
  expect_equal(influence(fit, do.coef = FALSE)$hat, hatvalues(fit))
  expect_error(influence(fit, groups = "nobody"), "nobody", class = "ember_error_argument")
  expect_error(influence(fit, groups = 1), class = "ember_error_argument")
})
