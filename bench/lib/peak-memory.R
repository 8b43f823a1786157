# Rscript peak-memory.R ember|mclust fit|none FILE: peak resident memory in kB of a process that
# reads the case in FILE and, for `fit`, runs ten EM iterations on it. Linux only.
source("bench/lib/programs.R")
arguments <- commandArgs(TRUE)
case <- readRDS(arguments[[3L]])
suppressPackageStartupMessages(library(arguments[[1L]], character.only = TRUE))
invisible(gc())
if (arguments[[2L]] == "fit") {
  iterate <- switch(arguments[[1L]], ember = ember_iterate(1L), mclust = mclust_iterate)
  invisible(iterate(case, 10L))
}
peak <- grep("^VmHWM:", readLines("/proc/self/status"), value = TRUE)
cat(gsub("[^0-9]", "", peak), "\n")
