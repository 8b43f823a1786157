# How far estimates move with another prior, by number of clones.

#' Does the prior matter?
#'
#' Data cloning should not depend on the prior: its influence fades like 1/K. `prior_influence()`
#' samples a model again with other priors, and shows how far each estimate moves with every number
#' of clones. With one clone it is the sensitivity analysis of a Bayesian fit.
#'
#' @param fit A fit of [data_clone()].
#' @param prior Other priors: a list of formulas as in [data_clone()], or a named list of such
#'   lists. Parameters that they do not name have the default priors. `NULL` for half-Cauchy priors
#'   on standard deviations and the shape, and normal priors of a tenth of the standard deviation on
#'   fixed effects.
#' @param clones Numbers of clones; by default those of the fit.
#' @param seed As in [data_clone()].
#' @param x A value of `prior_influence()`.
#' @param digits Significant digits.
#' @param parameters Names of the parameters to draw; by default all.
#' @param ... For `plot()` passed on to [graphics::plot.default()]; otherwise not used.
#' @returns A data frame of class `ember_prior_influence` with a row for each prior, parameter and
#'   number of clones: `prior`, `parameter`, `n.clones`, `mean` and `dc.sd` with this prior, `shift`
#'   (of the mean from that of `fit`, in standard errors of data cloning) and `mc.error` of the
#'   shift.
#' @seealso [prior()]
#' @export
#' @examples
#' set.seed(1)
#' fit <- data_clone(
#'   score ~ Machine + (1 | Worker), data = nlme::Machines, clones = c(1, 5, 25)
#' )
#' prior_influence(fit, list(sigma^2 ~ uniform(0.001, 100), tau^2 ~ gamma(0.01, 0.01)))
prior_influence <- function(fit, prior = NULL, clones = fit$clones, seed = NULL) {
  call <- rlang::current_env()
  check_clone_fit(fit, call)
  clones <- check_clones(clones, call)
  if (!all(clones %in% fit$clones)) {
    abort_argument(
      "clones", "must be among the numbers of clones of the fit.",
      c(i = paste0("They are ", toString(fit$clones), ".")), call
    )
  }
  fit$rows <- mixed_rows(fit)
  priors <- other_priors(fit, prior, call)
  seeds <- run_seeds(length(priors) * length(clones), check_seed(seed, call))
  tables <- lapply(seq_along(priors), function(k) {
    other <- fit
    other$prior <- priors[[k]]
    other$runs <- list()
    other$clones <- integer()
    own <- (k - 1L) * length(clones) + seq_along(clones)
    other <- run_all_clones(other, clones, seeds[own], call)
    warn_clone(other, call)
    shift_table(fit, other, names(priors)[[k]])
  })
  structure(do.call(rbind, tables), class = c("ember_prior_influence", "data.frame"))
}

# Named list of priors.
other_priors <- function(fit, prior, call) {
  if (is.null(prior)) {
    return(list("half-Cauchy" = half_cauchy_prior(fit)))
  }
  several <- is.list(prior) && length(prior) > 0L && all(vapply(prior, is.list, NA))
  sets <- if (several) prior else list(other = prior)
  if (is.null(names(sets)) || any(!nzchar(names(sets)))) {
    abort_argument("prior", "must be a named list where it holds several priors.", NULL, call)
  }
  targets <- prior_targets(fit$table, fit$random)
  kept <- fit$table$name[fit$table$kind == "fixed"]
  scale <- fixed_prior_scale(fit, kept)
  natural <- start_natural(fit$estimates, fit$random, fit$table)
  start <- unconstrained_draws(rbind(natural), fit$table)[1L, ]
  lapply(sets, function(formulas) {
    one <- clone_prior(formulas, targets, scale, call)
    check_prior_start(one, start, call)
    one
  })
}

