# Can the data estimate the parameters? What does not shrink as the clones grow, in words.

#' Can the parameters be estimated?
#'
#' With K clones of the data the variance of what can be estimated falls like 1/K; what the data say
#' nothing about keeps the variance that the prior gives it (Lele, Nadeem and Schmuland 2010).
#' `estimability()` looks for combinations of parameters whose variance does not fall, and says
#' which they are, and what can be estimated all the same.
#'
#' @details
#' The logarithm of a variance is regressed on that of the number of clones, weighted by its Monte
#' Carlo error: the slope is -1 for what can be estimated, and 0 for what cannot. The verdict
#' draws the line at -1/2, and is open where that is within two standard errors of the slope. With
#' three numbers of clones or more the first is left out, since there the prior still counts.
#' Combinations are the eigenvectors of the covariance matrix at the largest number of clones,
#' each parameter in units of its standard deviation at the smallest; so, unlike `lambda.max`,
#' the verdict does not depend on the units of the data.
#'
#' A model with one row per group is known not to tell the variance of the groups from that of the
#' residuals, however short the chains.
#'
#' A variance whose estimate is zero is at the edge of the parameters. There the posterior is not
#' normal, whatever the number of clones, and standard errors and intervals do not hold; the
#' verdict names such variances, and those whose estimate is less than two posterior standard
#' deviations from zero.
#'
#' @param fit A fit of [data_clone()] with at least two numbers of clones.
#' @param parameters Names of the parameters to judge; by default those of the model.
#' @returns A list of class `ember_estimability`:
#' * `estimable`: `TRUE`, `FALSE`, or `NA` (not known: one number of clones, or too few draws);
#' * `lambda`: data frame with `n.clones`, `lambda.max`, its `ratio` to the first, the `expected`
#'   ratio K1/K, and the Monte Carlo standard error `mc.error` of the ratio;
#' * `parameters`: data frame with `parameter`, `slope`, `std.error`, `estimable`, for derived
#'   parameters too;
#' * `directions`: matrix, a column for each combination that does not shrink: how much each
#'   parameter moves along it;
#' * `functions`: data frame as `parameters`, of combinations that can be estimated though their
#'   parts cannot;
#' * `boundary`: names of variances that are estimated as zero, or not told from it;
#' * `words`: the verdict.
#' @references
#' Lele, S. R., Nadeem, K. and Schmuland, B. (2010). Estimability and likelihood inference for
#' generalized linear mixed models using data cloning. *Journal of the American Statistical
#' Association* 105, 1617-1625.
#' @export
#' @examples
#' # One row per group: only the sum of the two variances can be estimated
#' set.seed(1)
#' herd <- data.frame(animal = 1:60, weight = rnorm(60, 2.5, 0.5))
#' fit <- suppressWarnings(
#'   data_clone(weight ~ 1 + (1 | animal), data = herd, clones = c(1, 5, 25))
#' )
#' estimability(fit)
estimability <- function(fit, parameters = NULL) {
  call <- rlang::current_env()
  check_clone_fit(fit, call)
  parameters <- monitored_parameters(
    parameters, parameter_names(fit), base_parameters(fit), call
  )
  draws <- stats::setNames(
    lapply(fit$runs, function(run) run$draws), paste(fit$clones)
  )
  tested <- union(parameters, names(fit$derived))
  verdict <- list(
    clones = fit$clones, lambda = lambda_table(fit$clones, draws, parameters),
    parameters = slope_table(unit_combinations(tested), draws, fit$clones),
    directions = matrix(0, length(parameters), 0L, dimnames = list(parameters, NULL)),
    functions = slope_table(list(), draws, fit$clones), boundary = boundary_variances(fit),
    estimable = NA
  )
  if (length(fit$clones) > 1L) verdict <- judge(verdict, fit, draws, parameters)
  verdict$words <- estimability_words(verdict)
  structure(verdict, class = "ember_estimability")
}

