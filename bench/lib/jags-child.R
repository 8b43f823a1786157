# Rscript jags-child.R CASE CLONES: runs JAGS on one of jags_cases and prints what was measured.
arguments <- commandArgs(TRUE)
source("bench/lib/cloning-cases.R")
source("bench/lib/jags.R")
figures <- jags_figures(arguments[[1L]], as.numeric(arguments[[2L]]))
figures$value <- formatC(figures$value, digits = 7, format = "g")
write.csv(figures, row.names = FALSE)
