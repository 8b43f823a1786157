# Rscript mssm-child.R ember|sampleSelection fit|none ROWS: peak resident memory in kB of a process
# that makes the data and, for `fit`, fits them. Linux only.
arguments <- commandArgs(TRUE)
source("bench/lib/mssm-cases.R")
program <- arguments[[1L]]
suppressPackageStartupMessages(library(program, character.only = TRUE))
data <- heckman_data(as.integer(arguments[[3L]]))
invisible(gc())
if (arguments[[2L]] == "fit") {
  formulas <- heckman_formulas
  invisible(switch(program,
    ember = mssm(formulas$outcome, formulas$selection, data = data),
    sampleSelection = selection(formulas$selection, formulas$outcome, data = data)
  ))
}
peak <- grep("^VmHWM:", readLines("/proc/self/status"), value = TRUE)
cat(gsub("[^0-9]", "", peak), "\n")
