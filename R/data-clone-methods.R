# Answers about a fit of data_clone(): estimates, errors, draws, print() and summary().

#' Answers about a fit by data cloning
#'
#' Estimates are means of the draws with the most clones, their covariance matrix is K times that of
#' the draws, and intervals are normal: \eqn{\mathrm{mean} \pm z \times \mathrm{DC\ SD}}, with
#' \eqn{\mathrm{DC\ SD} = \sqrt{K}\,\mathrm{sd}} (Lele, Dennis and Lutscher 2007).
#'
#' @details
#' The posterior with one clone (`clones = 1`) is an ordinary Bayesian one; its intervals are
#' `quantile(fit, c(0.025, 0.975), clones = 1)`.
#'
#' `update()` with other `clones`, or a larger `n_iter` and nothing else, keeps the draws there are:
#' only what is missing is run. New draws continue the chains. Any other change fits anew.
#'
#' `logLik()` is `NA`: data cloning does not compute the likelihood. Use [lmm()] or [glmm()].
#'
#' @param object,x,formula A fit of [data_clone()].
#' @param parameters,parm Names of the parameters; by default all, derived ones included.
#' @param clones Which number of clones; by default the largest of the fit.
#' @param level Confidence level.
#' @param probs Probabilities of the quantiles.
#' @param digits Significant digits.
#' @param formula. Changes of the formula, as in [stats::update()].
#' @param evaluate Fit, or return the call only?
#' @param ... For `update()` arguments of [data_clone()] that change; otherwise not used.
#' @returns
#' * `coef()`: named estimates; `fixef()`: those of the fixed effects; `VarCorr()`: the covariance
#'   matrices of the random effects at the estimates, as for [lmm()][VarCorr.ember_mixed].
#' * `vcov()`: covariance matrix; `confint()`: matrix with a row for each parameter; `quantile()`:
#'   matrix with the quantiles of the draws.
#' * `as.mcmc.list()`: the draws, an object of package coda, with the number of clones in attribute
#'   `n.clones`.
#' * `nobs()`, `formula()`, `family()`, `model.frame()`: what was fitted.
#' * `summary()`: an object of class `summary.ember_clone`, a list with `coefficients` (matrix:
#'   `Mean`, `SD`, `DC SD`, `R hat`, `ESS`, `MC error` of the mean), `diagnostics` (the columns of
#'   [dc_diag()], and `asymptotic`, what lambda.max would be by the information at the maximum),
#'   `verdict` (of [estimability()]), `prior`, `accuracy` (of the collapsed sampler without Gaussian
#'   responses: `nodes` of the quadrature and `error` of the log-likelihood), `acceptance` (rates,
#'   chains x numbers of clones).
#' @references
#' Lele, S. R., Dennis, B. and Lutscher, F. (2007). Data cloning: easy maximum likelihood estimation
#' for complex ecological models using Bayesian Markov chain Monte Carlo methods. *Ecology Letters*
#' 10, 551-563.
#' @examples
#' set.seed(1)
#' fit <- data_clone(
#'   score ~ Machine + (1 | Worker), data = nlme::Machines, clones = c(1, 5, 25)
#' )
#' coef(fit)
#' confint(fit)
#' quantile(fit, clones = 1)
#' fit <- update(fit, clones = c(1, 5, 25, 50))
#' summary(fit)
#' @name ember_clone_methods
NULL

check_clone_fit <- function(fit, call) {
  if (!inherits(fit, "ember_clone")) {
    abort_argument(
      "fit", "must be a fit of `data_clone()`.",
      c(x = paste0("It is ", describe_object(fit), ".")), call
    )
  }
}

# Names of all that is monitored; of the parameters of the model, but for the many effects of the
# model without smoothing; and of these and the derived ones.
parameter_names <- function(fit) c(fit$table$name, names(fit$derived))

base_parameters <- function(fit) fit$table$name[fit$table$kind != "level"]

shown_parameters <- function(fit) c(base_parameters(fit), names(fit$derived))

# The run with this number of clones; NULL is the largest.
clone_run_of <- function(fit, clones, call) {
  if (is.null(clones)) {
    return(fit$runs[[length(fit$runs)]])
  }
  if (!is_number(clones) || !clones %in% fit$clones) {
    abort_argument(
      "clones", "must be one of the numbers of clones of the fit.",
      c(i = paste0("They are ", toString(fit$clones), ".")), call
    )
  }
  fit$runs[[match(clones, fit$clones)]]
}

# list(clones, draws (mcmc.list of the chosen parameters)).
chosen_draws <- function(fit, parameters, clones, call) {
  all <- parameter_names(fit)
  names <- monitored_parameters(parameters, all, shown_parameters(fit), call)
  run <- clone_run_of(fit, clones, call)
  draws <- run$draws[, names, drop = FALSE]
  if (length(names) == 1L) draws <- keep_name(run$draws, names)
  list(clones = run$clones, draws = draws)
}

