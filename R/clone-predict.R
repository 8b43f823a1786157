# Random effects and predictions after data cloning, by drawing the parameters and then the effects.

#' Random effects after data cloning
#'
#' Predictions of random effects with intervals that count the uncertainty of the parameters, which
#' clones of the data by themselves do not give: with K clones every group has K effects. A second
#' run on the data, once, gives them.
#'
#' @details
#' Both methods start from the estimates \eqn{\hat\theta} and their covariance matrix V of data
#' cloning, on the scale on which standard deviations are logs.
#'
#' * `"conditional"` (the default) draws \eqn{\theta \sim N(\hat\theta, V)}, then the effects given
#'   \eqn{\theta} and the data (Hamilton 1986). The spread of \eqn{\theta} is that of the estimator,
#'   as it should be.
#' * `"note"` is the recipe of Solymos and Lele's notes: \eqn{N(\hat\theta, V)} becomes the prior of
#'   a Bayesian analysis of the same data. The data then count twice, once in the prior and once in
#'   the likelihood, so the parameters vary less than the estimator does (for the mean of their
#'   example 0.036 instead of 0.050), and intervals are somewhat too short. It is here for
#'   comparison.
#'
#' A standard deviation that is estimated at the boundary, zero (see [estimability()]), is kept at
#' its estimate by both.
#'
#' @param object A fit of [data_clone()].
#' @param method `"conditional"` or `"note"`, see Details.
#' @param level Coverage of the intervals: quantiles of the draws.
#' @param n_draws Number of draws.
#' @param seed As in [data_clone()].
#' @param whichel Names of the grouping factors wanted; by default all.
#' @param x Random effects, as `ranef()` returns them.
#' @param ... Not used.
#' @returns `ranef()`: as for [lmm()][ranef.ember_mixed], a list with a data frame for each grouping
#'   factor, a row per level and a column per effect: means of the draws. Each has attributes
#'   `postVar` (effects x effects x levels, covariances of the draws), `lower` and `upper` (limits
#'   of the intervals, of the shape of the data frame). `as.data.frame()`: columns `grpvar`, `term`,
#'   `grp`, `condval`, `condsd`, `lower`, `upper`. `plot()` and `autoplot()` draw a caterpillar.
#' @references
#' Hamilton, J. D. (1986). A standard error for the estimated state vector of a state-space model.
#' *Journal of Econometrics* 33, 387-397.
#' @examples
#' set.seed(1)
#' fit <- data_clone(
#'   score ~ Machine + (1 | Worker), data = nlme::Machines, clones = c(1, 5, 25)
#' )
#' ranef(fit)
#' as.data.frame(ranef(fit))
#' @export
ranef.ember_clone <- function(object, method = c("conditional", "note"), level = 0.95,
                              n_draws = 3000, seed = NULL, whichel = NULL, ...) {
  call <- rlang::current_env()
  method <- match_choice("method", call)
  check_level(level, call)
  groups <- joined_terms(object)
  groups <- groups[chosen_groups(names(groups), whichel, call)]
  drawn <- predictive_draws(object, method, n_draws, seed, call)
  effects <- lapply(groups, function(terms) describe_effects(object, terms, drawn$effects, level))
  structure(effects, class = c("ember_clone_ranef", "ember_ranef"), level = level, method = method)
}

# Draws of parameters and effects: list(w (draws x coordinates), effects (for each core term
# draws x (effects x levels), effects first)).
predictive_draws <- function(fit, method, n_draws, seed, call) {
  n_draws <- check_count(n_draws, "n_draws", 1e7, call)
  if (fit$sampler == "independent") {
    abort_argument("object", "has no distribution of random effects to predict from.", NULL, call)
  }
  check_predictable(fit, call)
  law <- estimator_law(fit)
  chains <- if (method == "note") min(fit$mcmc$chains, n_draws) else 1
  mcmc <- list(
    iterations = ceiling(n_draws / chains),
    burn_in = if (method == "note") max(fit$mcmc$burn_in, 500) else fit$mcmc$burn_in,
    thin = 1, chains = chains, threads = fit$mcmc$threads, seed = run_seeds(1L, seed)[[1L]],
    progress = fit$control$progress
  )
  native_clone_predict(
    mixed_rows(fit), fit$distribution, fit$structure, fit$known, law$mean, law$covariance, method,
    mcmc, call
  )
}

check_predictable <- function(fit, call) {
  if (isFALSE(estimability(fit)$estimable)) {
    ember_abort(
      "Random effects cannot be predicted: their parameters cannot be estimated.", "not_estimable",
      c(i = "`estimability()` says which, and what can be estimated."), call
    )
  }
}

