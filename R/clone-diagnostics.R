# Diagnostics of data cloning by number of clones, as package dclone defines them.

#' Diagnostics of data cloning
#'
#' How the posterior changes with the number of clones: `dc_diag()` for all parameters together,
#' `dc_table()` for each. If the parameters can be estimated, `lambda.max` falls like 1/K, and the
#' posterior becomes normal. The definitions are those of package dclone, whose functions
#' `dcdiag()`, `dctable()`, `dcsd()` and `nclones()` work on fits of [data_clone()] too.
#'
#' @details
#' With the M draws of all chains below each other, their mean m and covariance matrix S:
#' * `lambda.max` is the largest eigenvalue of S (Lele, Nadeem and Schmuland 2010). It depends on
#'   the units of the parameters: what counts is how it falls, see [estimability()].
#' * `ms.error` and `r.squared` compare the sorted squared distances \eqn{d_i = (x - m)'S^{-1}
#'   (x - m)} with the quantiles \eqn{q_i} of the chi-squared distribution at \eqn{(i - 0.5)/M}:
#'   the mean of \eqn{(d - q)^2}, and 1 minus the squared correlation. Both are small for a normal
#'   posterior.
#' * `r.hat` is the multivariate potential scale reduction factor of [coda::gelman.diag()] (the
#'   univariate one for a single parameter), `NA` with one chain. It leaves out the first half of
#'   each chain if that began before half of its last iteration. `r.hat` of `dc_table()` is
#'   univariate.
#'
#' Derived parameters are functions of the others, so `dc_diag()` leaves them out unless they are
#' asked for.
#'
#' @param fit A fit of [data_clone()].
#' @param parameters Names of the parameters; by default all (in `dc_diag()` those of the model).
#' @returns `dc_diag()`: a data frame of class `ember_dcdiag` with a row for each number of clones:
#'   `n.clones`, `lambda.max`, `ms.error`, `r.squared`, `r.hat`. `dc_table()`: a list of class
#'   `ember_dctable` with a data frame for each parameter: `n.clones`, `mean`, `sd`, quantiles
#'   (`2.5%`, `25%`, `50%`, `75%`, `97.5%`), `r.hat`; `as.data.frame()` puts them below each other.
#' @references
#' Lele, S. R., Nadeem, K. and Schmuland, B. (2010). Estimability and likelihood inference for
#' generalized linear mixed models using data cloning. *Journal of the American Statistical
#' Association* 105, 1617-1625.
#' @seealso [plot()][plot.ember_dcdiag] of both.
#' @export
#' @examples
#' set.seed(1)
#' fit <- data_clone(
#'   score ~ Machine + (1 | Worker), data = nlme::Machines, clones = c(1, 5, 25)
#' )
#' dc_diag(fit)
#' dc_table(fit, c("tau_sq", "sigma_sq"))
dc_diag <- function(fit, parameters = NULL) {
  call <- rlang::current_env()
  check_clone_fit(fit, call)
  parameters <- monitored_parameters(parameters, parameter_names(fit), base_parameters(fit), call)
  rows <- lapply(fit$runs, function(run) diagnose_run(run$draws[, parameters, drop = FALSE]))
  table <- data.frame(n.clones = fit$clones, do.call(rbind, rows))
  structure(table, class = c("ember_dcdiag", "data.frame"))
}

diagnose_run <- function(draws) {
  stacked <- as.matrix(draws)
  covariance <- stats::var(stacked)
  fit <- chi_squared_fit(stacked, covariance)
  data.frame(
    lambda.max = largest_eigenvalue(covariance), ms.error = fit[[1L]], r.squared = fit[[2L]],
    r.hat = joint_rhat(draws)
  )
}

# NA where draws are so far apart that their variance overflows.
largest_eigenvalue <- function(covariance) {
  if (!all(is.finite(covariance))) {
    return(NA_real_)
  }
  eigen(covariance, symmetric = TRUE, only.values = TRUE)$values[[1L]]
}

# ms.error and r.squared.
chi_squared_fit <- function(draws, covariance) {
  if (!all(is.finite(covariance))) {
    return(c(NA_real_, NA_real_))
  }
  count <- nrow(draws)
  distances <- sort(stats::mahalanobis(
    draws, colMeans(draws), inverse_covariance(covariance), inverted = TRUE
  ))
  expected <- stats::qchisq((seq_len(count) - 0.5) / count, ncol(draws))
  c(mean((distances - expected)^2), 1 - stats::cor(expected, distances)^2)
}