judge <- function(verdict, fit, draws, parameters) {
  known <- unreplicated_directions(fit, parameters)
  found <- stalled_directions(fit, draws, parameters)
  verdict$directions <- if (ncol(known) > 0L) known else found$directions
  stalled <- ncol(verdict$directions) > 0L
  verdict$estimable <- if (stalled) FALSE else found$verdict
  if (stalled) {
    involved <- rownames(verdict$directions)[rowSums(verdict$directions != 0) > 0]
    mine <- verdict$parameters$parameter %in% involved
    if (ncol(known) > 0L) verdict$parameters$estimable[mine] <- FALSE
    candidates <- invariant_combinations(verdict$directions)
    functions <- slope_table(candidates, draws, fit$clones)
    verdict$functions <- functions[functions$estimable %in% TRUE, ]
  }
  verdict
}

# ---- how variances fall

unit_combinations <- function(names) {
  stats::setNames(lapply(names, function(name) stats::setNames(1, name)), names)
}

# One row per combination (a named vector of coefficients): slope of the log variance.
slope_table <- function(combinations, draws, clones) {
  rows <- lapply(combinations, function(coefficients) {
    variance_slope(lapply(draws, combine_draws, coefficients), clones)
  })
  slopes <- vapply(rows, `[[`, 0, 1L)
  errors <- vapply(rows, `[[`, 0, 2L)
  data.frame(
    parameter = as.character(names(combinations)), slope = as.double(slopes),
    std.error = as.double(errors), estimable = judged(as.double(slopes), as.double(errors))
  )
}

combine_draws <- function(draws, coefficients) {
  coda::as.mcmc.list(lapply(draws, function(chain) {
    values <- unclass(chain)[, names(coefficients), drop = FALSE] %*% coefficients
    coda::mcmc(as.vector(values))
  }))
}

# c(slope, standard error) of log variance on log K.
variance_slope <- function(draws, clones) {
  used <- if (length(clones) > 2L) -1L else seq_along(clones)
  if (length(clones) < 2L) {
    return(c(NA_real_, NA_real_))
  }
  variances <- vapply(draws[used], variance_with_error, numeric(2L))
  x <- log(clones[used])
  y <- log(variances[1L, ])
  errors <- pmax(variances[2L, ] / variances[1L, ], 1e-6)
  if (!all(is.finite(y) & is.finite(errors))) {
    return(c(NA_real_, NA_real_))
  }
  weights <- 1 / errors^2
  centred <- x - sum(weights * x) / sum(weights)
  information <- sum(weights * centred^2)
  slope <- sum(weights * centred * y) / information
  residuals <- y - sum(weights * y) / sum(weights) - slope * centred
  spread <- if (length(x) > 2L) sum(weights * residuals^2) / (length(x) - 2L) else 1
  c(slope, sqrt(max(1, spread) / information))
}

# The variance of the draws of one quantity, and its Monte Carlo standard error: that of a mean of
# squares.
variance_with_error <- function(draws) {
  centre <- mean(unlist(draws))
  squares <- coda::as.mcmc.list(lapply(draws, function(chain) {
    coda::mcmc((as.vector(chain) - centre)^2)
  }))
  values <- unlist(squares)
  c(mean(values), stats::sd(values) / sqrt(max(effective_size(squares), 1)))
}

effective_size <- function(draws) {
  tryCatch(
    as.vector(coda::effectiveSize(draws)),
    # A chain that does not move has no spectrum.
    error = function(cnd) rep(0, coda::nvar(draws))
  )
}

judged <- function(slope, error) {
  ifelse(abs(slope + 0.5) < 2 * error, NA, slope < -0.5)
}

lambda_table <- function(clones, draws, parameters) {
  found <- vapply(draws, function(run) {
    run <- run[, parameters, drop = FALSE]
    covariance <- stats::var(as.matrix(run))
    if (!all(is.finite(covariance))) {
      return(c(NA_real_, NA_real_))
    }
    spectrum <- eigen(covariance, symmetric = TRUE)
    direction <- stats::setNames(spectrum$vectors[, 1L], parameters)
    if (length(parameters) == 1L) run <- name_single(run, parameters)
    c(spectrum$values[[1L]], variance_with_error(combine_draws(run, direction))[[2L]])
  }, numeric(2L))
  relative <- found[2L, ] / found[1L, ]
  ratio <- found[1L, ] / found[1L, 1L]
  data.frame(
    n.clones = clones, lambda.max = unname(found[1L, ]), ratio = unname(ratio),
    expected = clones[[1L]] / clones,
    mc.error = unname(c(0, (ratio * sqrt(relative^2 + relative[[1L]]^2))[-1L]))
  )
}

