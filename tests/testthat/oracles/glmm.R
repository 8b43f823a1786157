# Makes glmm.csv: the optimum of the criterion of each of glmm_cases() in helper-glmm.R. The
# criterion (Laplace with the observed information, or adaptive quadrature) is computed here in
# plain R with numerical derivatives; its optimum is the best that glmmTMB and tight runs of glmer()
# find, polished by Newton steps. Standard errors are those of the inverse of the joint Hessian. Run
# from tests/testthat with lme4 (1.1-31 made the stored values), glmmTMB (1.1.5) and numDeriv:
#   Rscript oracles/glmm.R [case ...]     only these cases are replaced
source("helper-mixed.R")
source("helper-glmm.R")
library(Matrix)
# nolint start: object_usage_linter. The helper's functions are not lintr's to find.

# ---- The criterion ---------------------------------------------------------------------------

design_of <- function(case) {
  data <- glmm_data(case$data)
  formula <- case$formula
  environment(formula) <- environment()
  # A probe of the right size: lme4 makes the design, the family does not matter to it.
  parts <- eval(as.call(c(quote(lme4::glFormula), list(formula, quote(data),
    family = if (case$family == "binomial") quote(binomial) else quote(poisson)), case$arguments)))
  frame <- parts$fr
  y <- model.response(frame)
  trials <- if (is.matrix(y)) rowSums(y) else rep(1, length(y))
  weights <- model.weights(frame)
  if (is.null(weights)) weights <- rep(1, nrow(frame))
  if (case$family == "binomial" && !is.matrix(y)) trials <- weights
  offset <- model.offset(frame)
  if (is.factor(y)) y <- as.integer(y) - 1
  re <- parts$reTrms
  list(
    y = if (is.matrix(y)) y[, 1L] else if (case$family == "binomial") y * trials else y,
    trials = trials, weights = weights, x = unname(as.matrix(parts$X)), names = colnames(parts$X),
    offset = if (is.null(offset)) rep(0, nrow(frame)) else offset,
    zt = re$Zt, lambdat = re$Lambdat, lind = re$Lind, lower = re$lower, terms = re
  )
}

# Log density of each row at its linear predictor; NaN outside the link's domain.
row_density <- function(case, design, eta, shape) {
  mean <- if (case$link == "log") exp(eta) else make.link(case$link)$linkinv(eta)
  y <- design$y
  w <- design$weights
  suppressWarnings(switch(case$family,
    # Not dbinom(): its 1 - mean loses digits in the tails.
    binomial = lchoose(design$trials, y) + ifelse(y > 0, y * log(mean), 0) +
      ifelse(y < design$trials, (design$trials - y) * log1p(-mean), 0),
    poisson = w * dpois(y, mean, log = TRUE),
    negative_binomial = w * dnbinom(y, size = shape, mu = mean, log = TRUE),
    Gamma = w * dgamma(y, shape, rate = shape / mean, log = TRUE)
  ))
}

# First and second derivative in eta by central differences of sixth order.
density_slopes <- function(density, eta, h = 0.01) {
  at <- vapply(-3:3, \(k) density(eta + k * h), eta)
  list(
    score = drop(at %*% c(-1, 9, -45, 0, 45, -9, 1)) / (60 * h),
    weight = -drop(at %*% c(2, -27, 270, -490, 270, -27, 2)) / (180 * h^2)
  )
}

