# ggplot2 versions of the plots of clone-plot.R and clone-diagnostics.R; registered when ggplot2 is
# loaded.

#' Plot data cloning with ggplot2
#'
#' @param object A fit of [data_clone()], a value of [dc_diag()] or of [dc_table()].
#' @param what,parameters,clones As in [plot()][plot.ember_clone].
#' @param ... Not used.
#' @returns A ggplot object.
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' set.seed(1)
#' fit <- data_clone(
#'   score ~ Machine + (1 | Worker), data = nlme::Machines, clones = c(1, 5, 25)
#' )
#' ggplot2::autoplot(fit)
#' ggplot2::autoplot(dc_diag(fit))
#' ggplot2::autoplot(dc_table(fit))
#' @exportS3Method ggplot2::autoplot
autoplot.ember_clone <- function(object, what = c("trace", "density"), parameters = NULL,
                                 clones = NULL, ...) {
  call <- rlang::current_env()
  what <- match_choice("what", call)
  rlang::check_installed("ggplot2", "for `autoplot()`.", call = call)
  table <- draw_table(chosen_draws(object, parameters, clones, call)$draws, what == "trace")
  colours <- ggplot2::scale_colour_manual(values = chain_colours(nlevels(table$chain)))
  panels <- ggplot2::facet_wrap(ggplot2::vars(.data$parameter), scales = "free")
  if (what == "trace") {
    return(ggplot2::ggplot(
      table, ggplot2::aes(.data$iteration, .data$value, colour = .data$chain)
    ) + ggplot2::geom_line(linewidth = 0.25, alpha = 0.75) + colours + panels +
      ggplot2::labs(x = "Iteration", y = NULL, colour = "Chain"))
  }
  ggplot2::ggplot(table, ggplot2::aes(.data$value, colour = .data$chain)) +
    ggplot2::geom_line(
      ggplot2::aes(.data$x, .data$y), data = normal_table(table), inherit.aes = FALSE,
      linetype = 2, colour = "grey30"
    ) +
    ggplot2::geom_density() + colours + panels +
    ggplot2::labs(x = NULL, y = "Density", colour = "Chain")
}

# One row per draw and parameter; `thinned` to what a picture can show.
draw_table <- function(draws, thinned) {
  names <- coda::varnames(draws)
  shown <- seq_len(coda::niter(draws))
  if (thinned && length(shown) > most_shown_draws) {
    shown <- unique(round(seq(1, length(shown), length.out = most_shown_draws)))
  }
  iterations <- as.vector(stats::time(draws[[1L]]))[shown]
  parts <- lapply(names, function(name) {
    chains <- chain_matrix(draws, name)[shown, , drop = FALSE]
    data.frame(
      parameter = factor(name, names),
      chain = factor(rep(seq_len(ncol(chains)), each = nrow(chains))),
      iteration = iterations, value = as.vector(chains)
    )
  })
  do.call(rbind, parts)
}

normal_table <- function(table) {
  parts <- split(table$value, table$parameter)
  do.call(rbind, Map(function(values, name) {
    data.frame(parameter = factor(name, levels(table$parameter)), normal_curve(values))
  }, parts, names(parts)))
}

#' @rdname autoplot.ember_clone
#' @exportS3Method ggplot2::autoplot
autoplot.ember_dcdiag <- function(object, ...) {
  rlang::check_installed("ggplot2", "for `autoplot()`.", call = rlang::current_env())
  observed <- object$lambda.max / object$lambda.max[[1L]]
  table <- data.frame(
    clones = rep(object$n.clones, 2L), value = c(observed, min(object$n.clones) / object$n.clones),
    line = factor(rep(c("observed", "1/K"), each = nrow(object)), c("observed", "1/K"))
  )
  ggplot2::ggplot(
    table, ggplot2::aes(.data$clones, .data$value, linetype = .data$line, colour = .data$line)
  ) +
    ggplot2::geom_line() +
    ggplot2::geom_point(data = table[table$line == "observed", ]) +
    ggplot2::scale_x_log10(breaks = object$n.clones) +
    ggplot2::scale_y_log10() +
    ggplot2::scale_colour_manual(values = c(component_colours(1L), "grey40")) +
    ggplot2::labs(x = "Number of clones", y = "lambda.max / first", colour = NULL, linetype = NULL)
}

#' @rdname autoplot.ember_clone
#' @exportS3Method ggplot2::autoplot
autoplot.ember_dctable <- function(object, ...) {
  rlang::check_installed("ggplot2", "for `autoplot()`.", call = rlang::current_env())
  table <- as.data.frame(object)
  table$parameter <- factor(table$parameter, names(object))
  table$clones <- factor(table$n.clones)
  ggplot2::ggplot(table, ggplot2::aes(.data$clones, .data$mean)) +
    ggplot2::geom_linerange(
      ggplot2::aes(ymin = .data[["2.5%"]], ymax = .data[["97.5%"]]), colour = component_colours(1L)
    ) +
    ggplot2::geom_linerange(
      ggplot2::aes(ymin = .data[["25%"]], ymax = .data[["75%"]]),
      linewidth = 2, colour = component_colours(1L)
    ) +
    ggplot2::geom_point(shape = 21, fill = "white", size = 2) +
    ggplot2::facet_wrap(ggplot2::vars(.data$parameter), scales = "free_y") +
    ggplot2::labs(x = "Number of clones", y = NULL)
}
