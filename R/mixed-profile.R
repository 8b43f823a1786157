# Profile likelihood of mixed models: the curves, and the intervals that they give.

#' Profile likelihood of a mixed model
#'
#' How fast does the fit get worse as one parameter moves away from its estimate, all others
#' adapting? `profile()` computes the curve of each parameter; [confint()] of it (or of the fit)
#' gives intervals that need not be symmetric and never leave the range of the parameter.
#'
#' @details
#' For a parameter \eqn{\psi} the curve is \eqn{\zeta(\psi) = \pm\sqrt{d(\psi) - d(\hat\psi)}}, with
#' \eqn{d(\psi)} the least criterion when \eqn{\psi} is held (Bates et al. 2015, section 5.1). A
#' straight line means that Wald intervals are good.
#'
#' Random effects are profiled as standard deviations and correlations, as in lme4. The variance
#' parameters of a REML fit profile the REML criterion. A restricted likelihood has no fixed
#' effects in it, so their curves are those of the likelihood, around the maximum likelihood
#' estimate, for REML fits too. To get lme4's intervals, which refit by maximum likelihood for all
#' parameters, profile `refitML(fit)`.
#'
#' A curve ends where its parameter does: at a standard deviation of 0 or a correlation of -1 or 1.
#' An interval that would go further ends there too. The correlations of an effect whose standard
#' deviation is 0 are undefined, and so are their intervals. If a curve finds a better fit on its
#' way, or turns back, a warning says so.
#'
#' @param fitted A fit of [lmm()] or [glmm()].
#' @param which Parameters: names, numbers, `"theta_"` (all of the random effects and the residual)
#'   or `"beta_"` (the fixed effects); by default all.
#' @param alphamax 1 - the largest level of an interval that the curves must allow.
#' @param signames Name the parameters as lme4 does, `.sig01`, ..., `.sigma`? Otherwise as
#'   `sd_(Intercept)|Subject`, `cor_Days.(Intercept)|Subject`, `sigma`.
#' @param threads Threads; the answer does not depend on it.
#' @param progress Show how many parameters are done?
#' @param ... Not used.
#' @returns A data frame of class `ember_profile`: a row per point of a curve with `.zeta`, a column
#'   for each parameter of the model, and `.par`, the parameter that is profiled.
#' @references Bates, D., Mächler, M., Bolker, B. and Walker, S. (2015). Fitting linear
#'   mixed-effects models using lme4. *Journal of Statistical Software* 67(1), 1-48.
#' @seealso [confint.ember_mixed()]
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' curves <- profile(fit)
#' confint(curves)
#' plot(curves)
#' @importFrom stats profile
#' @export
profile.ember_mixed <- function(fitted, which = NULL, alphamax = 0.01, signames = TRUE,
                              threads = fitted$control$threads,
                              progress = fitted$control$progress, ...) {
  call <- rlang::current_env()
  check_level(alphamax, call, "alphamax")
  if (!is_flag(signames)) abort_argument("signames", "must be TRUE or FALSE.", call = call)
  control <- fitted$control
  control$threads <- check_count(threads, "threads", 1024L, call)
  if (!is_flag(progress)) abort_argument("progress", "must be TRUE or FALSE.", call = call)
  control$progress <- progress
  # Far enough for pairs of parameters.
  cutoff <- sqrt(stats::qchisq(1 - alphamax, 2))
  zetas <- seq(0, cutoff, length.out = 9L)[-1L]
  profile_fit(fitted, which, zetas, signames, control, call)
}

# The profile at given values of |zeta|.
profile_fit <- function(fit, which, zetas, signames, control, call) {
  parameters <- profiled_parameters(fit, signames)
  chosen <- parameters[chosen_parameters(which, parameters, call, "which"), ]
  profile <- if (inherits(fit, "ember_glmm")) native_glmm_profile else native_mixed_profile
  curves <- profile(fit, chosen, zetas, control, call)
  names(curves) <- chosen$name
  warn_profile(curves, fit, call)
  new_profile(curves, chosen, parameters)
}

