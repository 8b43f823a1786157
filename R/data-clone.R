#' Maximum likelihood by data cloning
#'
#' Fits the models of [lmm()] and [glmm()] by Markov chain Monte Carlo on K copies ("clones") of the
#' data. The more clones, the less the prior matters: the mean of the posterior tends to the maximum
#' likelihood estimate, and K times its variance to the inverse Fisher information. How fast the
#' variance falls with K tells whether the data can estimate the parameters at all, which no other
#' method says: see [estimability()].
#'
#' @inheritParams lmm
#' @param family The distribution of the response and its link: [gaussian()], or what [glmm()]
#'   takes.
#' @param clones Numbers of clones, increasing whole numbers. `1` is an ordinary Bayesian fit. The
#'   estimates are those of the last; the others show how the variance falls.
#' @param prior A list of two-sided formulas such as `log(sigma) ~ normal(0, 10)`, see Details. What
#'   is not named has its default.
#' @param n_iter Iterations of each chain after burn-in, for every number of clones.
#' @param n_burnin Iterations that are thrown away first.
#' @param n_chains Number of chains; at least two are needed for R-hat.
#' @param thin Keep every `thin`-th iteration.
#' @param cores Threads; the draws do not depend on it.
#' @param seed `NULL`: the draws depend on [set.seed()]. A whole number: they depend on this number,
#'   and the generator of your session is left where it is.
#' @param sampler `"collapsed"` (random effects integrated out, at a cost that does not grow with
#'   K), `"gibbs"` (for Gaussian responses a Gibbs sampler on the sufficient statistics of the
#'   clones; for others real clones), or `"independent"`, the model without smoothing, see Details.
#'   `"auto"` is collapsed for Gaussian responses, real clones for others.
#' @param derived Functions of the parameters to monitor like the others: a named list of one-sided
#'   formulas, `list(sum = ~ sigma_sq + tau_sq)`. `sigma` and `tau` are the standard deviations.
#' @param control Tolerances of the fit that the chains start from, and `progress`: [em_control()].
#'
#' @details
#' ## Parameters
#'
#' Fixed effects have the names of [lmm()]; `sigma_sq` is the residual variance. A single variance
#' of random effects is `tau_sq`. Where there are several, that of the intercepts of `g` is
#' `tau_sq[g]`, that of the effects of `x` `tau_sq[g,x]`, and a covariance `tau[g,(Intercept),x]`.
#' `shape` is that of a negative binomial or Gamma response.
#'
#' ## Priors
#'
#' On the left of a prior is a parameter on the scale of your choice:
#'
#' | left | parameter |
#' |:-----|:----------|
#' | `beta`, `` `(Intercept)` ``, `x` | all fixed effects, or the one of this name |
#' | `sigma`, `sigma^2`, `log(sigma)`, `1/sigma^2` | residual standard deviation, variance, ... |
#' | `tau`, `tau[g]`, `tau[g, x]`, `tau^2`, ... | of random effects: all, of a group, one |
#' | `rho`, `rho[g]` | correlations of random effects |
#' | `shape`, `log(shape)`, `1/shape` | shape |
#'
#' On the right is a distribution: `normal(mean, sd)`, `uniform(lower, upper)`,
#' `gamma(shape, rate)`, `inverse_gamma(shape, scale)`, `half_cauchy(scale)`, `half_normal(sd)`,
#' `exponential(rate)`, `flat()`, and for correlations `lkj(eta)`. If two formulas are about one
#' parameter, the last counts.
#'
#' By default logs of standard deviations and of the shape are normal with mean 0 and standard
#' deviation 31.6 (precision 0.001), correlations uniform, and fixed effects normal with mean 0. The
#' standard deviation of the latter is a hundred times the root mean square of the response (on the
#' scale of the link, at least 1) divided by the standard deviation of the predictor. `prior(fit)`
#' shows what was used, [prior_influence()] whether it mattered.
#'
#' ## Without smoothing
#'
#' `sampler = "independent"` gives every group an effect of its own, `alpha[level]`, with a vague
#' prior (`alpha ~ normal(0, 31.6)`) instead of a distribution that is estimated (Neyman and Scott
#' 1948). Only the prior tells the intercept from the mean of the effects, and chains that sample
#' one parameter at a time, as those of JAGS, hardly move: it is for teaching. The effects are shown
#' where `parameters` names them.
#'
#' ## As many groups as rows
#'
#' [lmm()] refuses a model with one row in each group, whose two variances cannot be told apart.
#' Data cloning samples from it, and [estimability()] names what can be estimated: their sum.
#'
#' @returns An object of class `ember_clone` (and `ember_fit`). Use its methods: `summary()`,
#'   `coef()`, `vcov()`, `confint()`, `quantile()`, `plot()`, `pairs()`, `ranef()`, `predict()`,
#'   `update()`, [dc_diag()], [dc_table()], [estimability()], [prior_influence()],
#'   [compare_fits()]; `coda::as.mcmc.list()` has the draws.
#'
#' @section Errors and warnings:
#' An argument that cannot be used is an `ember_error_argument` that names it. Chains that have not
#' mixed (R-hat above 1.1) are a warning `ember_warning_mixing`. A chain that fails is left out with
#' a warning `ember_warning_chain`. Ctrl-C keeps what was drawn, with a warning
#' `ember_warning_interrupted`.
#'
#' @references
#' Lele, S. R., Dennis, B. and Lutscher, F. (2007). Data cloning: easy maximum likelihood estimation
#' for complex ecological models using Bayesian Markov chain Monte Carlo methods. *Ecology Letters*
#' 10, 551-563.
#'
#' Lele, S. R., Nadeem, K. and Schmuland, B. (2010). Estimability and likelihood inference for
#' generalized linear mixed models using data cloning. *Journal of the American Statistical
#' Association* 105, 1617-1625.
#'
#' Neyman, J. and Scott, E. L. (1948). Consistent estimates based on partially consistent
#' observations. *Econometrica* 16, 1-32.
#' @seealso `vignette("data-cloning")`.
#' @export
#' @examples
#' set.seed(1)
#' fit <- data_clone(
#'   score ~ Machine + (1 | Worker), data = nlme::Machines, clones = c(1, 5, 25),
#'   derived = list(share = ~ tau_sq / (tau_sq + sigma_sq))
#' )
#' summary(fit)
#' dc_diag(fit)
#' confint(fit)
data_clone <- function(formula, data = NULL, family = stats::gaussian(),
                       clones = c(1, 10, 25, 50), prior = NULL, n_iter = 1000, n_burnin = 500,
                       n_chains = 3, thin = 1, cores = control$threads, seed = NULL,
                       sampler = c("auto", "collapsed", "gibbs", "independent"), derived = list(),
                       weights, offset, subset, na.action = getOption("na.action"), # nolint
                       contrasts = NULL, control = em_control(), ...) {
  call <- match.call()
  here <- rlang::current_env()
  caller <- rlang::caller_env()
  check_no_dots(..., call = here)
  check_formula_given(missing(formula), here)
  check_control(control, here)
  sampler <- match_choice("sampler", here)
  clones <- check_clones(clones, here)
  mcmc <- check_mcmc(n_iter, n_burnin, n_chains, thin, cores, here)
  seeds <- run_seeds(length(clones), check_seed(seed, here))
  quoted <- list(
    weights = substitute(weights), offset = substitute(offset), subset = substitute(subset)
  )
  model <- clone_model(formula, data, family, quoted, na.action, contrasts, caller, here)
  model[c("call", "control")] <- list(call, control)
  fit <- clone_plan(model, sampler, prior, derived, mcmc, here)
  fit <- run_all_clones(fit, clones, seeds, here)
  warn_clone(fit, here)
  fit
}

