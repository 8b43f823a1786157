# Writes faithful-search.txt, the log-likelihoods that tests/search.rs compares with.
#   Rscript search.R          (R 4.2.2, mclust 6.0.0)
# One line per cell that mclust could fit: k model log-likelihood, from Mclust(faithful) at its defaults.
suppressMessages(library(mclust))
bic <- Mclust(faithful, verbose = FALSE)$BIC
cells <- expand.grid(k = as.integer(rownames(bic)), model = colnames(bic), stringsAsFactors = FALSE)
cells$bic <- bic[cbind(as.character(cells$k), cells$model)]
cells <- cells[!is.na(cells$bic), ]
parameters <- mapply(nMclustParams, cells$model, 2, cells$k)
log_lik <- (cells$bic + parameters * log(nrow(faithful))) / 2
writeLines(sprintf("%d %s %.10f", cells$k, cells$model, log_lik), "faithful-search.txt")
