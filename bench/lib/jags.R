# The note's models in JAGS's language, run through rjags as dclone runs them: dc.fit() calls
# jags.model() with 1000 steps of adaptation, update() for the burn-in, coda.samples() for draws.
# JAGS's optional module `glm` is not loaded: dclone does not load it.

jags_models <- list(
  unsmoothed = "model {
    for (i in 1:n) {
      for (j in 1:m) { Y[i,j] ~ dnorm(mu + alpha[i], 1 / sigma_sq) }
      alpha[i] ~ dnorm(0, 0.001)
    }
    log_sigma ~ dnorm(0, 0.001)
    sigma_sq <- exp(log_sigma)^2
    mu ~ dnorm(0, 0.1)
  }",
  herd = "model {
    for (k in 1:K) {
      for (i in 1:n) {
        for (j in 1:m) { Y[i,j,k] ~ dnorm(mu + alpha[i,k], 1 / sigma_sq) }
        alpha[i,k] ~ dnorm(0, 1 / tau_sq)
      }
    }
    log_sigma ~ dnorm(0, 0.001)
    sigma_sq <- exp(log_sigma)^2
    mu ~ dnorm(0, 0.1)
    log_tau ~ dnorm(0, 0.001)
    tau_sq <- exp(log_tau)^2
    sum <- sigma_sq + tau_sq
  }",
  poisson = "model {
    for (k in 1:K) {
      for (i in 1:n) {
        y[i,k] ~ dpois(lambda[i,k])
        log(lambda[i,k]) <- beta0 + beta1 * x[i] + alpha[g[i],k]
      }
      for (l in 1:groups) { alpha[l,k] ~ dnorm(0, 1 / tau_sq) }
    }
    beta0 ~ dnorm(0, 0.001)
    beta1 ~ dnorm(0, 0.001)
    log_tau ~ dnorm(0, 0.001)
    tau_sq <- exp(log_tau)^2
  }"
)

# What is run: draws after adaptation and burn-in, in each of the chains. `monitored` are the
# parameters that dcdiag() looks at, several sets for several tables. The Poisson model starts at
# its estimates and runs briefly, since a sweep takes seconds: what counts is time per effective
# draw, and its time of compiling, adaptation and burn-in is not counted (in JAGS's favour).
jags_cases <- list(
  unsmoothed = list(model = "unsmoothed", clones = 1, burn_in = 30000, draws = 5000, m = 2,
    monitored = list(c("mu", "sigma_sq"))),
  smoothed = list(model = "herd", clones = 1, burn_in = 30000, draws = 5000, m = 2,
    monitored = list(c("mu", "sigma_sq", "tau_sq"))),
  herd = list(model = "herd", clones = c(1, 10, 25, 50), burn_in = 1000, draws = 1000, m = 2,
    monitored = list(c("mu", "sigma_sq", "tau_sq"), c("mu", "sum"))),
  herd_single = list(model = "herd", clones = c(1, 10, 25), burn_in = 1000, draws = 1000, m = 1,
    monitored = list(c("mu", "sigma_sq", "tau_sq"), c("mu", "sum"))),
  poisson = list(model = "poisson", clones = 20, adapt = 100, burn_in = 100, draws = 300,
    chains = 1, only_draws = TRUE, monitored = list(c("beta0", "beta1", "tau_sq")))
)

# nolint start: object_usage_linter. What cloning-cases.R and draws.R define is not lintr's to find.
jags_data <- function(case, clones) {
  if (case$model == "poisson") {
    rows <- poisson_rows()
    return(list(y = matrix(rows$y, nrow(rows), clones), x = rows$x, g = as.integer(rows$g),
      n = nrow(rows), groups = nlevels(rows$g), K = clones))
  }
  y <- herd_matrix(case$m)
  if (case$model == "unsmoothed") {
    return(list(Y = y, n = nrow(y), m = ncol(y)))
  }
  list(Y = array(y, c(dim(y), clones)), n = nrow(y), m = ncol(y), K = clones)
}

jags_starts <- function(case, chains) {
  at <- if (case$model == "poisson") list(beta0 = 0.5, beta1 = 0.3, log_tau = log(0.6))
  lapply(seq_len(chains), function(chain) {
    c(at, list(.RNG.name = "base::Mersenne-Twister", .RNG.seed = chain))
  })
}

run_jags <- function(case, clones) {
  default <- function(name, value) if (is.null(case[[name]])) value else case[[name]]
  chains <- default("chains", 3)
  clock <- proc.time()
  model <- rjags::jags.model(textConnection(jags_models[[case$model]]), jags_data(case, clones),
    jags_starts(case, chains), chains, default("adapt", 1000), quiet = TRUE)
  update(model, case$burn_in, progress.bar = "none")
  if (default("only_draws", FALSE)) clock <- proc.time()
  draws <- rjags::coda.samples(model, unique(unlist(case$monitored)), case$draws,
    progress.bar = "none")
  spent <- proc.time() - clock
  list(draws = draws, cpu = spent[["user.self"]] + spent[["sys.self"]], wall = spent[["elapsed"]])
}

# A table of what was measured: case, clones, quantity, name, value.
jags_figures <- function(name, clones) {
  case <- jags_cases[[name]]
  run <- run_jags(case, clones)
  data.frame(case = name, clones = clones, rbind(
    rows_of(c("cpu", "wall"), "", c(run$cpu, run$wall)), describe_draws(run$draws, case$monitored)
  ))
}
# nolint end
