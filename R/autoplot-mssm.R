# ggplot2 versions of the plots of mssm-plot.R; registered when ggplot2 is loaded.

#' Plot a sample selection model with ggplot2
#'
#' @param object A fit of [mssm()].
#' @param what As in [plot.ember_mssm()].
#' @param ... Not used.
#' @returns A ggplot object.
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' set.seed(1)
#' fit <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = simulate_mssm(500))
#' ggplot2::autoplot(fit, "rho")
#' @exportS3Method ggplot2::autoplot
autoplot.ember_mssm <- function(object, what = c("trace", "rho", "modes"), ...) {
  call <- rlang::current_env()
  what <- match_choice("what", call)
  rlang::check_installed("ggplot2", "for `autoplot()`.", call = call)
  check_has_picture(object, what, call)
  switch(what,
    trace = if (is.null(object$mc)) autoplot_trace(object) else autoplot_gains(gain_table(object)),
    rho = autoplot_scans(scan_table(object)),
    modes = autoplot_modes(mode_error_table(object))
  )
}

autoplot_gains <- function(table) {
  table <- table[is.finite(table$gain), ]
  scale <- gain_scale(table)
  heights <- as.data.frame(lapply(table[c("low", "gain", "high")], scale$transform))
  heights$iteration <- table$iteration
  colour <- component_colours(1L)
  ggplot2::ggplot(heights, ggplot2::aes(.data$iteration, .data$gain)) +
    ggplot2::geom_hline(yintercept = 0, colour = "grey60") +
    ggplot2::geom_ribbon(
      ggplot2::aes(ymin = .data$low, ymax = .data$high), fill = colour, alpha = 0.25, na.rm = TRUE
    ) +
    ggplot2::geom_line(colour = colour) +
    ggplot2::scale_y_continuous(breaks = scale$at, labels = scale$labels) +
    ggplot2::labs(x = "Iteration", y = "Gain of the EM step")
}

autoplot_scans <- function(tables) {
  names(tables$names) <- levels(tables$scans$equation)
  ggplot2::ggplot(tables$scans, ggplot2::aes(.data$z, .data$loglik)) +
    ggplot2::geom_vline(
      ggplot2::aes(xintercept = .data$z, linetype = .data$current), data = tables$modes,
      colour = "grey40"
    ) +
    ggplot2::geom_line(colour = component_colours(1L), linewidth = 0.8) +
    ggplot2::scale_x_continuous(
      breaks = atanh(marked_correlations), labels = marked_correlations
    ) +
    ggplot2::scale_linetype_manual(
      values = c("TRUE" = 1, "FALSE" = 2), labels = c("TRUE" = "this fit", "FALSE" = "another mode")
    ) +
    ggplot2::facet_wrap(
      ggplot2::vars(.data$equation),
      scales = "free_y", labeller = ggplot2::as_labeller(tables$names)
    ) +
    ggplot2::labs(x = "Correlation of the errors", y = "Log-likelihood", linetype = NULL)
}

autoplot_modes <- function(table) {
  ggplot2::ggplot(
    table, ggplot2::aes(.data$rho, .data$height, colour = .data$mode, shape = .data$mode)
  ) +
    ggplot2::geom_vline(xintercept = 0, colour = "grey85") +
    ggplot2::geom_point(size = 2.5, stroke = 1) +
    ggplot2::scale_colour_manual(values = rep_len(component_colours(7L), nlevels(table$mode))) +
    ggplot2::scale_shape_manual(values = rep_len(component_symbols, nlevels(table$mode))) +
    ggplot2::xlim(-1, 1) +
    ggplot2::scale_y_continuous(
      breaks = seq_len(nlevels(table$parameter)), labels = levels(table$parameter),
      limits = c(0.5, nlevels(table$parameter) + 0.5), minor_breaks = NULL
    ) +
    ggplot2::labs(
      x = "Correlation of the errors", y = NULL, colour = "Mode: log-likelihood",
      shape = "Mode: log-likelihood"
    )
}
