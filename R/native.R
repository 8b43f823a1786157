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

# Interrupts in native code: the call runs under suspendInterrupts(), and the core asks, and calls
# back, through R functions that allow them where a handler stands ready. So an interrupt never
# jumps through the core, and the fit it ends is kept, in a script too.

# The control list as the core reads it. The core calls `interrupted` to learn whether the user
# pressed Ctrl-C, and `show`, if any, to show progress; the display ends with `frame`.
native_control <- function(control, frame = rlang::caller_env()) {
  fields <- unclass(control)
  fields$interrupted <- interrupted
  fields$show <- if (isTRUE(control$progress)) progress_line(frame)
  fields
}

interrupted <- function() {
  tryCatch(
    {
      allowInterrupts(Sys.sleep(0)) # looks at pending interrupts
      FALSE
    },
    interrupt = function(interrupt) TRUE
  )
}

progress_line <- function(frame) {
  bar <- cli::cli_progress_bar(
    format = "{cli::pb_spin} iteration {cli::pb_current}{cli::pb_extra$state}",
    total = NA, clear = TRUE, extra = list(state = ""), .envir = frame
  )
  function(iteration, passes, loglik, distance) {
    state <- c(
      if (!is.na(loglik)) paste(", log-likelihood", format(loglik, digits = 10L)),
      if (is.finite(distance)) paste0(", about ", format(distance, digits = 2L), " below the limit")
    )
    extra <- list(state = paste(state, collapse = ""))
    # A condition must not jump through the core, and a display that fails must not end a fit.
    try(
      cli::cli_progress_update(set = iteration, extra = extra, id = bar, .envir = frame),
      silent = TRUE
    )
    invisible(NULL)
  }
}

as_double_or_null <- function(x) if (!is.null(x)) as.double(x)

fit_threads <- function(fit) as.integer(fit$control$threads)

# The control list of a computation that draws: R's generator decides the core's streams, so
# set.seed() rules.
seeded <- function(control) {
  fields <- in_parts(control)
  fields$seed <- as.double(draw_seed())
  fields
}

# The control list of a computation in parts, whose progress is how many are done.
in_parts <- function(control) {
  fields <- native_control(control)
  if (!is.null(fields$show)) fields$show <- show_share_done
  fields
}

# Progress of a computation in parts.
show_share_done <- function(done, total) {
  line <- paste0(done, " of ", total, " done")
  cat(
    "\r", formatC(line, width = -getOption("width") + 1L), if (done == total) "\n", file = stderr(),
    sep = ""
  )
}

# `last_error()` is the condition that a user's function raised last.
native_em <- function(start, closures, control, call, last_error) {
  control <- native_control(control)
  native_result(suspendInterrupts(em_run(start, closures, control)), call, error = last_error())
}
