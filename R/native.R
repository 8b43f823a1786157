# The way to and from the compiled core. Native functions return values; an error is a value too, of
# class `extendr_error`, and becomes a condition here.

# The value of a native call, or its error as a condition of class `ember_error_<kind>`; `...` are
# facts for the condition.
native_result <- function(value, call = rlang::caller_env(), ...) {
  if (!inherits(value, "extendr_error")) {
    return(value)
  }
  error <- value$value
  if (identical(error$kind, "interrupted")) {
    rlang::interrupt()
  }
  ember_abort(
    error$message, class = error$kind, call = call,
    argument = error$argument, component = error$component, ...
  )
}

# Two integers from R's generator, so that set.seed() rules the draws of the core.
draw_seed <- function() {
  sample.int(.Machine$integer.max, 2L, replace = TRUE)
}

# The control list as the core reads it; `show` draws the progress.
native_control <- function(control) {
  fields <- unclass(control)
  fields$show <- if (isTRUE(control$progress)) progress_line()
  fields
}

# A function that rewrites one line of the terminal with the state of the iterations.
progress_line <- function() {
  function(iteration, passes, loglik, distance) {
    line <- paste0("iteration ", iteration)
    if (!is.na(loglik)) line <- paste0(line, ", log-likelihood ", format(loglik, digits = 10L))
    if (is.finite(distance)) line <- paste0(line, ", about ", format(distance, digits = 2L), " to go")
    cat("\r", formatC(line, width = -getOption("width") + 1L), file = stderr(), sep = "")
    invisible(NULL)
  }
}

# `last_error()` is the condition that a user's function raised last.
native_em <- function(start, closures, control, call, last_error) {
  native_result(em_run(start, closures, native_control(control)), call, error = last_error())
}
