# Profile likelihood of the errors' parameters: the curves, and the intervals that they give.

#' Profile likelihood of a sample selection model
#'
#' How fast does the log-likelihood fall as the standard deviation or a correlation of the errors
#' moves away from its estimate, all other parameters adapting? [confint()] of the profile (or of
#' the fit, with `method = "profile"`) gives intervals that need not be symmetric and never leave
#' the range of the parameter; `plot()` and `ggplot2::autoplot()` draw the curves.
#'
#' @details
#' The curve is \eqn{\zeta(\psi) = \pm\sqrt{2 (\ell(\hat\psi) - \ell(\psi))}}, with \eqn{\ell(\psi)}
#' the greatest log-likelihood when \eqn{\psi} is held. It is followed outwards from the estimate,
#' correlations in steps of Fisher's z (atanh) and standard deviations in steps of their logarithm,
#' each held fit starting where the last one ended. So it belongs to the mode of the fit; if it
#' comes to a point above the fit, a warning says so. It ends at `alphamax`, or where a correlation
#' is 1 to six digits.
#'
#' @param fitted A fit of [mssm()] by `"ml"` or `"px-mcem"`.
#' @param which Names of parameters of the errors, such as `"rho(y1,s1)"`, or their numbers in
#'   `coef(fitted)`; by default the correlations of the two errors of each equation.
#' @param alphamax 1 - the largest level of an interval that the curves must allow.
#' @param ... Not used.
#' @returns A data frame of class `ember_profile`: a row per point of a curve with `.zeta`, a column
#'   for each parameter of the model, and `.par`, the parameter that is profiled.
#' @seealso [confint.ember_mssm()], [modes()]
#' @examples
#' set.seed(1)
#' fit <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = simulate_mssm(500))
#' curve <- profile(fit)
#' confint(curve)
#' plot(curve)
#' @importFrom stats profile
#' @export
profile.ember_mssm <- function(fitted, which = NULL, alphamax = 0.01, ...) {
  call <- rlang::current_env()
  check_no_dots(..., call = call)
  check_level(alphamax, call, "alphamax")
  refuse_two_step(fitted, "A two-step fit has no likelihood to profile.", call)
  among <- base::which(natural_components(fitted, aliased = TRUE) == "error")
  if (is.null(which)) which <- names(stats::coef(fitted))[own_correlations(fitted)]
  chosen <- chosen_naturals(fitted, which, call, "which", among)
  height <- sqrt(stats::qchisq(1 - alphamax, 1))
  curves <- lapply(chosen, profile_curve_of, fit = fitted, heights = height, call = call)
  warn_higher_profile(curves, names(stats::coef(fitted))[chosen], call)
  mssm_profile_table(fitted, curves, chosen)
}

# Places among all parameters of rho(y_j, s_j).
own_correlations <- function(fit) {
  names <- paste0("rho(", fit$equations$outcome, ",", fit$equations$selection, ")")
  match(names, names(stats::coef(fit)))
}

# The intervals of parameters of the errors, each end to six digits of zeta.
profile_intervals <- function(fit, parm, level, call) {
  refuse_two_step(fit, "A two-step fit has no likelihood to profile.", call)
  among <- which(natural_components(fit, aliased = TRUE) == "error")
  chosen <- chosen_naturals(fit, parm, call, "parm", among)
  height <- stats::qnorm((1 + level) / 2)
  curves <- lapply(chosen, profile_curve_of, fit = fit, heights = height, call = call)
  warn_higher_profile(curves, names(stats::coef(fit))[chosen], call)
  limits <- t(vapply(curves, function(curve) {
    c(curve_end(curve, -height), curve_end(curve, height))
  }, numeric(2L)))
  dimnames(limits) <- list(names(stats::coef(fit))[chosen], percent_names(level))
  limits
}

# The value where zeta is `height`; the end of the parameter's range where the likelihood does not
# fall as far.
curve_end <- function(curve, height) {
  at <- which(abs(curve$zeta - height) < zeta_tolerance)
  if (length(at) > 0L) {
    return(curve$value[[at[[1L]]]])
  }
  if (height < 0) curve$range[[1L]] else curve$range[[2L]]
}

# How near a point must come to the end of an interval.
zeta_tolerance <- 1e-5

# Correlations are followed to here on the scale of Fisher's z: 1 - 2e-6.
farthest_atanh <- 6.9

# Steps of about this much zeta.
profile_step <- 0.5

most_profile_steps <- 60L

