# Gaussian mixtures of rows that are read in chunks: a look at all rows, starts from a sample of
# them, and EM with one pass of the source per iteration.

# Rows of the sample on which starts are searched, at most.
sample_size <- 5000L

# Distance of the mean from the first guess, in standard deviations, beyond which moments about the
# guess lose digits: 30 leaves twelve.
far_away <- 30

is_chunked <- function(x, data) {
  inherits(x, "row_chunks") || inherits(x, "formula") && inherits(data, "row_chunks")
}

# gaussian_mixture() for a source: `x`, or `data` when `x` is a formula.
chunked_mixture <- function(x, data, weights, k, k_given, model, known, noise, start, n_starts,
                            select, prior, floor, control, matched, call) {
  check_control(control, call)
  check_chunked_start(start, call)
  formula <- if (inherits(x, "formula")) x
  chunks <- if (is.null(formula)) x else data
  if (is.null(formula)) check_chunked_arguments(data, weights, call)
  look <- look_through(chunks, formula, weights, isTRUE(noise), control$threads, call)
  if (look$dropped > 0) inform_empty_rows(look$dropped)
  problem <- mixture_problem(
    look$design, k, k_given, model, known, noise, start, n_starts, select, prior, floor, control,
    call
  )
  search <- search_chunks(chunks, look, problem, call)
  design <- look$design[c("variables", "formula", "terms")]
  fit <- new_gaussian_mixture(search, design, problem, matched, call)
  fit$nobs <- look$total$total_weight
  for (warning in search$warnings) warning(warning)
  warn_status(fit, call, mixture_remedy(fit$status))
  fit
}

check_chunked_arguments <- function(data, weights, call) {
  if (!is.null(data)) {
    abort_argument("data", "is only used with a formula.", NULL, call)
  }
  if (!is.null(weights) && !rlang::is_string(weights)) {
    abort_argument(
      "weights", "must be the name of a column, as a string, when rows come in chunks.",
      c(i = "For instance `weights = \"w\"`."), call
    )
  }
}

check_chunked_start <- function(start, call) {
  if (!is.null(start) && !rlang::is_string(start) && (!is.list(start) || is.data.frame(start))) {
    ember_abort(
      "`start` cannot be labels or responsibilities when rows come in chunks.",
      class = "unsupported", call = call,
      details = c(i = "Give parameters, a fit, the name of a method, or NULL.")
    )
  }
}

# What must be known of all rows before the first E-step: their number (`rows`), mean and scatter
# (`total`), how many were left out (`dropped`), and a `design` of a random sample of them.
#
# The second pass is made only where the first cannot tell: with missing values (the total counts
# column means in their place, as the fit in memory does), for the box along the principal axes, and
# where the first block was no guide to the others.
look_through <- function(chunks, formula, weights, volume, threads, call) {
  look <- first_look(chunks, formula, weights, threads, call)
  d <- length(look$variances)
  complete <- look$missing == 0
  boxes <- volume && complete && d > 1L
  away <- abs(look$means - look$guess$means[1L, ]) > far_away * sqrt(look$variances)
  axes <- if (boxes) eigen(look$plain$scatter, symmetric = TRUE)$vectors
  if (!complete || boxes || any(away, na.rm = TRUE)) {
    second_look(look, chunks, axes, threads, call)
  }
  volumes <- c(log_box(look$ranges), if (boxes) log_box(look$principal_ranges))
  look$design <- c(
    look$layout,
    list(
      x = look$sample, log_volume = min(volumes),
      variances = look$variances, missing = !complete
    )
  )
  look$design$weights <- look$sample_weights
  look
}

