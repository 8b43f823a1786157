# Octants of the trivariate normal distribution: octants.txt, octant-sums.txt, orthants.txt.
#
# octants.txt: r12 r13 r23, h1 h2 h3, then of X ~ N(0, R) given X > -h: log P by mvtnorm's TVPACK where P > 1e-4 and by the
# quadrature else, E[X], and V11 V21 V31 V22 V32 V33 by nested Gauss-Legendre quadrature.
# octant-sums.txt: r12 r13 r23 and the sum of log P over h_i = 2 (sin i, sin 1.7 i, sin 2.3 i), i = 1..10000, by TVPACK.
# orthants.txt: J, the lower triangle of R column by column, h, then P by Miwa's algorithm (J = 4) or Genz and Bretz' (J > 4).
library(mvtnorm)
options(digits = 17)

matrix_of <- function(r) matrix(c(1, r[1], r[2], r[1], 1, r[3], r[2], r[3], 1), 3)

legendre <- function(n) {
  k <- seq_len(n - 1)
  jacobi <- diag(0, n)
  jacobi[cbind(k, k + 1)] <- jacobi[cbind(k + 1, k)] <- k / sqrt(4 * k^2 - 1)
  e <- eigen(jacobi, symmetric = TRUE)
  list(x = (e$values + 1) / 2, w = e$vectors[1, ]^2)
}
rule <- legendre(60)

# The mass of X = L e, X > -h, and its moments there: e1, then e2 above its bound given e1, then e3.
quadrature <- function(r, h) {
  L <- t(chol(matrix_of(r)))
  e <- matrix(0, 1, 0)
  log_w <- 0
  for (k in 1:3) {
    bound <- (-h[k] - as.vector(e %*% L[k, seq_len(k - 1)])) / L[k, k]
    low <- pmax(bound, -9)
    width <- pmax(9 - low, 9)
    again <- rep(seq_along(low), each = 60)
    new <- low[again] + width[again] * rule$x
    e <- cbind(e[again, , drop = FALSE], new)
    log_w <- log_w[again] + log(width[again] * rule$w) + dnorm(new, log = TRUE)
  }
  top <- max(log_w)
  w <- exp(log_w - top)
  mass <- sum(w)
  g <- e %*% t(L)
  mean <- colSums(w * g) / mass
  centred <- sweep(g, 2, mean)
  v <- crossprod(centred, w * centred) / mass
  c(top + log(mass), mean, v[lower.tri(v, diag = TRUE)])
}

set.seed(7)
lines <- NULL
for (case in 1:40) {
  x <- matrix(rnorm(15), 3) + rnorm(3) * (case %% 2)
  R <- cov2cor(tcrossprod(x))
  r <- c(R[1, 2], R[1, 3], R[2, 3])
  if (min(eigen(R)$values) < 0.05) next
  h <- rnorm(3) * c(0.5, 1, 2, 1)[case %% 4 + 1] - c(0, 0, 0, 3)[case %% 4 + 1]
  found <- quadrature(r, h)
  log_p <- log(pmvnorm(upper = h, corr = R, algorithm = TVPACK(1e-15)))
  if (found[1] > log(1e-4)) {
    stopifnot(abs(exp(found[1]) - exp(log_p)) < 1e-12)
    found[1] <- log_p
  }
  lines <- c(lines, paste(format(c(r, h, found), digits = 17, trim = TRUE), collapse = " "))
}
writeLines(lines, "octants.txt")

lines <- NULL
for (r in list(c(0.3, 0.5, 0.2), c(-0.4, 0.6, 0.1), c(0.9, 0.85, 0.8))) {
  i <- 1:10000
  h <- 2 * cbind(sin(i), sin(1.7 * i), sin(2.3 * i))
  p <- apply(h, 1, \(u) pmvnorm(upper = u, corr = matrix_of(r), algorithm = TVPACK(1e-15)))
  lines <- c(lines, paste(format(c(r, sum(log(p))), digits = 17, trim = TRUE), collapse = " "))
}
writeLines(lines, "octant-sums.txt")

lines <- NULL
for (j in c(4, 4, 4, 4, 5, 5, 6, 8)) {
  repeat {
    x <- matrix(rnorm(j * (j + 2)), j) + rnorm(j)
    R <- cov2cor(tcrossprod(x))
    h <- rnorm(j) + 1
    p <- if (j == 4) {
      pmvnorm(upper = h, corr = R, algorithm = Miwa(steps = 1024))
    } else {
      pmvnorm(upper = h, corr = R, algorithm = GenzBretz(maxpts = 2e7, abseps = 1e-7))
    }
    if (p > 0.01) break
  }
  values <- c(j, R[lower.tri(R)], h, p)
  lines <- c(lines, paste(format(values, digits = 17, trim = TRUE), collapse = " "))
}
writeLines(lines, "orthants.txt")