# A row per parameter of the model that is not known: `kind` and `place` as the core counts, `name`,
# `column` (its place among all parameters) and `type`.
profiled_parameters <- function(fit, signames) {
  if (inherits(fit, "ember_glmm")) {
    return(profiled_glmm_parameters(fit, signames))
  }
  thetas <- length(fit$structure$term)
  long <- random_parameter_names(fit)
  groups <- names(fit$dispersion)[-1L]
  ratios <- length(fit$dispersion) - 1L
  random <- if (signames) sprintf(".sig%02d", seq_len(thetas)) else long
  residual <- c("sigma", if (ratios > 0L) paste0("ratio|", groups))
  if (signames) residual <- paste0(".", residual)
  kinds <- c("random", "sigma", "dispersion", "coefficient")
  sizes <- c(thetas, 1L, max(ratios, 0L), length(fit$beta))
  table <- data.frame(
    kind = rep(kinds, sizes), place = sequence(sizes), name = c(random, residual, names(fit$beta)),
    type = rep(c("sd", "positive", "positive", "real"), sizes)
  )
  table$column <- seq_len(nrow(table))
  table$type[seq_len(thetas)[startsWith(long, "cor_")]] <- "correlation"
  known <- c(long %in% known_deviations(fit), !is.null(fit$known$sigma))
  table[!c(known, logical(nrow(table) - length(known))), ]
}

profiled_glmm_parameters <- function(fit, signames) {
  thetas <- length(fit$theta)
  long <- random_parameter_names(fit)
  random <- if (signames) sprintf(".sig%02d", seq_len(thetas)) else long
  shape <- if (has_estimated_shape(fit$distribution)) "shape"
  sizes <- c(thetas, length(shape), length(fit$beta))
  data.frame(
    kind = rep(c("random", "shape", "coefficient"), sizes), place = sequence(sizes),
    name = c(random, shape, names(fit$beta)),
    type = c(
      ifelse(startsWith(long, "cor_"), "correlation", "sd"), rep("positive", length(shape)),
      rep("real", length(fit$beta))
    ),
    column = seq_len(sum(sizes))
  )
}

# sd_(Intercept)|Subject, ... in the order of theta.
random_parameter_names <- function(fit) {
  unlist(lapply(fit$random, function(term) {
    colnames(deviation_draws(fit, term, rbind(fit$theta), random_scale(fit)))
  }))
}

# Rows of the table that the user's names, numbers or "theta_" and "beta_" stand for.
chosen_parameters <- function(which, parameters, call, argument) {
  all <- seq_len(nrow(parameters))
  if (is.null(which)) {
    return(all)
  }
  fixed <- parameters$kind == "coefficient"
  if (identical(which, "theta_")) {
    return(all[!fixed])
  }
  if (identical(which, "beta_")) {
    return(all[fixed])
  }
  found <- if (is.numeric(which)) match(which, all) else match(which, parameters$name)
  if (anyNA(found) || length(found) == 0L) {
    abort_argument(
      argument, 'must be names or numbers of parameters, "theta_" or "beta_".',
      c(i = paste0("They are ", paste0("`", parameters$name, "`", collapse = ", "), ".")), call
    )
  }
  found
}

warn_profile <- function(curves, fit, call) {
  say <- function(which, words, details = NULL) {
    if (any(which)) {
      names <- paste0("`", names(curves)[which], "`", collapse = ", ")
      ember_warn(paste0(words, names, "."), "profile", details, call = call)
    }
  }
  say(
    vapply(curves, `[[`, 0, "drop") > 0,
    "The fit is not the best: lower values of the criterion were met on the profile of ",
    c(i = "These curves are around the better fit. Fit again from other starting values (`start`).")
  )
  say(
    !vapply(curves, `[[`, NA, "monotone"), "The profile turns back, so intervals may have gaps: "
  )
  say(
    !vapply(curves, `[[`, NA, "converged"),
    "Some minimisations did not converge on the profile of "
  )
}

