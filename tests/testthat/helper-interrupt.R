# Runs R code in a child process, presses Ctrl-C half a second after it wrote its first line, and
# returns the lines that it wrote: `code` calls tell("words"), the first time when the long
# computation is about to begin.
lines_after_interrupt <- function(code, lines) {
  out <- tempfile()
  script <- tempfile(fileext = ".R")
  writeLines(c(
    sprintf(".libPaths(%s)", paste(deparse(.libPaths()), collapse = "")),
    "library(ember)",
    sprintf("tell <- function(words) cat(words, '\\n', file = %s, append = TRUE)", deparse(out)),
    code
  ), script)
  rscript <- file.path(R.home("bin"), "Rscript")
  pid <- system2("sh", c("-c", shQuote(sprintf(
    "%s --vanilla %s > /dev/null 2>&1 & echo $!", shQuote(rscript), shQuote(script)
  ))), stdout = TRUE)
  on.exit(tools::pskill(as.integer(pid), tools::SIGKILL))
  wait_for <- function(lines, seconds) {
    until <- Sys.time() + seconds
    written <- function() if (file.exists(out)) length(readLines(out)) else 0L
    while (Sys.time() < until && written() < lines) Sys.sleep(0.05)
  }
  wait_for(1L, 60)
  Sys.sleep(0.5)
  tools::pskill(as.integer(pid), tools::SIGINT)
  wait_for(lines, 20)
  trimws(readLines(out))
}