first_look <- function(chunks, formula, weights, threads, call) {
  look <- new.env(parent = emptyenv())
  look$rows <- look$dropped <- 0
  read_pass(chunks, function(block) {
    if (is.null(look$layout)) look$layout <- block_layout(block, formula, weights, call)
    rows <- block_rows(block, look$layout, call)
    look$dropped <- look$dropped + rows$dropped
    if (nrow(rows$x) == 0L) return()
    if (is.null(look$guess)) look$guess <- crude_guess(rows$x)
    look$observed <- sum_of(look$observed, colSums(!is.na(rows$x)))
    look$ranges <- widen(look$ranges, rows$x)
    add <- function(stats, weights) add_rows(stats, rows$x, weights, look$guess, threads, call)
    look$plain_stats <- add(look$plain_stats, NULL)
    look$weighted_stats <- add(look$weighted_stats, rows$weights)
    sample_rows(look, rows)
    look$rows <- look$rows + nrow(rows$x)
  }, call)
  check_look(look, call)
  kept <- seq_len(min(look$rows, sample_size))
  look$sample <- look$sample[kept, , drop = FALSE]
  look$sample_weights <- look$sample_weights[kept]
  look$missing <- sum(look$rows - look$observed)
  look$plain <- native_mixture_moments(look$plain_stats, look$guess, call)
  look$total <- total_of(look$weighted_stats, look$guess, call)
  observed_moments(look)
  look
}

check_look <- function(look, call) {
  if (look$rows == 0) {
    abort_data("`x` has no rows.", c(i = "Every pass over a source must begin anew."), call = call)
  }
  unseen <- which(look$observed == 0)
  if (length(unseen) > 0L) {
    abort_unobserved(look$layout$variables[[unseen[[1L]]]], call)
  }
  if (is.null(look$weighted_stats)) {
    abort_argument("weights", "must not all be zero.", NULL, call)
  }
}

# One component with independent variables, as the first rows have them.
crude_guess <- function(x) {
  d <- ncol(x)
  means <- colMeans(x, na.rm = TRUE)
  variances <- apply(x, 2L, stats::var, na.rm = TRUE)
  means[!is.finite(means)] <- 0
  variances[!is.finite(variances) | variances <= 0] <- 1
  one_component(means, diag(variances, d))
}

one_component <- function(mean, covariance) {
  d <- length(mean)
  list(
    model = if (d == 1L) "V" else "VVV", weights = 1, means = matrix(mean, 1L),
    covariances = array(covariance, c(d, d, 1L)), noise = NULL
  )
}

# `stats` with those of more rows added; rows without weight change nothing.
add_rows <- function(stats, x, weights, at, threads, call) {
  if (!is.null(weights) && !any(weights > 0)) {
    return(stats)
  }
  native_mixture_stats_merge(stats, native_mixture_expect(x, weights, at, threads, call), call)
}

sum_of <- function(sum, terms) if (is.null(sum)) terms else sum + terms

widen <- function(ranges, x) {
  # A column that is missing in the whole block has no range.
  here <- suppressWarnings(column_ranges(x))
  if (is.null(ranges)) {
    return(here)
  }
  rbind(pmin(ranges[1L, ], here[1L, ]), pmax(ranges[2L, ], here[2L, ]))
}

# Mean, scatter and weight of rows from their statistics at a mixture of one component.
total_of <- function(stats, at, call) {
  moments <- native_mixture_moments(stats, at, call)
  list(mean = moments$means[1L, ], scatter = moments$scatter, total_weight = stats$total_weight)
}

# Mean and variance of the observed values of each column, without weights. In the statistics a
# missing value counts as the guess, with the variance of the guess.
observed_moments <- function(look) {
  guess <- look$guess
  seen <- look$observed
  from_guess <- look$plain$means[1L, ] - guess$means[1L, ]
  filled <- (look$rows - seen) * diag(as.matrix(guess$covariances[, , 1L]))
  squares <- diag(look$plain$scatter) + look$rows * from_guess^2 - filled
  shift <- from_guess * look$rows / seen
  look$means <- guess$means[1L, ] + shift
  look$variances <- pmax(squares - seen * shift^2, 0) / (seen - 1)
}

# A simple random sample of the rows (Vitter's reservoir, algorithm R): row i replaces a random one
# of those kept with probability size / i. It depends on the rows and R's generator, not on the
# blocks.
sample_rows <- function(look, rows) {
  if (is.null(look$sample)) {
    look$sample <- matrix(NA_real_, sample_size, ncol(rows$x))
    if (!is.null(rows$weights)) look$sample_weights <- rep(NA_real_, sample_size)
  }
  place <- look$rows + seq_len(nrow(rows$x))
  late <- place > sample_size
  place[late] <- ceiling(stats::runif(sum(late)) * place[late])
  kept <- which(place <= sample_size)
  kept <- kept[!duplicated(place[kept], fromLast = TRUE)]
  look$sample[place[kept], ] <- rows$x[kept, ]
  if (!is.null(rows$weights)) look$sample_weights[place[kept]] <- rows$weights[kept]
}