new_profile <- function(curves, chosen, parameters) {
  points <- lapply(curves, function(curve) curve$parameters[, parameters$column, drop = FALSE])
  filled <- vapply(curves, function(curve) length(curve$value) > 0L, NA)
  values <- do.call(rbind, c(points[filled], list(matrix(numeric(), 0L, nrow(parameters)))))
  colnames(values) <- parameters$name
  column <- function(name) unlist(lapply(curves, `[[`, name), use.names = FALSE)
  sizes <- lengths(lapply(curves, `[[`, "value"))
  table <- data.frame(
    .zeta = as.double(column("zeta")), values,
    .par = factor(rep(chosen$name, sizes), parameters$name),
    check.names = FALSE, row.names = NULL
  )
  structure(
    table, class = c("ember_profile", "data.frame"), slope = as.double(column("slope")),
    parameters = chosen[c("name", "type")]
  )
}

#' Confidence intervals of a mixed model
#'
#' @details
#' `"profile"` inverts the profile likelihood (see [profile.ember_mixed()]: REML fits profile the
#' REML criterion for the random effects; the fixed effects use the likelihood). `"Wald"` is
#' estimate plus or minus normal quantiles of the standard error, for the fixed effects only.
#' `"boot"` is the parametric bootstrap of [bootstrap()], ruled by [set.seed()].
#'
#' @param object A fit of [lmm()] or [glmm()], or its profile.
#' @param parm Parameters: names, numbers, `"theta_"` or `"beta_"`; by default all.
#' @param level Confidence level.
#' @param method `"profile"`, `"Wald"` or `"boot"`.
#' @param nsim Replicates of the bootstrap.
#' @param boot.type Kind of bootstrap interval: `"perc"`, `"basic"` or `"norm"`.
#' @param oldNames Name the random effects' parameters `.sig01`, ... and `.sigma` as lme4 does, or
#'   `sd_(Intercept)|Subject`, ... and `sigma`?
#' @param ... For the bootstrap, arguments of [bootstrap()]; otherwise not used.
#' @returns A matrix with a row for each parameter, and columns for both ends.
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' confint(fit)
#' confint(fit, "beta_", method = "Wald")
#' @export
confint.ember_mixed <- function(object, parm = NULL, level = 0.95,
                              method = c("profile", "Wald", "boot"), nsim = 500,
                              boot.type = c("perc", "basic", "norm"), # nolint: object_name_linter.
                              oldNames = TRUE, ...) { # nolint: object_name_linter.
  call <- rlang::current_env()
  check_level(level, call)
  if (!is_flag(oldNames)) abort_argument("oldNames", "must be TRUE or FALSE.", call = call)
  method <- match_choice("method", call)
  type <- match_choice("boot.type", call)
  switch(method,
    profile = {
      height <- stats::qnorm((1 + level) / 2)
      zetas <- height * (1:4) / 4
      curves <- profile_fit(object, parm, zetas, oldNames, object$control, call)
      confint.ember_profile(curves, level = level)
    },
    Wald = wald_intervals(object, parm, level, oldNames, call),
    boot = boot_intervals(object, parm, level, nsim, type, oldNames, call, ...)
  )
}

# lme4's: NA for the parameters of the random effects.
wald_intervals <- function(fit, parm, level, signames, call) {
  parameters <- profiled_parameters(fit, signames)
  chosen <- parameters[chosen_parameters(parm, parameters, call, "parm"), ]
  half <- stats::qnorm((1 + level) / 2) * sqrt(diag(fit$vcov_beta))
  fixed <- ifelse(chosen$kind == "coefficient", chosen$place, NA_integer_)
  intervals <- cbind(fit$beta - half, fit$beta + half)[fixed, , drop = FALSE]
  dimnames(intervals) <- list(chosen$name, percent_names(level))
  intervals
}

