# New responses from a generalized linear mixed model.

# Responses with the linear predictors `eta`, a column each, in the form of the fit's response.
generalized_responses <- function(fit, rows, eta, nsim, newdata) {
  weights <- simulation_weights(fit, rows, newdata)
  n <- nrow(rows$x)
  mu <- matrix(fit$family$linkinv(as.vector(eta)), n, nsim)
  form <- response_form(fit)
  columns <- lapply(seq_len(nsim), function(j) {
    shaped <- form(draw_response(fit, mu[, j], weights), weights)
    stats::napredict(rows$na_action, shaped)
  })
  names(columns) <- paste0("sim_", seq_len(nsim))
  names <- names(stats::napredict(rows$na_action, stats::setNames(numeric(n), rows$names)))
  structure(columns, class = "data.frame", row.names = names)
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
