# A user's E and M step as the functions that the core calls.
#
# A condition must not jump through the core, so every function here returns list(word, value):
# "value" and what was computed, "error" and its message, or "interrupt". Warnings wait until the
# run has ended.

em_closures <- function(start, e_step, m_step, log_lik, complete_log_lik, ...) {
  run <- new.env(parent = emptyenv())
  run$warnings <- list()
  run$extrapolated <- FALSE
  in_step <- function(name, value) {
    run$step <- name
    value # a promise: evaluated after the step is named
  }
  expect <- function(params) {
    hidden <- in_step("e_step", e_step(params, ...))
    value <- if (!is.null(log_lik)) {
      check_log_lik(in_step("log_lik", log_lik(params, ...)), "log_lik")
    }
    list(hidden, value)
  }
  maximize <- function(expected, previous) {
    check_structure(in_step("m_step", m_step(expected[[1L]], ...)), start)
  }
  complete <- function(expected, params) {
    value <- in_step("complete_log_lik", complete_log_lik(params, expected[[1L]], ...))
    check_log_lik(value, "complete_log_lik")
  }
  unflatten <- function(coordinates, like) {
    run$extrapolated <- TRUE
    refill(like, coordinates)
  }
  list(
    functions = list(
      expect = guard(expect, run),
      maximize = guard(maximize, run),
      complete = if (!is.null(complete_log_lik)) guard(complete, run),
      flatten = guard(flatten, run),
      unflatten = guard(unflatten, run),
      has_log_lik = !is.null(log_lik)
    ),
    run = run
  )
}

# `compute` without conditions; what they were is kept in `run`.
guard <- function(compute, run) {
  force(compute)
  remember <- function(warning) {
    # Extrapolation may leave the domain of the model: NaNs there are expected, and refused.
    if (!run$extrapolated) run$warnings[[conditionMessage(warning)]] <- warning
    invokeRestart("muffleWarning")
  }
  function(...) {
    tryCatch(
      {
        value <- withCallingHandlers(allowInterrupts(compute(...)), warning = remember)
        list("value", value)
      },
      error = function(error) {
        run$error <- error
        list("error", step_message(error, run$step))
      },
      interrupt = function(interrupt) list("interrupt", NULL)
    )
  }
}

step_message <- function(error, step) {
  message <- paste(conditionMessage(error), collapse = "\n")
  if (inherits(error, "ember_error")) message else paste0("`", step, "()` failed: ", message)
}

# One number; missing ones become NaN, which the driver never accepts.
check_log_lik <- function(value, step) {
  if (!is.numeric(value) && !identical(value, NA) || length(value) != 1L) {
    abort_step(step, paste("must return one number, not", describe(value)))
  }
  if (is.na(value)) NaN else as.double(value)
}

# `params` in the shape of `start`, or an error that says where (`at`) it differs.
check_structure <- function(params, start, at = NULL) {
  same_type <- if (is.list(start)) is.list(params) else is.numeric(params)
  if (!same_type || length(params) != length(start)) {
    abort_step("m_step", paste0(
      "must return parameters like `start`", inside(at), ": ", describe(start), ", not ",
      describe(params)
    ))
  }
  if (is.list(start)) check_elements(params, start, at) else check_numbers(params, start, at)
}

check_elements <- function(params, start, at) {
  wanted <- names(start)
  if (!is.null(names(params)) && !is.null(wanted)) {
    if (!setequal(names(params), wanted)) {
      abort_step("m_step", paste0(
        "must return the names of `start`", inside(at), ": ", toString(wanted), ", not ",
        toString(names(params))
      ))
    }
    params <- params[wanted]
  }
  labels <- if (is.null(wanted)) paste0("[[", seq_along(start), "]]") else wanted
  if (!is.null(at)) labels <- paste0(at, "$", labels)
  start[] <- Map(check_structure, params, start, labels)
  start
}

check_numbers <- function(params, start, at) {
  bad <- params[!is.finite(params)]
  if (length(bad) > 0L) {
    message <- paste0("returned ", format(bad[[1L]]), inside(at), ", where a number is needed")
    abort_step("m_step", message)
  }
  start[] <- as.double(params)
  start
}

inside <- function(at) if (!is.null(at)) paste0(" in `", at, "`")

abort_step <- function(step, message) {
  ember_abort(paste0("`", step, "()` ", message, "."), class = "callback", call = NULL)
}

describe <- function(x) {
  if (is.null(x)) return("NULL")
  if (is.function(x)) return("a function")
  noun <- if (is.list(x)) {
    "element"
  } else if (is.numeric(x)) {
    "number"
  } else {
    paste(class(x)[[1L]], "value")
  }
  paste0(if (is.list(x)) "a list of ", length(x), " ", noun, if (length(x) != 1L) "s")
}

flatten <- function(params) as.double(unlist(params, use.names = FALSE))

# `like` with its numbers replaced by `coordinates`, in the order of `flatten()`.
refill <- function(like, coordinates) {
  if (!is.list(like)) {
    like[] <- coordinates
    return(like)
  }
  ends <- cumsum(lengths(lapply(like, flatten)))
  starts <- c(0L, ends)[seq_along(ends)]
  part <- function(x, from, to) refill(x, coordinates[from + seq_len(to - from)])
  like[] <- Map(part, like, starts, ends)
  like
}
