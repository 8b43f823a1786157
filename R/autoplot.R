# ggplot2 versions of the plots of gaussian-mixture-plot.R; registered when ggplot2 is loaded.

#' Plot a fitted mixture with ggplot2
#'
#' @param object A fit of [gaussian_mixture()].
#' @param what,dimensions As in [plot.ember_mixture()]; with more than two variables the first two
#'   are drawn.
#' @param ... Not used.
#' @returns A ggplot object.
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' fit <- gaussian_mixture(faithful, k = 1:4)
#' ggplot2::autoplot(fit)
#' ggplot2::autoplot(fit, "BIC")
#' @importFrom rlang .data
#' @exportS3Method ggplot2::autoplot
autoplot.ember_mixture <- function(object, what = c(
  "density", "classification", "uncertainty", "BIC", "ICL", "AIC", "trace"
),
                                   dimensions = NULL, ...) {
  call <- rlang::current_env()
  what <- match_choice("what", call)
  rlang::check_installed("ggplot2", "for `autoplot()`.", call = call)
  if (what %in% c("BIC", "ICL", "AIC")) {
    return(autoplot_criterion(object, what))
  }
  if (what == "trace") {
    return(autoplot_trace(object))
  }
  if (is.null(dimensions)) dimensions <- seq_len(min(2L, ncol(object$means)))
  if (length(dimensions) > 2L) {
    abort_argument(
      "dimensions", "must be one or two variables.", c(i = "`plot()` draws all pairs."), call
    )
  }
  rows <- plotted_rows(object, dimensions, call)
  if (ncol(rows$x) == 1L) autoplot_1d(object, rows, what) else autoplot_2d(object, rows, what)
}

autoplot_1d <- function(fit, rows, what) {
  frame <- row_frame(fit, rows)
  name <- colnames(rows$x)
  if (what == "density") {
    return(autoplot_density_1d(fit, rows, frame, name))
  }
  height <- if (what == "uncertainty") frame$uncertainty else frame$component
  label <- if (what == "uncertainty") "Uncertainty" else "Component"
  frame$height <- height
  shape <- if (what == "uncertainty") 16 else "|"
  size <- if (what == "uncertainty") 2 else 6
  ggplot2::ggplot(frame, ggplot2::aes(.data$x, .data$height, colour = .data$component)) +
    ggplot2::geom_point(shape = shape, size = size, alpha = 0.7, na.rm = TRUE) +
    component_scale(fit) +
    ggplot2::labs(x = name, y = label, colour = "Component")
}

autoplot_density_1d <- function(fit, rows, frame, name) {
  mixture <- rows$marginal
  grid <- density_grid_of(mixture, rows$x[, 1L])
  parts <- component_densities(mixture, grid)
  labels <- names(component_weights(mixture))
  curves <- data.frame(
    x = grid, density = as.vector(parts), component = factor(
      rep(labels, each = length(grid)), labels
    )
  )
  total <- data.frame(x = grid, density = rowSums(parts))
  bars <- weighted_histogram(rows$x[, 1L], fit$row_weights, "FD")
  bars <- data.frame(
    left = utils::head(bars$breaks, -1L), right = bars$breaks[-1L], density = bars$density
  )
  ggplot2::ggplot(total, ggplot2::aes(.data$x, .data$density)) +
    ggplot2::geom_rect(
      ggplot2::aes(xmin = .data$left, xmax = .data$right, ymin = 0, ymax = .data$density),
      data = bars, inherit.aes = FALSE, fill = "grey78", colour = "white"
    ) +
    ggplot2::geom_line(
      ggplot2::aes(colour = .data$component), data = curves, linetype = 2, na.rm = TRUE
    ) +
    ggplot2::geom_line() +
    component_scale(fit) +
    ggplot2::labs(x = name, y = "Density", colour = "Component")
}