# The curve of one parameter: value, zeta, naturals (points x K), range, higher (does it come above
# the fit?). It has points at zeta = +- heights.
profile_curve_of <- function(place, fit, heights, call) {
  name <- names(stats::coef(fit))[[place]]
  scale <- working_scales[[natural_scales(name, "error")]]
  estimate <- stats::coef(fit)[[place]]
  error <- sqrt(diag(model_covariance(fit, call)))[[name]] * scale$slope(estimate)
  if (!is.finite(error) || error <= 0) error <- 0.1
  held <- held_likelihood(fit, place, scale, call)
  top <- fit$loglik
  sides <- lapply(c(-1, 1), function(side) {
    walk_profile(scale$to(estimate), side, error, max(heights), held, top, fit, name)
  })
  below <- sides[[1L]]
  above <- sides[[2L]]
  back <- rev(seq_along(below$value))
  list(
    value = scale$back(c(below$value[back], scale$to(estimate), above$value)),
    zeta = c(-below$zeta[back], 0, above$zeta),
    naturals = rbind(
      below$naturals[back, , drop = FALSE], unname(naturals_of(fit)), above$naturals
    ),
    range = if (startsWith(name, "sigma(")) c(0, Inf) else c(-1, 1),
    higher = below$higher || above$higher, name = name
  )
}

# A function of a value on the working scale: list(loglik, naturals), from the parameters `from`.
held_likelihood <- function(fit, place, scale, call) {
  coefficients <- sum(natural_components(fit, aliased = TRUE) != "error")
  control <- fit_control(fit)
  function(value, from) {
    held <- native_mssm_profile(
      fit$rows, from, place - coefficients, scale$back(value), control, call
    )
    naturals <- as.vector(held$naturals)
    list(
      loglik = held$loglik[[1L]], naturals = naturals,
      parameters = parameters_at(fit, naturals)
    )
  }
}

# Outwards from the estimate until zeta is `height`, with a point there.
walk_profile <- function(from, side, error, height, held, top, fit, name) {
  slack <- likelihood_slack(fit)
  limit <- if (startsWith(name, "sigma(")) Inf else farthest_atanh
  points <- list(list(value = from, zeta = 0, parameters = fit$parameters))
  higher <- FALSE
  step <- profile_step * error
  while (length(points) <= most_profile_steps) {
    last <- points[[length(points)]]
    value <- last$value + side * step
    if (abs(value) > limit) break
    point <- profile_point(value, last, held, top, slack)
    higher <- higher || point$higher
    points <- c(points, list(point))
    if (point$zeta >= height) {
      points[[length(points)]] <- crossing_point(last, point, height, held, top, slack)
      break
    }
    step <- next_step(step, point$zeta - last$zeta)
  }
  points <- points[-1L]
  list(
    value = vapply(points, `[[`, 0, "value"), zeta = vapply(points, `[[`, 0, "zeta"),
    naturals = do.call(rbind, lapply(points, `[[`, "naturals")), higher = higher
  )
}

profile_point <- function(value, from, held, top, slack) {
  point <- held(value, from$parameters)
  drop <- 2 * (top - point$loglik)
  c(
    point,
    list(value = value, zeta = sqrt(max(drop, 0)), higher = drop < -2 * slack)
  )
}

# Steps grow and shrink so that zeta goes on by about `profile_step`.
next_step <- function(step, rise) {
  factor <- if (rise <= 0) 2 else profile_step / rise
  step * min(max(factor, 0.5), 2)
}

# The point between two others where zeta is `height`, by the secant rule kept inside its bracket.
crossing_point <- function(inner, outer, height, held, top, slack) {
  point <- outer
  for (round in seq_len(30L)) {
    if (abs(point$zeta - height) < zeta_tolerance / 2) break
    share <- (height - inner$zeta) / (outer$zeta - inner$zeta)
    # Every third step halves the bracket, whatever the curve.
    share <- if (round %% 3L == 0L) 0.5 else min(max(share, 0.01), 0.99)
    value <- inner$value + share * (outer$value - inner$value)
    point <- profile_point(value, if (share < 0.5) inner else outer, held, top, slack)
    if (point$zeta < height) inner <- point else outer <- point
  }
  point
}

warn_higher_profile <- function(curves, names, call) {
  higher <- vapply(curves, `[[`, NA, "higher")
  if (any(higher)) {
    ember_warn(
      paste0(
        "The fit is not the best: higher log-likelihoods were met on the profile of ",
        paste0("`", names[higher], "`", collapse = ", "), "."
      ),
      "profile", c(i = "See `modes(fit)`, or fit again from other starting values (`start`)."), call
    )
  }
}

# The curves in the form that all profiles of ember have.
mssm_profile_table <- function(fit, curves, chosen) {
  names <- names(stats::coef(fit))[chosen]
  values <- do.call(rbind, lapply(curves, `[[`, "naturals"))
  colnames(values) <- natural_names(fit)
  sizes <- lengths(lapply(curves, `[[`, "zeta"))
  table <- data.frame(
    .zeta = unlist(lapply(curves, `[[`, "zeta")), values,
    .par = factor(rep(names, sizes), natural_names(fit)), check.names = FALSE, row.names = NULL
  )
  structure(
    table,
    class = c("ember_profile", "data.frame"), slope = rep(NA_real_, nrow(table)),
    parameters = data.frame(
      name = names, type = ifelse(startsWith(names, "sigma("), "positive", "correlation")
    )
  )
}
