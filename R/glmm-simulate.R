# New responses from a generalized linear mixed model.

#' Simulate responses of a generalized linear mixed model
#'
#' New responses from the fitted model: with new random effects (the default), or with those of the
#' fit.
#'
#' @inheritParams simulate.ember_lmm
#' @param object A fit of [glmm()].
#' @param re.form Random effects to keep at their conditional modes: `NA` (none), `NULL` (all) or a
#'   formula with some; the others are drawn.
#' @returns A data frame with columns `sim_1`, `sim_2`, ..., in the form of the response that was
#'   fitted: counts, numbers, 0/1, a factor, proportions, or matrices of successes and failures.
#'   Attribute `seed` is the state of the random number generator before.
#' @details Rows of `newdata` have the number of trials 1, unless the response is `cbind(success,
#'   failure)` of variables that are in it, or `weights` can be evaluated in it. Prior weights of
#'   other families have no meaning for a single draw, and are not used.
#' @examples
#' data <- transform(InsectSprays, block = factor(rep(1:12, 6)))
#' fit <- glmm(count ~ spray + (1 | block), data = data, family = poisson())
#' head(simulate(fit, nsim = 2, seed = 1))
#' @export
simulate.ember_glmm <- function(object, nsim = 1, seed = NULL,
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
  weights <- simulation_weights(object, rows, newdata)
  n <- nrow(rows$x)
  eta <- predicted_values(object, rows, FALSE) + drawn_effects(object, rows, nsim)
  mu <- matrix(object$family$linkinv(as.vector(eta)), n, nsim)
  draws <- lapply(seq_len(nsim), function(j) draw_response(object, mu[, j], weights))
  form <- response_form(object)
  columns <- lapply(draws, function(y) {
    shaped <- form(y, weights)
    stats::napredict(rows$na_action, shaped)
  })
  names(columns) <- paste0("sim_", seq_len(nsim))
  names <- names(stats::napredict(rows$na_action, stats::setNames(numeric(n), rows$names)))
  simulated <- structure(columns, class = "data.frame", row.names = names)
  structure(simulated, na.action = rows$na_action, seed = state)
}

# Numbers of trials, or prior weights, of the rows to draw; those of new rows where they are known.
simulation_weights <- function(fit, rows, newdata) {
  n <- nrow(rows$x)
  if (is.null(newdata)) {
    return(if (is.null(rows$weights)) rep(1, n) else rows$weights)
  }
  env <- environment(fit$formula)
  weights <- rep(1, nrow(newdata))
  if (is_two_columns(fit)) {
    counts <- try(eval(fit$formula[[2L]], newdata, env), silent = TRUE)
    if (is.matrix(counts) && nrow(counts) == length(weights)) weights <- rowSums(counts)
  } else if (!is.null(fit$call$weights)) {
    given <- try(eval(fit$call$weights, newdata, env), silent = TRUE)
    if (is.numeric(given) && length(given) == length(weights)) weights <- as.double(given)
  }
  if (length(rows$na_action) > 0L) weights <- weights[-rows$na_action]
  weights
}

is_two_columns <- function(fit) is.matrix(fit$frame[[1L]]) && ncol(fit$frame[[1L]]) == 2L

# One response for each mean: proportions for the binomial family. NA where the mean is.
draw_response <- function(fit, mu, weights) {
  n <- length(mu)
  # Missing means have no draw, and no warning.
  known <- !is.na(mu)
  value <- rep(NA_real_, n)
  m <- mu[known]
  trials <- round(weights[known])
  shape <- fit$shape
  value[known] <- switch(fit$distribution$name,
    binomial = stats::rbinom(length(m), trials, m) / trials,
    poisson = stats::rpois(length(m), m),
    negative_binomial = stats::rnbinom(length(m), size = shape, mu = m),
    Gamma = stats::rgamma(length(m), shape, shape / m)
  )
  value
}

# How a proportion or a number becomes what the user had on the left of the formula.
response_form <- function(fit) {
  response <- fit$frame[[1L]]
  if (is_two_columns(fit)) {
    names <- colnames(response)
    function(y, weights) {
      successes <- round(y * weights)
      structure(cbind(successes, weights - successes), dimnames = list(NULL, names))
    }
  } else if (is.factor(response)) {
    function(y, weights) factor(levels(response)[y + 1], levels(response))
  } else if (is.logical(response)) {
    function(y, weights) y == 1
  } else {
    function(y, weights) y
  }
}
