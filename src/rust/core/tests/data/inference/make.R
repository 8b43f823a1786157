# Oracles of the inference tests: data, and mclust's fits, ICL and merging by entropy.
# Run in this directory: Rscript make.R
suppressMessages(library(mclust))

num <- function(x) paste(formatC(as.numeric(x), digits = 17, format = "g"), collapse = " ")
write_matrix <- function(x, file) writeLines(apply(as.matrix(x), 1, num), file)

write_matrix(faithful, "faithful.txt")
write_matrix(iris[, 1:4], "iris.txt")

# Fits at tight tolerance: model, K, log-likelihood, weights, means by component, covariances by component.
tight <- emControl(tol = c(1e-13, 1e-13), itmax = c(20000, 20000))
fits <- function(x, models, ks, file) {
  x <- as.matrix(x)
  lines <- character()
  for (k in ks) {
    start <- unmap(hclass(hc(x, modelName = if (ncol(x) == 1) "E" else "VVV"), k))
    for (model in models) {
      fit <- me(x, modelName = model, z = start, control = tight)
      p <- fit$parameters
      if (is.na(fit$loglik)) next
      if (ncol(x) == 1) {
        means <- p$mean
        sigma <- rep_len(p$variance$sigmasq, k)
      } else {
        means <- p$mean
        sigma <- p$variance$sigma
      }
      lines <- c(lines, paste(model, k, num(fit$loglik), num(p$pro), num(means), num(sigma)))
    }
  }
  writeLines(lines, file)
}
multivariate <- mclust.options("emModelNames")
fits(faithful, multivariate, 2:3, "faithful-fits.txt")
fits(iris[, 1:4], multivariate, 2:3, "iris-fits.txt")
fits(faithful$eruptions, c("E", "V"), 2:3, "eruptions-fits.txt")

# ICL and entropy merging from stored posteriors.
merging <- function(x, k, model, name) {
  fit <- Mclust(x, G = k, modelNames = model, verbose = FALSE)
  write_matrix(fit$z, paste0(name, "-posterior.txt"))
  combined <- clustCombi(fit)
  # One line per number of clusters, k down to 1: component -> cluster, as the map of the merges.
  map <- diag(k)
  lines <- paste("icl", num(fit$bic), num(icl(fit)))
  for (clusters in k:1) {
    if (clusters < k) map <- combined$combiM[[clusters]] %*% map
    z <- combined$combiz[[clusters]]
    entropy <- -sum(ifelse(z > 0, z * log(z), 0))
    lines <- c(lines, paste(num(entropy), num(apply(map, 2, which.max))))
  }
  writeLines(lines, paste0(name, "-merging.txt"))
}
data(Baudry_etal_2010_JCGS_examples)
merging(ex4.1, 6, "EEV", "ex41")
merging(faithful, 4, "VVV", "faithful")

# Univariate cdf and quantiles.
p <- c(1e-12, 1e-6, 0.01, 0.3, 0.5, 0.9, 0.999, 1 - 1e-9)
fit <- Mclust(faithful$eruptions, G = 2, modelNames = "V", verbose = FALSE)
# R's pnorm summed by hand; the quantiles by uniroot on the log scale of the nearer tail.
cdf <- function(x, lower) {
  sum(fit$parameters$pro * pnorm(x, fit$parameters$mean, sqrt(fit$parameters$variance$sigmasq),
                                 lower.tail = lower))
}
q <- vapply(p, function(p) {
  lower <- p <= 0.5
  target <- log(if (lower) p else 1 - p)
  uniroot(function(x) log(cdf(x, lower)) - target, c(-10, 20), tol = 1e-15)$root
}, 0)
x <- c(-3, 0, 1.5, 2, 3, 4.3, 5, 8, 12)
writeLines(c(
  num(fit$parameters$pro), num(fit$parameters$mean), num(fit$parameters$variance$sigmasq),
  num(p), num(q), num(x), num(vapply(x, cdf, 0, lower = TRUE)), num(vapply(x, cdf, 0, lower = FALSE))
), "univariate.txt")
