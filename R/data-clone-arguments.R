# The arguments of data_clone(), checked; the model they describe, and where its chains begin.

# Numbers of clones, increasing.
check_clones <- function(clones, call) {
  usable <- is.numeric(clones) && length(clones) > 0L && all(is.finite(clones))
  if (!usable || any(clones != trunc(clones)) || any(clones < 1) || any(clones > most_clones)) {
    abort_argument(
      "clones", paste0("must be whole numbers from 1 to ", format(most_clones, big.mark = ""), "."),
      c(i = "For instance `c(1, 10, 25, 50)`."), call
    )
  }
  if (is.unsorted(clones, strictly = TRUE)) {
    abort_argument(
      "clones", "must increase.",
      c(
        x = paste0("They are ", toString(format(clones, trim = TRUE)), "."),
        i = "Every number of clones starts from what the one before it found."
      ), call
    )
  }
  as.integer(clones)
}

most_clones <- 100000L

# Fewest draws of a chain: R-hat and effective sizes need some.
fewest_draws <- 20L

# list(iterations, burn_in, thin, chains, threads), whole numbers.
check_mcmc <- function(n_iter, n_burnin, n_chains, thin, cores, call) {
  thin <- check_count(thin, "thin", 1e6, call)
  n_iter <- check_count(n_iter, "n_iter", 1e8, call)
  if (n_iter %/% thin < fewest_draws) {
    abort_argument(
      "n_iter", paste0("must leave at least ", fewest_draws, " draws of each chain."),
      c(x = paste0("There would be ", n_iter %/% thin, ".")), call
    )
  }
  if (!is_number(n_burnin) || n_burnin < 0 || n_burnin != trunc(n_burnin) || n_burnin > 1e8) {
    abort_argument("n_burnin", "must be one whole number of at least 0.", NULL, call)
  }
  list(
    iterations = n_iter, burn_in = as.double(n_burnin), thin = thin,
    chains = check_count(n_chains, "n_chains", 1000L, call),
    threads = check_count(cores, "cores", 1024L, call)
  )
}

check_seed <- function(seed, call) {
  if (!is.null(seed) && (!is_number(seed) || abs(seed) > .Machine$integer.max)) {
    abort_argument("seed", "must be NULL or one whole number.", NULL, call)
  }
  seed
}

# Two integers per run of chains.
run_seeds <- function(count, seed) {
  with_own_seed(seed, lapply(seq_len(count), function(k) as.double(draw_seed())))
}

# The value of code that draws random numbers: with a `seed` from a generator of its own, so that
# the user's stream stays where it is.
with_own_seed <- function(seed, code) {
  if (is.null(seed)) {
    return(code)
  }
  env <- globalenv()
  old <- env[[".Random.seed"]]
  on.exit(if (is.null(old)) rm(".Random.seed", envir = env) else env[[".Random.seed"]] <- old)
  set.seed(seed, "Mersenne-Twister", "Inversion", "Rejection")
  code
}

# ---- the model

# Everything about a model before it is fitted: the fields of the fit that do not depend on the
# estimates, and `rows` as the core reads them. As for glmm_model(), `quoted` are expressions.
clone_model <- function(formula, data, family, quoted, na_action, contrasts, caller, call) {
  family <- clone_family(family, call)
  if (family$family != "gaussian") {
    return(glmm_model(formula, data, family, quoted, na_action, contrasts, caller, call))
  }
  model <- mixed_model(formula, data, quoted, na_action, contrasts, caller, call)
  check_response_varies(model$rows$y, names(model$frame)[[1L]], model$known, call)
  # As many levels as rows are allowed here, so the check is told of a known residual variance.
  check_estimable(model$random, nrow(model$frame), list(sigma = 1), call)
  model[c("family", "REML", "method")] <- list(family, FALSE, "profile")
  model
}

# Gaussian responses have the identity link; the other families are those of glmm(), which checks
# them.
clone_family <- function(family, call) {
  family <- family_object(family, call)
  if (family$family == "gaussian" && family$link != "identity") abort_family(family, call)
  family
}

# Can the data tell the variances of the random terms from that of the residuals? lmm() fits no
# model where they cannot.
is_replicated <- function(model) {
  effects <- vapply(model$random, function(term) length(term$levels) * length(term$names), 0)
  all(effects < length(model$rows$y))
}

# A sampler for the model; `"auto"` is the collapsed one for Gaussian responses, real clones
# otherwise.
check_sampler <- function(sampler, model, call) {
  gaussian <- model$family$family == "gaussian"
  if (sampler == "auto") {
    return(if (gaussian) "collapsed" else "gibbs")
  }
  if (sampler == "independent") check_independent(model, gaussian, call)
  if (sampler == "collapsed" && !gaussian && length(model$structure$widths) > 1L) {
    abort_argument(
      "sampler", 'cannot be "collapsed" here.',
      c(
        x = "Without Gaussian responses it needs a model with one grouping factor.",
        i = 'Use `sampler = "gibbs"`.'
      ), call
    )
  }
  sampler
}

