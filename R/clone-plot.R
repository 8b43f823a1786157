# Pictures of the draws of data_clone() with base graphics.

#' Plot a fit by data cloning
#'
#' Traces and densities of the chains, and scatter plots of pairs of parameters.
#'
#' @details
#' A trace should look like noise around one level, the same for all chains. Densities are shown
#' with the normal density of the same mean and variance, dashed: with many clones the two agree.
#'
#' Plots by number of clones are those of [dc_diag()] and [dc_table()].
#'
#' @param x A fit of [data_clone()].
#' @param what `"chains"` (trace and density of each parameter), `"trace"`, `"density"` or
#'   `"pairs"`.
#' @param parameters Names of the parameters; by default all (for pairs those of the model).
#' @param clones Which number of clones; by default the largest of the fit.
#' @param ask Ask before a new page?
#' @param ... For pairs passed on to [graphics::pairs()], otherwise to
#'   [graphics::plot.default()].
#' @returns `x`, invisibly.
#' @examples
#' set.seed(1)
#' fit <- data_clone(
#'   score ~ Machine + (1 | Worker), data = nlme::Machines, clones = c(1, 5, 25)
#' )
#' plot(fit, parameters = c("sigma_sq", "tau_sq"))
#' pairs(fit)
#' @name plot.ember_clone
NULL

#' @rdname plot.ember_clone
#' @export
plot.ember_clone <- function(x, what = c("chains", "trace", "density", "pairs"),
                             parameters = NULL, clones = NULL,
                             ask = grDevices::dev.interactive(), ...) {
  call <- rlang::current_env()
  what <- match_choice("what", call)
  if (what == "pairs") {
    pairs.ember_clone(x, parameters, clones, ...)
    return(invisible(x))
  }
  draws <- chosen_draws(x, parameters, clones, call)$draws
  names <- coda::varnames(draws)
  panels <- if (what == "chains") c("trace", "density") else what
  rows <- min(length(names), if (what == "chains") 4L else 6L)
  layout <- if (what == "chains") c(rows, 2L) else grDevices::n2mfrow(rows)
  old <- graphics::par(mfrow = layout, mar = c(3.1, 3.6, 2.1, 0.8), mgp = c(2, 0.6, 0))
  on.exit(graphics::par(old))
  asks <- ask && length(names) > rows
  if (asks) {
    before <- grDevices::devAskNewPage(TRUE)
    on.exit(grDevices::devAskNewPage(before), add = TRUE)
  }
  for (name in names) {
    chains <- chain_matrix(draws, name)
    if ("trace" %in% panels) plot_trace(chains, draws, name, ...)
    if ("density" %in% panels) plot_density(chains, name, ...)
  }
  invisible(x)
}

# The draws of one parameter, a column for each chain.
chain_matrix <- function(draws, name) {
  vapply(draws, function(chain) as.vector(unclass(chain)[, name]), numeric(coda::niter(draws)))
}

# Traces of many draws are thinned to what a picture can show.
most_shown_draws <- 2000L

plot_trace <- function(chains, draws, name, ...) {
  shown <- unique(round(seq(1, nrow(chains), length.out = min(nrow(chains), most_shown_draws))))
  iterations <- as.vector(stats::time(draws[[1L]]))[shown]
  graphics::matplot(iterations, chains[shown, , drop = FALSE],
    type = "l", lty = 1, lwd = 0.6, col = chain_colours(ncol(chains), 0.75), las = 1,
    xlab = "Iteration", ylab = "", main = name, font.main = 1, ...
  )
}

chain_colours <- function(count, alpha = 1) {
  grDevices::adjustcolor(component_colours(count), alpha)
}

plot_density <- function(chains, name, ...) {
  curves <- lapply(seq_len(ncol(chains)), function(k) stats::density(chains[, k]))
  total <- normal_curve(chains)
  graphics::plot(range(lapply(curves, `[[`, "x")), c(0, max(unlist(lapply(curves, `[[`, "y")))),
    type = "n", yaxt = "n", xlab = "", ylab = "Density", main = name, font.main = 1, ...
  )
  graphics::lines(total$x, total$y, lty = 2, col = "grey30")
  for (k in seq_along(curves)) {
    graphics::lines(curves[[k]], col = chain_colours(ncol(chains))[[k]])
  }
}

# The normal density with the moments of the draws.
normal_curve <- function(values) {
  centre <- mean(values)
  spread <- stats::sd(values)
  x <- centre + spread * seq(-3.5, 3.5, length.out = 101L)
  list(x = x, y = stats::dnorm(x, centre, spread))
}

#' @rdname plot.ember_clone
#' @importFrom graphics pairs
#' @export
pairs.ember_clone <- function(x, parameters = NULL, clones = NULL, ...) {
  call <- rlang::current_env()
  parameters <- monitored_parameters(parameters, parameter_names(x), base_parameters(x), call)
  draws <- chosen_draws(x, parameters, clones, call)$draws
  if (length(parameters) < 2L) {
    abort_argument("parameters", "must name at least two parameters.", NULL, call)
  }
  chain <- rep(seq_along(draws), each = coda::niter(draws))
  stacked <- as.matrix(draws)
  shown <- round(seq(1, nrow(stacked), length.out = min(nrow(stacked), 1500L)))
  # Chains in turn, so that the last does not cover the others.
  shown <- shown[order((shown - 1L) %% coda::niter(draws))]
  colours <- chain_colours(length(draws), 0.4)[chain[shown]]
  graphics::pairs(stacked[shown, , drop = FALSE],
    lower.panel = function(x, y, ...) graphics::points(x, y, pch = 16, cex = 0.6, col = colours),
    upper.panel = correlation_panel, diag.panel = density_panel, las = 1, gap = 0.4, ...
  )
  invisible(x)
}

correlation_panel <- function(x, y, ...) {
  limits <- graphics::par("usr")
  correlation <- stats::cor(x, y)
  graphics::text(mean(limits[1:2]), mean(limits[3:4]), format(round(correlation, 2L), nsmall = 2L),
    cex = 1 + 0.8 * abs(correlation), col = if (abs(correlation) < 0.3) "grey50" else "black"
  )
}

density_panel <- function(x, ...) {
  limits <- graphics::par("usr")
  curve <- stats::density(x)
  height <- 0.7 * (limits[[4L]] - limits[[3L]]) / max(curve$y)
  graphics::polygon(curve$x, limits[[3L]] + height * curve$y, col = "grey88", border = "grey50")
}
