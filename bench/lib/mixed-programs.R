# The two programs, each task as a function without arguments.

fit_of <- function(program, formula, data, threads, family = NULL) {
  fitters <- switch(program,
    ember = list(linear = ember::lmm, generalized = ember::glmm),
    lme4 = list(linear = lme4::lmer, generalized = lme4::glmer)
  )
  control <- if (program == "ember") list(control = ember::em_control(threads = threads))
  further <- c(if (!is.null(family)) list(family = family), control)
  fitter <- fitters[[if (is.null(family)) "linear" else "generalized"]]
  function() do.call(fitter, c(list(formula, quote(data)), further))
}

# A fit of the same model to another response, as a loop over bootstrap samples does it.
refit_of <- function(program, fit) {
  set.seed(1)
  response <- stats::simulate(fit, 1L)[[1L]]
  switch(program, ember = ember::refit, lme4 = lme4::refit)
  function() if (program == "ember") ember::refit(fit, response) else lme4::refit(fit, response)
}

# The criterion at 40 points near the optimum: ember takes them in one call, lme4 one by one.
evaluation_of <- function(program, fit) {
  get_me <- switch(program, ember = ember::getME, lme4 = lme4::getME)
  criterion <- get_me(fit, "devfun")
  points <- t(outer(get_me(fit, "theta"), 1 + 1e-4 * sin(1:40)))
  function() if (program == "ember") criterion(points) else apply(points, 1L, criterion)
}

# 1000 samples: the time of one is a thousandth of it.
bootstrap_of <- function(program, fit) {
  stopifnot(program == "ember")
  function() ember::bootstrap(fit, replicates = 1000L)
}

kenward_roger_of <- function(program, fit) {
  stopifnot(program == "ember")
  function() summary(fit, ddf = "Kenward-Roger")
}

tasks <- list(
  refit = refit_of, evaluation = evaluation_of, bootstrap = bootstrap_of,
  kenward_roger = kenward_roger_of
)

facts_of <- function(program, fit) {
  evaluations <- if (program == "ember") fit$passes else fit@optinfo$feval
  list(criterion = -2 * as.numeric(stats::logLik(fit)), evaluations = evaluations)
}
