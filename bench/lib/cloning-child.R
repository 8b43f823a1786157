# Rscript cloning-child.R herd|poisson SAMPLER REPEATS CLONES...: data_clone() with these numbers of
# clones on one thread, as many times as REPEATS. Prints the table that jags-child.R prints; `cpu`
# (median) and `wall` are of the whole call and stand with the last number of clones.
arguments <- commandArgs(TRUE)
suppressPackageStartupMessages(library(ember))
for (file in c("cloning-cases", "clock", "draws")) source(sprintf("bench/lib/%s.R", file))
name <- arguments[[1L]]
clones <- as.numeric(arguments[-(1:3)])

model <- switch(name,
  herd = list(
    formula = y ~ 1 + (1 | animal), data = herd_rows(), family = gaussian(),
    prior = list(`(Intercept)` ~ normal(0, sqrt(10))), derived = list(sum = ~ sigma_sq + tau_sq),
    parameters = c(mu = "(Intercept)", sigma_sq = "sigma_sq", tau_sq = "tau_sq", sum = "sum"),
    monitored = list(c("mu", "sigma_sq", "tau_sq"), c("mu", "sum"))
  ),
  poisson = list(
    formula = y ~ x + (1 | g), data = poisson_rows(), family = poisson(),
    parameters = c(beta0 = "(Intercept)", beta1 = "x", tau_sq = "tau_sq"),
    monitored = list(c("beta0", "beta1", "tau_sq"))
  )
)
# nolint start: object_usage_linter. What other files define is not lintr's to find.
clone_model <- function(data, clones, ...) {
  ember::data_clone(model$formula, data, model$family, clones, model$prior,
    sampler = arguments[[2L]], derived = as.list(model$derived), cores = 1, seed = 1, ...)
}
# ember loads its own code when it is first called.
some <- utils::head(model$data, 150L)
invisible(suppressWarnings(clone_model(some, 1, n_iter = 50, n_burnin = 50)))

spent <- time_of(\() clone_model(model$data, clones), as.integer(arguments[[3L]]), 1L)
figures_of <- function(K) {
  draws <- coda::as.mcmc.list(spent$value, model$parameters, clones = K)
  coda::varnames(draws) <- names(model$parameters)
  data.frame(case = name, clones = K, rbind(
    if (K == max(clones)) rows_of(c("cpu", "wall"), "", c(spent$cpu, spent$wall)),
    describe_draws(draws, model$monitored)
  ))
}
# nolint end
print_figures(do.call(rbind, lapply(clones, figures_of)))