# A singular matrix is replaced by the nearest one that has an inverse.
inverse_covariance <- function(covariance) {
  tryCatch(solve(covariance), error = function(cnd) {
    solve(as.matrix(Matrix::nearPD(covariance)$mat))
  })
}

joint_rhat <- function(draws) {
  if (coda::nchain(draws) < 2L) {
    return(NA_real_)
  }
  tryCatch(
    {
      diagnostic <- coda::gelman.diag(draws)
      if (is.null(diagnostic$mpsrf)) diagnostic$psrf[[1L]] else diagnostic$mpsrf
    },
    # Draws on a hyperplane have no multivariate factor.
    error = function(cnd) NA_real_
  )
}

#' @rdname dc_diag
#' @export
dc_table <- function(fit, parameters = NULL) {
  call <- rlang::current_env()
  check_clone_fit(fit, call)
  parameters <- monitored_parameters(parameters, parameter_names(fit), shown_parameters(fit), call)
  by_run <- lapply(fit$runs, function(run) describe_run(run, parameters))
  tables <- lapply(parameters, function(name) {
    table <- do.call(rbind, lapply(by_run, function(rows) rows[name, , drop = FALSE]))
    row.names(table) <- NULL
    table
  })
  structure(stats::setNames(tables, parameters), class = "ember_dctable")
}

table_quantiles <- c(0.025, 0.25, 0.5, 0.75, 0.975)

describe_run <- function(run, parameters) {
  draws <- run$draws[, parameters, drop = FALSE]
  stacked <- as.matrix(draws)
  colnames(stacked) <- parameters
  rhat <- NA_real_
  if (coda::nchain(draws) > 1L) rhat <- coda::gelman.diag(draws, multivariate = FALSE)$psrf[, 1L]
  data.frame(
    n.clones = run$clones, mean = colMeans(stacked), sd = apply(stacked, 2L, stats::sd),
    t(apply(stacked, 2L, stats::quantile, probs = table_quantiles)), r.hat = rhat,
    row.names = parameters, check.names = FALSE
  )
}

#' @export
print.ember_dctable <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  for (name in names(x)) {
    cat("$", if (make.names(name) == name) name else paste0("`", name, "`"), "\n", sep = "")
    print(x[[name]], digits = digits, ...)
    cat("\n")
  }
  invisible(x)
}

#' @export
as.data.frame.ember_dctable <- function(x, row.names = NULL, # nolint: object_name_linter.
                                        optional = FALSE, ...) {
  rows <- Map(function(table, name) cbind(parameter = name, table), unclass(x), names(x))
  table <- do.call(rbind, unname(rows))
  row.names(table) <- row.names
  table
}

# ---- plots

#' Plot diagnostics of data cloning
#'
#' `plot(dc_diag(fit))` draws how `lambda.max` falls with the number of clones, relative to its
#' first value and beside 1/K, and the other diagnostics; `plot(dc_table(fit))` the posterior of
#' every parameter by number of clones.
#'
#' @param x A value of [dc_diag()] or [dc_table()].
#' @param which For diagnostics: `"lambda.max"`, `"ms.error"`, `"r.squared"`, `"r.hat"`; for a
#'   table: names of parameters. By default all.
#' @param log Logarithmic axes of the panel of `lambda.max`, as in [graphics::plot.default()].
#' @param ... Passed on to [graphics::plot.default()].
#' @returns `x`, invisibly.
#' @examples
#' set.seed(1)
#' fit <- data_clone(
#'   score ~ Machine + (1 | Worker), data = nlme::Machines, clones = c(1, 5, 25)
#' )
#' plot(dc_diag(fit))
#' plot(dc_table(fit))
#' @export
plot.ember_dcdiag <- function(x, which = c("lambda.max", "ms.error", "r.squared", "r.hat"),
                              log = "xy", ...) {
  call <- rlang::current_env()
  choices <- eval(formals()$which)
  if (!is.character(which) || length(which) == 0L || !all(which %in% choices)) {
    abort_argument("which", paste0("must be among ", quoted(choices), "."), NULL, call)
  }
  which <- which[vapply(which, function(name) !all(is.na(x[[name]])), NA)]
  if (length(which) > 1L) {
    old <- panel_layout(length(which))
    on.exit(graphics::par(old))
  }
  for (name in which) {
    if (name == "lambda.max") plot_shrinkage(x, log, ...) else plot_diagnostic(x, name, ...)
  }
  invisible(x)
}

