# Rows in an order that has nothing to do with their groups, with weights (some of them 0) and
# holes.
chunk_cases <- function() {
  order <- order(sin(seq_len(150)))
  x <- as.matrix(iris[order, 1:4])
  rownames(x) <- NULL
  weights <- 1 + cos(seq_len(150))
  weights[c(3, 50)] <- 0
  holes <- x
  holes[cbind(1 + (7 * 1:60) %% 150, 1 + 1:60 %% 4)] <- NA
  list(x = x, weights = weights, holes = holes, start = list(means = x[c(1, 40, 90), ]))
}

# A source whose `n`-th block, counted over all passes, does `what`; `log` counts passes and
# closings.
failing_source <- function(x, n, what, log = new.env()) {
  log$opened <- log$closed <- log$read <- 0
  row_chunks(function() {
    log$opened <- log$opened + 1
    next_row <- 1
    list(
      read = function() {
        if (next_row > nrow(x)) return(NULL)
        log$read <- log$read + 1
        if (log$read == n) return(what())
        rows <- seq(next_row, min(next_row + 99, nrow(x)))
        next_row <<- next_row + 100
        x[rows, , drop = FALSE]
      },
      close = function() log$closed <- log$closed + 1
    )
  })
}

two_at_faithful <- function(model = "VVV") {
  list(
    model = model, weights = c(0.5, 0.5), means = cbind(eruptions = c(2, 4), waiting = c(55, 80)),
    covariances = array(diag(c(0.2, 40)), c(2, 2, 2))
  )
}

expect_same_fit <- function(chunked, whole, tolerance = 1e-12) {
  for (part in c("status", "iterations", "df")) {
    testthat::expect_identical(chunked[[part]], whole[[part]], label = part)
  }
  parts <- c("loglik", "weights", "means", "covariances", "noise", "nobs")
  for (part in parts) {
    testthat::expect_equal(chunked[[part]], whole[[part]], tolerance = tolerance, label = part)
  }
}