# What is sampled and from where: a fit without draws.
clone_plan <- function(model, sampler, formulas, derived, mcmc, call) {
  sampler <- check_sampler(sampler, model, call)
  start <- clone_start(model, call)
  kept <- names(start$beta)
  table <- if (sampler == "independent") {
    independent_table(kept, model$random[[1L]])
  } else {
    has_sigma <- model$family$family == "gaussian"
    parameter_table(kept, model$random, has_sigma, !is.null(start$shape))
  }
  prior <- clone_prior(
    formulas, prior_targets(table, model$random), fixed_prior_scale(model, kept), call
  )
  natural <- start_natural(start, model$random, table)
  check_prior_start(prior, unconstrained_draws(rbind(natural), table)[1L, ], call)
  model$design$aliased <- setdiff(model$design$columns, kept)
  plan <- list(
    sampler = sampler, table = table, derived = check_derived(derived, table, call),
    prior = prior, mcmc = mcmc, start = start$fit,
    estimates = start[names(start) != "fit"], clones = integer(), runs = list(),
    loglik = NA_real_, df = nrow(table), nobs = length(model$rows$y), component = 0L
  )
  structure(c(model, plan), class = c("ember_clone", "ember_fit"))
}

# Runs the chains for each number of clones in turn. Ends early if the user interrupts.
run_all_clones <- function(fit, clones, seeds, call) {
  asked <- sort(union(fit$clones, clones))
  for (k in seq_along(clones)) {
    run <- run_clones(fit, clones[[k]], seeds[[k]], fit$mcmc, call)
    if (is.null(run)) break
    fit$runs <- c(fit$runs, list(run))
    fit$clones <- c(fit$clones, clones[[k]])
    if (run$interrupted) break
  }
  if (length(fit$runs) == 0L) rlang::interrupt() # nothing to keep
  order <- order(fit$clones)
  fit$clones <- fit$clones[order]
  fit$runs <- fit$runs[order]
  fit$rows <- NULL
  finish_clone(fit, asked)
}

