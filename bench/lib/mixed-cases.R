# The data of the goals of issue 3. Everything simulated follows from the seed. Formulas are text:
# a formula would take its environment, and so the data again, into the file of a child process.

mixed_cases <- function() {
  list(
    sleepstudy = new_mixed_case("Reaction ~ Days + (Days | Subject)", \() from_lme4("sleepstudy"),
      goal = 5, calls = 20L),
    herd = new_mixed_case("y ~ 1 + (1 | animal)", herd, goal = 5, calls = 20L),
    InstEval = new_mixed_case("y ~ service + (1 | s) + (1 | d) + (1 | dept)",
      \() from_lme4("InstEval"), goal = 25, slow = TRUE),
    slope = new_mixed_case("y ~ x + (x | g)", slopes, goal = 30, slow = TRUE),
    crossed = new_mixed_case("y ~ x + (1 | a) + (1 | b)", crossed, goal = 25, slow = TRUE),
    maximal = new_mixed_case("y ~ a * b + (a * b | subject) + (a * b | item)", maximal, goal = 20,
      slow = TRUE)
  )
}

# `calls`: fits per clock reading, since the clock ticks in milliseconds. `slow`: lmer runs once.
# `goal`: how many times as fast as lmer.
new_mixed_case <- function(formula, data, goal, calls = 1L, slow = FALSE) {
  list(formula = formula, data = data, goal = goal, calls = calls, slow = slow)
}

# Rows of InstEval for Kenward-Roger.
few_evaluations <- function(rows = 6000L) {
  set.seed(1)
  all <- from_lme4("InstEval")
  all[sort(sample.int(nrow(all), rows)), ]
}

from_lme4 <- function(name) get(utils::data(list = name, package = "lme4", envir = environment()))

# The animals of Solymos and Lele (2016): 100 with two offspring each.
herd <- function() {
  set.seed(1234)
  noise <- rnorm(200, sd = 0.2)
  alpha <- rnorm(100, sd = 0.5)
  data.frame(y = 2.5 + alpha + noise, animal = factor(rep(1:100, 2)))
}

slopes <- function(rows = 1e6, groups = 1e4) {
  set.seed(1)
  g <- sample.int(groups, rows, replace = TRUE)
  x <- rnorm(rows)
  intercept <- rnorm(groups)
  slope <- 0.3 * intercept + 0.4 * rnorm(groups)
  data.frame(y = 1 + 0.5 * x + intercept[g] + slope[g] * x + rnorm(rows), x = x, g = factor(g))
}

crossed <- function(rows = 1e5, first = 1e4, second = 1e3) {
  set.seed(2)
  a <- sample.int(first, rows, replace = TRUE)
  b <- sample.int(second, rows, replace = TRUE)
  x <- rnorm(rows)
  y <- 1 + 0.5 * x + rnorm(first)[a] + 0.7 * rnorm(second)[b] + rnorm(rows)
  data.frame(y = y, x = x, a = factor(a), b = factor(b))
}

# Two conditions crossed inside 56 subjects and 32 items: 20 variance parameters and sigma.
maximal <- function(subjects = 56L, items = 32L) {
  set.seed(3)
  data <- expand.grid(item = factor(seq_len(items)), subject = factor(seq_len(subjects)))
  data$a <- sample(c(-0.5, 0.5), nrow(data), replace = TRUE)
  data$b <- sample(c(-0.5, 0.5), nrow(data), replace = TRUE)
  x <- cbind(1, data$a, data$b, data$a * data$b)
  covariance <- function(sd) diag(sd) %*% (0.3 + 0.7 * diag(4L)) %*% diag(sd)
  effects <- function(levels, sd) matrix(rnorm(4L * levels), levels) %*% chol(covariance(sd))
  by_subject <- effects(subjects, c(1, 0.8, 0.6, 0.7))
  by_item <- effects(items, c(0.7, 0.5, 0.8, 0.6))
  data$y <- drop(x %*% c(5, 0.4, -0.3, 0.2)) + rowSums(x * by_subject[data$subject, ]) +
    rowSums(x * by_item[data$item, ]) + rnorm(nrow(data))
  data
}