boot_intervals <- function(fit, parm, level, nsim, type, signames, call, ...) {
  parameters <- profiled_parameters(fit, signames)
  chosen <- chosen_parameters(parm, parameters, call, "parm")
  draws <- bootstrap(fit, nsim, ...)
  intervals <- stats::confint(draws, level = level, type = type)
  # The bootstrap of a model with dispersion has a standard deviation for every group.
  if (nrow(intervals) == nrow(parameters) && length(fit$dispersion) < 2L) {
    rownames(intervals) <- parameters$name
  }
  intervals[chosen, , drop = FALSE]
}

#' @rdname confint.ember_mixed
#' @export
confint.ember_profile <- function(object, parm = NULL, level = 0.95, ...) {
  call <- rlang::current_env()
  check_level(level, call)
  parameters <- attr(object, "parameters")
  parameters$kind <- ifelse(parameters$type == "real", "coefficient", "random")
  chosen <- parameters[chosen_parameters(parm, parameters, call, "parm"), ]
  height <- stats::qnorm((1 + level) / 2)
  intervals <- t(vapply(seq_len(nrow(chosen)), function(k) {
    profile_interval(profile_points(object, chosen$name[[k]]), chosen$type[[k]], height)
  }, numeric(2L)))
  dimnames(intervals) <- list(chosen$name, percent_names(level))
  open <- rowSums(is.na(intervals)) > 0L & chosen$name %in% object$.par
  if (any(open)) {
    ember_warn(
      paste0(
        "The profile does not reach this level for ",
        paste0("`", chosen$name[open], "`", collapse = ", "), "."
      ),
      "profile", c(i = "Profile again with a smaller `alphamax`."), call = call
    )
  }
  intervals
}

# The curve of one parameter: value, zeta and d zeta / d value, by increasing value.
profile_points <- function(profile, name) {
  rows <- which(profile$.par == name)
  slopes <- attr(profile, "slope")
  # Rows of a profile that were chosen by the user come without.
  if (length(slopes) != nrow(profile)) slopes <- rep(NA_real_, nrow(profile))
  points <- data.frame(
    value = profile[[name]][rows], zeta = profile$.zeta[rows], slope = slopes[rows]
  )
  complete_slopes(points)
}

# At the estimate and at bounds the slope is unknown: that of the parabola through the three points
# next to it.
complete_slopes <- function(points) {
  unknown <- which(!is.finite(points$slope) | points$slope <= 0)
  n <- nrow(points)
  for (k in if (n >= 3L) unknown) {
    near <- min(max(k - 1L, 1L), n - 2L) + 0:2
    offset <- points$value[near] - points$value[[k]]
    if (anyDuplicated(offset) == 0L) {
      points$slope[[k]] <- solve(outer(offset, 0:2, `^`), points$zeta[near])[[2L]]
    }
  }
  points
}

# Where zeta crosses -height and height, nearest to the estimate.
profile_interval <- function(points, type, height) {
  bounds <- switch(type,
    sd = c(0, Inf), correlation = c(-1, 1), positive = c(0, Inf), real = c(-Inf, Inf)
  )
  if (nrow(points) == 0L) {
    return(c(NA_real_, NA_real_))
  }
  centre <- which.min(abs(points$zeta))
  below <- points[centre:1, ]
  above <- points[centre:nrow(points), ]
  c(crossing(below, -height, bounds[[1L]]), crossing(above, height, bounds[[2L]]))
}

# Along points that go outwards from the estimate.
crossing <- function(points, height, bound) {
  beyond <- which(abs(points$zeta) >= abs(height) * (1 - 1e-10))
  if (length(beyond) == 0L) {
    last <- points[nrow(points), ]
    # Within what the walk along the curve accepts of its last point, or at the end of the range.
    if (abs(last$zeta - height) < 2e-4) {
      return(last$value + (height - last$zeta) / last$slope)
    }
    return(if (last$value == bound) bound else NA_real_)
  }
  outer <- points[beyond[[1L]], ]
  inner <- points[max(beyond[[1L]] - 1L, 1L), ]
  invert_cubic(inner, outer, height)
}