# coda drops the name of a single variable.
name_single <- function(draws, name) {
  coda::as.mcmc.list(lapply(draws, function(chain) {
    coda::mcmc(matrix(as.vector(chain), dimnames = list(NULL, name)))
  }))
}

# ---- what does not shrink

# Eigenvectors, in units of the standard deviations with the fewest clones, along which the variance
# does not fall: list(directions (movement of the parameters), verdict).
stalled_directions <- function(fit, draws, parameters) {
  first <- as.matrix(draws[[1L]])[, parameters, drop = FALSE]
  last <- as.matrix(draws[[length(draws)]])[, parameters, drop = FALSE]
  scale <- apply(first, 2L, stats::sd)
  scale[scale == 0 | !is.finite(scale)] <- 1
  covariance <- stats::var(last) / outer(scale, scale)
  if (!all(is.finite(covariance))) {
    return(list(
      directions = matrix(0, length(parameters), 0L, dimnames = list(parameters, NULL)),
      verdict = NA
    ))
  }
  axes <- eigen(covariance, symmetric = TRUE)$vectors
  combinations <- lapply(seq_along(parameters), function(k) {
    stats::setNames(axes[, k] / scale, parameters)
  })
  names(combinations) <- seq_along(combinations)
  judged <- slope_table(combinations, draws, fit$clones)$estimable
  alone <- slope_table(unit_combinations(parameters), draws, fit$clones)$estimable
  movers <- lapply(seq_along(parameters), function(k) {
    abs(axes[, k]) >= 0.1 * max(abs(axes[, k])) & !alone %in% TRUE
  })
  # The variance of a parameter at the boundary falls as it likes: it says nothing.
  edge <- parameters %in% boundary_variances(fit)
  telling <- vapply(movers, function(moves) sum(moves) > 1L || any(moves & !edge), NA)
  stalled <- which(judged %in% FALSE & telling)
  directions <- vapply(stalled, function(k) {
    tidy_direction(ifelse(movers[[k]], axes[, k], 0), scale)
  }, numeric(length(scale)))
  dim(directions) <- c(length(parameters), length(stalled))
  rownames(directions) <- parameters
  list(
    directions = directions,
    verdict = if (any(is.na(judged) & telling)) NA else length(stalled) == 0L
  )
}

# Movement along an axis in the user's units, the largest 1 and the first positive; numbers near 1
# and -1 are these.
tidy_direction <- function(axis, scale) {
  movement <- axis * scale
  movement <- movement / max(abs(movement)) * sign(movement[movement != 0][[1L]])
  near <- abs(abs(movement) - 1) < 0.15
  movement[near] <- sign(movement[near])
  movement
}

# One row per group: a variance of intercepts and that of the residuals move against each other.
unreplicated_directions <- function(fit, parameters) {
  table <- fit$table
  residual <- table$name[table$kind == "residual"]
  blocks <- Filter(function(k) {
    length(fit$random[[k]]$levels) >= fit$nobs && identical(fit$random[[k]]$names, "(Intercept)")
  }, unique(table$block[table$block > 0L]))
  columns <- lapply(blocks, function(k) {
    direction <- stats::setNames(numeric(length(parameters)), parameters)
    direction[c(residual, table$name[table$block == k])] <- c(1, -1)
    direction
  })
  usable <- length(residual) == 1L && residual %in% parameters
  columns <- if (usable) Filter(function(d) length(d) == length(parameters), columns)
  matrix(
    as.double(unlist(columns)), length(parameters), length(columns),
    dimnames = list(parameters, NULL)
  )
}

# Combinations of two parameters that stay the same along a direction.
invariant_combinations <- function(directions) {
  combinations <- list()
  for (k in seq_len(ncol(directions))) {
    direction <- directions[, k]
    moving <- which(direction != 0)
    for (pair in pairs_of(rownames(directions)[moving])) {
      ratio <- direction[[pair[[1L]]]] / direction[[pair[[2L]]]]
      coefficients <- stats::setNames(c(1, -ratio), pair)
      combinations[[combination_words(coefficients)]] <- coefficients
    }
  }
  combinations
}

