three <- gaussian_mixture(
  faithful, model = "EEE", start = as.integer(cut(faithful$waiting, c(0, 63, 79, 100)))
)

entropy_of <- function(z) -sum(ifelse(z > 0, z * log(z), 0))

test_that("merging is greedy in entropy", {
  merged <- merge_components(three)
  z <- predict(three, type = "posterior")
  expect_equal(merged$steps$entropy[[1]], entropy_of(z), tolerance = 1e-8)
  pairs <- utils::combn(3, 2)
  after <- apply(pairs, 2, function(pair) entropy_of(cbind(rowSums(z[, pair]), z[, -pair])))
  expect_equal(merged$steps$entropy[[2]], min(after), tolerance = 1e-8)
  joined <- pairs[, which.min(after)]
  expect_equal(length(unique(merged$groups[joined, 2])), 1L)
  expect_equal(merged$steps$entropy[[3]], 0)
})

test_that("clusters are predicted from merged components", {
  merged <- merge_components(three)
  z <- predict(three, type = "posterior")
  expect_equal(unname(predict(merged, clusters = 3)), unname(predict(three)))
  expect_equal(rowSums(predict(merged, clusters = 2, type = "posterior")), rowSums(z))
  expect_true(all(predict(merged, clusters = 1) == 1))
  expect_true(all(predict(merged, head(faithful), clusters = 2) %in% 1:2))
  expect_snapshot(error = TRUE, predict(merged, clusters = 4))
  expect_snapshot(error = TRUE, merge_components(gaussian_mixture(faithful, k = 1, model = "EEE")))
  expect_output(print(merged), "Baudry")
})