# The mode of u and the factor of its information there.
find_mode <- function(density, zlt, fixed, u) {
  objective <- function(u) sum(density(fixed + drop(crossprod(zlt, u)))) - sum(u^2) / 2
  value <- objective(u)
  if (!is.finite(value)) {
    u <- 0 * u
    value <- objective(u)
  }
  for (step in 1:200) {
    slopes <- density_slopes(density, fixed + drop(crossprod(zlt, u)))
    information <- tcrossprod(zlt %*% Diagonal(x = pmax(slopes$weight, 1e-8)), zlt)
    gradient <- drop(zlt %*% slopes$score) - u
    move <- drop(solve(Cholesky(forceSymmetric(information), Imult = 1), gradient))
    size <- 1
    repeat {
      new <- objective(u + size * move)
      if ((is.finite(new) && new >= value - 1e-12 * abs(value)) || size < 1e-9) break
      size <- size / 2
    }
    u <- u + size * move
    value <- new
    if (max(abs(move)) < 1e-9) break
  }
  slopes <- density_slopes(density, fixed + drop(crossprod(zlt, u)))
  information <- forceSymmetric(tcrossprod(zlt %*% Diagonal(x = slopes$weight), zlt) +
    Diagonal(length(u)))
  list(u = u, value = value, information = information)
}

# Golub and Welsch: nodes and weights for the standard normal density.
hermite <- function(n) {
  off <- sqrt(seq_len(n - 1L))
  jacobi <- matrix(0, n, n)
  jacobi[cbind(seq_len(n - 1L), 2:n)] <- off
  e <- eigen(jacobi + t(jacobi), symmetric = TRUE)
  list(x = e$values, log_w = log(e$vectors[1L, ]^2))
}

# Minus twice the log-likelihood at (theta, beta, log shape).
criterion_of <- function(case, design) {
  u <- numeric(nrow(design$zt))
  thetas <- seq_along(design$lower)
  betas <- length(thetas) + seq_len(ncol(design$x))
  core <- function(par) {
    lambdat <- design$lambdat
    lambdat@x <- par[thetas][design$lind]
    shape <- if (!is.null(case$shape)) case$shape else exp(par[max(betas) + 1L])
    fixed <- drop(design$x %*% par[betas]) + design$offset
    zlt <- lambdat %*% design$zt
    mode <- find_mode(\(eta) row_density(case, design, eta, shape), zlt, fixed, u)
    u <<- mode$u
    list(mode = mode, zlt = zlt, fixed = fixed, shape = shape, lambdat = lambdat)
  }
  laplace <- function(par) {
    at <- core(par)
    logdet <- 2 * c(determinant(Cholesky(at$mode$information), logarithm = TRUE)$modulus)
    -2 * at$mode$value + logdet
  }
  quadrature <- function(par) {
    at <- core(par)
    q <- length(design$terms$cnms[[1L]])
    rule <- hermite(case$n_agq)
    grid <- as.matrix(expand.grid(rep(list(rule$x), q)))
    log_w <- rowSums(as.matrix(expand.grid(rep(list(rule$log_w), q))))
    levels <- nrow(design$zt) / q
    rows <- as.integer(design$terms$flist[[1L]])
    total <- 0
    z <- as.matrix(t(at$zlt))
    for (level in seq_len(levels)) {
      own <- (level - 1L) * q + seq_len(q)
      here <- which(rows == level)
      root <- chol(as.matrix(at$mode$information[own, own]))
      points <- at$mode$u[own] + backsolve(root, t(grid))
      eta <- at$fixed[here] + z[here, own, drop = FALSE] %*% points
      part <- lapply(design[c("y", "trials", "weights")], \(own) rep(own[here], ncol(points)))
      density <- matrix(row_density(case, part, c(eta), at$shape), length(here))
      joint <- colSums(density) - colSums(points^2) / 2 + rowSums(grid^2) / 2 + log_w
      top <- max(joint)
      total <- total + top + log(sum(exp(joint - top))) - sum(log(diag(root)))
    }
    -2 * total
  }
  list(
    value = if (case$n_agq > 1L) quadrature else laplace,
    modes = function(par) {
      at <- core(par)
      drop(crossprod(at$lambdat, at$mode$u))
    }
  )
}

# ---- Where the peers end ---------------------------------------------------------------------

tmb_family <- function(case) {
  switch(case$family,
    negative_binomial = glmmTMB::nbinom2(case$link),
    get(case$family, asNamespace("stats"))(case$link)
  )
}