# Total scatter about the means of all rows, with the means in place of missing values, and the
# ranges along `axes`, if any.
second_look <- function(look, chunks, axes, threads, call) {
  spread <- look$variances
  spread[!is.finite(spread) | spread <= 0] <- 1
  at <- one_component(look$means, diag(spread, length(spread)))
  stats <- NULL
  read_rows(look, chunks, function(rows) {
    x <- rows$x
    if (!is.null(axes)) {
      look$principal_ranges <- widen(look$principal_ranges, sweep(x, 2L, look$means) %*% axes)
    }
    holes <- is.na(x)
    x[holes] <- look$means[col(x)[holes]]
    stats <<- add_rows(stats, x, rows$weights, at, threads, call)
  }, call)
  look$total <- total_of(stats, at, call)
}

# A further pass: `visit()` sees the rows of every block. They must be as many as in the first pass.
read_rows <- function(look, chunks, visit, call) {
  count <- 0
  read_pass(chunks, function(block) {
    rows <- block_rows(block, look$layout, call)
    count <<- count + nrow(rows$x)
    if (nrow(rows$x) > 0L) visit(rows)
  }, call)
  if (count != look$rows) {
    abort_source(
      "The source does not give the same rows in every pass.",
      paste0("The first pass had ", look$rows, " rows, a later one ", count, "."),
      call
    )
  }
}

# Every k and model on the whole source: list(table, fit, warnings), as native_mixture_search() has
# them.
search_chunks <- function(chunks, look, problem, call) {
  threads <- problem$control$threads
  expect <- function(at) {
    stats <- NULL
    read_rows(look, chunks, function(rows) {
      stats <<- add_rows(stats, rows$x, rows$weights, at, threads, call)
    }, call)
    stats
  }
  cells <- fit_chunked_cells(expect, look, problem, call)
  fitted <- cells$fitted
  sound <- vapply(fitted, function(one) is_sound(one$fit), NA)
  if (problem$select == "ICL" && any(sound)) {
    fitted[sound] <- chunked_icl(fitted[sound], look, chunks, problem, call)
  }
  alone <- length(fitted) == 1L
  table <- do.call(rbind, lapply(fitted, cell_row, alone = alone))
  best <- if (alone) 1L else which.min(table[[tolower(problem$select)]])
  fit <- if (length(best) > 0L) fitted[[best]]$fit
  # The choice is not the best of all cells when some of them were not fitted.
  if (cells$interrupted && !is.null(fit)) fit$status <- "interrupted"
  warnings <- unlist(lapply(fitted, `[[`, "warnings"), recursive = FALSE)
  list(table = table, fit = fit, warnings = warnings)
}

# The cells in the order of the table, up to an interrupt: list(fitted, interrupted).
fit_chunked_cells <- function(expect, look, problem, call) {
  total <- c(look$total, rows = look$rows)
  cells <- expand.grid(model = problem$models, k = problem$k, stringsAsFactors = FALSE)
  fitted <- list()
  interrupted <- FALSE
  for (cell in seq_len(nrow(cells))) {
    one <- tryCatch(
      fit_chunked_cell(cells$k[[cell]], cells$model[[cell]], expect, look, total, problem, call),
      interrupt = function(interrupt) NULL
    )
    fitted <- c(fitted, list(one)[!is.null(one)])
    interrupted <- is.null(one) || identical(one$fit$status, "interrupted")
    if (interrupted) break
  }
  if (length(fitted) == 0L) rlang::interrupt()
  list(fitted = fitted, interrupted = interrupted)
}