# One parameter as a matrix: coda would drop its name.
keep_name <- function(draws, name) {
  coda::as.mcmc.list(lapply(draws, function(chain) {
    coda::mcmc(
      matrix(unclass(chain)[, name], dimnames = list(NULL, name)), stats::start(chain),
      thin = coda::thin(chain)
    )
  }))
}

#' @importFrom coda as.mcmc.list
#' @export
coda::as.mcmc.list

#' @rdname ember_clone_methods
#' @export
#' @method as.mcmc.list ember_clone
as.mcmc.list.ember_clone <- function(x, parameters = NULL, clones = NULL, ...) {
  chosen <- chosen_draws(x, parameters, clones, rlang::current_env())
  structure(chosen$draws, n.clones = chosen$clones)
}

#' @rdname ember_clone_methods
#' @export
coef.ember_clone <- function(object, parameters = NULL, clones = NULL, ...) {
  colMeans(as.matrix(chosen_draws(object, parameters, clones, rlang::current_env())$draws))
}

#' @rdname ember_clone_methods
#' @export
vcov.ember_clone <- function(object, parameters = NULL, clones = NULL, ...) {
  chosen <- chosen_draws(object, parameters, clones, rlang::current_env())
  chosen$clones * stats::var(as.matrix(chosen$draws))
}

#' @rdname ember_clone_methods
#' @export
confint.ember_clone <- function(object, parm = NULL, level = 0.95, clones = NULL, ...) {
  call <- rlang::current_env()
  check_level(level, call)
  if (is.numeric(parm)) parm <- shown_parameters(object)[parm]
  chosen <- chosen_draws(object, parm, clones, call)
  stacked <- as.matrix(chosen$draws)
  tails <- c((1 - level) / 2, (1 + level) / 2)
  errors <- sqrt(chosen$clones) * apply(stacked, 2L, stats::sd)
  limits <- colMeans(stacked) + errors %o% stats::qnorm(tails)
  dimnames(limits) <- list(colnames(stacked), percent_names(level))
  limits
}

#' @rdname ember_clone_methods
#' @importFrom stats quantile
#' @export
quantile.ember_clone <- function(x, probs = c(0.025, 0.25, 0.5, 0.75, 0.975), parameters = NULL,
                                 clones = NULL, ...) {
  call <- rlang::current_env()
  if (!is.numeric(probs) || length(probs) == 0L || anyNA(probs) || any(probs < 0 | probs > 1)) {
    abort_argument("probs", "must be numbers from 0 to 1.", NULL, call)
  }
  stacked <- as.matrix(chosen_draws(x, parameters, clones, call)$draws)
  table <- apply(stacked, 2L, stats::quantile, probs = probs, simplify = FALSE)
  do.call(rbind, table)
}

#' @rdname ember_clone_methods
#' @export
fixef.ember_clone <- function(object, ...) {
  stats::coef(object)[object$table$name[object$table$kind == "fixed"]]
}

#' @rdname ember_clone_methods
#' @export
VarCorr.ember_clone <- function(x, ...) { # nolint: object_name_linter.
  estimates <- stats::coef(x)
  table <- x$table
  blocks <- lapply(seq_along(x$random), function(k) {
    own <- table[table$block == k, ]
    names <- x$random[[k]]$names
    covariance <- matrix(0, length(names), length(names), dimnames = list(names, names))
    covariance[cbind(own$row, own$column)] <- estimates[own$name]
    covariance[cbind(own$column, own$row)] <- estimates[own$name]
    covariance_block(covariance)
  })
  names(blocks) <- vapply(x$random, `[[`, "", "label")
  residual <- table$name[table$kind == "residual"]
  sigma <- if (length(residual) > 0L) sqrt(estimates[[residual]]) else 1
  structure(
    blocks[table_blocks(table)], sc = sigma, useSc = length(residual) > 0L, class = "ember_varcorr"
  )
}

# Numbers of the random terms that have a covariance matrix.
table_blocks <- function(table) unique(table$block[table$block > 0L])

#' @rdname ember_clone_methods
#' @export
formula.ember_clone <- function(x, ...) x$formula

#' @rdname ember_clone_methods
#' @export
family.ember_clone <- function(object, ...) object$family

#' @rdname ember_clone_methods
#' @export
model.frame.ember_clone <- function(formula, ...) formula$frame

# ---- more of the same

