test_that("each equation has its own columns, of one frame", {
  data <- households()
  data$g <- factor(rep(letters[1:4], length.out = nrow(data)))
  data$w <- seq_len(nrow(data))
  model <- model_of(
    list(y1 ~ x1 + g, b = exp(y2) ~ poly(x1, 2)), list(s1 == 1 ~ z1 * g, s2 ~ x1 + z2), data,
    weights = quote(w), subset = quote(x1 > -1), contrasts = list(g = "contr.sum")
  )
  rows <- which(data$x1 > -1)
  part <- data[rows, ]
  expect_identical(
    model$equations, list(outcome = c("y1", "b"), selection = c("s1 == 1", "s2"))
  )
  expected <- list(
    model.matrix(~ x1 + g, part, contrasts.arg = list(g = "contr.sum")),
    model.matrix(~ z1 * g, part, contrasts.arg = list(g = "contr.sum"))
  )
  expect_equal(model$rows$outcome[[1]], expected[[1]], ignore_attr = TRUE)
  expect_equal(model$rows$selection[[1]], expected[[2]], ignore_attr = TRUE)
  expect_identical(colnames(model$rows$selection[[1]]), colnames(expected[[2]]))
  expect_equal(model$rows$y[, 2], exp(part$y2), ignore_attr = TRUE)
  expect_identical(model$rows$selected[, 1], part$s1)
  expect_identical(model$rows$weights, as.double(rows))
  expect_identical(model$contrasts$outcome[[1]], list(g = "contr.sum"))
  expect_null(model$contrasts$selection[[2]])
  expect_identical(sum(names(model$frame) == "x1"), 1L)
})

test_that("outcomes missing where not selected leave no row out, missing regressors do", {
  data <- households()
  expect_null(model_of(list(y1 ~ x1, y2 ~ x1), list(s1 ~ z1, s2 ~ z2), data)$na_action)
  data$z2[c(3, 7)] <- NA
  data$s1[9] <- NA
  data$y1[9] <- NA
  data$w <- 1
  data$w[11] <- NA
  model <- model_of(
    list(y1 ~ x1, y2 ~ x1), list(s1 ~ z1, s2 ~ z2), data, weights = quote(w),
    na_action = na.exclude
  )
  expect_identical(as.vector(model$na_action), c(3L, 7L, 9L, 11L))
  expect_s3_class(model$na_action, "exclude")
  kept <- data[-c(3, 7, 9, 11), ]
  expect_identical(dim(model$frame), c(nrow(kept), 8L))
  expect_identical(model$rows$y[, 1], kept$y1)
  expect_identical(model$rows$selected[, 2], kept$s2)
  expect_identical(unname(model$rows$selection[[2]][, "z2"]), kept$z2)
})

test_that("selections may be logical or a factor, the second level selects", {
  data <- people()
  plain <- model_of(y1 ~ x1, s1 ~ z1, data)$rows$selected
  data$flag <- data$s1 == 1
  data$word <- factor(ifelse(data$flag, "yes", "no"))
  expect_identical(model_of(y1 ~ x1, flag ~ z1, data)$rows$selected, plain, ignore_attr = TRUE)
  expect_identical(model_of(y1 ~ x1, word ~ z1, data)$rows$selected, plain, ignore_attr = TRUE)
  data$word <- relevel(data$word, "yes")
  expect_error(model_of(y1 ~ x1, word ~ z1, data), "observed", class = "ember_error_data")
})

test_that("a dot is every column on no left-hand side", {
  model <- model_of(y1 ~ x1, s1 ~ ., people())
  expect_identical(model$columns[[2]], c("(Intercept)", "x1", "z1"))
})

test_that("clusters come as a variable or as a formula", {
  data <- people()
  data$id <- rep(1:100, 4)
  data$x1[5] <- NA
  for (cluster in list(quote(id), quote(~id))) {
    expect_identical(model_of(y1 ~ x1, s1 ~ z1, data, cluster = cluster)$cluster, data$id[-5])
  }
})

test_that("patterns of selection are counted, the most frequent first", {
  data <- households()
  model <- model_of(list(y1 ~ x1, y2 ~ x1), list(s1 ~ z1, s2 ~ z2), data)
  expected <- table(data$s1, data$s2)
  counts <- model$patterns
  expect_false(is.unsorted(-counts$rows))
  for (k in seq_len(nrow(counts))) {
    expect_identical(counts$rows[[k]], expected[counts$y1[[k]] + 1, counts$y2[[k]] + 1])
  }
  expect_identical(sum(counts$rows), nrow(data))
})

test_that("new rows have the columns of the fit, data-dependent bases too", {
  data <- people()
  data$g <- factor(rep(c("a", "b"), 200))
  model <- model_of(y1 ~ poly(x1, 2) + g, s1 ~ z1, data)
  expect_equal(
    new_design_matrix(model, "outcome", 1L, data[4:5, ]), model$rows$outcome[[1]][4:5, ],
    ignore_attr = TRUE
  )
  expect_identical(new_design_matrix(model, "outcome", 1L), model$rows$outcome[[1]])
  new <- data.frame(x1 = c(0, NA), g = "b")
  expect_identical(unname(new_design_matrix(model, "outcome", 1L, new)[, "gb"]), c(1, 1))
  expect_true(is.na(new_design_matrix(model, "outcome", 1L, new)[2, 2]))
  expect_error(
    new_design_matrix(model, "outcome", 1L, data.frame(x1 = 1)), "outcome equation `y1`",
    class = "ember_error_argument"
  )
  expect_error(
    new_design_matrix(model, "outcome", 1L, data.frame(x1 = 1, g = "c")), "new level",
    class = "ember_error_argument"
  )
})
