# Two kinds of error that most checks need: an argument that cannot be used, and data that cannot be
# fitted.

# `argument` is the name users type; the message goes on from it ("must be ...").
abort_argument <- function(argument, message, details = NULL, call = rlang::caller_env()) {
  ember_abort(
    paste0("`", argument, "` ", message), class = "argument", details = details, call = call,
    argument = argument
  )
}

# `column` names the column at fault, where there is one.
abort_data <- function(message, details = NULL, column = NULL, call = rlang::caller_env()) {
  ember_abort(message, class = "data", details = details, call = call, column = column)
}
