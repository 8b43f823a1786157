# Writes the data sets and mclust's answers that tests/maximize.rs compares with.
#   Rscript mstep.R          (R 4.2.2, mclust 6.0.0)
# Format of mclust-mstep.txt, one value per line: kind data model quantity numbers...
suppressMessages(library(mclust))

models <- c("EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV",
            "EVV", "VVV")
control <- emControl(tol = c(1e-15, 1e-15), itmax = c(100000, 100000))

data_sets <- list(
  iris = list(x = as.matrix(iris[, 1:4]), label = as.integer(iris$Species), models = models),
  faithful = list(
    x = as.matrix(faithful),
    label = ifelse(faithful$eruptions < 3, 1L, ifelse(faithful$waiting > 80, 3L, 2L)),
    models = models
  ),
  precip = list(
    x = matrix(as.vector(precip)),
    label = ifelse(as.vector(precip) > 35, 2L, 1L),
    models = c("E", "V")
  )
)

# Responsibilities that are far from 0 and 1, by a rule that is easy to repeat elsewhere.
soft <- function(label) {
  i <- seq_along(label)
  z <- sapply(seq_len(max(label)), function(k) {
    0.2 + (label == k) + 0.3 * ((7 * i + 13 * k) %% 11) / 11
  })
  z / rowSums(z)
}

numbers <- function(x) paste(sprintf("%.17g", as.vector(x)), collapse = " ")
sigma <- function(fit, d, k) {
  variance <- fit$parameters$variance
  if (d > 1) return(variance$sigma)
  rep_len(variance$sigmasq, k)
}
data_of <- function(set) if (ncol(set$x) == 1) set$x[, 1] else set$x

out <- file("mclust-mstep.txt", "w")
say <- function(...) writeLines(paste(...), out)
for (name in names(data_sets)) {
  set <- data_sets[[name]]
  x <- data_of(set)
  d <- ncol(set$x)
  k <- max(set$label)
  write.table(cbind(set$label, set$x), paste0(name, ".txt"), row.names = FALSE, col.names = FALSE)
  z <- soft(set$label)
  hard <- unmap(set$label)
  for (model in set$models) {
    step <- mstep(data = x, modelName = model, z = z, control = control)
    say("mstep", name, model, "weights", numbers(step$parameters$pro))
    say("mstep", name, model, "means", numbers(step$parameters$mean))
    say("mstep", name, model, "covariances", numbers(sigma(step, d, k)))
    fit <- me(data = x, modelName = model, z = hard, control = control)
    say("em", name, model, "loglik", numbers(fit$loglik))
    # No prior for these four. mclust's EII forgets the scale and its EEI does not shrink the means, so
    # they are asked in the one way in which they are right.
    if (model %in% c("VEE", "EVE", "VVE", "EVV")) next
    prior <- switch(model,
      EII = priorControl(scale = 0),
      EEI = priorControl(shrinkage = 0),
      priorControl()
    )
    if (model == "EEI") {
      step <- mstep(data = x, modelName = model, z = z, control = control, prior = prior)
      say("prior-mstep", name, model, "means", numbers(step$parameters$mean))
      say("prior-mstep", name, model, "covariances", numbers(sigma(step, d, k)))
      next
    }
    fit <- me(data = x, modelName = model, z = hard, control = control, prior = prior)
    if (is.na(fit$loglik)) next # mclust finds no fit
    say("prior-em", name, model, "loglik", numbers(fit$loglik))
    say("prior-em", name, model, "weights", numbers(fit$parameters$pro))
    say("prior-em", name, model, "means", numbers(fit$parameters$mean))
    say("prior-em", name, model, "covariances", numbers(sigma(fit, d, k)))
  }
}
close(out)
