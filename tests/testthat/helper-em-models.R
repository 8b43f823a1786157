# Models small enough that their answers are published.

# Rao's genetic linkage (Dempster, Laird and Rubin 1977): the maximum is 0.6268214980.
linkage <- list(
  e_step = function(p) 125 * p / (2 + p),
  m_step = function(hidden) (hidden + 34) / (hidden + 72),
  log_lik = function(p) 125 * log(2 + p) + 38 * log(1 - p) + 34 * log(p)
)

fit_linkage <- function(start = c(theta = 0.5), ...) {
  steps <- utils::modifyList(linkage, list(...))
  do.call(em, c(list(start = start), steps))
}

# Old Faithful as three normals of common covariance, in the raw parameters.
faithful_eee <- function(labels, control = em_control()) {
  x <- as.matrix(faithful)
  log_joint <- function(par) {
    root <- chol(par$covariance)
    vapply(seq_along(par$weights), function(k) {
      z <- backsolve(root, t(x) - par$means[k, ], transpose = TRUE)
      log(par$weights[[k]]) - log(2 * pi) - sum(log(diag(root))) - colSums(z^2) / 2
    }, numeric(nrow(x)))
  }
  m_step <- function(r) {
    means <- crossprod(r, x) / colSums(r)
    scatter <- lapply(seq_len(ncol(r)), function(k) {
      centred <- sweep(x, 2L, means[k, ])
      crossprod(centred, r[, k] * centred)
    })
    list(weights = colMeans(r), means = means, covariance = Reduce(`+`, scatter) / nrow(x))
  }
  e_step <- function(par) {
    joint <- exp(log_joint(par))
    joint / rowSums(joint)
  }
  em(
    start = m_step(outer(labels, sort(unique(labels)), "==") + 0),
    e_step = e_step, m_step = m_step,
    log_lik = function(par) sum(log(rowSums(exp(log_joint(par))))),
    complete_log_lik = function(par, r) sum(r * log_joint(par)),
    control = control, df = 11L, nobs = nrow(x)
  )
}
