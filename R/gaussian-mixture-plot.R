#' Plot a fitted mixture
#'
#' @param x A fit of [gaussian_mixture()].
#' @param what `"density"`: in one dimension a histogram with the components (dashed) and the
#'   mixture; in two, contours over the points; in more, the pairs of variables with the ellipses of
#'   the components. `"classification"`: points by component, with the ellipse that holds half of
#'   each. `"uncertainty"`: the rows that are hard to classify. `"BIC"`, `"ICL"`, `"AIC"`: the
#'   criterion of every fit of the search. `"trace"`: the log-likelihood by iteration.
#' @param dimensions Variables to show (names or numbers); by default all, at most six.
#' @param ... Passed to the base graphics function that draws the frame ([plot()] or [hist()]):
#'   `main`, `xlab`, `breaks`, ...
#' @returns `x`, invisibly.
#' @examples
#' fit <- gaussian_mixture(faithful, k = 1:4)
#' plot(fit)
#' plot(fit, "BIC")
#' @importFrom graphics plot
#' @export
plot.ember_mixture <- function(x, what = c(
  "density", "classification", "uncertainty", "BIC", "ICL", "AIC", "trace"
),
                               dimensions = NULL, ...) {
  call <- rlang::current_env()
  what <- match_choice("what", call)
  if (what %in% c("BIC", "ICL", "AIC")) {
    plot_criterion(x, what, ...)
  } else if (what == "trace") {
    plot.ember_fit(x, ...)
  } else {
    rows <- plotted_rows(x, dimensions, call)
    d <- ncol(rows$x)
    one <- list(
      density = plot_density_1d, classification = plot_classification_1d,
      uncertainty = plot_uncertainty_1d
    )
    two <- list(
      density = plot_density_2d, classification = plot_classification_2d,
      uncertainty = plot_uncertainty_2d
    )
    if (d == 1L) {
      one[[what]](x, rows, ...)
    } else if (d == 2L) {
      two[[what]](x, rows, ...)
    } else {
      plot_pairs(x, rows, what, ...)
    }
  }
  invisible(x)
}

# ---- what is drawn

# The rows with their classes and uncertainties, and the mixture's marginal in the chosen
# dimensions.
plotted_rows <- function(fit, dimensions, call) {
  x <- data_of(fit, call)
  shown <- chosen_dimensions(fit, dimensions, call)
  posterior <- stats::predict(fit, type = "posterior")
  list(
    x = matrix(x[, shown], ncol = length(shown), dimnames = list(NULL, colnames(fit$means)[shown])),
    class = most_probable(posterior, fit), uncertainty = 1 - apply(posterior, 1L, max),
    marginal = marginal_mixture(fit, shown)
  )
}

chosen_dimensions <- function(fit, dimensions, call) {
  variables <- colnames(fit$means)
  if (is.null(dimensions)) {
    return(seq_len(min(length(variables), 6L)))
  }
  at <- if (is.character(dimensions)) match(dimensions, variables) else match(
    dimensions, seq_along(variables)
  )
  if (length(at) == 0L || anyNA(at) || anyDuplicated(at)) {
    abort_argument(
      "dimensions", "must be different names or numbers of variables of the fit.",
      c(i = paste0("They are ", abbreviated_list(variables, 8L), ".")), call
    )
  }
  at
}

# The mixture of some of the variables: a margin of a Gaussian mixture is one too, with the same
# weights. A model of equal volumes is not one in the margin, so the margin has the free model.
marginal_mixture <- function(fit, shown) {
  if (length(shown) == ncol(fit$means)) {
    return(fit)
  }
  fit$means <- fit$means[, shown, drop = FALSE]
  fit$covariances <- fit$covariances[shown, shown, , drop = FALSE]
  fit$model <- if (length(shown) == 1L) "V" else "VVV"
  fit$terms <- NULL
  # The region of the noise is not known in the margin; it has no density to draw there.
  fit$weights <- fit$weights / sum(fit$weights)
  fit$noise <- NULL
  fit
}

# Okabe and Ito's colours that readers with colour-blind eyes can tell apart; grey is for noise.
component_colours <- function(k) {
  if (k <= 7L) {
    return(
      unname(grDevices::palette.colors(9L, "Okabe-Ito"))[c(6L, 7L, 4L, 2L, 8L, 3L, 1L)][seq_len(k)]
    )
  }
  grDevices::hcl.colors(k, "viridis")
}

noise_colour <- "grey60"
component_symbols <- c(16L, 17L, 15L, 18L, 1L, 2L, 0L, 5L)

row_colours <- function(class, k, alpha = 1) {
  colours <- grDevices::adjustcolor(c(noise_colour, component_colours(k)), alpha.f = alpha)
  colours[class + 1L]
}

row_symbols <- function(class) {
  ifelse(class == 0L, 4L, component_symbols[(class - 1L) %% length(component_symbols) + 1L])
}

