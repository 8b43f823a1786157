# What is said of draws, whichever program made them: tables of quantity, name, value.

rows_of <- function(quantity, name, value) data.frame(quantity, name, value = as.vector(value))

# `monitored`: the sets of parameters for dclone's statistics.
describe_draws <- function(draws, monitored) {
  stacked <- as.matrix(draws)
  diagnostics <- lapply(monitored, function(parameters) {
    found <- clone_diagnostics(draws[, parameters])
    rows_of(names(found), paste(parameters, collapse = ", "), found)
  })
  rbind(
    rows_of("draws", "", nrow(stacked)),
    rows_of("ess", colnames(stacked), coda::effectiveSize(draws)),
    rows_of("mean", colnames(stacked), colMeans(stacked)),
    rows_of("sd", colnames(stacked), apply(stacked, 2L, stats::sd)),
    do.call(rbind, diagnostics)
  )
}

# dclone's dcdiag() of one fit (its lambdamax.diag() and chisq.diag()), written anew.
clone_diagnostics <- function(draws) {
  stacked <- as.matrix(draws)
  covariance <- stats::cov(stacked)
  distance <- sort(stats::mahalanobis(stacked, colMeans(stacked), covariance))
  count <- length(distance)
  quantile <- stats::qchisq((seq_len(count) - 0.5) / count, ncol(stacked))
  c(
    lambda.max = eigen(covariance, TRUE, TRUE)$values[[1L]],
    ms.error = mean((distance - quantile)^2), r.squared = 1 - stats::cor(quantile, distance)^2,
    r.hat = if (coda::nchain(draws) > 1L) coda::gelman.diag(draws)$mpsrf else NA
  )
}

print_figures <- function(figures) {
  figures$value <- trimws(formatC(figures$value, digits = 7, format = "g"))
  utils::write.csv(figures, row.names = FALSE)
}
