# Tables, printed as they are ready and kept for bench/results.md.

results <- new.env()
results$lines <- character()

say <- function(...) {
  lines <- c(...)
  writeLines(lines)
  results$lines <- c(results$lines, lines)
}

section <- function(title, ...) say("", paste("##", title), "", ...)

# A table in markdown, its columns aligned for reading in a terminal.
say_table <- function(table) {
  cells <- rbind(names(table), vapply(table, as.character, character(nrow(table))))
  cells[is.na(cells)] <- "-"
  width <- apply(nchar(cells), 2L, max)
  line <- function(row) {
    padded <- paste0(row, strrep(" ", width - nchar(row)))
    paste0("| ", paste(padded, collapse = " | "), " |")
  }
  rule <- paste0("|", paste(strrep("-", width + 2L), collapse = "|"), "|")
  say("", line(cells[1L, ]), rule, apply(cells[-1L, , drop = FALSE], 1L, line))
}

digits <- function(x, n = 3L) {
  ifelse(is.na(x), "-", formatC(signif(x, n), digits = n, format = "fg", flag = "#"))
}

milliseconds <- function(seconds) sub("[.]$", "", digits(1000 * seconds))

times <- function(ratio) ifelse(is.na(ratio), "-", paste0(sub("[.]$", "", digits(ratio)), "x"))

verdict <- function(met) ifelse(is.na(met), "-", ifelse(met, "yes", "NO"))

# Each script owns the part of the file below its own main heading, which is its first line.
write_results <- function(file) {
  lines <- if (file.exists(file)) readLines(file) else character()
  part <- cumsum(grepl("^# ", lines))
  own <- part[match(results$lines[[1L]], lines)]
  kept <- lines[is.na(own) | part != own]
  last <- utils::tail(which(nzchar(kept)), 1L)
  writeLines(c(kept[seq_len(sum(last))], if (length(last)) "", results$lines), file)
}

processor <- function() {
  if (!file.exists("/proc/cpuinfo")) {
    return(Sys.info()[["machine"]])
  }
  line <- grep("^model name", readLines("/proc/cpuinfo"), value = TRUE)[[1L]]
  sub(".*: *", "", line)
}
