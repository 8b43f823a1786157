# The data of the goals of data_clone(): the herd of Solymos and Lele (2016) with the random numbers
# of their note, and a Poisson model with a random intercept. Everything follows from the seed.

# n animals with m offspring each, as a matrix. With m = 1 the note's own numbers would change, so
# that the first offspring of the same herd is taken.
herd_matrix <- function(m = 2L) {
  set.seed(1234)
  noise <- rnorm(200, mean = 0, sd = 0.2)
  alpha <- rnorm(100, mean = 0, sd = 0.5)
  matrix(2.5 + alpha + noise, 100L, 2L)[, seq_len(m), drop = FALSE]
}

herd_rows <- function(m = 2L) {
  y <- herd_matrix(m)
  data.frame(y = c(y), animal = factor(rep(seq_len(nrow(y)), m)))
}

poisson_rows <- function(rows = 1e4, groups = 500L) {
  set.seed(20)
  g <- sample.int(groups, rows, replace = TRUE)
  x <- rnorm(rows)
  y <- rpois(rows, exp(0.5 + 0.3 * x + rnorm(groups, sd = 0.6)[g]))
  data.frame(y = y, x = x, g = factor(g, levels = seq_len(groups)))
}
