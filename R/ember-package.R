#' @keywords internal
#' @useDynLib ember, .registration = TRUE
"_PACKAGE"