#' @rdname ember_clone_methods
#' @importFrom stats update
#' @export
update.ember_clone <- function(object, formula. = NULL, ..., # nolint: object_name_linter.
                               evaluate = TRUE) {
  here <- rlang::current_env()
  call <- object$call
  changes <- match.call(expand.dots = FALSE)$...
  if (!is.null(formula.)) call$formula <- stats::update.formula(object$formula, formula.)
  for (name in names(changes)) call[[name]] <- changes[[name]]
  if (!evaluate) {
    return(call)
  }
  if (is.null(formula.) && all(names(changes) %in% c("clones", "n_iter", "seed", "cores"))) {
    fit <- extend_clone(object, list(...), here)
    if (!is.null(fit)) {
      fit$call <- call
      warn_clone(fit, here)
      return(fit)
    }
  }
  eval(call, rlang::caller_env())
}

# The fit with more draws or other numbers of clones; NULL where its draws cannot be used.
extend_clone <- function(fit, changes, call) {
  clones <- if (is.null(changes$clones)) fit$asked else check_clones(changes$clones, call)
  n_iter <- if (is.null(changes$n_iter)) fit$mcmc$iterations else changes$n_iter
  cores <- if (is.null(changes$cores)) fit$mcmc$threads else changes$cores
  mcmc <- check_mcmc(
    n_iter, fit$mcmc$burn_in, fit$mcmc$chains, fit$mcmc$thin, cores, call
  )
  if (n_iter < fit$mcmc$iterations || fit$sampler == "independent") {
    return(NULL)
  }
  seeds <- run_seeds(length(clones) + 1L, check_seed(changes$seed, call))
  fit$runs <- fit$runs[fit$clones %in% clones]
  fit$clones <- intersect(fit$clones, clones)
  fit$mcmc <- mcmc
  fit$rows <- mixed_rows(fit)
  for (k in seq_along(fit$runs)) {
    fit$runs[[k]] <- continue_run(fit, fit$runs[[k]], seeds[[match(fit$clones[[k]], clones)]], call)
  }
  missing <- setdiff(clones, fit$clones)
  run_all_clones(fit, missing, seeds[match(missing, clones)], call)
}

# Runs on from the last draws until each chain has as many iterations as the fit asks for.
continue_run <- function(fit, run, seed, call) {
  done <- coda::niter(run$draws) * fit$mcmc$thin
  more <- (fit$mcmc$iterations - done) %/% fit$mcmc$thin * fit$mcmc$thin
  if (more < fit$mcmc$thin) {
    return(run)
  }
  last <- do.call(rbind, lapply(run$draws, function(chain) {
    unclass(chain)[coda::niter(chain), fit$table$name]
  }))
  colnames(last) <- fit$table$name
  mcmc <- fit$mcmc
  mcmc[c("iterations", "burn_in", "chains")] <- list(more, 0, nrow(last))
  mcmc$start <- unname(last)
  added <- run_clones(fit, run$clones, seed, mcmc, call)
  if (is.null(added) || length(added$draws) != length(run$draws)) {
    return(run)
  }
  first <- stats::start(run$draws)
  run$draws <- coda::as.mcmc.list(Map(function(old, new) {
    coda::mcmc(rbind(unclass(old), unclass(new)), first, thin = fit$mcmc$thin)
  }, unclass(run$draws), unclass(added$draws)))
  run$interrupted <- added$interrupted
  run$iterations <- run$iterations + added$iterations
  run
}

# ---- print and summary

#' @rdname ember_clone_methods
#' @export
print.ember_clone <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  print_clone_head(x)
  cat("\nEstimates with ", count_words(max(x$clones), "clone"), ":\n", sep = "")
  print(estimate_table(x)[, c("Mean", "DC SD", "R hat"), drop = FALSE], digits = digits)
  print_clone_remarks(x, estimability(x))
  invisible(x)
}

print_clone_head <- function(x) {
  cat(title_line(clone_title(x), class(x)[[1L]]), model_lines(x), sep = "\n")
  cat(sampling_lines(x), sep = "\n")
  levels <- vapply(x$random, function(term) length(term$levels), 0L)
  groups <- vapply(x$random, `[[`, "", "group")
  kept <- !duplicated(groups)
  cat(filled(
    sprintf("Number of obs: %d, groups: ", as.integer(x$nobs)),
    paste(paste(groups[kept], levels[kept], sep = ", "), collapse = "; ")
  ), sep = "\n")
}

clone_title <- function(fit) {
  kind <- if (fit$sampler == "independent") {
    "Linear model with independent effects"
  } else if (fit$family$family == "gaussian") {
    "Linear mixed model"
  } else {
    paste0("Generalized linear mixed model (", fit$family$family, ", ", fit$family$link, ")")
  }
  paste(kind, "fitted by data cloning")
}