by_glmm_tmb <- function(case, design) {
  if (case$link == "cauchit") {
    return(NULL)
  }
  # The links identity, inverse and log of a proportion have no mean at zero coefficients.
  mean <- stats::weighted.mean(design$y / design$trials, design$trials)
  level <- if (case$link == "log") log(mean) else make.link(case$link)$linkfun(mean)
  extra <- list(start = list(beta = c(level, rep(0, ncol(design$x) - 1L))))
  if (!is.null(case$shape)) {
    extra$start$betad <- log(case$shape)
    extra$map <- list(betad = factor(NA))
  }
  # glmmTMB (1.1.5) takes `||` apart, but loses its own names; two terms are the same model.
  case$formula <- lme4_terms(case$formula)
  call <- c(list(case, quote(glmmTMB::glmmTMB), family = tmb_family(case), control =
    glmmTMB::glmmTMBControl(optCtrl = list(iter.max = 2000, eval.max = 4000, rel.tol = 1e-14,
      x.tol = 1e-12))), extra)
  fit <- do.call(fit_glmm_case, call)
  par <- fit$fit$parfull
  theta <- unlist(lapply(glmmTMB::VarCorr(fit)$cond, function(covariance) {
    root <- t(chol(covariance + 0))
    root[lower.tri(root, diag = TRUE)]
  }))
  shape <- if (case$family == "negative_binomial") sigma(fit) else 1 / sigma(fit)^2
  list(
    par = c(theta, glmmTMB::fixef(fit)$cond, if (has_shape(case)) log(shape)),
    criterion = -2 * as.numeric(logLik(fit)), se = sqrt(diag(vcov(fit)$cond))
  )
}

has_shape <- function(case) {
  case$family %in% c("negative_binomial", "Gamma") && is.null(case$shape)
}

lme4_terms <- function(formula) {
  text <- paste(deparse(formula, 500L), collapse = "")
  stats::as.formula(sub("(x || g)", "(1 | g) + (0 + x | g)", text, fixed = TRUE))
}

# glmer() maximises the same criterion only for canonical links and, nearly, with many nodes.
by_glmer <- function(case, optimizer) {
  canonical <- c(binomial = "logit", poisson = "log")
  q <- length(lme4::findbars(case$formula))
  if (!case$family %in% names(canonical) || (canonical[[case$family]] != case$link &&
    case$n_agq == 1L) || (case$n_agq > 1L && grepl("x | g", deparse(case$formula), fixed = TRUE))) {
    return(NULL)
  }
  control <- lme4::glmerControl(optimizer, tolPwrss = 1e-12, calc.derivs = FALSE,
    optCtrl = if (optimizer == "bobyqa") list(rhoend = 1e-8, maxfun = 2e4) else
      list(maxfun = 2e4, FtolAbs = 1e-11, FtolRel = 1e-15, XtolRel = 1e-11))
  fit <- tryCatch(
    fit_glmm_case(case, quote(lme4::glmer), nAGQ = case$n_agq, control = control,
      family = get(case$family, asNamespace("stats"))(case$link)),
    error = function(condition) NULL
  )
  if (!is.null(fit)) {
    list(par = c(lme4::getME(fit, "theta"), lme4::fixef(fit)),
      criterion = -2 * as.numeric(logLik(fit)))
  }
}

# ---- The best, polished ----------------------------------------------------------------------

polish <- function(par, value) {
  reached <- value(par)
  for (step in 1:6) {
    gradient <- numDeriv::grad(value, par)
    hessian <- numDeriv::hessian(value, par)
    move <- -drop(solve(hessian, gradient))
    new <- value(par + move)
    if (!is.finite(new) || new > reached + 1e-9) break
    par <- par + move
    reached <- min(new, reached)
    if (max(abs(move)) < 1e-7) break
  }
  list(par = par, criterion = value(par), gradient = max(abs(gradient)),
    hessian = numDeriv::hessian(value, par))
}

