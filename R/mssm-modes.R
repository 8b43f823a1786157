# The modes of the likelihood of a sample selection model.

#' Modes of the likelihood
#'
#' The likelihood of a sample selection model can have several maxima. `modes()` lists those that
#' [mssm()] found, the highest first, or gives the fit at one of them.
#'
#' @details
#' `kind` is `"maximum"`, `"saddle"` (where the search stopped, but which is no maximum) or
#' `"boundary"` (the likelihood goes on rising, slowly, as a correlation goes to 1 or -1).
#'
#' A higher mode is not always the better answer: at a correlation near 1 the model explains
#' selection and outcome by one error. Compare what the modes say, and doubt conclusions that only
#' one of them supports.
#'
#' @param fit A fit of [mssm()].
#' @param which `NULL` for the list, or the number of a mode.
#' @returns Without `which` a data frame of class `ember_modes` with columns `mode`, `loglik`,
#'   `difference` (to the highest), `kind`, `hits` (starts that ended there) and the correlation of
#'   the two errors of each equation. With `which` a fit of class `ember_mssm` at that mode, whose
#'   methods all work.
#' @seealso [mssm()], [plot.ember_mssm()]
#' @export
#' @examplesIf requireNamespace("AER", quietly = TRUE)
#' data("PSID1976", package = "AER")
#' PSID1976$kids <- PSID1976$youngkids + PSID1976$oldkids > 0
#' PSID1976$wage[PSID1976$participation == "no"] <- NA
#' fit <- mssm(
#'   wage ~ experience + I(experience^2) + education + city,
#'   participation ~ age + I(age^2) + fincome + kids + education,
#'   data = PSID1976
#' )
#' modes(fit)
#' # The one in the textbooks
#' modes(fit, 3)
modes <- function(fit, which = NULL) {
  call <- rlang::current_env()
  if (!inherits(fit, "ember_mssm")) {
    abort_argument("fit", "must be a fit of `mssm()`.", NULL, call)
  }
  if (is.null(which)) {
    return(mode_table(fit))
  }
  count <- length(fit$modes)
  if (!is_number(which) || !which %in% seq_len(count)) {
    abort_argument(
      "which", if (count == 0L) {
        "must be NULL: the fit has no list of modes."
      } else {
        paste0("must be the number of a mode, 1 to ", count, ".")
      }, NULL, call
    )
  }
  if (which == fit$mode) fit else fit_at_mode(fit, as.integer(which), call)
}

mode_table <- function(fit) {
  column <- function(name, type) vapply(fit$modes, `[[`, type, name)
  loglik <- column("loglik", 0)
  table <- data.frame(
    mode = seq_along(loglik), loglik = loglik, difference = loglik - max(loglik, -Inf),
    kind = column("kind", ""), hits = as.integer(column("hits", 0))
  )
  structure(
    cbind(table, mode_correlations(fit)), current = fit$mode,
    class = c("ember_modes", "data.frame")
  )
}

# The correlation of the two errors of each equation at each mode.
mode_correlations <- function(fit) {
  size <- length(fit$equations$outcome)
  values <- lapply(seq_len(size), function(j) {
    vapply(fit$modes, function(mode) {
      mode$omega[j, size + j] / sqrt(mode$omega[j, j])
    }, 0)
  })
  labels <- paste0("rho(", fit$equations$outcome, ",", fit$equations$selection, ")")
  as.data.frame(stats::setNames(values, labels), optional = TRUE)
}

# The same model climbed from one of its modes; what the search found stays with it.
fit_at_mode <- function(fit, which, call) {
  mode <- fit$modes[[which]]
  start <- list(
    coefficients = lapply(unname(mode$coefficients), as_plain_double), omega = mode$omega
  )
  there <- fit_mssm(fit, start, call)
  found <- there$modes[[there$mode]]
  there[c("modes", "scans")] <- fit[c("modes", "scans")]
  # Towards the edge a climb goes on for ever: the list says where this one ended.
  there$modes[[which]][names(found)] <- found
  there$modes[[which]]$hits <- mode$hits
  there$mode <- which
  warn_mssm(there, call)
  there
}

#' @export
print.ember_modes <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  if (nrow(x) == 0L) {
    cat("No list of modes: there was no search for them.\n")
    return(invisible(x))
  }
  cat(
    if (nrow(x) == 1L) "One mode" else paste(nrow(x), "modes"), " of the likelihood, ",
    if (nrow(x) == 1L) "as far as the search saw" else "the highest first", "\n",
    sep = ""
  )
  cells <- as.data.frame(unclass(x), optional = TRUE)
  for (name in c("loglik", "difference")) cells[[name]] <- format(round(x[[name]], 3L), nsmall = 3L)
  correlations <- setdiff(names(x), c("mode", "loglik", "difference", "kind", "hits"))
  for (name in correlations) cells[[name]] <- format(round(x[[name]], 4L), nsmall = 4L)
  marks <- ifelse(x$mode == attr(x, "current"), "*", "")
  print(cbind(cells, " " = marks), row.names = FALSE)
  if (any(nzchar(marks))) cat("* this fit\n")
  invisible(x)
}