# How the fit ended; `asked` are the numbers of clones that were wanted.
finish_clone <- function(fit, asked) {
  fit$asked <- asked
  fit$iterations <- sum(vapply(fit$runs, `[[`, 0, "iterations"))
  fit$passes <- fit$iterations
  fit$beta <- fixef(fit)
  mixing <- poorly_mixed(fit)
  interrupted <- any(vapply(fit$runs, `[[`, NA, "interrupted")) ||
    length(fit$clones) < length(asked)
  fit$status <- if (interrupted) {
    "interrupted"
  } else if (nrow(mixing) > 0L) {
    "not_mixed"
  } else {
    "converged"
  }
  fit$message <- ""
  fit
}

# The draws of all chains of a run below each other, without derived parameters.
base_draws <- function(run, table) {
  do.call(rbind, lapply(run$draws, function(chain) unclass(chain)[, table$name, drop = FALSE]))
}

# The chains for one number of clones: list(clones, draws (mcmc.list), mode (of the posterior, from
# the core), acceptance, failures, interrupted, iterations); NULL if the user interrupted before
# anything was drawn.
run_clones <- function(fit, clones, seed, mcmc, call) {
  native <- native_clone_run(
    fit$rows, fit$distribution, fit$structure, fit$known, fit$prior, clones,
    fit$sampler, fit$estimates, c(mcmc, list(seed = seed, progress = fit$control$progress)), call
  )
  chains <- kept_chains(native, clones, mcmc$chains, call)
  if (is.null(chains)) {
    return(NULL)
  }
  draws <- lapply(chains, function(draw) {
    colnames(draw) <- fit$table$name
    draw <- cbind(draw, derived_draws(draw, fit$derived, fit$table, call))
    coda::mcmc(draw, start = mcmc$burn_in + mcmc$thin, thin = mcmc$thin)
  })
  list(
    clones = clones, draws = coda::as.mcmc.list(draws), mode = native$mode,
    acceptance = native$acceptance, failures = native$failures, interrupted = native$interrupted,
    accuracy = native$accuracy,
    iterations = mcmc$chains * (mcmc$burn_in + mcmc$iterations)
  )
}

