library(ember)
set.seed(1)
x <- as.matrix(faithful)[seq(1, 272, 3), ]
fit <- gaussian_mixture(x, k = 1:2, n_starts = 1)
for (m in c("VVV", "VVE", "EVE", "EEE", "VVI")) {
  f <- gaussian_mixture(
    iris[, 1:4], k = 3, model = m, start = as.integer(iris$Species),
    control = em_control(threads = 2)
  )
}
invisible(
  list(
    summary(f), vcov(f), vcov(f, "sandwich"), confint(f), simulate(f),
    predict(f, iris[1:7, 1:4], "posterior"), as_mclust(f)
  )
)
merge_components(f)
holes <- replace(as.matrix(iris[, 1:4]), cbind(1:20, rep(1:4, 5)), NA)
g <- gaussian_mixture(
  holes, model = "VVV", start = as.integer(iris$Species), weights = rep(1:3, 50)
)
vcov(g)[1:2, 1:2]
predict(g, holes[1:5, ], "density")
w <- gaussian_mixture(faithful$waiting, k = 2, model = c("E", "V"), n_starts = 2)
cdf(w, c(40, 60, Inf))
quantile(w, c(0, .2, 1))
sum(density(w)$y)
gaussian_mixture(
  faithful$waiting, known = list(weights = c(.5, .5), covariances = 30), n_starts = 2
)
gaussian_mixture(x, k = 2, model = "VVV", noise = TRUE, prior = mixture_prior(), n_starts = 1)
gaussian_mixture(x, k = 2, model = "VVV", start = "hierarchical")
bootstrap_lrt(faithful$waiting[1:60], k = 1, replicates = 3, n_starts = 1)
e <- em(
  0.5, function(p) 125 * p / (2 + p), function(h) (h + 34) / (h + 72),
  function(p) 125 * log(2 + p) + 38 * log(1 - p) + 34 * log(p)
)
vcov(e)
tryCatch(
  em(0.5, function(p) stop("50% %s"), function(h) h),
  error = function(e) cat(conditionMessage(e), "\n")
)
tryCatch(gaussian_mixture(rep(1, 10), k = 2), error = function(e) cat(class(e)[1], "\n"))
tryCatch(gaussian_mixture(matrix(rnorm(20), 2), k = 2), error = function(e) cat(class(e)[1], "\n"))
