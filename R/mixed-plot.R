#' Plot a fitted mixed model
#'
#' Residuals and random effects as pictures of base graphics; [autoplot()][autoplot.ember_mixed]
#' draws the same with ggplot2.
#'
#' @details
#' `plot(ranef(fit))` draws a caterpillar: the random effects of every level with the intervals of
#' their conditional variances. `lattice::dotplot()` and `lattice::qqmath()` of `ranef(fit)`, and
#' `lattice::qqmath()` of a fit, draw what they do for lme4, also with base graphics.
#'
#' @param x A fit of [lmm()] or [glmm()], or its [random effects][ranef.ember_mixed].
#' @param what For a fit: `"residuals"` against fitted values, `"qq"` (normal quantiles of the
#'   scaled residuals), `"scale"` (roots of their absolute values), `"panels"` (these three and the
#'   quantiles of the random effects), `"trace"` (the log-likelihood by iteration); or a formula,
#'   as `form`. For random effects: `"caterpillar"` or `"qq"`.
#' @param form A formula as lme4 has it, in which `.` is the fit: `resid(., type = "scaled") ~ x`,
#'   `g ~ resid(.)` (boxes by the factor `g`), `~ resid(.)` (a histogram), each with `| g` for a
#'   panel per group.
#' @param data Not used; it is an argument of lattice's generics.
#' @param which Names of the grouping factors to draw; by default all, one page each.
#' @param level Coverage of the intervals.
#' @param ask Ask before a new page?
#' @param ... Passed on to [graphics::plot.default()] (or [boxplot()], [hist()]): `main`, `xlab`,
#'   `cex`, ...
#' @returns `x`, invisibly.
#' @examples
#' fit <- lmm(score ~ Machine + (Machine | Worker), data = nlme::Machines)
#' plot(fit)
#' plot(fit, resid(.) ~ fitted(.) | Machine)
#' plot(fit, Worker ~ resid(., type = "scaled"))
#' plot(ranef(fit))
#' @name plot.ember_mixed
NULL

#' @rdname plot.ember_mixed
#' @export
plot.ember_mixed <- function(x, what = c("residuals", "qq", "scale", "panels", "trace"),
                           form = NULL, ...) {
  call <- rlang::current_env()
  if (inherits(what, "formula")) form <- what
  if (!is.null(form)) {
    plot_formula(x, form, call, ...)
    return(invisible(x))
  }
  what <- match_choice("what", call)
  switch(what,
    residuals = plot_residuals(x, ...), qq = plot_residual_quantiles(x, ...),
    scale = plot_residual_scale(x, ...), panels = plot_panels(x, ...),
    trace = plot.ember_fit(x, ...)
  )
  invisible(x)
}

# ---- residuals

# What is drawn of the residuals, without the rows that were left out.
residual_table <- function(fit) {
  fit <- without_padding(fit)
  data.frame(
    fitted = as.vector(stats::fitted(fit)),
    residual = as.vector(stats::residuals(fit, type = "pearson")),
    scaled = as.vector(stats::residuals(fit, type = "scaled"))
  )
}

point_colour <- function(n) grDevices::adjustcolor(component_colours(1L), point_alpha(n))

smooth_colour <- function() component_colours(2L)[[2L]]

# A dot for each point; many of them are drawn small.
point_size <- function(n) if (n > 2000L) 0.5 else 0.9

plot_residuals <- function(fit, xlab = "Fitted values", ylab = "Residuals (Pearson)", ...) {
  table <- residual_table(fit)
  plot_smooth(table$fitted, table$residual, xlab, ylab, ...)
}

plot_residual_scale <- function(fit, xlab = "Fitted values",
                                ylab = expression(sqrt(abs("Scaled residuals"))), ...) {
  table <- residual_table(fit)
  plot_smooth(table$fitted, sqrt(abs(table$scaled)), xlab, ylab, zero = FALSE, ...)
}

plot_smooth <- function(x, y, xlab, ylab, zero = TRUE, main = NULL, ...) {
  n <- length(x)
  graphics::plot(x, y,
    xlab = xlab, ylab = ylab, main = main, col = point_colour(n), pch = 16, cex = point_size(n),
    las = 1, ...
  )
  if (zero) graphics::abline(h = 0, lty = 2, col = "grey50")
  if (length(unique(x)) > 3L) {
    graphics::lines(stats::lowess(x, y), col = smooth_colour(), lwd = 2)
  }
}

plot_residual_quantiles <- function(fit, xlab = "Standard normal quantiles",
                                    ylab = "Scaled residuals", ...) {
  plot_quantiles(residual_table(fit)$scaled, xlab = xlab, ylab = ylab, ...)
}

