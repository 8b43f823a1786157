# Checks of arguments that several functions share.

# One of a few words: `argument` of the calling function, whose default is the vector of all of them
# (which stands for the first).
match_choice <- function(argument, call) {
  caller <- rlang::caller_env()
  choices <- eval(formals(rlang::caller_fn())[[argument]], caller)
  value <- get(argument, caller)
  if (identical(value, choices)) {
    return(choices[[1L]])
  }
  if (!rlang::is_string(value) || !value %in% choices) {
    abort_argument(argument, paste0("must be one of ", quoted(choices), "."), NULL, call)
  }
  value
}

quoted <- function(words) paste0("\"", words, "\"", collapse = ", ")

check_no_dots <- function(..., call) {
  if (...length() > 0L) {
    name <- c(...names(), "")[[1L]]
    abort_argument(
      if (nzchar(name)) name else "...",
      if (nzchar(name)) "is not an argument of this function." else "must be empty.",
      NULL, call
    )
  }
}

check_control <- function(control, call) {
  if (!inherits(control, "ember_control")) {
    abort_argument("control", "must be made by `em_control()`.", NULL, call)
  }
}

check_level <- function(level, call, argument = "level") {
  if (!is_number(level) || level <= 0 || level >= 1) {
    abort_argument(argument, "must be a number between 0 and 1.", NULL, call)
  }
}

# Column names of intervals, as those of stats::confint().
percent_names <- function(level) {
  tails <- c((1 - level) / 2, (1 + level) / 2)
  paste(format(100 * tails, trim = TRUE, scientific = FALSE, digits = 3L), "%")
}