# The chains that can be used, all of one length: those that failed are left out; after an
# interrupt, the choice that keeps the most draws.
kept_chains <- function(native, clones, asked, call) {
  failed <- which(!is.na(native$failures))
  if (length(failed) > 0L) report_failures(native$failures[failed], failed, asked, clones, call)
  lengths <- vapply(native$draws, nrow, 0L)
  lengths[failed] <- 0L
  sorted <- sort(lengths, decreasing = TRUE)
  kept <- sorted[[which.max(sorted * seq_along(sorted))]]
  if (kept < 2L) {
    return(NULL)
  }
  lapply(native$draws[lengths >= kept], function(draw) draw[seq_len(kept), , drop = FALSE])
}

report_failures <- function(messages, numbers, asked, clones, call) {
  details <- c(x = paste0("Chain ", numbers[[1L]], ": ", messages[[1L]]))
  if (length(numbers) == asked) {
    ember_abort(
      paste0("Every chain failed with ", count_words(clones, "clone"), "."), "sampling",
      c(details, i = "Check the scale of the variables and the prior."), call
    )
  }
  ember_warn(
    paste0(
      count_words(length(numbers), "chain"), " of ", asked, " failed with ",
      count_words(clones, "clone"), "; the others are kept."
    ), "chain", details, call
  )
}

count_words <- function(count, noun) paste0(count, " ", noun, if (count != 1L) "s")

# ---- warnings

# R-hat above which chains have not mixed.
largest_rhat <- 1.1

# Parameters whose chains disagree: data frame of `clones`, `parameter`, `rhat`.
poorly_mixed <- function(fit) {
  rows <- lapply(fit$runs, function(run) {
    rhat <- chain_rhat(run$draws)[base_parameters(fit)]
    bad <- which(is.na(rhat) | rhat > largest_rhat)
    if (length(run$draws) < 2L) bad <- integer()
    data.frame(
      clones = rep(run$clones, length(bad)), parameter = names(rhat)[bad], rhat = unname(rhat[bad])
    )
  })
  do.call(rbind, rows)
}

# Gelman and Rubin's R-hat of each parameter over all draws; NA with one chain.
chain_rhat <- function(draws) {
  if (length(draws) < 2L) {
    return(stats::setNames(rep(NA_real_, coda::nvar(draws)), coda::varnames(draws)))
  }
  psrf <- coda::gelman.diag(draws, autoburnin = FALSE, multivariate = FALSE)$psrf
  stats::setNames(psrf[, 1L], coda::varnames(draws))
}

warn_clone <- function(fit, call) {
  if (fit$status == "interrupted") {
    done <- vapply(fit$runs, function(run) coda::niter(run$draws) * length(run$draws), 0)
    ember_warn(
      "The chains were interrupted; the fit holds what was drawn.", "interrupted",
      c(
        x = paste0(
          "Draws by number of clones: ", paste0(fit$clones, " (", done, ")", collapse = ", "), "."
        ),
        i = "`update()` runs the numbers of clones that are missing."
      ), call, fit = fit
    )
  }
  mixing <- poorly_mixed(fit)
  if (nrow(mixing) > 0L) warn_mixing(fit, mixing, call)
  invisible(fit)
}

warn_mixing <- function(fit, mixing, call) {
  worst <- mixing[which.max(ifelse(is.na(mixing$rhat), Inf, mixing$rhat)), ]
  verdict <- estimability(fit)
  ember_warn(
    "The chains have not mixed.", "mixing",
    c(
      x = paste0(
        "R-hat is ", format(worst$rhat, digits = 3L), " for `", worst$parameter, "` with ",
        count_words(worst$clones, "clone"), "; it should be below ", largest_rhat, "."
      ),
      i = if (identical(verdict$estimable, FALSE)) {
        "The parameter cannot be estimated (see `estimability()`); longer chains change little."
      } else {
        paste0(
          "Raise `n_burnin` (now ", fit$mcmc$burn_in, ") and `n_iter` (now ", fit$mcmc$iterations,
          "), or thin the chains."
        )
      }
    ), call, fit = fit
  )
}
