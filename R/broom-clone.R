# broom's verbs for fits of data_clone().

#' Tidy a fit by data cloning
#'
#' `tidy()` has a row for each parameter, `glance()` one for the fit.
#'
#' @param x A fit of [data_clone()].
#' @param conf.int,conf.level Whether to add confidence intervals, and their coverage.
#' @param ... Not used.
#' @returns A data frame (a tibble where the package tibble is installed). `tidy()`: `effect`
#'   (`"fixed"`, `"ran_pars"`, `"derived"`), `term`, `estimate`, `std.error` (DC SD), `mc.error` (of
#'   the estimate), `rhat`, `ess`, and `conf.low`, `conf.high` with `conf.int = TRUE`. `glance()`:
#'   `nobs`, `n.clones`, `n.chains`, `n.draws` (of a chain), `lambda.max`, `r.hat`, `estimable`,
#'   `status`.
#' @examples
#' set.seed(1)
#' fit <- data_clone(
#'   score ~ Machine + (1 | Worker), data = nlme::Machines, clones = c(1, 5, 25)
#' )
#' tidy(fit, conf.int = TRUE)
#' glance(fit)
#' @name clone_tidiers
NULL

#' @rdname clone_tidiers
#' @export
# nolint start: object_name_linter.
tidy.ember_clone <- function(x, conf.int = FALSE, conf.level = 0.95, ...) {
  # nolint end
  table <- estimate_table(x)
  own <- x$table$kind[x$table$kind != "level"]
  kind <- c(ifelse(own == "fixed", "fixed", "ran_pars"), rep("derived", length(x$derived)))
  out <- data.frame(
    effect = kind, term = rownames(table), estimate = table[, "Mean"],
    std.error = table[, "DC SD"], mc.error = table[, "MC error"], rhat = table[, "R hat"],
    ess = table[, "ESS"], row.names = NULL
  )
  if (conf.int) {
    limits <- stats::confint(x, level = conf.level)
    out$conf.low <- unname(limits[, 1L])
    out$conf.high <- unname(limits[, 2L])
  }
  as_tibble_if_installed(out)
}

#' @rdname clone_tidiers
#' @export
glance.ember_clone <- function(x, ...) {
  diagnostics <- dc_diag(x)
  last <- diagnostics[nrow(diagnostics), ]
  draws <- x$runs[[length(x$runs)]]$draws
  as_tibble_if_installed(data.frame(
    nobs = x$nobs, n.clones = last$n.clones, n.chains = length(draws),
    n.draws = coda::niter(draws), lambda.max = last$lambda.max, r.hat = last$r.hat,
    estimable = estimability(x)$estimable, status = x$status
  ))
}
