# The programs that are compared, each as a function of a case and a number of iterations. The answer
# is the log-likelihood of the parameters after that many updates.

ember_control <- function(iterations, threads) {
  ember::em_control(tol = 0, max_iter = iterations, accelerate = "none", threads = threads)
}

# The limit of iterations is meant: the warning about it is not.
ember_fit <- function(case, control) {
  suppressWarnings(
    ember::gaussian_mixture(
      case$x,
      k = case$k, model = case$model, start = case$start, control = control
    ),
    classes = "ember_warning"
  )
}

ember_iterate <- function(threads) {
  function(case, iterations) {
    fit <- ember_fit(case, ember_control(iterations, threads))
    stopifnot(fit$iterations == iterations)
    fit$loglik
  }
}

mclust_parameters <- function(case) {
  variance <- list(modelName = case$model, d = case$d, G = case$k)
  if (case$d == 1L) {
    variance$sigmasq <- case$start$covariances[[1L]]
  } else {
    variance$sigma <- case$start$covariances
    variance$cholsigma <- array(apply(variance$sigma, 3L, chol), dim(variance$sigma))
  }
  list(pro = case$start$weights, mean = t(case$start$means), variance = variance)
}

# mclust reports the log-likelihood that its last E-step found, before the last update.
mclust_iterate <- function(case, iterations) {
  control <- mclust::emControl(tol = 0, itmax = iterations + 1L)
  mclust::em(case$x, case$model, mclust_parameters(case), control = control)$loglik
}

# sklearn in a process of its own, which answers one line of numbers per call.
sklearn_script <- "bench/sklearn_mixtures.py"

sklearn_call <- function(...) {
  one_thread <- paste0(c("OMP", "OPENBLAS", "MKL"), "_NUM_THREADS=1")
  lines <- system2("python3", c(sklearn_script, ...), stdout = TRUE, env = one_thread)
  utils::read.table(text = lines, header = TRUE)
}

sklearn_version <- function() {
  if (!nzchar(Sys.which("python3"))) {
    return(NULL)
  }
  version <- suppressWarnings(system2("python3", c(sklearn_script, "version"), TRUE, FALSE))
  if (is.null(attr(version, "status"))) version
}