# The cubic through two points of value(zeta) with their slopes; a line where a slope is unknown.
invert_cubic <- function(inner, outer, height) {
  width <- outer$zeta - inner$zeta
  if (width == 0) {
    return(outer$value)
  }
  t <- (height - inner$zeta) / width
  line <- inner$value + t * (outer$value - inner$value)
  slopes <- c(inner$slope, outer$slope)
  if (!all(is.finite(slopes) & slopes > 0)) {
    return(line)
  }
  rise <- width / slopes
  inner$value * (1 + 2 * t) * (1 - t)^2 + rise[[1L]] * t * (1 - t)^2 +
    outer$value * t^2 * (3 - 2 * t) + rise[[2L]] * t^2 * (t - 1)
}

#' @export
print.ember_profile <- function(x, ...) {
  parameters <- attr(x, "parameters")$name
  cat("Profile likelihood of ", length(parameters), " parameters, ", nrow(x), " points\n", sep = "")
  ends <- vapply(parameters, function(name) {
    points <- profile_points(x, name)
    if (nrow(points) == 0L) rep(NA_real_, 4L) else c(range(points$value), range(points$zeta))
  }, numeric(4L))
  rownames(ends) <- c("from", "to", "zeta from", "zeta to")
  print(t(ends), ...)
  invisible(x)
}

#' @rdname profile.ember_mixed
#' @param x A profile.
#' @param what Draw `"zeta"` (a straight line is a normal parameter) or `"density"`, the density
#'   of which the intervals are the quantiles?
#' @param level Levels of the intervals that are drawn.
#' @export
plot.ember_profile <- function(x, which = NULL, what = c("zeta", "density"),
                               level = c(0.5, 0.8, 0.95), ...) {
  call <- rlang::current_env()
  what <- match_choice("what", call)
  parameters <- attr(x, "parameters")
  parameters$kind <- ifelse(parameters$type == "real", "coefficient", "random")
  names <- parameters$name[chosen_parameters(which, parameters, call, "which")]
  names <- names[names %in% x$.par]
  old <- graphics::par(mfrow = grDevices::n2mfrow(max(length(names), 1L)), mar = c(4, 4, 1, 1))
  on.exit(graphics::par(old))
  for (name in names) {
    curve <- curve_between(profile_points(x, name))
    if (what == "zeta") draw_zeta(curve, name, level, ...) else draw_density(curve, name, ...)
  }
  invisible(x)
}

# The curve on a fine grid of zeta.
curve_between <- function(points) {
  k <- seq_len(nrow(points) - 1L)
  pieces <- lapply(k, function(k) {
    zeta <- seq(points$zeta[[k]], points$zeta[[k + 1L]], length.out = 20L)
    value <- vapply(zeta, invert_cubic, 0, inner = points[k, ], outer = points[k + 1L, ])
    data.frame(value = value, zeta = zeta)
  })
  unique(do.call(rbind, c(pieces, list(points[0L, c("value", "zeta")]))))
}

draw_zeta <- function(curve, name, level, ...) {
  graphics::plot(curve$value, curve$zeta, type = "l", xlab = name, ylab = expression(zeta), ...)
  graphics::abline(h = 0, col = "grey80")
  heights <- stats::qnorm((1 + level) / 2)
  for (height in heights) {
    ends <- stats::approx(curve$zeta, curve$value, c(-height, height), ties = "mean")$y
    graphics::segments(ends, c(-height, height), ends, 0, col = "grey50", lty = 2)
  }
}

draw_density <- function(curve, name, ...) {
  slope <- diff(curve$zeta) / diff(curve$value)
  middle <- (curve$zeta[-1L] + curve$zeta[-nrow(curve)]) / 2
  value <- (curve$value[-1L] + curve$value[-nrow(curve)]) / 2
  graphics::plot(
    value, stats::dnorm(middle) * slope, type = "l", xlab = name, ylab = "density", ...
  )
}
