# The oracle of tests/start/mclust.rs, mclust-hc.txt: run by hand with mclust 6.0.0 in this folder,
#   Rscript hierarchy.R > mclust-hc.txt
# One line per data set and number of clusters: their names, then the labels that hc() gives the rows.

suppressPackageStartupMessages(library(mclust))

hierarchy <- function(name, x, ks) {
  labels <- hclass(hc(x, modelName = "VVV", use = "SVD"), ks)
  for (k in ks) cat(name, k, labels[, as.character(k)], "\n")
}

hierarchy("faithful", faithful, 2:9)
hierarchy("iris", iris[, 1:4], 2:9)