plot_quantiles <- function(y, xlab, ylab, main = NULL, half = numeric(length(y)), ...) {
  n <- length(y)
  order <- order(y)
  x <- stats::qnorm(stats::ppoints(n))
  ends <- list(low = (y - half)[order], high = (y + half)[order])
  graphics::plot(x, y[order],
    type = "n", ylim = range(ends), xlab = xlab, ylab = ylab, main = main, las = 1, ...
  )
  if (any(half > 0)) graphics::segments(x, ends$low, x, ends$high, col = interval_colour(n))
  stats::qqline(y, col = smooth_colour(), lwd = 2)
  graphics::points(x, y[order], col = point_colour(n), pch = 16, cex = point_size(n))
}

# Many intervals merge into an area, which should not be the darkest thing in the picture.
interval_colour <- function(n) if (n > most_named_levels) "grey80" else "grey50"

plot_panels <- function(fit, main = NULL, ...) {
  old <- graphics::par(mfrow = c(2L, 2L), mar = c(4.1, 4.3, 2.1, 1.1))
  on.exit(graphics::par(old))
  plot_residuals(fit, ...)
  plot_residual_quantiles(fit, ...)
  plot_residual_scale(fit, ...)
  effects <- ranef(fit, condVar = FALSE)
  effect <- effects[[1L]][1L]
  plot_quantiles(effect[[1L]],
    xlab = "Standard normal quantiles", ylab = paste(names(effects)[[1L]], names(effect)), ...
  )
  if (!is.null(main)) graphics::mtext(main, outer = TRUE, line = -1.5, font = 2)
}

# ---- lme4's formulas

plot_formula <- function(fit, form, call, ...) {
  if (!inherits(form, "formula")) {
    abort_argument("form", "must be a formula, such as `resid(.) ~ fitted(.) | g`.", NULL, call)
  }
  parts <- formula_parts(form)
  variables <- c(as.list(formula_data(fit)), list(. = without_padding(fit)))
  value <- function(expression) {
    if (!is.null(expression)) eval(expression, variables, environment(form))
  }
  values <- lapply(parts, value)
  labels <- lapply(parts, function(part) if (!is.null(part)) deparse1(part))
  if (is.null(values$y)) {
    labels$y <- "Frequency"
    values$breaks <- graphics::hist(values$x, plot = FALSE)$breaks
  }
  if (is.null(values$group)) {
    plot_panel(values, labels, ...)
  } else {
    panels <- split(seq_along(values$x), values$group, drop = TRUE)
    plot_panel_grid(values, labels, panels, ...)
  }
}

# y ~ x | group as expressions; y and group may be absent.
formula_parts <- function(form) {
  right <- form[[length(form)]]
  grouped <- is.call(right) && identical(right[[1L]], as.name("|"))
  list(
    y = if (length(form) == 3L) form[[2L]], x = if (grouped) right[[2L]] else right,
    group = if (grouped) right[[3L]]
  )
}

# The variables that the formula may name: those of the model and the other columns of its data.
formula_data <- function(fit) {
  frame <- fit$frame
  data <- try(eval(fit$call$data, environment(stats::formula(fit))), silent = TRUE)
  if (!inherits(data, "data.frame")) {
    return(frame)
  }
  rows <- match(rownames(frame), rownames(data))
  if (anyNA(rows)) frame else cbind(data[rows, , drop = FALSE], frame)
}

plot_panel <- function(values, labels, xlab = labels$x, ylab = labels$y, main = NULL, xlim = NULL,
                       ylim = NULL, ...) {
  if (is.null(values$y)) {
    graphics::hist(values$x,
      breaks = values$breaks, main = main, xlab = xlab, ylab = ylab, col = "grey85",
      border = "white", las = 1, ...
    )
  } else if (is.numeric(values$y)) {
    zero <- grepl("resid", labels$y, fixed = TRUE)
    plot_smooth(values$x, values$y, xlab, ylab, zero, main, xlim = xlim, ylim = ylim, ...)
  } else {
    graphics::boxplot(values$x ~ as.factor(values$y),
      horizontal = TRUE, xlab = xlab, ylab = ylab, main = main, col = "grey90", las = 1,
      ylim = xlim, ...
    )
    graphics::abline(v = 0, lty = 2, col = "grey50")
  }
}

# A panel per group, all with the same axes; their labels stand once, outside.
plot_panel_grid <- function(values, labels, panels, main = NULL, xlab = labels$x,
                            ylab = labels$y, ...) {
  old <- graphics::par(
    mfrow = grDevices::n2mfrow(length(panels)), mar = c(2, 2.4, 1.6, 0.5),
    oma = c(2.2, 2, if (is.null(main)) 0 else 2, 0), mgp = c(2, 0.6, 0)
  )
  on.exit(graphics::par(old))
  limits <- lapply(values[c("x", "y")], function(v) if (is.numeric(v)) range(v))
  for (name in names(panels)) {
    part <- utils::modifyList(values, lapply(values[c("x", "y")], `[`, panels[[name]]))
    plot_panel(part, labels,
      xlab = "", ylab = "", main = name, xlim = limits$x, ylim = limits$y, cex.main = 1, ...
    )
  }
  graphics::mtext(xlab, 1, outer = TRUE, line = 0.8, cex = 0.9)
  graphics::mtext(ylab, 2, outer = TRUE, line = 0.6, cex = 0.9)
  if (!is.null(main)) graphics::mtext(main, outer = TRUE, font = 2)
}

