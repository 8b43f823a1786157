# Pictures of a sample selection model with base graphics.

#' Plot a sample selection model
#'
#' How the fit was reached, the likelihood over the correlation of selection and outcome, and the
#' modes.
#'
#' @details
#' * `"trace"`: the log-likelihood by iteration. Of `method = "px-mcem"`, whose log-likelihood is
#'   not known, the gain of each EM step with a band of 1.96 Monte Carlo standard errors, on a scale
#'   that shows both large and small ones, and the number of draws. A band that holds zero says that
#'   the gain is lost in the Monte Carlo error, and that more draws are needed.
#' * `"rho"`: for each equation fitted on its own, the log-likelihood maximised at every value of
#'   the correlation of its two errors. Vertical lines are the modes of the whole model, the fit's
#'   own solid. A curve that rises to the edge has no maximum there.
#' * `"modes"`: the correlations of the errors at each mode.
#'
#' @param x A fit of [mssm()].
#' @param what `"trace"`, `"rho"` or `"modes"`.
#' @param ... Passed on to [graphics::plot.default()].
#' @returns `x`, invisibly.
#' @seealso [modes()], [em_trace()]
#' @examples
#' set.seed(1)
#' fit <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = simulate_mssm(500))
#' plot(fit)
#' plot(fit, "rho")
#' @export
plot.ember_mssm <- function(x, what = c("trace", "rho", "modes"), ...) {
  call <- rlang::current_env()
  what <- match_choice("what", call)
  check_has_picture(x, what, call)
  switch(what,
    trace = if (is.null(x$mc)) NextMethod() else plot_gains(gain_table(x), ...),
    rho = plot_scans(scan_table(x), ...),
    modes = plot_modes(mode_error_table(x), ...)
  )
  invisible(x)
}

check_has_picture <- function(fit, what, call) {
  absent <- switch(what,
    trace = is.null(fit$trace) && is.null(fit$mc), rho = is.null(fit$scans),
    modes = length(fit$modes) == 0L
  )
  if (absent) {
    abort_argument(
      "what", paste0("cannot be \"", what, "\": the fit has none."),
      c(i = paste0("Method \"", fit$method, "\" keeps no such values", if (what != "trace") {
        ", or did not search"
      }, ".")), call
    )
  }
}

# Gains and their Monte Carlo errors by iteration.
gain_table <- function(fit) {
  history <- fit$mc$history
  half <- stats::qnorm(0.975) * history$ase
  data.frame(
    iteration = history$iteration, draws = history$draws, gain = history$gain,
    low = history$gain - half, high = history$gain + half
  )
}

# Gains fall from thousands to the Monte Carlo error around zero: a scale that is logarithmic for
# large ones of either sign, and straight within `unit`.
gain_scale <- function(table) {
  errors <- (table$high - table$low) / (2 * stats::qnorm(0.975))
  known <- errors[is.finite(errors) & errors > 0]
  unit <- if (length(known) > 0L) stats::median(utils::tail(known, 10L)) else 1
  transform <- function(x) asinh(x / unit)
  powers <- 10^seq(ceiling(log10(unit)), ceiling(log10(max(abs(table$gain), unit, na.rm = TRUE))))
  ticks <- c(-rev(powers), 0, powers)
  list(transform = transform, at = transform(ticks), labels = format_plain(ticks))
}

format_plain <- function(x) {
  vapply(x, format, "", scientific = FALSE, trim = TRUE, digits = 3L, drop0trailing = TRUE)
}

plot_gains <- function(table, ...) {
  old <- graphics::par(mfrow = c(2L, 1L), mar = c(3.1, 4.1, 1.1, 0.8), mgp = c(2.6, 0.7, 0))
  on.exit(graphics::par(old))
  known <- table[is.finite(table$gain), ]
  scale <- gain_scale(known)
  heights <- lapply(known[c("low", "gain", "high")], scale$transform)
  limits <- range(heights, finite = TRUE)
  graphics::plot(known$iteration, heights$gain,
    type = "n", xlim = range(table$iteration), ylim = limits, yaxt = "n", xlab = "",
    ylab = "Gain of the EM step", ...
  )
  graphics::axis(2, scale$at, scale$labels, las = 1)
  graphics::abline(h = 0, col = "grey60")
  colour <- component_colours(1L)
  banded <- is.finite(heights$low) & is.finite(heights$high)
  graphics::polygon(
    c(known$iteration[banded], rev(known$iteration[banded])),
    c(heights$low[banded], rev(heights$high[banded])),
    col = grDevices::adjustcolor(colour, 0.25), border = NA
  )
  graphics::lines(known$iteration, heights$gain, col = colour, lwd = 1.5)
  graphics::par(mgp = c(2, 0.7, 0))
  graphics::plot(table$iteration, table$draws,
    type = "s", log = "y", las = 1, xlab = "Iteration", ylab = "", col = colour, lwd = 1.5
  )
  graphics::mtext("Draws per row", 2, 3, cex = graphics::par("cex"))
}

