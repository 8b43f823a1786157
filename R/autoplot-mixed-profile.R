#' @rdname autoplot.ember_mixed
#' @exportS3Method ggplot2::autoplot
autoplot.ember_profile <- function(object, what = c("zeta", "density"),
                                   which = levels(droplevels(object$.par)),
                                   level = c(0.5, 0.8, 0.95), ...) {
  call <- rlang::current_env()
  what <- match_choice("what", call)
  rlang::check_installed("ggplot2", "for `autoplot()`.", call = call)
  known <- unique(as.character(object$.par))
  if (!is.character(which) || length(which) == 0L || !all(which %in% known)) {
    abort_argument(
      "which", "must name profiled parameters.",
      c(i = paste0("They are ", quoted(known), ".")), call
    )
  }
  # A parameter that could not be moved (a correlation of an effect without variance) has no curve.
  which <- which[table(object$.par)[which] > 2L]
  curves <- lapply(stats::setNames(nm = which), profile_curve, profile = object)
  if (what == "zeta") autoplot_zeta(curves, level) else autoplot_profile_density(curves)
}

# The profile of a parameter through its points: zeta and its derivative on a grid. Zeta increases,
# unless the profile turns back, which it warned of.
profile_curve <- function(name, profile) {
  rows <- profile[profile$.par == name, ]
  x <- rows[[name]]
  usable <- is.finite(x) & is.finite(rows$.zeta) & !duplicated(x)
  order <- which(usable)[order(x[usable])]
  increasing <- !is.unsorted(rows$.zeta[order])
  zeta <- stats::splinefun(
    x[order], rows$.zeta[order], method = if (increasing) "hyman" else "natural"
  )
  grid <- seq(min(x[usable]), max(x[usable]), length.out = 201L)
  data.frame(
    parameter = name, value = grid, zeta = zeta(grid),
    density = stats::dnorm(zeta(grid)) * zeta(grid, deriv = 1L)
  )
}

stack_curves <- function(curves) {
  table <- do.call(rbind, unname(curves))
  table$parameter <- factor(table$parameter, names(curves))
  table
}

# |zeta|, as lme4 draws it: the V of a quadratic profile has straight arms. A horizontal line shows
# the interval of each level.
autoplot_zeta <- function(curves, level) {
  table <- stack_curves(curves)
  intervals <- do.call(rbind, lapply(curves, function(curve) {
    height <- stats::qnorm((1 + level) / 2)
    ends <- function(h) stats::approx(curve$zeta, curve$value, h, rule = 2)$y
    data.frame(
      parameter = factor(curve$parameter[[1L]], names(curves)), height = height,
      low = ends(-height), high = ends(height)
    )
  }))
  ggplot2::ggplot(table, ggplot2::aes(.data$value, abs(.data$zeta))) +
    ggplot2::geom_segment(
      ggplot2::aes(.data$low, .data$height, xend = .data$high, yend = .data$height),
      data = intervals, colour = "grey50", linetype = 2
    ) +
    ggplot2::geom_line(colour = component_colours(1L), linewidth = 0.8) +
    ggplot2::facet_wrap(ggplot2::vars(.data$parameter), scales = "free_x") +
    ggplot2::labs(x = NULL, y = expression(abs(zeta)))
}

autoplot_profile_density <- function(curves) {
  ggplot2::ggplot(stack_curves(curves), ggplot2::aes(.data$value, .data$density)) +
    ggplot2::geom_line(colour = component_colours(1L), linewidth = 0.8) +
    ggplot2::facet_wrap(ggplot2::vars(.data$parameter), scales = "free") +
    ggplot2::labs(x = NULL, y = "Density")
}