# Fewer rows need no transparency.
point_alpha <- function(n) {
  max(0.15, min(0.8, 60 / sqrt(n) / 3))
}

# The ellipse that holds `share` of a two-dimensional Gaussian.
ellipse_points <- function(mean, covariance, share = 0.5, n = 101L) {
  angles <- seq(0, 2 * pi, length.out = n)
  circle <- rbind(cos(angles), sin(angles)) * sqrt(stats::qchisq(share, 2))
  decomposition <- eigen(covariance, symmetric = TRUE)
  root <- decomposition$vectors %*% diag(sqrt(pmax(decomposition$values, 0)), 2L)
  points <- t(root %*% circle + mean)
  dimnames(points) <- list(NULL, c("x", "y"))
  points
}

# Shares of the rows inside the contours of a density.
contour_shares <- c(0.1, 0.25, 0.5, 0.75, 0.9, 0.97)

# Density of a two-dimensional mixture on a grid, list(x, y, z), and the levels below which its
# contours leave the shares of the rows that are not inside (highest density regions, Hyndman 1996).
density_surface <- function(mixture, rows, size = 80L) {
  density_at <- function(points) {
    exp(native_mixture_posterior(points, mixture, call = rlang::caller_env())$log_density)
  }
  grid <- lapply(1:2, function(j) {
    ends <- range(rows[, j], na.rm = TRUE)
    ends <- ends + c(-0.15, 0.15) * diff(ends)
    seq(ends[[1L]], ends[[2L]], length.out = size)
  })
  complete <- unname(rows[stats::complete.cases(rows), , drop = FALSE])
  list(
    x = grid[[1L]], y = grid[[2L]],
    z = matrix(density_at(unname(as.matrix(expand.grid(grid)))), size),
    levels = unname(stats::quantile(density_at(complete), 1 - contour_shares))
  )
}

# ---- one dimension

plot_density_1d <- function(fit, rows, main = NULL, xlab = colnames(rows$x), breaks = "FD", ...) {
  x <- rows$x[, 1L]
  mixture <- rows$marginal
  grid <- density_grid_of(mixture, x)
  parts <- component_densities(mixture, grid)
  total <- rowSums(parts)
  histogram <- weighted_histogram(x, fit$row_weights, breaks)
  graphics::plot(histogram,
    freq = FALSE, ylim = c(0, 1.05 * max(total, histogram$density)), xlim = range(grid),
    col = "grey92",
    border = "grey75", main = main, xlab = xlab, ylab = "Density", las = 1, ...
  )
  colours <- component_colours(mixture$k)
  for (component in seq_len(mixture$k)) {
    graphics::lines(grid, parts[, component], col = colours[[component]], lwd = 2, lty = 2)
  }
  graphics::lines(grid, total, lwd = 2)
  graphics::rug(x, col = grDevices::adjustcolor("black", 0.3), quiet = TRUE)
}

density_grid_of <- function(mixture, x, n = 400L) {
  ends <- range(x, na.rm = TRUE)
  ends <- ends + c(-0.1, 0.1) * max(diff(ends), min(sqrt(mixture$covariances)))
  seq(ends[[1L]], ends[[2L]], length.out = n)
}

# Weighted densities of the components on a grid, n x k (noise is the last column, if there is one).
component_densities <- function(mixture, grid) {
  parts <- vapply(seq_len(mixture$k), function(component) {
    deviation <- sqrt(mixture$covariances[1L, 1L, component])
    mixture$weights[[component]] * stats::dnorm(grid, mixture$means[component, 1L], deviation)
  }, numeric(length(grid)))
  noise <- mixture$noise
  cbind(parts, if (!is.null(noise)) rep(noise$weight * exp(noise$log_density), length(grid)))
}

weighted_histogram <- function(x, row_weights, breaks) {
  histogram <- graphics::hist(x, breaks = breaks, plot = FALSE)
  if (!is.null(row_weights)) {
    bin <- cut(x, histogram$breaks, include.lowest = TRUE)
    share <- tapply(row_weights, bin, sum, default = 0) / sum(row_weights)
    histogram$density <- as.vector(share) / diff(histogram$breaks)
  }
  histogram
}

plot_classification_1d <- function(fit, rows, main = NULL, xlab = colnames(rows$x), ...) {
  labels <- names(component_weights(fit))
  height <- ifelse(rows$class == 0L, length(labels), rows$class)
  graphics::plot(rows$x[, 1L], height,
    type = "n", yaxt = "n", ylab = "Component", xlab = xlab, main = main,
    ylim = c(0.5, length(labels) + 0.5), ...
  )
  graphics::axis(2, seq_along(labels), labels, las = 1)
  graphics::segments(rows$x[, 1L], height - 0.3, rows$x[, 1L], height + 0.3,
    col = row_colours(rows$class, fit$k, point_alpha(nrow(rows$x)))
  )
}