# The scans of all equations, and the correlation of each equation at the modes.
scan_table <- function(fit) {
  equations <- names(fit$scans)
  scans <- do.call(rbind, unname(Map(function(scan, name) {
    finite <- is.finite(scan$loglik)
    data.frame(
      equation = factor(name, equations), rho = scan$rho[finite], loglik = scan$loglik[finite]
    )
  }, fit$scans, equations)))
  correlations <- mode_correlations(fit)
  at <- data.frame(
    equation = factor(rep(equations, each = nrow(correlations)), equations),
    rho = unlist(correlations, use.names = FALSE),
    current = rep(seq_len(nrow(correlations)) %in% fit$mode, length(equations))
  )
  scans <- scans[order(scans$equation, scans$rho), ]
  scans$z <- atanh(scans$rho)
  scans <- scans[is.finite(scans$z), ]
  # A mode at the edge stands at the end of the scan.
  at$z <- pmin(pmax(atanh(at$rho), min(scans$z)), max(scans$z))
  list(scans = scans, modes = at, names = names(correlations))
}

# Correlations that are marked on an axis of atanh(rho): most of what happens, happens near 1.
marked_correlations <- c(-0.999, -0.99, -0.9, -0.5, 0, 0.5, 0.9, 0.99, 0.999)

plot_scans <- function(tables, ...) {
  equations <- levels(tables$scans$equation)
  if (length(equations) > 1L) {
    old <- graphics::par(
      mfrow = grDevices::n2mfrow(length(equations)), mar = c(4.1, 4.1, 2.1, 0.8)
    )
    on.exit(graphics::par(old))
  }
  for (k in seq_along(equations)) {
    scan <- tables$scans[tables$scans$equation == equations[[k]], ]
    modes <- tables$modes[tables$modes$equation == equations[[k]], ]
    graphics::plot(scan$z, scan$loglik,
      type = "l", las = 1, lwd = 1.5, col = component_colours(1L), xaxt = "n",
      xlab = tables$names[[k]], ylab = "",
      main = if (length(equations) > 1L) equations[[k]], font.main = 1, ...
    )
    graphics::axis(1L, atanh(marked_correlations), marked_correlations)
    graphics::mtext("Log-likelihood", 3, 0.3, adj = 0, cex = graphics::par("cex"))
    graphics::abline(
      v = modes$z, lty = ifelse(modes$current, 1, 2), col = grDevices::adjustcolor("black", 0.6)
    )
  }
}

# Every correlation at every mode.
mode_error_table <- function(fit) {
  labels <- grep("^rho", error_names(fit$equations), value = TRUE)
  values <- lapply(fit$modes, function(mode) {
    utils::tail(error_naturals(mode$omega), length(labels))
  })
  loglik <- vapply(fit$modes, `[[`, 0, "loglik")
  names <- paste0(seq_along(loglik), ": ", format(round(loglik, 2L), nsmall = 2L))
  parameter <- factor(rep(labels, length(values)), rev(labels))
  mode <- factor(rep(names, each = length(labels)), names)
  # Modes that agree stand side by side.
  offset <- 0.5 * ((length(names) + 1L) / 2 - as.integer(mode)) / max(length(names), 4L)
  data.frame(
    parameter = parameter, mode = mode, rho = unlist(values),
    height = as.integer(parameter) + offset
  )
}

plot_modes <- function(table, ...) {
  labels <- levels(table$parameter)
  modes <- levels(table$mode)
  width <- max(graphics::strwidth(labels, units = "inches", cex = 0.9)) + 0.3
  margins <- graphics::par("mai")
  old <- graphics::par(mai = c(margins[[1L]], width, margins[[3L]], 0.2))
  on.exit(graphics::par(old))
  # Above the correlations there is room for the legend, a line for each mode.
  room <- min(0.6, 0.065 * (length(modes) + 1.5))
  graphics::plot(table$rho, as.integer(table$parameter),
    type = "n", xlim = c(-1, 1), ylim = c(0.5, 0.5 + length(labels) / (1 - room)), yaxt = "n",
    xlab = "Correlation of the errors", ylab = "", ...
  )
  graphics::axis(2, seq_along(labels), labels, las = 1, cex.axis = 0.9)
  graphics::abline(h = seq_along(labels), v = 0, col = "grey85")
  shown <- rep_len(seq_along(component_symbols), length(modes))
  colours <- rep_len(component_colours(7L), length(modes))
  code <- as.integer(table$mode)
  graphics::points(table$rho, table$height,
    pch = component_symbols[shown[code]], col = colours[code], lwd = 2, cex = 1.2
  )
  graphics::legend("topleft", modes,
    pch = component_symbols[shown], col = colours, pt.lwd = 2, bty = "n", cex = 0.85,
    title = "Mode: log-likelihood", title.adj = 0
  )
}