# The normal distribution of the estimator on the unconstrained scale: list(mean, covariance). A
# standard deviation at the boundary has no such distribution and stays at its estimate.
estimator_law <- function(fit) {
  run <- fit$runs[[length(fit$runs)]]
  natural <- base_draws(run, fit$table)
  w <- unconstrained_draws(natural, fit$table)
  mean <- colMeans(w)
  covariance <- run$clones * stats::cov(w)
  estimates <- colMeans(natural)
  for (name in boundary_variances(fit)) {
    j <- if (name == "sigma_sq") "log_sigma" else log_deviation_names(name)
    mean[[j]] <- log(estimates[[name]]) / 2
    covariance[j, ] <- covariance[, j] <- 0
    covariance[j, j] <- 1e-8
  }
  list(mean = mean, covariance = covariance)
}

# The effects of one grouping factor as a data frame of means, with the rest as attributes.
describe_effects <- function(fit, terms, drawn, level) {
  levels <- fit$random[[terms[[1L]]]]$levels
  width <- fit$structure$widths[[fit$random[[terms[[1L]]]]$core]]
  draws <- drawn[[fit$random[[terms[[1L]]]]$core]]
  positions <- unlist(lapply(fit$random[terms], `[[`, "positions"))
  names <- unlist(lapply(fit$random[terms], `[[`, "names"))
  frame <- function(values) {
    values <- matrix(values, width)[positions, , drop = FALSE]
    structure(
      as.data.frame(t(values), row.names = levels), names = names
    )
  }
  tails <- c((1 - level) / 2, (1 + level) / 2)
  limits <- apply(draws, 2L, stats::quantile, probs = tails, names = FALSE)
  structure(
    frame(colMeans(draws)), postVar = effect_covariances(draws, width, positions),
    lower = frame(limits[1L, ]), upper = frame(limits[2L, ])
  )
}

effect_covariances <- function(draws, width, positions) {
  count <- ncol(draws) / width
  vapply(seq_len(count), function(level) {
    stats::var(draws[, (level - 1L) * width + positions, drop = FALSE])
  }, numeric(length(positions)^2)) |>
    array(c(length(positions), length(positions), count))
}

#' @rdname ranef.ember_clone
#' @export
as.data.frame.ember_clone_ranef <- function(x, ...) { # nolint: object_name_linter.
  table <- NextMethod()
  for (side in c("lower", "upper")) {
    table[[side]] <- unlist(lapply(x, function(frame) unlist(attr(frame, side))), use.names = FALSE)
  }
  table
}

#' @export
print.ember_clone_ranef <- function(x, ...) {
  frames <- lapply(unclass(x), function(frame) {
    attributes(frame)[c("postVar", "lower", "upper")] <- NULL
    frame
  })
  attributes(frames) <- list(names = names(x))
  print(frames, ...)
  cat("with ", format(100 * attr(x, "level")), "% intervals, method \"", attr(x, "method"), "\"\n",
    sep = ""
  )
  invisible(x)
}

#' Predictions after data cloning
#'
#' Predictions for the levels that were observed, for new ones, or for the population, with errors
#' that count the uncertainty of all parameters, those of the variances too.
#'
#' @details
#' Parameters and random effects are drawn as in [ranef()][ranef.ember_clone]; the prediction is the
#' mean of the draws of the linear predictor (with `type = "response"` of the mean of the response).
#' A level that is not in the fit has an effect drawn from the distribution of the random effects,
#' where [predict.ember_lmm()] takes zero.
#'
#' @inheritParams ranef.ember_clone
#' @param newdata A data frame with the variables of the model; by default the data of the fit.
#' @param re.form Random effects to use, as in [predict.ember_lmm()].
#' @param allow.new.levels Allow levels that are not in the fit?
#' @param type `"link"` or `"response"`.
#' @param interval `"none"`, `"confidence"` (for the mean, given the effects) or, for Gaussian
#'   responses, `"prediction"` (for a new observation).
#' @param se.fit Also return standard deviations of the draws?
#' @param na.action What to do with missing values in `newdata`.
#' @returns A named vector; with an interval a matrix with columns `fit`, `lwr` and `upr`; with
#'   `se.fit` a list with `fit` (either of these) and `se.fit`.
#' @examples
#' set.seed(1)
#' fit <- data_clone(
#'   score ~ Machine + (1 | Worker), data = nlme::Machines, clones = c(1, 5, 25)
#' )
#' new <- data.frame(Machine = c("A", "B"), Worker = c("3", "unknown"))
#' predict(fit, new, allow.new.levels = TRUE, interval = "prediction")
#' @export
predict.ember_clone <- function(object, newdata = NULL,
                                re.form = NULL, # nolint: object_name_linter.
                                type = c("link", "response"),
                                interval = c("none", "confidence", "prediction"), level = 0.95,
                                method = c("conditional", "note"),
                                se.fit = FALSE, # nolint: object_name_linter.
                                allow.new.levels = FALSE, # nolint: object_name_linter.
                                na.action = stats::na.pass, # nolint: object_name_linter.
                                n_draws = 3000, seed = NULL, ...) {
  call <- rlang::current_env()
  type <- match_choice("type", call)
  interval <- match_choice("interval", call)
  method <- match_choice("method", call)
  check_level(level, call)
  if (interval == "prediction" && object$family$family != "gaussian") {
    abort_argument(
      "interval", 'can be "prediction" only for Gaussian responses.',
      c(i = 'Use "confidence".'), call
    )
  }
  chosen <- selected_effects(object, re.form, call)
  rows <- if (is.null(newdata)) {
    own_rows(object, chosen)
  } else {
    new_rows(object, newdata, chosen, na.action, allow.new.levels, FALSE, call)
  }
  drawn <- predictive_draws(object, method, n_draws, seed, call)
  with_own_seed(seed, {
    predictor <- predictor_draws(object, rows, drawn)
    if (type == "response") predictor <- object$family$linkinv(predictor)
    if (interval == "prediction") {
      predictor <- predictor + residual_draws(object, rows, drawn$w)
    }
  })
  summarise_predictor(predictor, rows, interval, level, se.fit)
}

