# The programs that are compared, each as a function of a case and a number of iterations. The
# answer is the log-likelihood of the parameters after that many updates.

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

mclust_iterate <- function(case, iterations) {
  control <- mclust::emControl(tol = 0, itmax = iterations)
  mclust::em(case$x, case$model, mclust_parameters(case), control = control)$loglik
}

# sklearn in a process of its own, which answers a table of one line per call. R's library path
# would lead another Python to the system's libpython.
python <- function(..., stderr = "") {
  arguments <- c("bench/sklearn_mixtures.py", ...)
  system2("python3", arguments, stdout = TRUE, stderr = stderr, env = "LD_LIBRARY_PATH=")
}

sklearn_call <- function(...) utils::read.table(text = python(...), header = TRUE)

# NULL when Python, numpy, sklearn or threadpoolctl is not there.
sklearn_version <- function() {
  if (nzchar(Sys.which("python3"))) {
    version <- suppressWarnings(python("version", stderr = FALSE))
    if (is.null(attr(version, "status"))) version
  }
}
