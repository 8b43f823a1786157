test_that("random effects, their variances and coefficients are lme4's", {
  with_peers(function(ours, peer, name, case) {
    mine <- ranef(ours)
    theirs <- lme4::ranef(peer)
    expect_identical(names(mine), names(theirs))
    for (group in names(mine)) {
      expect_equal(
        mine[[group]], theirs[[group]], tolerance = 1e-6, info = paste(name, group)
      )
    }
    text <- function(table) {
      table[c("term", "grp")] <- lapply(table[c("term", "grp")], as.character)
      table
    }
    frame <- as.data.frame(mine)
    peer_frame <- as.data.frame(theirs)
    expect_equal(text(frame), text(peer_frame), tolerance = 1e-6, info = name)
    expect_identical(levels(frame$grp), levels(peer_frame$grp))
    coefficients <- coef(peer)
    for (group in names(mine)) {
      expect_equal(coef(ours)[[group]], coefficients[[group]], tolerance = 1e-6, info = name)
    }
  })
})

test_that("conditional variances are those of the posterior given beta, densely", {
  fit <- lmm(score ~ Machine + (Machine | Worker), data = nlme::Machines)
  lambda <- as.matrix(getME(fit, "Lambda"))
  z <- as.matrix(getME(fit, "Z"))
  inner <- solve(crossprod(z %*% lambda) + diag(ncol(z)))
  posterior <- sigma(fit)^2 * lambda %*% inner %*% t(lambda)
  arrays <- attr(ranef(fit)$Worker, "postVar")
  expect_equal(dim(arrays), c(3L, 3L, 6L))
  expect_equal(arrays[, , 2L], posterior[4:6, 4:6], tolerance = 1e-8)
})

test_that("factors can be chosen, columns dropped, and variances left out", {
  fit <- lmm(y ~ day + (1 | person) + (1 | site), data = study())
  one <- ranef(fit, condVar = FALSE, drop = TRUE, whichel = "site")
  expect_named(one, "site")
  expect_type(one$site, "double")
  expect_named(one$site, as.character(1:7))
  expect_null(attr(one$site, "postVar"))
  expect_length(attr(ranef(fit, drop = TRUE)$site, "postVar"), 7L)
  expect_error(ranef(fit, whichel = "sites"), class = "ember_error_argument")
  expect_output(print(ranef(fit)), "with conditional variances for")
  expect_equal(nrow(as.data.frame(one)), 7L)
  expect_null(as.data.frame(one)$condsd)
})