half_cauchy_prior <- function(fit) {
  targets <- prior_targets(fit$table, fit$random)
  kept <- fit$table$name[fit$table$kind == "fixed"]
  prior <- clone_prior(NULL, targets, fixed_prior_scale(fit, kept) / 10, rlang::caller_env())
  scale <- if (fit$family$family == "gaussian") stats::sd(fit$rows$y) else 2.5
  rows <- lapply(seq_len(nrow(prior)), function(k) {
    target <- targets[match(prior$index[[k]], targets$index), ]
    switch(target$kind,
      fixed = , correlation = prior[k, ],
      shape = prior_row(target, 1, "half_cauchy", 10),
      prior_row(target, 1, "half_cauchy", scale)
    )
  })
  rows <- do.call(rbind, rows)
  rows$default <- FALSE
  structure(rows, class = c("ember_clone_prior", "data.frame"))
}

shift_table <- function(fit, other, label) {
  rows <- lapply(other$clones, function(clones) {
    before <- estimate_table(fit, clones)
    after <- estimate_table(other, clones)
    error <- before[, "DC SD"]
    data.frame(
      prior = label, parameter = rownames(after), n.clones = clones, mean = after[, "Mean"],
      dc.sd = after[, "DC SD"], shift = (after[, "Mean"] - before[, "Mean"]) / error,
      mc.error = sqrt(before[, "MC error"]^2 + after[, "MC error"]^2) / error, row.names = NULL
    )
  })
  do.call(rbind, rows)
}

#' @rdname prior_influence
#' @export
print.ember_prior_influence <- function(x, digits = 2L, ...) {
  if (!all(c("prior", "parameter", "n.clones", "shift") %in% names(x))) {
    print(as.data.frame(unclass(x)), ...)
    return(invisible(x))
  }
  clones <- sort(unique(x$n.clones))
  for (label in unique(x$prior)) {
    own <- x[x$prior == label, ]
    cat("Shift of the estimates with the prior \"", label, "\", in standard errors:\n", sep = "")
    names <- factor(own$parameter, unique(own$parameter))
    cells <- tapply(own$shift, list(names, own$n.clones), sum)
    colnames(cells) <- paste("K =", clones)
    print(cells, digits = digits)
    last <- own[own$n.clones == max(clones), ]
    largest <- last[which.max(abs(last$shift)), ]
    cat("Largest with ", count_words(max(clones), "clone"), ": ",
      format(largest$shift, digits = digits), " (", largest$parameter, "; Monte Carlo error ",
      format(largest$mc.error, digits = 1L), ")\n",
      sep = ""
    )
  }
  invisible(x)
}

#' @rdname prior_influence
#' @export
plot.ember_prior_influence <- function(x, parameters = NULL, ...) {
  call <- rlang::current_env()
  names <- unique(x$parameter)
  chosen <- monitored_parameters(parameters, names, names, call)
  labels <- unique(x$prior)
  panels <- grDevices::n2mfrow(length(labels))
  old <- graphics::par(mfrow = panels, mar = c(3.2, 3.6, 2.1, 1), mgp = c(2, 0.6, 0))
  on.exit(graphics::par(old))
  for (label in labels) {
    plot_shifts(x[x$prior == label & x$parameter %in% chosen, ], chosen, label, ...)
  }
  invisible(x)
}

plot_shifts <- function(table, parameters, label, ...) {
  limits <- range(table$shift - table$mc.error, table$shift + table$mc.error, 0)
  colours <- stats::setNames(component_colours(length(parameters)), parameters)
  graphics::plot(range(table$n.clones), limits,
    type = "n", log = "x", las = 1, xlab = "Number of clones", ylab = "Shift (standard errors)",
    main = label, font.main = 1, ...
  )
  graphics::abline(h = 0, lty = 2, col = "grey40")
  for (name in parameters) {
    own <- table[table$parameter == name, ]
    graphics::segments(own$n.clones, own$shift - own$mc.error, own$n.clones,
      own$shift + own$mc.error,
      col = colours[[name]]
    )
    graphics::lines(own$n.clones, own$shift, type = "b", pch = 16, col = colours[[name]])
  }
  side <- if (abs(limits[[1L]]) > abs(limits[[2L]])) "bottomright" else "topright"
  graphics::legend(side, parameters, col = colours, lty = 1, pch = 16, bty = "n", cex = 0.85)
}
