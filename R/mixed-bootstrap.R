# The parametric bootstrap of a mixed model: drawn and refitted in the core, summarised here.

#' Parametric bootstrap of a mixed model
#'
#' How far would the estimates be off if the fitted model were true? New responses are drawn from
#' the fit, the model is fitted to each, and the spread of the estimates is what the answer is.
#' Fits are made in compiled code from the cross-products of the data, so a thousand of them take
#' less than a second for a small model.
#'
#' @details
#' Without `statistic` the bootstrap is of all parameters: for every random term its standard
#' deviations and correlations, named as `lme4::confint(oldNames = FALSE)` names them, the residual
#' standard deviation `sigma` (one per group of a model with `dispersion`), and the fixed effects.
#' Known parameters are left out. A correlation is `NA` in a replicate where one of its two
#' standard deviations is 0.
#'
#' A `statistic` of your own gets a whole fit for every replicate, which takes milliseconds rather
#' than microseconds, on one thread; so does the bootstrap of a [glmm()], whose parameters include
#' the `shape` if it was estimated. A replicate in which it fails is `NA`.
#'
#' Responses depend on [set.seed()] alone: not on `threads`, nor on what the statistic is. Ctrl-C
#' ends a bootstrap with the replicates that are done.
#'
#' Intervals are `"perc"` (quantiles of the replicates), `"basic"` (the same reflected at the
#' estimate) or `"norm"` (normal, with the bootstrap's bias and standard error), as in Davison and
#' Hinkley (1997, chapter 5).
#'
#' @param fit A fit of [lmm()] or [glmm()].
#' @param replicates Number of responses to draw, at least 1.
#' @param statistic A function of a fit that returns a numeric vector; `NULL` for all parameters.
#' @param use_u Keep the random effects at their conditional modes, and draw residuals only?
#' @param threads Threads of the fits; the answer does not depend on it.
#' @param progress Show how many replicates are done?
#' @returns An object of class `ember_bootstrap`, a list with `t0` (the statistic of `fit`), `t`
#'   (replicates x statistics, `NA` where a replicate failed), `status` (how each refit ended),
#'   `R` (replicates done), `requested` and `call`. [confint()] returns a matrix,
#'   [as.data.frame()] the replicates.
#' @references
#' Davison, A. C. and Hinkley, D. V. (1997). *Bootstrap Methods and their Application*. Cambridge
#' University Press.
#' @seealso [confint()], whose `method = "boot"` uses this.
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' set.seed(1)
#' draws <- bootstrap(fit, replicates = 200)
#' draws
#' confint(draws)
#' # Share of the variance that is between workers
#' share <- function(fit) {
#'   variances <- as.data.frame(VarCorr(fit))$vcov
#'   variances[1] / sum(variances)
#' }
#' bootstrap(fit, replicates = 20, statistic = share)
#' @export
bootstrap <- function(fit, replicates = 1000, statistic = NULL, use_u = FALSE,
                      threads = fit$control$threads, progress = fit$control$progress) {
  call <- rlang::current_env()
  check_bootstrap(fit, statistic, use_u, progress, call)
  replicates <- check_count(replicates, "replicates", 1e7, call)
  control <- fit$control
  control$threads <- check_count(threads, "threads", 1024L, call)
  control$progress <- progress
  drawn <- if (is.null(statistic) && inherits(fit, "ember_glmm")) {
    bootstrap_glmm_parameters(fit, replicates, use_u, control, call)
  } else if (is.null(statistic)) {
    bootstrap_parameters(fit, replicates, use_u, control, call)
  } else {
    bootstrap_statistic(fit, replicates, statistic, use_u, control, call)
  }
  new_bootstrap(drawn, replicates, match.call(), call)
}

check_bootstrap <- function(fit, statistic, use_u, progress, call) {
  if (!inherits(fit, "ember_mixed")) {
    abort_argument("fit", "must be a fit of `lmm()` or `glmm()`.", call = call)
  }
  if (!is.null(statistic) && !is.function(statistic)) {
    abort_argument("statistic", "must be a function of a fit, or NULL.", call = call)
  }
  if (!is_flag(use_u)) abort_argument("use_u", "must be TRUE or FALSE.", call = call)
  if (!is_flag(progress)) abort_argument("progress", "must be TRUE or FALSE.", call = call)
}

