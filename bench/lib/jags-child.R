# Rscript jags-child.R CASE CLONES: runs JAGS on one of jags_cases and prints what was measured.
arguments <- commandArgs(TRUE)
for (file in c("cloning-cases", "draws", "jags")) source(sprintf("bench/lib/%s.R", file))
print_figures(jags_figures(arguments[[1L]], as.numeric(arguments[[2L]])))