check_independent <- function(model, gaussian, call) {
  one_intercept <- length(model$random) == 1L &&
    identical(model$random[[1L]]$names, "(Intercept)")
  if (!gaussian || !one_intercept) {
    abort_argument(
      "sampler", 'can be "independent" only for a Gaussian model with one random intercept.',
      c(i = "It is the model without smoothing: effects with a vague prior, no variance."), call
    )
  }
}

# ---- where chains begin

# list(theta, beta, sigma, shape, fit): the maximum of the likelihood and the fit it comes from;
# `fit` is NULL where there is none.
clone_start <- function(model, call) {
  if (model$family$family != "gaussian") {
    return(glmm_start(model, call))
  }
  if (!is_replicated(model)) {
    return(moment_start(model))
  }
  native <- native_mixed_fit(
    model$rows, model$structure, model$known, FALSE, "profile", NULL, model$control, call
  )
  fit <- new_lmm(model[names(model) != "rows"], native, length(model$rows$y))
  c(fit[c("theta", "beta", "sigma")], list(fit = fit))
}

glmm_start <- function(model, call) {
  model$n_agq <- 1L
  native <- native_glmm_fit(
    model$rows, model$distribution, model$structure, 1L, NULL, model$control, call
  )
  fit <- new_glmm(model[names(model) != "rows"], native, nrow(model$frame))
  if (!is.null(fit$separation)) warn_separation(fit, call)
  shape <- if (is.null(model$distribution$shape)) fit$shape
  c(fit[c("theta", "beta")], list(shape = shape, fit = fit))
}

# Without a maximum: least squares, and the variance shared equally by residuals and random effects.
moment_start <- function(model) {
  x <- dense_fixed(model$rows$x)
  y <- model$rows$y - if (is.null(model$rows$offset)) 0 else model$rows$offset
  weights <- if (is.null(model$rows$weights)) rep(1, length(y)) else model$rows$weights
  least_squares <- stats::lm.wfit(x, y, weights)
  kept <- which(!is.na(least_squares$coefficients))
  total <- sum(weights * least_squares$residuals^2) / max(1, length(y) - length(kept))
  list(
    theta = as.double(model$structure$row == model$structure$column),
    beta = stats::setNames(least_squares$coefficients[kept], model$design$columns[kept]),
    sigma = sqrt(total / (length(model$random) + 1)), fit = NULL
  )
}

# The natural parameters at a start; a standard deviation of zero is replaced by a small one.
start_natural <- function(start, random, table) {
  sigma <- if (is.null(start$sigma)) 1 else start$sigma
  blocks <- lapply(table_blocks(table), function(k) {
    covariance <- tcrossprod(relative_factor(start, random[[k]]))
    diag(covariance) <- pmax(diag(covariance), smallest_deviation^2)
    (sigma^2 * covariance)[lower.tri(covariance, diag = TRUE)]
  })
  natural <- c(
    start$beta, if (any(table$kind == "residual")) sigma^2, unlist(blocks),
    if (any(table$kind == "shape")) start$shape, numeric(sum(table$kind == "level"))
  )
  stats::setNames(natural, table$name)
}

smallest_deviation <- 1e-3

dense_fixed <- function(x) {
  if (is.matrix(x)) {
    return(x)
  }
  rows <- max(x$i) + 1L
  as.matrix(Matrix::sparseMatrix(
    i = x$i, p = x$p, x = x$x, dims = c(rows, x$columns), index1 = FALSE
  ))
}

# ---- the default prior of the fixed effects

# Standard deviations of the default priors: a hundred times what a coefficient could plausibly be,
# the size of the linear predictor over the spread of its column (the size of the column, where it
# does not vary).
fixed_prior_scale <- function(model, kept) {
  x <- model$rows$x
  moments <- column_moments(x, length(model$rows$y))
  spread <- sqrt(pmax(moments$square - moments$mean^2, 0))
  constant <- spread < 1e-8 * sqrt(moments$square)
  size <- predictor_size(model)
  scale <- ifelse(constant, size / sqrt(moments$square), size / spread)
  # The intercept makes up for columns far from zero.
  far <- sum((abs(moments$mean) * scale)[!constant])
  scale[constant] <- scale[constant] + far / sqrt(moments$square[constant])
  (wide_factor * scale)[match(kept, model$design$columns)]
}

wide_factor <- 100

column_moments <- function(x, rows) {
  if (is.matrix(x)) {
    return(list(mean = colMeans(x), square = colMeans(x^2)))
  }
  column <- rep(seq_len(x$columns), diff(x$p))
  total <- function(values) {
    sums <- numeric(x$columns)
    found <- rowsum(values, column)
    sums[as.integer(rownames(found))] <- found
    sums / rows
  }
  list(mean = total(x$x), square = total(x$x^2))
}

# Root mean square of a Gaussian response; on the scale of a link, at least 1.
predictor_size <- function(model) {
  y <- model$rows$y
  if (model$family$family == "gaussian") {
    return(sqrt(mean(y^2)))
  }
  weights <- if (is.null(model$rows$weights)) 1 else model$rows$weights
  mean <- sum(weights * y) / sum(weights + 0 * y)
  size <- suppressWarnings(abs(model$family$linkfun(mean)))
  max(1, if (is.finite(size)) size else 1)
}