new_bootstrap <- function(drawn, requested, user_call, call) {
  done <- nrow(drawn$t)
  if (done == 0L) rlang::interrupt() # nothing to show
  if (done < requested) {
    ember_warn(
      paste0("The bootstrap was interrupted: ", done, " of ", requested, " replicates are done."),
      "interrupted", call = call
    )
  }
  failed <- sum(drawn$status != "converged")
  if (failed > 0L) {
    ember_warn(
      paste(failed, "of", done, "replicates could not be fitted; they are NA."), "bootstrap",
      call = call
    )
  }
  structure(
    c(drawn, list(R = done, requested = requested, call = call)),
    class = "ember_bootstrap"
  )
}

# All parameters, fitted in the core.
bootstrap_parameters <- function(fit, replicates, use_u, control, call) {
  native <- native_mixed_bootstrap(fit, replicates, use_u, control, call)
  values <- parameter_draws(fit, native$theta, native$sigma, native$dispersion, native$beta)
  values[native$status != "converged", ] <- NA
  list(t0 = all_parameters(fit), t = values, status = native$status)
}

# The same for a generalized fit: responses are drawn here, batch by batch, and fitted in the core.
bootstrap_glmm_parameters <- function(fit, replicates, use_u, control, call) {
  draw <- glmm_value_drawer(fit, use_u, call)
  size <- max(1L, min(100L, as.integer(1e7 / fit$nobs)))
  show <- control$progress
  control$progress <- FALSE
  batches <- list()
  done <- 0L
  while (done < replicates) {
    numbers <- done + seq_len(min(size, replicates - done))
    responses <- vapply(numbers, draw, numeric(fit$nobs))
    native <- tryCatch(
      native_glmm_refit(fit, responses, control, call),
      interrupt = function(interrupt) list(status = character())
    )
    batches <- c(batches, list(native))
    if (length(native$status) < length(numbers)) break
    done <- done + length(numbers)
    if (show) show_share_done(done, replicates)
  }
  stacked <- function(name) do.call(rbind, lapply(batches, `[[`, name))
  status <- unlist(lapply(batches, `[[`, "status"))
  if (length(status) == 0L) rlang::interrupt()
  values <- parameter_draws(
    fit, stacked("theta"), 1, 1, stacked("beta"), unlist(lapply(batches, `[[`, "shape"))
  )
  values[status != "converged", ] <- NA
  list(t0 = all_parameters(fit), t = values, status = status)
}

# The parameters of a fit as a named vector.
all_parameters <- function(fit) {
  drop_names(parameter_draws(
    fit, rbind(fit$theta), random_scale(fit), rbind(fit$dispersion), rbind(fit$beta)
  ))
}

drop_names <- function(row) stats::setNames(as.vector(row), colnames(row))

# Standard deviations and correlations of the random terms, residual standard deviations and fixed
# effects: one row per row of `theta`.
parameter_draws <- function(fit, theta, sigma, dispersion, beta, shape = fit$shape) {
  random <- lapply(fit$random, function(term) deviation_draws(fit, term, theta, sigma))
  residual <- if (inherits(fit, "ember_glmm")) {
    if (has_estimated_shape(fit$distribution)) cbind(shape = shape)
  } else if (is.null(fit$known$sigma)) {
    cbind(sigma = sigma)
  }
  if (length(fit$dispersion) > 1L) {
    residual <- sigma * dispersion
    colnames(residual) <- paste0("sigma|", names(fit$dispersion))
  }
  colnames(beta) <- names(fit$beta)
  draws <- do.call(cbind, c(random, list(residual, beta)))
  known <- known_deviations(fit)
  draws[, !colnames(draws) %in% known, drop = FALSE]
}

# Of one term, in the order of the lower triangle, column by column.
deviation_draws <- function(fit, term, theta, sigma) {
  q <- length(term$names)
  factor <- factor_draws(fit, term, theta)
  deviations <- vapply(factor, function(row) sqrt(rowSums(row^2)), numeric(nrow(theta)))
  dim(deviations) <- c(nrow(theta), q)
  columns <- list()
  for (j in seq_len(q)) {
    name <- paste0("sd_", term$names[[j]], "|", term$group)
    columns[[name]] <- sigma * deviations[, j]
    for (i in if (term$structure == "us") seq_len(q - j) + j) {
      product <- rowSums(factor[[i]] * factor[[j]])
      correlation <- product / (deviations[, i] * deviations[, j])
      correlation[!is.finite(correlation)] <- NA
      name <- paste0("cor_", term$names[[i]], ".", term$names[[j]], "|", term$group)
      columns[[name]] <- correlation
    }
  }
  do.call(cbind, columns)
}

