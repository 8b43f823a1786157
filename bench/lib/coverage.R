# Coverage of 95% intervals of data_clone() over simulated herds like that of the note: 100 animals,
# two offspring each, mu = 2.5, sigma^2 = 0.04, tau^2 = 0.25.

truth <- c("(Intercept)" = 2.5, sigma_sq = 0.04, tau_sq = 0.25, sum = 0.29)

one_herd <- function(number, clones) {
  set.seed(number)
  alpha <- rnorm(100, sd = 0.5)
  herd <- data.frame(animal = gl(100, 1, 200), y = 2.5 + alpha + rnorm(200, sd = 0.2))
  fit <- ember::data_clone(y ~ 1 + (1 | animal), herd, clones = clones, seed = number, cores = 1,
    derived = list(sum = ~ sigma_sq + tau_sq))
  inside <- function(limits, value) limits[, 1L] < value & value < limits[, 2L]
  animals <- function(method) {
    found <- as.data.frame(ember::ranef(fit, method = method, seed = number))
    mean(found$lower < alpha & alpha < found$upper)
  }
  c(
    inside(confint(fit)[names(truth), ], truth),
    "animals, default" = animals("conditional"), "animals, the note's way" = animals("note")
  )
}

# Data frame: what, `covered` in percent and `error`, its standard error.
coverage <- function(herds, clones = 50) {
  found <- vapply(seq_len(herds), one_herd, numeric(length(truth) + 2L), clones = clones)
  data.frame(
    what = rownames(found), covered = 100 * rowMeans(found),
    error = 100 * apply(found, 1L, stats::sd) / sqrt(herds), row.names = NULL
  )
}
