# Makes mclust-loglik.csv: maximised log-likelihoods of mclust's EM (version 6.0.0) at tight
# tolerances, started from the labels of mixture_cases() in helper-mixture.R. Run from
# tests/testthat with mclust installed.
source("helper-mixture.R")
rows <- lapply(names(mixture_cases()), function(name) {
  case <- mixture_cases()[[name]]
  models <- if (ncol(case$x) == 1L) c("E", "V") else mclust_models
  do.call(rbind, lapply(models, function(model) {
    data.frame(
      data = name, k = max(case$labels), model = model,
      loglik = format(mclust_loglik(case, model), digits = 15)
    )
  }))
})
write.csv(do.call(rbind, rows), "oracles/mclust-loglik.csv", row.names = FALSE, quote = FALSE)