# The rows of the relative factor of a term, each a matrix with one row per row of `theta`.
factor_draws <- function(fit, term, theta) {
  structure <- fit$structure
  lapply(term$positions, function(row) {
    cells <- matrix(0, nrow(theta), length(term$positions))
    for (j in seq_along(term$positions)) {
      entry <- which(
        structure$term == term$core & structure$row == row &
          structure$column == term$positions[[j]]
      )
      if (length(entry) == 1L) cells[, j] <- theta[, entry]
    }
    cells
  })
}

# Names of the standard deviations that are known.
known_deviations <- function(fit) {
  unlist(lapply(fit$random, function(term) {
    known <- fit$known$index[fit$known$term == term$core]
    names <- term$names[term$positions %in% known]
    if (length(names) > 0L) paste0("sd_", names, "|", term$group)
  }))
}

# A statistic of the user's, of fits made here.
bootstrap_statistic <- function(fit, replicates, statistic, use_u, control, call) {
  # Seeded before the statistic can draw a number.
  draw <- response_drawer(fit, use_u, call)
  t0 <- statistic(fit)
  if (!is.numeric(t0) || length(t0) == 0L) {
    abort_argument("statistic", "must return a numeric vector.", call = call)
  }
  values <- matrix(
    NA_real_, replicates, length(t0), dimnames = list(NULL, names(t0))
  )
  status <- rep("unfinished", replicates)
  # What is done is kept when the user presses Ctrl-C.
  tryCatch(
    for (b in seq_len(replicates)) {
      refitted <- refitted_statistic(fit, draw(b), statistic, length(t0))
      values[b, ] <- refitted$value
      status[[b]] <- refitted$status
      if (control$progress) show_share_done(b, replicates)
    },
    interrupt = function(interrupt) NULL
  )
  done <- status != "unfinished"
  list(t0 = t0, t = values[done, , drop = FALSE], status = status[done])
}

refitted_statistic <- function(fit, response, statistic, size) {
  failed <- function(error) list(value = NA_real_, status = "failed")
  tryCatch(
    {
      again <- suppressWarnings(suppressMessages(refit(fit, response)))
      if (again$status == "interrupted") rlang::interrupt()
      value <- as.numeric(statistic(again))
      list(
        value = if (length(value) == size) value else NA_real_,
        status = if (length(value) == size) "converged" else "failed"
      )
    },
    error = failed
  )
}

# A function that draws response number b; batches keep memory small.
response_drawer <- function(fit, use_u, call) {
  if (inherits(fit, "ember_glmm")) {
    return(glmm_response_drawer(fit, use_u))
  }
  seed <- as.double(draw_seed())
  size <- max(1L, min(100L, as.integer(1e6 / fit$nobs)))
  first <- 1L
  batch <- NULL
  function(b) {
    if (is.null(batch) || b >= first + size) {
      first <<- b
      batch <<- native_mixed_simulate(fit, b, size, use_u, seed, call)
    }
    batch[, b - first + 1L]
  }
}

# A function that draws response number b as the core takes it, with the numbers that
# glmm_response_drawer() draws.
glmm_value_drawer <- function(fit, use_u, call) {
  first <- draw_seed()[[1L]]
  fit <- without_padding(fit)
  chosen <- selected_effects(fit, if (use_u) NULL else NA, call)
  rows <- simulation_rows(fit, NULL, chosen, stats::na.pass, FALSE, call)
  weights <- simulation_weights(fit, rows, NULL)
  known <- predicted_values(fit, rows, FALSE)
  function(b) {
    before <- generator_state()
    on.exit(assign(".Random.seed", before, envir = globalenv()))
    set.seed((first + b - 1) %% .Machine$integer.max)
    eta <- known + drawn_effects(fit, rows, 1L)
    draw_response(fit, fit$family$linkinv(as.vector(eta)), weights)
  }
}

# A seed for each response, so that a statistic may draw numbers of its own.
glmm_response_drawer <- function(fit, use_u) {
  first <- draw_seed()[[1L]]
  fit <- without_padding(fit)
  function(b) {
    seed <- (first + b - 1) %% .Machine$integer.max
    stats::simulate(fit, 1, seed = seed, re.form = if (use_u) NULL else NA)[[1L]]
  }
}