sampling_lines <- function(fit) {
  run <- fit$runs[[length(fit$runs)]]
  filled(
    "Clones: ", paste0(toString(fit$clones), ";"),
    count_words(length(run$draws), "chain"), "of", count_words(coda::niter(run$draws), "draw"),
    paste0("(burn-in ", fit$mcmc$burn_in, if (fit$mcmc$thin > 1) paste0(", thin ", fit$mcmc$thin),
      "), ", fit$sampler, " sampler"
    )
  )
}

# A row per monitored parameter.
estimate_table <- function(fit, clones = NULL) {
  chosen <- chosen_draws(fit, NULL, clones, rlang::current_env())
  stacked <- as.matrix(chosen$draws)
  sd <- apply(stacked, 2L, stats::sd)
  size <- effective_size(chosen$draws)
  cbind(
    Mean = colMeans(stacked), SD = sd, "DC SD" = sqrt(chosen$clones) * sd,
    "R hat" = chain_rhat(chosen$draws), ESS = size, "MC error" = sd / sqrt(size)
  )
}

print_clone_remarks <- function(fit, verdict) {
  lines <- c(verdict$words, clone_status_words(fit))
  cat("", strwrap(lines, width = 0.95 * getOption("width")), sep = "\n")
}

clone_status_words <- function(fit) {
  mixing <- poorly_mixed(fit)
  failed <- sum(vapply(fit$runs, function(run) sum(!is.na(run$failures)), 0L))
  c(
    if (fit$status == "interrupted") {
      paste0(
        "INTERRUPTED: the fit holds what was drawn",
        if (length(fit$clones) < length(fit$asked)) {
          paste0("; not run: ", toString(setdiff(fit$asked, fit$clones)), " clones")
        }, "."
      )
    },
    if (nrow(mixing) > 0L) {
      paste0(
        "NOT mixed: R-hat is above ", largest_rhat, " for ",
        paste0(unique(mixing$parameter), collapse = ", "), " (up to ",
        format(max(mixing$rhat), digits = 3L), "). Raise `n_burnin` and `n_iter`."
      )
    },
    if (failed > 0L) paste0(count_words(failed, "chain"), " failed and left out.")
  )
}

#' @rdname ember_clone_methods
#' @export
summary.ember_clone <- function(object, clones = NULL, ...) {
  run <- clone_run_of(object, clones, rlang::current_env())
  structure(
    list(
      coefficients = estimate_table(object, clones), clones = run$clones,
      diagnostics = data.frame(dc_diag(object), asymptotic = asymptotic_lambda(object)),
      verdict = estimability(object), prior = object$prior, accuracy = run$accuracy,
      acceptance = vapply(object$runs, function(run) mean(run$acceptance), 0),
      call = object$call, fit = object
    ),
    class = "summary.ember_clone"
  )
}

# lambda.max by the inverse information at the maximum, over K; NA without a regular maximum.
asymptotic_lambda <- function(fit) {
  covariance <- information_vcov(fit)
  largest <- if (is.null(covariance)) NA_real_ else largest_eigenvalue(covariance)
  largest / fit$clones
}

# The inverse information of the natural parameters, from the curvature of the posterior with the
# most clones at its mode; NULL without a regular maximum.
information_vcov <- function(fit) {
  run <- fit$runs[[length(fit$runs)]]
  singular <- is.null(fit$start) || length(fit$start$singular) > 0L
  if (singular || is.null(run$mode) || !isTRUE(run$mode$regular)) {
    return(NULL)
  }
  covariance <- run$clones * run$mode$covariance
  structure(covariance, dimnames = list(fit$table$name, fit$table$name))
}

#' @rdname ember_clone_methods
#' @export
print.summary.ember_clone <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  print_clone_head(x$fit)
  cat("\nPosterior with ", count_words(x$clones, "clone"), ":\n", sep = "")
  table <- x$coefficients
  table[, "ESS"] <- round(table[, "ESS"])
  print(table, digits = digits)
  cat("\nDiagnostics by number of clones:\n")
  diagnostics <- x$diagnostics
  if (all(is.na(diagnostics$asymptotic))) diagnostics$asymptotic <- NULL
  print(diagnostics, digits = digits, row.names = FALSE)
  print_accuracy(x$accuracy)
  cat("\nPriors:\n")
  print(x$prior)
  print_clone_remarks(x$fit, x$verdict)
  invisible(x)
}

# The collapsed sampler of a generalized model integrates numerically: list(nodes, error) of log L.
print_accuracy <- function(accuracy) {
  if (!is.null(accuracy)) {
    cat(
      "\nLog-likelihood by quadrature with ", count_words(accuracy$nodes, "node"),
      "; error about ", format(accuracy$error, digits = 1L), "\n", sep = ""
    )
  }
}
