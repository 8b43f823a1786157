# ggplot2 versions of the plots of mixed-plot.R; registered when ggplot2 is loaded.

#' Plot a fitted mixed model with ggplot2
#'
#' @param object A fit of [lmm()] or [glmm()], its [random effects][ranef.ember_mixed] or its
#'   [profile][profile.ember_mixed].
#' @param what As in [plot()][plot.ember_mixed]; for a profile, `"zeta"` (the root of the change of
#'   the criterion; its arms are straight for a quadratic profile) or `"density"` (of a parameter
#'   for which zeta is standard normal).
#' @param which Names of the grouping factors or of the parameters to draw; by default all.
#' @param level Coverage of the intervals (several for a profile).
#' @param ... Not used.
#' @returns A ggplot object.
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' ggplot2::autoplot(fit)
#' ggplot2::autoplot(ranef(fit))
#' ggplot2::autoplot(profile(fit))
#' @exportS3Method ggplot2::autoplot
autoplot.ember_mixed <- function(object, what = c("residuals", "qq", "scale", "panels", "trace"),
                               ...) {
  call <- rlang::current_env()
  what <- match_choice("what", call)
  rlang::check_installed("ggplot2", "for `autoplot()`.", call = call)
  if (what == "trace") {
    return(autoplot_trace(object))
  }
  if (what == "panels") {
    return(autoplot_panels(object))
  }
  table <- panel_points(object)[[what]]
  plot <- point_layers(table)
  labels <- panel_labels[[what]]
  plot + ggplot2::labs(x = labels[[1L]], y = labels[[2L]])
}

panel_labels <- list(
  residuals = c("Fitted values", "Residuals (Pearson)"),
  qq = c("Standard normal quantiles", "Scaled residuals"),
  scale = c("Fitted values", "Root of absolute scaled residuals")
)

# Per panel its points, and in column `line` what they should follow: a smooth, or the line through
# the quartiles.
panel_points <- function(fit) {
  table <- residual_table(fit)
  list(
    residuals = smooth_points(table$fitted, table$residual, zero = 0),
    qq = quantile_points(table$scaled),
    scale = smooth_points(table$fitted, sqrt(abs(table$scaled)), zero = NA)
  )
}

smooth_points <- function(x, y, zero) {
  order <- order(x)
  line <- if (length(unique(x)) > 3L) stats::lowess(x, y)$y else rep(NA_real_, length(x))
  data.frame(x = x[order], y = y[order], line = line, zero = zero)
}

quantile_points <- function(y) {
  x <- stats::qnorm(stats::ppoints(length(y)))
  quartiles <- stats::quantile(y, c(0.25, 0.75), names = FALSE)
  slope <- diff(quartiles) / (2 * stats::qnorm(0.75))
  data.frame(x = x, y = sort(y), line = mean(quartiles) + slope * x, zero = NA)
}

point_layers <- function(table) {
  n <- nrow(table)
  zero <- unique(table$zero[!is.na(table$zero)])
  ggplot2::ggplot(table, ggplot2::aes(.data$x, .data$y)) +
    (if (length(zero) > 0L) zero_line(table)) +
    ggplot2::geom_point(
      colour = component_colours(1L), alpha = point_alpha(n), size = 2 * point_size(n), shape = 16
    ) +
    ggplot2::geom_line(
      ggplot2::aes(y = .data$line), colour = smooth_colour(), linewidth = 0.9, na.rm = TRUE
    )
}

# Only in the panels that have one.
zero_line <- function(table) {
  ggplot2::geom_hline(
    ggplot2::aes(yintercept = .data$zero),
    data = table[!is.na(table$zero), ], linetype = 2, colour = "grey50"
  )
}

autoplot_panels <- function(fit) {
  points <- panel_points(fit)
  effects <- ranef(fit, condVar = FALSE)
  titles <- vapply(panel_labels[names(points)], `[[`, "", 2L)
  x_words <- c("fitted values", "normal quantiles", "fitted values", "normal quantiles")
  titles <- c(titles, paste(names(effects)[[1L]], names(effects[[1L]])[[1L]]))
  titles <- paste0(titles, " ~ ", x_words)
  points <- c(unname(points), list(quantile_points(effects[[1L]][[1L]])))
  table <- do.call(rbind, Map(function(part, title) {
    data.frame(part, panel = factor(title, titles))
  }, points, titles))
  point_layers(table) +
    ggplot2::facet_wrap(ggplot2::vars(.data$panel), scales = "free") +
    ggplot2::labs(x = NULL, y = NULL)
}

#' @rdname autoplot.ember_mixed
#' @exportS3Method ggplot2::autoplot
autoplot.ember_ranef <- function(object, what = c("caterpillar", "qq"), which = names(object),
                                 level = 0.95, ...) {
  call <- rlang::current_env()
  what <- match_choice("what", call)
  rlang::check_installed("ggplot2", "for `autoplot()`.", call = call)
  table <- effect_table(object, which, level, call)
  if (what == "qq") autoplot_effect_quantiles(table) else autoplot_caterpillar(table)
}

# Levels are sorted within their factor; the same name in two factors is two levels.
autoplot_caterpillar <- function(table) {
  name <- paste(table$grpvar, table$grp, sep = "\r")
  table$level <- factor(name, unique(name[order(table$grpvar, table$place)]))
  sizes <- tapply(table$place, table$grpvar, max)[table$grpvar]
  table$colour <- vapply(sizes, interval_colour, "")
  plot <- ggplot2::ggplot(table, ggplot2::aes(.data$condval, .data$level)) +
    ggplot2::geom_linerange(
      ggplot2::aes(
        xmin = .data$condval - .data$half, xmax = .data$condval + .data$half,
        colour = .data$colour
      )
    ) +
    ggplot2::scale_colour_identity() +
    ggplot2::geom_vline(xintercept = 0, linetype = 2, colour = "grey30") +
    ggplot2::geom_point(
      colour = component_colours(1L), size = pmin(1.8, pmax(0.5, 60 / sizes))
    ) +
    ggplot2::scale_y_discrete(
      labels = function(level) sub("^.*\r", "", level),
      breaks = function(levels) if (length(levels) <= most_named_levels) levels else character()
    ) +
    ggplot2::labs(x = "Random effect", y = NULL)
  if (nlevels(table$grpvar) == 1L) {
    plot + ggplot2::facet_grid(
      cols = ggplot2::vars(.data$term), rows = ggplot2::vars(.data$grpvar), scales = "free"
    )
  } else {
    plot + ggplot2::facet_wrap(ggplot2::vars(.data$grpvar, .data$term), scales = "free")
  }
}

autoplot_effect_quantiles <- function(table) {
  parts <- split(table, list(table$grpvar, table$term), drop = TRUE)
  table <- do.call(rbind, lapply(unname(parts), function(part) {
    part <- part[order(part$condval), ]
    cbind(quantile_points(part$condval), part[c("grpvar", "term", "half")])
  }))
  ggplot2::ggplot(table, ggplot2::aes(.data$x, .data$y)) +
    ggplot2::geom_linerange(
      ggplot2::aes(ymin = .data$y - .data$half, ymax = .data$y + .data$half),
      colour = interval_colour(nrow(table) / length(parts))
    ) +
    point_layers(table)$layers +
    ggplot2::facet_wrap(ggplot2::vars(.data$grpvar, .data$term), scales = "free") +
    ggplot2::labs(x = "Standard normal quantiles", y = "Random effect")
}