#' @export
print.ember_bootstrap <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  cat("Parametric bootstrap, ", x$R, " replicates", sep = "")
  if (x$R < x$requested) cat(" of", x$requested, "asked for (interrupted)")
  cat("\n")
  failed <- sum(x$status != "converged")
  if (failed > 0L) cat(failed, "replicates could not be fitted\n")
  table <- cbind(
    original = x$t0, bias = colMeans(x$t, na.rm = TRUE) - x$t0,
    `std. error` = apply(x$t, 2L, stats::sd, na.rm = TRUE)
  )
  print(table, digits = digits)
  undefined <- colSums(is.na(x$t)) - failed
  for (name in names(which(undefined > 0L))) {
    cat(name, "is undefined in", undefined[[name]], "replicates\n")
  }
  invisible(x)
}

#' @rdname bootstrap
#' @param object,x A bootstrap.
#' @param parm Numbers or names of the statistics; by default all.
#' @param level Confidence level.
#' @param type `"perc"`, `"basic"` or `"norm"`.
#' @param ... Not used.
#' @importFrom stats confint
#' @export
confint.ember_bootstrap <- function(object, parm = seq_along(object$t0), level = 0.95,
                                    type = c("perc", "basic", "norm"), ...) {
  type <- match.arg(type)
  check_level(level, rlang::current_env())
  labels <- names(object$t0)
  if (is.character(parm)) parm <- match(parm, labels)
  if (anyNA(parm) || any(parm < 1L | parm > length(object$t0))) {
    abort_argument("parm", "must name statistics of the bootstrap.", c(i = toString(labels)))
  }
  tails <- c((1 - level) / 2, (1 + level) / 2)
  bounds <- vapply(parm, function(j) {
    bootstrap_interval(object$t0[[j]], object$t[, j], tails, type)
  }, numeric(2L))
  interval <- t(bounds)
  dimnames(interval) <- list(labels[parm], percent_names(level))
  interval
}

bootstrap_interval <- function(estimate, draws, tails, type) {
  draws <- draws[is.finite(draws)]
  if (length(draws) < 2L) {
    return(c(NA_real_, NA_real_))
  }
  switch(type,
    perc = bootstrap_quantiles(draws, tails),
    basic = 2 * estimate - bootstrap_quantiles(draws, rev(tails)),
    norm = 2 * estimate - mean(draws) + stats::qnorm(tails) * stats::sd(draws)
  )
}

# Order statistics (R + 1) p, interpolated on the scale of normal quantiles (Davison and Hinkley
# 1997, equation 5.8). Outside the replicates it is the outermost of them.
bootstrap_quantiles <- function(draws, probabilities) {
  sorted <- sort(draws)
  size <- length(sorted)
  vapply(probabilities, function(p) {
    place <- (size + 1) * p
    below <- floor(place + 1e-10)
    if (below < 1) {
      return(sorted[[1L]])
    }
    if (below >= size) {
      return(sorted[[size]])
    }
    scale <- stats::qnorm(c(below, below + 1) / (size + 1))
    share <- (stats::qnorm(p) - scale[[1L]]) / (scale[[2L]] - scale[[1L]])
    sorted[[below]] + max(share, 0) * (sorted[[below + 1L]] - sorted[[below]])
  }, numeric(1L))
}

#' @rdname bootstrap
#' @param row.names,optional Not used; they are arguments of [as.data.frame()].
#' @export
as.data.frame.ember_bootstrap <- function(x, row.names = NULL, # nolint: object_name_linter.
                                          optional = FALSE, ...) {
  as.data.frame(x$t, optional = TRUE)
}

#' @rdname bootstrap
#' @param which Numbers or names of the statistics to draw; by default all.
#' @param xlab Label of the axes; by default the names of the statistics.
#' @export
plot.ember_bootstrap <- function(x, which = seq_along(x$t0), xlab = NULL, ...) {
  if (is.character(which)) which <- match(which, names(x$t0))
  panels <- grDevices::n2mfrow(length(which))
  if (length(which) > 1L) {
    before <- graphics::par(mfrow = panels)
    on.exit(graphics::par(before))
  }
  labels <- if (is.null(names(x$t0))) paste0("t", seq_along(x$t0)) else names(x$t0)
  for (j in which) {
    graphics::hist(
      x$t[, j], main = "", xlab = if (is.null(xlab)) labels[[j]] else xlab, col = "grey85",
      border = "white", ...
    )
    graphics::abline(v = x$t0[[j]], lwd = 2)
    graphics::abline(v = bootstrap_quantiles(stats::na.omit(x$t[, j]), c(0.025, 0.975)), lty = 2)
  }
  invisible(x)
}