# ---- random effects

#' @rdname plot.ember_mixed
#' @export
plot.ember_ranef <- function(x, what = c("caterpillar", "qq"), which = names(x), level = 0.95,
                             ask = length(which) > 1L && grDevices::dev.interactive(), ...) {
  call <- rlang::current_env()
  what <- match_choice("what", call)
  table <- effect_table(x, which, level, call)
  if (ask) {
    old <- grDevices::devAskNewPage(TRUE)
    on.exit(grDevices::devAskNewPage(old))
  }
  for (group in which) {
    rows <- table[table$grpvar == group, ]
    draw <- if (what == "qq") plot_effect_quantiles else plot_caterpillar
    draw(rows, group, ...)
  }
  invisible(x)
}

# A row per effect, with half the width of its interval and the place of its level among those of
# its factor: by their first effect.
effect_table <- function(effects, which, level, call) {
  if (!is.character(which) || length(which) == 0L || !all(which %in% names(effects))) {
    abort_argument(
      "which", "must name grouping factors of the fit.",
      c(i = paste0("They are ", quoted(names(effects)), ".")), call
    )
  }
  table <- as.data.frame(effects)
  table <- table[table$grpvar %in% which, ]
  table$grpvar <- factor(table$grpvar, which)
  table$grp <- as.character(table$grp)
  table$half <- if (is.null(table$condsd)) 0 else stats::qnorm((1 + level) / 2) * table$condsd
  groups <- split(table, table$grpvar)
  do.call(rbind, lapply(unname(groups), function(rows) {
    first <- rows[rows$term == rows$term[[1L]], ]
    rows$place <- match(rows$grp, first$grp[order(first$condval)])
    rows$term <- factor(rows$term, unique(rows$term))
    rows
  }))
}

# Most levels whose names fit on an axis.
most_named_levels <- 60L

plot_caterpillar <- function(rows, group, main = group, xlab = "", ylab = "", cex = NULL, ...) {
  terms <- as.character(unique(rows$term))
  first <- rows[rows$term == terms[[1L]], ]
  levels <- first$grp[order(first$place)]
  n <- length(levels)
  named <- n <= most_named_levels
  margin <- if (named) 1 + 0.5 * min(max(nchar(levels)), 24L) else 1.5
  old <- graphics::par(
    mfrow = c(1L, length(terms)), mar = c(3.2, 0.6, 2.4, 0.6), oma = c(0, margin, 1.5, 0)
  )
  on.exit(graphics::par(old))
  for (term in terms) {
    part <- rows[rows$term == term, ]
    low <- part$condval - part$half
    high <- part$condval + part$half
    graphics::plot(part$condval, part$place,
      type = "n", xlim = range(low, high, 0), ylim = c(0.5, n + 0.5), yaxt = "n", xlab = xlab,
      ylab = ylab, main = term, font.main = 1, ...
    )
    if (named) graphics::abline(h = seq_len(n), col = "grey93")
    graphics::segments(low, part$place, high, part$place, col = interval_colour(n))
    graphics::abline(v = 0, lty = 2, col = "grey30")
    graphics::points(part$condval, part$place,
      pch = 16, cex = if (is.null(cex)) min(0.9, max(0.3, 30 / n)) else cex,
      col = component_colours(1L)
    )
    if (named && term == terms[[1L]]) {
      graphics::axis(2, seq_len(n), levels,
        las = 1, tick = FALSE, line = -0.6, cex.axis = min(0.9, 25 / n + 0.3)
      )
    }
  }
  graphics::mtext(main, outer = TRUE, font = 2)
}

plot_effect_quantiles <- function(rows, group, main = group, xlab = "Standard normal quantiles",
                                  ylab = NULL, ...) {
  terms <- as.character(unique(rows$term))
  old <- graphics::par(
    mfrow = if (length(terms) > 3L) grDevices::n2mfrow(length(terms)) else c(1L, length(terms)),
    mar = c(4.1, 4.1, 2.1, 0.8), oma = c(0, 0, 1.5, 0)
  )
  on.exit(graphics::par(old))
  for (term in terms) {
    part <- rows[rows$term == term, ]
    plot_quantiles(part$condval, xlab, if (is.null(ylab)) term else ylab, half = part$half, ...)
  }
  graphics::mtext(main, outer = TRUE, font = 2)
}

#' @rdname plot.ember_mixed
#' @exportS3Method lattice::dotplot
dotplot.ember_ranef <- function(x, data, ...) plot.ember_ranef(x, "caterpillar", ...)

#' @rdname plot.ember_mixed
#' @exportS3Method lattice::qqmath
qqmath.ember_ranef <- function(x, data, ...) plot.ember_ranef(x, "qq", ...)

#' @rdname plot.ember_mixed
#' @exportS3Method lattice::qqmath
qqmath.ember_mixed <- function(x, data, ...) plot.ember_mixed(x, "qq", ...)