autoplot_2d <- function(fit, rows, what) {
  frame <- row_frame(fit, rows)
  names <- colnames(rows$x)
  base <- ggplot2::ggplot(frame, ggplot2::aes(.data$x, .data$y)) +
    component_scale(fit) +
    ggplot2::labs(
      x = names[[1L]], y = names[[2L]], colour = "Component", shape = "Component",
      size = "Uncertainty"
    )
  if (what == "uncertainty") {
    return(base + ellipse_layer(rows$marginal) +
      ggplot2::geom_point(
        ggplot2::aes(colour = .data$component, size = .data$uncertainty), alpha = 0.6, na.rm = TRUE
      ))
  }
  points <- ggplot2::geom_point(
    ggplot2::aes(colour = .data$component, shape = .data$component),
    alpha = point_alpha(nrow(frame)), na.rm = TRUE
  )
  symbols <- ggplot2::scale_shape_manual(values = row_symbols(component_numbers(fit)), drop = FALSE)
  overlay <- if (what == "density") contour_layer(rows) else ellipse_layer(rows$marginal)
  base + points + overlay + symbols
}

contour_layer <- function(rows) {
  surface <- density_surface(rows$marginal, rows$x)
  grid <- expand.grid(x = surface$x, y = surface$y)
  grid$z <- as.vector(surface$z)
  ggplot2::geom_contour(
    ggplot2::aes(.data$x, .data$y, z = .data$z),
    data = grid, breaks = surface$levels, colour = "grey25", linewidth = 0.4, inherit.aes = FALSE
  )
}

ellipse_layer <- function(mixture) {
  paths <- do.call(rbind, lapply(seq_len(mixture$k), function(component) {
    points <- ellipse_points(mixture$means[component, ], mixture$covariances[, , component])
    data.frame(points, component = factor(component, seq_len(mixture$k)))
  }))
  ggplot2::geom_path(ggplot2::aes(colour = .data$component), data = paths, linewidth = 0.8)
}

# 1..k, and 0 for noise.
component_numbers <- function(fit) {
  c(seq_len(fit$k), if (!is.null(fit$noise)) 0L)
}

row_frame <- function(fit, rows) {
  frame <- data.frame(
    x = rows$x[, 1L], uncertainty = rows$uncertainty,
    component = factor(rows$class, component_numbers(fit), names(component_weights(fit)))
  )
  if (ncol(rows$x) > 1L) frame$y <- rows$x[, 2L]
  frame
}

component_scale <- function(fit) {
  ggplot2::scale_colour_manual(values = row_colours(component_numbers(fit), fit$k), drop = FALSE)
}

autoplot_criterion <- function(fit, criterion) {
  table <- fit$table[!is.na(fit$table[[criterion]]), ]
  table$model <- factor(table$model, unique(fit$table$model))
  table$value <- table[[criterion]]
  best <- table[which.min(table$value), ]
  models <- nlevels(table$model)
  ggplot2::ggplot(
    table, ggplot2::aes(.data$k, .data$value, colour = .data$model, shape = .data$model)
  ) +
    ggplot2::geom_line(ggplot2::aes(linetype = .data$model)) +
    ggplot2::geom_point() +
    ggplot2::geom_point(data = best, shape = 1, size = 5, colour = "black") +
    ggplot2::scale_colour_manual(values = rep(component_colours(7L), length.out = models)) +
    ggplot2::scale_shape_manual(values = rep(component_symbols, length.out = models)) +
    ggplot2::scale_linetype_manual(values = (seq_len(models) - 1L) %/% 7L + 1L) +
    ggplot2::scale_x_continuous(breaks = sort(unique(table$k))) +
    ggplot2::labs(
      x = "Number of components", y = paste0(criterion, " (smaller is better)"), colour = "Model",
      shape = "Model", linetype = "Model"
    )
}

autoplot_trace <- function(fit) {
  ggplot2::ggplot(fit$trace, ggplot2::aes(.data$iteration, .data$loglik)) +
    ggplot2::geom_hline(yintercept = fit$loglik, linetype = 3) +
    ggplot2::geom_line(colour = component_colours(1L)) +
    ggplot2::labs(x = "Iteration", y = "Log-likelihood")
}