# "sigma_sq + tau_sq", "a - 2.3 b".
combination_words <- function(coefficients) {
  coefficients <- coefficients[coefficients != 0]
  sizes <- abs(coefficients)
  words <- ifelse(
    sizes == 1, names(coefficients), paste(format(sizes, digits = 2L), names(coefficients))
  )
  signs <- ifelse(coefficients < 0, " - ", " + ")
  signs[[1L]] <- if (coefficients[[1L]] < 0) "-" else ""
  paste0(signs, words, collapse = "")
}

# Variances that are zero at the maximum, or no further from zero than chance.
boundary_variances <- function(fit) {
  table <- fit$table
  variances <- table$name[table$kind %in% c("variance", "residual")]
  run <- fit$runs[[length(fit$runs)]]
  stacked <- as.matrix(run$draws)[, variances, drop = FALSE]
  near <- colMeans(stacked) < 2 * apply(stacked, 2L, stats::sd)
  labels <- vapply(fit$random, `[[`, "", "label")
  single <- vapply(fit$random, function(term) length(term$names) == 1L, NA)
  flat <- which(single & labels %in% fit$start$singular)
  union(variances[near], table$name[table$block %in% flat & table$kind == "variance"])
}

# ---- words

estimability_words <- function(verdict) {
  boundary <- setdiff(
    verdict$boundary, rownames(verdict$directions)[rowSums(verdict$directions != 0) > 0]
  )
  c(
    if (length(verdict$clones) < 2L) {
      "Estimability is not known: it takes at least two numbers of clones."
    } else if (isFALSE(verdict$estimable)) {
      stalled_words(verdict)
    } else {
      shrinking_words(verdict)
    },
    if (length(boundary) > 0L) boundary_words(boundary)
  )
}

stalled_words <- function(verdict) {
  pairs <- vapply(seq_len(ncol(verdict$directions)), function(k) {
    direction <- verdict$directions[, k]
    moving <- names(direction)[direction != 0]
    if (length(moving) == 1L) {
      return(paste0(moving, " cannot be estimated"))
    }
    paste0(
      paste(utils::head(moving, -1L), collapse = ", "), " and ", utils::tail(moving, 1L),
      " cannot be told apart"
    )
  }, "")
  combinations <- apply(verdict$directions, 2L, combination_words)
  table <- verdict$parameters
  possible <- c(table$parameter[table$estimable %in% TRUE], verdict$functions$parameter)
  last <- nrow(verdict$lambda)
  paste0(
    "NOT estimable: ", paste(unique(pairs), collapse = "; "), ". The variance of ",
    paste(unique(combinations), collapse = ", "), " does not shrink like 1/K (lambda.max with ",
    verdict$clones[[last]], " clones is ", format(verdict$lambda$ratio[[last]], digits = 2L),
    " of the first; ", format(verdict$lambda$expected[[last]], digits = 2L), " was expected).",
    if (length(possible) > 0L) paste0(" Estimable: ", toString(unique(possible)), ".")
  )
}

shrinking_words <- function(verdict) {
  last <- verdict$lambda[nrow(verdict$lambda), ]
  paste0(
    if (is.na(verdict$estimable)) {
      "The draws do not tell whether all parameters are estimable; draw more. "
    } else {
      "All parameters are estimable. "
    },
    "lambda.max with ", last$n.clones, " clones is ", format(last$ratio, digits = 2L),
    " of the first (Monte Carlo error ", format(last$mc.error, digits = 1L), "); ",
    format(last$expected, digits = 2L), " was expected."
  )
}

boundary_words <- function(names) {
  one <- length(names) == 1L
  paste0(
    paste(names, collapse = ", "), if (one) " is" else " are",
    " at the boundary, zero, or not told from it: the posterior is not normal there, so standard",
    " errors and intervals of ", if (one) "it" else "them", " do not hold, and the prior counts."
  )
}

#' @export
print.ember_estimability <- function(x, digits = 3L, ...) {
  cat(strwrap(x$words, width = 0.95 * getOption("width")), sep = "\n")
  cat("\nlambda.max by number of clones:\n")
  print(x$lambda, digits = digits, row.names = FALSE)
  table <- rbind(x$parameters, x$functions)
  if (!all(is.na(table$slope))) {
    cat("\nSlope of log variance on log clones (-1: estimable, 0: not):\n")
    print(table, digits = digits, row.names = FALSE)
  }
  invisible(x)
}