# One cell: list(k, model, fit = the core's fit or NULL, message = why there is none, warnings).
fit_chunked_cell <- function(k, model, expect, look, total, problem, call) {
  failed <- function(message) list(k = k, model = model, message = message)
  start <- chunked_start(k, model, look$design, problem, call)
  if (is.character(start)) {
    return(failed(start))
  }
  rules <- mixture_rules(problem$known, problem$prior, problem$floor, start$noise, total)
  run <- tryCatch(
    em_on_statistics(start, rules, expect, problem$control, call),
    ember_error = function(error) if (inherits(error, no_answer)) error else stop(error)
  )
  if (inherits(run, "ember_error")) {
    return(failed(conditionMessage(run)))
  }
  c(list(k = k, model = model), run)
}

# Starting parameters of a cell: given ones, or those of a search on the sample; a text says why
# there are none.
chunked_start <- function(k, model, design, problem, call) {
  if (is.list(problem$start)) {
    noise <- problem$noise
    if (!is.null(noise)) noise$weight <- 1 - sum(problem$start$weights)
    return(c(list(model = model, noise = noise), problem$start))
  }
  control <- problem$control
  control$progress <- FALSE
  found <- native_mixture_search(
    design$x, design$weights, k, model, "BIC", problem$start, problem$n_starts, problem$known,
    problem$noise, problem$prior, problem$floor, control,
    call = call
  )
  if (is.null(found$fit)) found$table$message[[1L]] else found$fit
}

# What every M-step must respect; `total` has the mean, scatter, total weight and number of all
# rows.
mixture_rules <- function(known, prior, floor, noise, total) {
  list(
    known = known, prior = native_prior(prior, length(total$mean)), floor = floor, noise = noise,
    mean = as.double(total$mean), scatter = as.double(total$scatter),
    total_weight = total$total_weight, rows = as.double(total$rows)
  )
}

# EM from `start` with `expect(at)`, which returns the core's statistics of all rows at parameters:
# list(fit, warnings). Errors of `expect()` are raised as they were.
em_on_statistics <- function(start, rules, expect, control, call) {
  run <- new.env(parent = emptyenv())
  run$warnings <- list()
  run$extrapolated <- FALSE
  run$step <- "expect"
  step <- function(at) {
    # The driver takes an error for a bad extrapolation and goes on; but a source that failed has
    # failed.
    if (!is.null(run$error) && !inherits(run$error, no_answer)) stop(run$error)
    expect(at)
  }
  fit <- tryCatch(
    native_mixture_fit_stats(start, rules, guard(step, run), control, call),
    ember_error_callback = function(error) stop(if (is.null(run$error)) error else run$error)
  )
  fit$bic <- fit$parameters * log(rules$total_weight) - 2 * fit$log_lik
  list(fit = fit, warnings = run$warnings)
}

# Classes of error that say something of the parameters, not of the rows.
no_answer <- paste0("ember_error_", c("degenerate", "numerical", "not_positive_definite"))

is_sound <- function(fit) !is.null(fit) && fit$status != "degenerate"

cell_row <- function(cell, alone) {
  fit <- cell$fit
  shown <- is_sound(fit) || alone && !is.null(fit)
  size <- if (shown) fit$parameters else NA_real_
  loglik <- if (shown) fit$log_lik else NaN
  data.frame(
    k = cell$k, model = cell$model, log_lik = loglik, parameters = size, aic = 2 * (size - loglik),
    bic = if (shown) fit$bic else NaN, icl = if (is.null(cell$icl)) NA_real_ else cell$icl,
    status = if (is.null(fit)) "degenerate" else fit$status,
    message = if (is.null(fit)) cell$message else fit$message,
    component = if (is.null(fit)) 0L else fit$component
  )
}

# The fitted cells with their ICL, from one more pass.
chunked_icl <- function(fitted, look, chunks, problem, call) {
  penalties <- numeric(length(fitted))
  read_rows(look, chunks, function(rows) {
    weights <- if (is.null(rows$weights)) 1 else rows$weights
    for (cell in seq_along(fitted)) {
      at <- c(fitted[[cell]]$fit, list(control = problem$control))
      posterior <- native_mixture_posterior(rows$x, at, call)$posterior
      certainty <- log(apply(matrix(posterior, nrow(rows$x)), 1L, max))
      penalties[[cell]] <<- penalties[[cell]] + sum(weights * certainty)
    }
  }, call)
  Map(function(cell, penalty) {
    cell$icl <- cell$fit$bic - 2 * penalty
    cell
  }, fitted, penalties)
}
