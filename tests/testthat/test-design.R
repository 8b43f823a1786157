design_of <- function(x, data = NULL, weights = NULL) {
  unsupervised_design(x, data, weights, call = NULL)
}

test_that("formula, data frame, matrix and vector give the same matrix", {
  from_formula <- design_of(~ eruptions + waiting, faithful)
  from_frame <- design_of(faithful)
  from_matrix <- design_of(as.matrix(faithful))
  expect_equal(unname(from_formula$x), unname(as.matrix(faithful)), ignore_attr = TRUE)
  expect_equal(unname(from_frame$x), unname(from_formula$x))
  expect_equal(unname(from_matrix$x), unname(from_formula$x))
  expect_equal(from_formula$variables, c("eruptions", "waiting"))
  expect_equal(from_frame$variables, from_formula$variables)
  expect_equal(design_of(~., faithful)$variables, names(faithful))
  expect_equal(design_of(faithful$waiting)$x, matrix(faithful$waiting))
  expect_equal(design_of(faithful["waiting"])$variables, "waiting")
  expect_equal(design_of(1:5)$x, matrix(as.double(1:5)))
})

test_that("a double matrix passes without a copy", {
  x <- matrix(rnorm(20), 10, dimnames = list(NULL, c("a", "b")))
  expect_identical(rlang::obj_address(design_of(x)$x), rlang::obj_address(x))
})

test_that("formulas take expressions, dots with exceptions and matrix columns", {
  data <- data.frame(a = 1:6, b = c(2, 4, 1, 9, 3, 7), c = 6:1)
  expect_equal(unname(design_of(~ log(a) + I(b^2), data)$x), unname(cbind(log(data$a), data$b^2)))
  expect_equal(design_of(~ log(a) + I(b^2), data)$variables, c("log(a)", "I(b^2)"))
  expect_equal(design_of(~ . - c, data)$variables, c("a", "b"))
  expect_equal(design_of(~ poly(b, 2) - 1, data)$variables, c("poly(b, 2).1", "poly(b, 2).2"))
  a <- data$b
  expect_equal(design_of(~a)$x[, 1], a, ignore_attr = TRUE)
})

test_that("weights are looked up in data, then where the formula was written", {
  data <- data.frame(a = 1:3, w = c(1, 2, 0))
  outside <- c(3, 1, 1)
  expect_equal(design_of(~a, data, quote(w))$weights, c(1, 2, 0))
  expect_equal(design_of(~a, data, quote(outside))$weights, outside)
  expect_equal(design_of(data$a, weights = 1:3)$weights, c(1, 2, 3))
})

test_that("rows without a value are left out, with their weights, and said so", {
  x <- cbind(a = c(1, NA, 3, NA), b = c(NA, NA, 1, 2))
  expect_snapshot(design <- design_of(x, weights = 1:4))
  expect_equal(nrow(design$x), 3L)
  expect_equal(design$weights, c(1, 3, 4))
  expect_equal(as.vector(design$na_action), 2L)
  expect_s3_class(design$na_action, "omit")
})

test_that("row names are kept where there are real ones", {
  expect_equal(design_of(mtcars[1:3, 1:2])$row_names, rownames(mtcars)[1:3])
  expect_null(design_of(data.frame(a = 1:3))$row_names)
  expect_equal(design_of(c(x = 1, y = 2))$row_names, c("x", "y"))
})

test_that("each kind of bad data has an error that names the column", {
  data <- data.frame(
    a = 1:3, f = factor(c("u", "v", "u")), s = c("p", "q", "r"), l = c(TRUE, FALSE, NA)
  )
  data$date <- as.Date("2026-01-01") + 0:2
  data$list <- list(1, 2, 3)
  expect_snapshot(error = TRUE, design_of(data[c("a", "f")]))
  expect_snapshot(error = TRUE, design_of(~ a + s, data))
  expect_snapshot(error = TRUE, design_of(data["l"]))
  expect_snapshot(error = TRUE, design_of(data["date"]))
  expect_snapshot(error = TRUE, design_of(data["list"]))
  expect_snapshot(error = TRUE, design_of(letters))
  expect_snapshot(error = TRUE, design_of(cbind(a = 1:3, b = c(1, Inf, -Inf))))
  expect_snapshot(error = TRUE, design_of(cbind(a = 1:3, b = NA)))
  expect_snapshot(error = TRUE, design_of(cbind(a = 1:3, a = 1)))
  expect_snapshot(error = TRUE, design_of(matrix(0, 0, 2)))
  expect_snapshot(error = TRUE, design_of(matrix(0, 2, 0)))
  expect_snapshot(error = TRUE, design_of(NULL))
  expect_snapshot(error = TRUE, design_of(mean))
  expect_snapshot(error = TRUE, design_of(array(0, c(2, 2, 2))))
  expect_error(design_of(data["f"]), class = "ember_error_data")
})

test_that("each kind of bad formula or weights has an error that says what to do", {
  data <- data.frame(a = 1:3, b = 3:1)
  expect_snapshot(error = TRUE, design_of(a ~ b, data))
  expect_snapshot(error = TRUE, design_of(~ a * b, data))
  expect_snapshot(error = TRUE, design_of(~1, data))
  expect_snapshot(error = TRUE, design_of(~nowhere, data))
  expect_snapshot(error = TRUE, design_of(~a, 3))
  expect_snapshot(error = TRUE, design_of(data, data))
  expect_snapshot(error = TRUE, design_of(1:3, weights = 1:2))
  expect_snapshot(error = TRUE, design_of(1:3, weights = c(1, -1, 1)))
  expect_snapshot(error = TRUE, design_of(1:3, weights = c(1, NA, 1)))
  expect_snapshot(error = TRUE, design_of(1:3, weights = c(0, 0, 0)))
  expect_snapshot(error = TRUE, design_of(1:3, weights = letters[1:3]))
  expect_error(design_of(a ~ b, data), class = "ember_error_argument")
})

test_that("new data are matched by name, then by position", {
  fit <- list(means = matrix(0, 1, 2, dimnames = list("1", c("a", "b"))))
  new <- data.frame(b = 1:2, other = letters[1:2], a = 3:4)
  expect_equal(newdata_matrix(fit, new), cbind(a = c(3, 4), b = c(1, 2)))
  expect_equal(newdata_matrix(fit, unname(as.matrix(new[c("a", "b")]))), cbind(c(3, 4), c(1, 2)))
  expect_equal(unname(newdata_matrix(fit, c(1, 2))), rbind(c(1, 2)))
  expect_snapshot(error = TRUE, newdata_matrix(fit, 1:3, call = NULL))
  expect_snapshot(error = TRUE, newdata_matrix(fit, cbind(a = 1, b = Inf), call = NULL))
  fit$terms <- design_of(~ log(a) + b, data.frame(a = 1:3, b = 1:3))$terms
  expect_equal(unname(newdata_matrix(fit, data.frame(a = exp(1), b = NA))), rbind(c(1, NA)))
  expect_snapshot(error = TRUE, newdata_matrix(fit, data.frame(a = 1), call = NULL))
})
