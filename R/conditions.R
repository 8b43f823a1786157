# Every condition of ember: errors inherit `ember_error`, warnings `ember_warning`, and each a more
# specific class.
#
# Messages are shown as they are: `message` and `details` are never interpolated, so that what a
# user wrote (column names, messages of their own functions) may hold braces and percent signs.

# `details` are bullets (i, x, *); `call` is the user's call; `...` are facts kept in the condition.
ember_abort <- function(message, class, details = NULL, call = rlang::caller_env(), ...) {
  rlang::abort(
    c(message, details),
    class = c(paste0("ember_error_", class), "ember_error"), call = call, ...
  )
}

ember_warn <- function(message, class, details = NULL, call = rlang::caller_env(), ...) {
  rlang::warn(
    c(message, details),
    class = c(paste0("ember_warning_", class), "ember_warning"), call = call, ...
  )
}
