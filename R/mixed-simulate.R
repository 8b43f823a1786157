# New responses from a fitted mixed model, and fits to new responses.

#' Simulate responses of a mixed model
#'
#' New responses from the fitted model: with new random effects (the default), or with those of the
#' fit. For [lmm()], with the same seed and without weights, the numbers are those of lme4, up to
#' rounding.
#'
#' @param object A fit of [lmm()] or [glmm()].
#' @param nsim Number of responses.
#' @param seed `NULL`, to go on with R's random numbers, or a seed for [set.seed()].
#' @param use.u Keep all random effects at their conditional modes? The same as `re.form = NULL`.
#' @param re.form Random effects to keep at their conditional modes: `NA` (none), `NULL` (all) or a
#'   formula with some; the others are drawn.
#' @param newdata A data frame to simulate for; by default the data of the fit.
#' @param allow.new.levels Allow levels that are not in the fit? Their effects are drawn too.
#' @param na.action What to do with missing values in `newdata`.
#' @param ... Not used.
#' @returns A data frame with columns `sim_1`, `sim_2`, ..., for [glmm()] in the form of the
#'   response that was fitted: counts, numbers, 0/1, a factor, proportions, or matrices of successes
#'   and failures. Attribute `seed` is the state of the random number generator before.
#' @details Residuals of [lmm()] in a row with prior weight w have the variance
#'   \eqn{\sigma^2 / w}.
#'
#'   Rows of `newdata` for [glmm()] have the number of trials 1, unless the response is
#'   `cbind(success, failure)` of variables that are in it, or `weights` can be evaluated in it.
#'   Prior weights of families other than the binomial have no meaning for a single draw, and are
#'   not used.
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' head(simulate(fit, nsim = 2, seed = 1))
#'
#' data <- transform(InsectSprays, block = factor(rep(1:12, 6)))
#' fit <- glmm(count ~ spray + (1 | block), data = data, family = poisson())
#' head(simulate(fit, nsim = 2, seed = 1))
#' @export
simulate.ember_mixed <- function(object, nsim = 1, seed = NULL,
                                 use.u = FALSE, # nolint: object_name_linter.
                                 re.form = NA, # nolint: object_name_linter.
                                 newdata = NULL,
                                 allow.new.levels = FALSE, # nolint: object_name_linter.
                                 na.action = stats::na.pass, ...) { # nolint: object_name_linter.
  call <- rlang::current_env()
  nsim <- check_count(nsim, "nsim", 1e6, call)
  if (!missing(use.u)) {
    if (!missing(re.form)) {
      abort_argument("use.u", "and `re.form` say the same; give only one.", NULL, call)
    }
    re.form <- if (use.u) NULL else NA # nolint: object_name_linter.
  }
  if (!is.null(seed)) {
    before <- generator_state()
    on.exit(assign(".Random.seed", before, envir = globalenv()))
    set.seed(seed)
  }
  state <- generator_state()
  chosen <- selected_effects(object, re.form, call)
  rows <- simulation_rows(object, newdata, chosen, na.action, allow.new.levels, call)
  values <- predicted_values(object, rows, FALSE) + drawn_effects(object, rows, nsim)
  simulated <- if (inherits(object, "ember_glmm")) {
    generalized_responses(object, rows, values, nsim, newdata)
  } else {
    gaussian_responses(object, rows, values, nsim)
  }
  structure(simulated, na.action = rows$na_action, seed = state)
}

# Responses about their means, a column each.
gaussian_responses <- function(fit, rows, values, nsim) {
  n <- nrow(rows$x)
  values <- values + residual_deviation(fit, rows) * matrix(stats::rnorm(n * nsim), n)
  dimnames(values) <- list(rows$names, paste0("sim_", seq_len(nsim)))
  as.data.frame(stats::napredict(rows$na_action, values))
}

# Rows with the levels of all terms: those of new levels get numbers of their own.
simulation_rows <- function(fit, newdata, chosen, na_action, allow_new, call) {
  rows <- if (is.null(newdata)) {
    own_rows(fit, chosen)
  } else {
    all <- lapply(chosen, function(mine) rep(TRUE, length(mine)))
    rows <- new_rows(fit, newdata, all, na_action, allow_new, TRUE, call)
    rows$parts <- Map(function(part, mine) {
      part$chosen <- mine
      part
    }, rows$parts, chosen)
    rows
  }
  rownames(rows$x) <- rows$names
  rows
}

# Z b with new effects in place of those that are not chosen: n x nsim. Drawn term by term, level by
# level, as lme4 does, for one response after the other.
drawn_effects <- function(fit, rows, nsim) {
  drawn <- which(vapply(rows$parts, function(part) !all(part$chosen), NA))
  if (length(drawn) == 0L) {
    return(0)
  }
  levels <- lapply(drawn, function(k) drawn_levels(fit, rows$parts[[k]], k))
  widths <- vapply(drawn, function(k) sum(!rows$parts[[k]]$chosen), 0L)
  sizes <- widths * vapply(levels, `[[`, 0L, "count")
  u <- matrix(stats::rnorm(sum(sizes) * nsim), ncol = nsim)
  first <- cumsum(sizes) - sizes
  total <- 0
  for (i in seq_along(drawn)) {
    k <- drawn[[i]]
    free <- !rows$parts[[k]]$chosen
    # The effects that stay are at their modes; the rest has its marginal covariance.
    root <- random_scale(fit) * relative_factor(fit, fit$random[[k]])
    if (!all(free)) root <- lower_root(tcrossprod(root)[free, free])
    z <- rows$parts[[k]]$columns[, free, drop = FALSE] %*% root
    for (j in seq_len(widths[[i]])) {
      places <- first[[i]] + (levels[[i]]$codes - 1L) * widths[[i]] + j
      total <- total + z[, j] * u[places, , drop = FALSE]
    }
  }
  total
}

# A lower triangular root of a covariance matrix that may be singular.
lower_root <- function(covariance) {
  covariance <- as.matrix(covariance)
  spectrum <- eigen(covariance, symmetric = TRUE)
  root <- spectrum$vectors %*% diag(sqrt(pmax(spectrum$values, 0)), nrow(covariance))
  t(qr.R(qr(t(root))))
}

drawn_levels <- function(fit, part, k) {
  known <- fit$random[[k]]$levels
  new <- unique(part$labels[is.na(part$codes)])
  codes <- part$codes
  if (length(new) > 0L) {
    codes <- ifelse(is.na(codes), length(known) + match(part$labels, new), codes)
  }
  list(codes = codes, count = length(known) + length(new))
}

residual_deviation <- function(fit, rows) {
  deviation <- fit$sigma
  if (!is.null(rows$dispersion)) deviation <- deviation * rows$dispersion
  if (!is.null(rows$weights)) deviation <- deviation / sqrt(rows$weights)
  deviation
}