plot_uncertainty_1d <- function(fit, rows, main = NULL, xlab = colnames(rows$x), ...) {
  graphics::plot(rows$x[, 1L], rows$uncertainty,
    col = row_colours(rows$class, fit$k), pch = row_symbols(rows$class), xlab = xlab,
    ylab = "Uncertainty", main = main,
    las = 1, ylim = c(0, max(rows$uncertainty, 0.01)), ...
  )
}

# ---- two dimensions

plot_density_2d <- function(fit, rows, main = NULL, ...) {
  surface <- density_surface(rows$marginal, rows$x)
  plot_points(fit, rows, main, range(surface$x), range(surface$y), ...)
  graphics::contour(surface$x, surface$y, surface$z,
    levels = surface$levels, drawlabels = FALSE, add = TRUE, col = "grey25"
  )
}

plot_classification_2d <- function(fit, rows, main = NULL, ...) {
  plot_points(fit, rows, main, NULL, NULL, ...)
  draw_ellipses(rows$marginal, 1:2)
}

plot_points <- function(fit, rows, main, xlim, ylim, ...) {
  labels <- colnames(rows$x)
  graphics::plot(rows$x[, 1L], rows$x[, 2L],
    col = row_colours(rows$class, fit$k, point_alpha(nrow(rows$x))), pch = row_symbols(rows$class),
    xlab = labels[[1L]], ylab = labels[[2L]], main = main, xlim = xlim, ylim = ylim, las = 1, ...
  )
}

# The half-mass ellipse of each component with its mean.
draw_ellipses <- function(mixture, pair) {
  colours <- component_colours(mixture$k)
  for (component in seq_len(mixture$k)) {
    mean <- mixture$means[component, pair]
    graphics::lines(
      ellipse_points(mean, mixture$covariances[pair, pair, component]), col = colours[[component]],
      lwd = 2
    )
    graphics::points(
      mean[[1L]], mean[[2L]], pch = 3, lwd = 2, cex = 1.3, col = colours[[component]]
    )
  }
}

plot_uncertainty_2d <- function(fit, rows, main = NULL, ...) {
  labels <- colnames(rows$x)
  graphics::plot(rows$x[, 1L], rows$x[, 2L],
    col = row_colours(rows$class, fit$k, 0.6), pch = 16, cex = uncertainty_size(rows$uncertainty),
    xlab = labels[[1L]],
    ylab = labels[[2L]], main = main, las = 1, ...
  )
  draw_ellipses(rows$marginal, 1:2)
}

uncertainty_size <- function(uncertainty) {
  0.5 + 2.3 * uncertainty / max(uncertainty, 0.05)
}

# ---- more dimensions

plot_pairs <- function(fit, rows, what, main = NULL, gap = 0.4, ...) {
  uncertain <- what == "uncertainty"
  size <- if (uncertain) uncertainty_size(rows$uncertainty) else 0.7
  mixture <- rows$marginal
  # pairs() hands a panel only the values; the place on the page says which variables they are.
  panel <- function(x, y, ...) {
    graphics::points(x, y, ...)
    draw_ellipses(mixture, graphics::par("mfg")[2:1])
  }
  graphics::pairs(rows$x,
    panel = panel, col = row_colours(rows$class, fit$k, point_alpha(nrow(rows$x))), cex = size,
    gap = gap, main = main,
    pch = if (uncertain) 16L else row_symbols(rows$class), ...
  )
}

# ---- search

plot_criterion <- function(fit, criterion, main = NULL, xlab = "Number of components", ylab = NULL,
                           ...) {
  table <- fit$table
  models <- unique(table$model)
  values <- table[[criterion]]
  if (is.null(ylab)) ylab <- paste0(criterion, " (smaller is better)")
  colours <- rep(component_colours(7L), length.out = length(models))
  symbols <- rep(component_symbols, length.out = length(models))
  old <- graphics::par(mar = graphics::par("mar") + c(0, 0, 0, 4), xpd = FALSE)
  on.exit(graphics::par(old))
  graphics::plot(table$k, values,
    type = "n", xlab = xlab, ylab = ylab, main = main, xaxt = "n", ...
  )
  graphics::axis(1, sort(unique(table$k)))
  for (j in seq_along(models)) {
    rows <- table[table$model == models[[j]], ]
    graphics::lines(
      rows$k, rows[[criterion]], type = "b", col = colours[[j]], pch = symbols[[j]],
      lty = (j - 1L) %/% 7L + 1L
    )
  }
  best <- which.min(values)
  graphics::points(table$k[best], values[best], cex = 2.5, lwd = 2)
  usr <- graphics::par("usr")
  graphics::legend(usr[[2L]] + 0.02 * diff(usr[1:2]), usr[[4L]],
    models,
    col = colours, pch = symbols, lty = (seq_along(models) - 1L) %/% 7L + 1L, bty = "n", xpd = NA,
    cex = 0.85, seg.len = 2.5
  )
}