best_optimum <- function(case, design, name) {
  criterion <- criterion_of(case, design)
  found <- list(
    glmmTMB = by_glmm_tmb(case, design), bobyqa = by_glmer(case, "bobyqa"),
    Nelder_Mead = if (nrow(design$zt) < 300L) by_glmer(case, "Nelder_Mead")
  )
  found <- Filter(\(one) !is.null(one), found)
  if (length(found) == 0L) stop("No program fits ", name)
  at <- vapply(found, \(one) criterion$value(one$par), 0)
  best <- polish(found[[which.min(at)]]$par, criterion$value)
  message(sprintf("%s: %.9f, gradient %.1e", name, best$criterion, best$gradient))
  for (program in names(found)) {
    message(sprintf("  %s: reported %+.1e, its point %+.1e", program,
      found[[program]]$criterion - best$criterion, at[[program]] - best$criterion))
  }
  best$modes <- criterion$modes(best$par)
  best$se <- sqrt(diag(2 * solve(best$hessian)))
  if (!is.null(found$glmmTMB) && case$n_agq == 1L) {
    betas <- length(design$lower) + seq_len(ncol(design$x))
    message(sprintf("  standard errors beside glmmTMB's: %.1e",
      max(abs(best$se[betas] / found$glmmTMB$se - 1))))
  }
  best
}

# The same table as glmm_values() makes of a fit.
values_of <- function(case, design, best) {
  thetas <- seq_along(design$lower)
  betas <- length(thetas) + seq_len(ncol(design$x))
  terms <- design$terms
  sizes <- lengths(terms$cnms)
  ends <- cumsum(sizes * (sizes + 1) / 2)
  groups <- make.unique(names(terms$cnms))
  rows <- list(
    mixed_rows_of("criterion", "", best$criterion),
    mixed_rows_of("coefficient", design$names, best$par[betas]),
    mixed_rows_of("std. error", design$names, best$se[betas])
  )
  deviations <- correlations <- list()
  for (term in seq_along(sizes)) {
    root <- matrix(0, sizes[[term]], sizes[[term]])
    last <- ends[[term]]
    root[lower.tri(root, diag = TRUE)] <-
      best$par[(last - sizes[[term]] * (sizes[[term]] + 1) / 2 + 1):last]
    covariance <- tcrossprod(root)
    effects <- terms$cnms[[term]]
    deviations[[term]] <- mixed_rows_of("sd", paste0(groups[[term]], ":", effects),
      sqrt(diag(covariance)))
    if (sizes[[term]] == 2L) {
      correlations[[term]] <- mixed_rows_of("correlation",
        paste(groups[[term]], effects[[1L]], effects[[2L]], sep = ":"),
        stats::cov2cor(covariance)[2L, 1L])
    }
  }
  offsets <- terms$Gp
  modes <- lapply(seq_along(sizes), function(term) {
    b <- matrix(best$modes[(offsets[[term]] + 1):offsets[[term + 1L]]], sizes[[term]])
    group <- names(terms$cnms)[[term]]
    labels <- utils::head(levels(terms$flist[[attr(terms$flist, "assign")[[term]]]]), 4L)
    mixed_rows_of("mode", c(outer(labels, terms$cnms[[term]],
      \(level, effect) paste(group, effect, level, sep = ":"))), c(t(b[, seq_along(labels)])))
  })
  shape <- if (has_shape(case)) mixed_rows_of("shape", "shape", exp(utils::tail(best$par, 1L)))
  do.call(rbind, c(rows, deviations, correlations, modes, list(shape)))
}

file <- "oracles/glmm.csv"
chosen <- commandArgs(TRUE)
if (length(chosen) == 0L) chosen <- names(glmm_cases())
kept <- if (file.exists(file)) utils::read.csv(file, colClasses = c(value = "character"))
for (name in chosen) {
  case <- glmm_cases()[[name]]
  design <- design_of(case)
  values <- values_of(case, design, best_optimum(case, design, name))
  values$value <- formatC(values$value, digits = 12, format = "g")
  kept <- rbind(kept[kept$case != name, ], cbind(case = name, values))
  utils::write.csv(kept, file, row.names = FALSE)
}
# nolint end