panel_layout <- function(count) {
  graphics::par(mfrow = grDevices::n2mfrow(count), mar = c(3.2, 4, 2.1, 1), mgp = c(2, 0.6, 0))
}

# lambda.max relative to its first value, and what 1/K makes of it.
plot_shrinkage <- function(x, log, ...) {
  observed <- x$lambda.max / x$lambda.max[[1L]]
  expected <- min(x$n.clones) / x$n.clones
  graphics::plot(x$n.clones, observed,
    type = "n", log = log, las = 1, xlab = "Number of clones", ylab = "",
    ylim = range(observed, expected), main = "lambda.max / first", font.main = 1, ...
  )
  graphics::lines(x$n.clones, expected, lty = 2, col = "grey40")
  graphics::lines(x$n.clones, observed, col = component_colours(1L))
  graphics::points(x$n.clones, observed, pch = 16, col = component_colours(1L))
  graphics::legend("bottomleft", c("observed", "1/K"),
    lty = c(1, 2), pch = c(16, NA), col = c(component_colours(1L), "grey40"), bty = "n", cex = 0.85
  )
}

# What a diagnostic should be near.
diagnostic_targets <- c(ms.error = 0, r.squared = 0, r.hat = 1)

plot_diagnostic <- function(x, name, ...) {
  target <- diagnostic_targets[[name]]
  limit <- if (name == "r.hat") largest_rhat
  graphics::plot(x$n.clones, x[[name]],
    type = "b", pch = 16, log = "x", las = 1, xlab = "Number of clones", ylab = "",
    ylim = range(x[[name]], target, limit, na.rm = TRUE), main = name, font.main = 1,
    col = component_colours(1L), ...
  )
  graphics::abline(h = c(target, limit), lty = 2, col = "grey40")
}

#' @rdname plot.ember_dcdiag
#' @export
plot.ember_dctable <- function(x, which = names(x), ...) {
  call <- rlang::current_env()
  if (!is.character(which) || length(which) == 0L || !all(which %in% names(x))) {
    abort_argument("which", "must name parameters of the table.", c(i = quoted(names(x))), call)
  }
  if (length(which) > 1L) {
    old <- panel_layout(length(which))
    on.exit(graphics::par(old))
  }
  for (name in which) plot_posterior_by_clones(x[[name]], name, ...)
  invisible(x)
}

# Thin line: 95%; thick: 50%; point: mean.
plot_posterior_by_clones <- function(table, name, xlab = "Number of clones", ylab = "", ...) {
  place <- seq_len(nrow(table))
  graphics::plot(place, table$mean,
    type = "n", xlim = c(0.5, nrow(table) + 0.5), ylim = range(table[["2.5%"]], table[["97.5%"]]),
    xaxt = "n", las = 1, xlab = xlab, ylab = ylab, main = name, font.main = 1, ...
  )
  graphics::axis(1, place, table$n.clones)
  graphics::abline(h = table$mean[[nrow(table)]], lty = 2, col = "grey60")
  graphics::segments(place, table[["2.5%"]], place, table[["97.5%"]], col = component_colours(1L))
  graphics::segments(place, table[["25%"]], place, table[["75%"]],
    lwd = 5, lend = 1, col = component_colours(1L)
  )
  graphics::points(place, table$mean, pch = 21, bg = "white", cex = 1.2)
}

# ---- dclone's generics, where that package is loaded

#' @noRd
#' @rawNamespace S3method(dclone::dcdiag,ember_clone)
dcdiag.ember_clone <- function(x, ...) {
  table <- dc_diag(x, ...)
  structure(table, class = c("ember_dcdiag", "dcdiag", "data.frame"))
}

#' @noRd
#' @rawNamespace S3method(dclone::dctable,ember_clone)
dctable.ember_clone <- function(x, ...) {
  structure(dc_table(x, ...), class = c("ember_dctable", "dctable"))
}

#' @noRd
#' @rawNamespace S3method(dclone::nclones,ember_clone)
nclones.ember_clone <- function(x, ...) max(x$clones)

#' @noRd
#' @rawNamespace S3method(dclone::dcsd,ember_clone)
dcsd.ember_clone <- function(object, ...) sqrt(diag(stats::vcov(object, ...)))