# The linear predictor, rows x draws.
predictor_draws <- function(fit, rows, drawn) {
  fixed <- sum(fit$table$kind == "fixed")
  total <- as.matrix(rows$x %*% t(drawn$w[, seq_len(fixed), drop = FALSE]))
  if (!is.null(rows$offset)) total <- total + rows$offset
  natural <- natural_draws(drawn$w, fit$table)
  for (k in seq_along(rows$parts)) {
    if (is_used(rows$parts[[k]])) {
      total <- total + part_draws(fit, k, rows$parts[[k]], drawn, natural)
    }
  }
  dimnames(total) <- NULL
  total
}

# Z b of one term, rows x draws; effects of unknown levels are drawn, one set for each level.
part_draws <- function(fit, k, part, drawn, natural) {
  term <- fit$random[[k]]
  width <- fit$structure$widths[[term$core]]
  effects <- drawn$effects[[term$core]]
  labels <- ifelse(is.na(part$codes), paste0("new ", part$labels), part$codes)
  unknown <- unique(labels[is.na(part$codes)])
  new <- lapply(unknown, function(label) new_level_draws(fit, k, natural))
  total <- matrix(0, length(labels), nrow(effects))
  for (j in which(part$chosen)) {
    known <- which(!is.na(part$codes))
    place <- (part$codes[known] - 1L) * width + term$positions[[j]]
    total[known, ] <- total[known, ] + part$columns[known, j] * t(effects[, place, drop = FALSE])
    for (u in seq_along(unknown)) {
      mine <- which(labels == unknown[[u]])
      total[mine, ] <- total[mine, ] + part$columns[mine, j] %o% new[[u]][, j]
    }
  }
  total
}

# Effects of a new level, draws x effects, each from the covariance matrix of its draw.
new_level_draws <- function(fit, k, natural) {
  own <- fit$table[fit$table$block == k, ]
  q <- max(own$row)
  z <- matrix(stats::rnorm(nrow(natural) * q), nrow(natural))
  covariance <- matrix(0, q, q)
  out <- vapply(seq_len(nrow(natural)), function(d) {
    covariance[cbind(own$row, own$column)] <- natural[d, own$name]
    covariance[cbind(own$column, own$row)] <- natural[d, own$name]
    # Correlations of 1 have a factor only up to rounding.
    drop(z[d, ] %*% chol(covariance + diag(1e-12 * diag(covariance), q)))
  }, numeric(q))
  matrix(out, ncol = q, byrow = q > 1L)
}

residual_draws <- function(fit, rows, w) {
  sigma <- sqrt(natural_draws(w, fit$table)[, fit$table$kind == "residual"])
  noise <- stats::rnorm(nrow(rows$x) * length(sigma), 0, rep(sigma, each = nrow(rows$x)))
  noise <- matrix(noise, nrow(rows$x))
  if (is.null(rows$weights)) noise else noise / sqrt(rows$weights)
}

summarise_predictor <- function(predictor, rows, interval, level, se_fit) {
  fit <- stats::setNames(rowMeans(predictor), rows$names)
  values <- fit
  if (interval != "none") {
    tails <- c((1 - level) / 2, (1 + level) / 2)
    limits <- apply(predictor, 1L, function(row) {
      if (anyNA(row)) c(NA_real_, NA_real_) else stats::quantile(row, tails, names = FALSE)
    })
    values <- cbind(fit = fit, lwr = limits[1L, ], upr = limits[2L, ])
  }
  values <- stats::napredict(rows$na_action, values)
  if (!se_fit) {
    return(values)
  }
  errors <- stats::setNames(apply(predictor, 1L, stats::sd), rows$names)
  list(fit = values, se.fit = stats::napredict(rows$na_action, errors))
}
