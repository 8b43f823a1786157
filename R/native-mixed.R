# The mixed-model functions of the core: storage modes on the way in, classed errors on the way out.
# `rows` is the list made by mixed_rows(), `structure` says which entries of Lambda are free:
# list(term, row, column, widths), all counted from 1; `known` is list(sigma, term, index, sd) or
# NULL.

# `method` is "profile", "em" or "px-em"; `start` is theta or NULL.
native_mixed_fit <- function(rows, structure, known, reml, method, start, control, call) {
  control <- native_control(control)
  native_result(
    suspendInterrupts(mixed_fit(
      rows, structure, known, reml, method, as_double_or_null(start), control
    )),
    call
  )
}
