# A user's E and M step as the functions that the core calls.
#
# A condition must not jump through the core, so every function here returns list(word, value): "value"
# and what was computed, "error" and its message, or "interrupt". Warnings wait until the run has ended.

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
    list(hidden, if (!is.null(log_lik)) check_log_lik(in_step("log_lik", log_lik(params, ...)), "log_lik"))
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

# `params` in the shape of `start`, or an error that says where it differs.
check_structure <- function(params, start, at = "") {
  where <- if (nzchar(at)) paste0(" in `", at, "`") else ""
  if (is.list(start)) {
    if (!is.list(params) || length(params) != length(start)) {
      abort_step("m_step", paste0("must return parameters like `start`", where, ": ", describe(start),
                                  ", not ", describe(params)))
    }
    if (!is.null(names(params)) && !is.null(names(start))) {
      if (!setequal(names(params), names(start))) {
        abort_step("m_step", paste0("must return the names of `start`", where, ": ",
                                    toString(names(start)), ", not ", toString(names(params))))
      }
      params <- params[names(start)]
    }
    labels <- if (is.null(names(start))) paste0("[[", seq_along(start), "]]") else names(start)
    start[] <- Map(
      function(x, like, label) check_structure(x, like, if (nzchar(at)) paste0(at, "$", label) else label),
      params, start, labels
    )
    return(start)
  }
  if (!is.numeric(params) || length(params) != length(start)) {
    abort_step("m_step", paste0("must return parameters like `start`", where, ": ", describe(start),
                                ", not ", describe(params)))
  }
  if (!all(is.finite(params))) {
    bad <- params[!is.finite(params)][[1L]]
    abort_step("m_step", paste0("returned ", format(bad), where, ", where a number is needed"))
  }
  start[] <- as.double(params)
  start
}

abort_step <- function(step, message) {
  ember_abort(paste0("`", step, "()` ", message, "."), class = "callback", call = NULL)
}

describe <- function(x) {
  if (is.null(x)) return("NULL")
  plural <- if (length(x) == 1L) "" else "s"
  noun <- if (is.list(x)) "a list of " else ""
  kind <- if (is.list(x)) "element" else if (is.numeric(x)) "number" else paste(class(x)[[1L]], "value")
  if (is.function(x)) "a function" else paste0(noun, length(x), " ", kind, plural)
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
  like[] <- Map(function(x, from, to) refill(x, coordinates[from + seq_len(to - from)]), like, starts, ends)
  like
}
