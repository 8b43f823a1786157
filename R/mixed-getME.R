# getME(): parts of the fitted model by the names lme4 gives them.

#' Parts of a mixed model by lme4's names
#'
#' The components that lme4's `getME()` extracts, under the same names, for code that was written
#' for lme4. Sparse matrices are made on demand; they are not part of the fit.
#'
#' @details
#' Names: design `X`, `Z`, `Zt`, `Ztlist`, `mmList`, `A` (\eqn{\Lambda' Z'}), `y`, `mu`, `offset`,
#' `flist`, `cnms`; parameters `theta`, `beta`, `fixef`, `sigma`, `Lambda`, `Lambdat`, `Lind`,
#' `Tlist`, `ST`, `lower`; effects `b`, `u`; factors `L`, `RX`, `RZX`; sizes `n`, `N`, `p`, `q`,
#' `p_i`, `l_i`, `q_i`, `k`, `m`, `m_i`, `n_rtrms`, `n_rfacs`, `Gp`, `Tp`; and `REML`, `is_REML`,
#' `devcomp`, `devfun` (the criterion as a function of theta, or of a matrix with a theta in each
#' row: many points in one call share the pass over the data; for [glmm()] of theta, the fixed
#' effects and the shape, if it was estimated). Matrices that involve the response or
#' the residual variance of a row are weighted as in lme4.
#'
#' @param object A fit of [lmm()] or [glmm()].
#' @param name One name or several (a list is returned), or `"ALL"`.
#' @param ... Not used.
#' @returns The component, as in lme4. `as.function()` gives the same as `"devfun"`.
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' getME(fit, "theta")
#' dim(getME(fit, "Z"))
#' @export
getME <- function(object, name, ...) UseMethod("getME") # nolint: object_name_linter.

#' @export
getME.default <- function(object, name, ...) { # nolint: object_name_linter.
  pass_to_lme4("getME", object)(object, name, ...)
}

#' @export
#' @rawNamespace S3method(lme4::getME,ember_mixed)
getME.ember_mixed <- function(object, name, ...) { # nolint: object_name_linter.
  if (missing(name) || !is.character(name)) {
    abort_argument("name", "must be the names of components.", NULL, rlang::current_env())
  }
  if (identical(name, "ALL")) name <- names(component_makers)
  unknown <- setdiff(name, names(component_makers))
  if (length(unknown) > 0L) {
    abort_argument(
      "name", paste0("must be components of a mixed model; `", unknown[[1L]], "` is none."),
      c(i = paste0("They are ", toString(names(component_makers)), ".")), rlang::current_env()
    )
  }
  values <- lapply(stats::setNames(name, name), function(one) component_makers[[one]](object))
  if (length(name) == 1L) values[[1L]] else values
}

# A function of the fit for every name.
component_makers <- list(
  X = function(fit) annotated_fixed_matrix(fit),
  Z = function(fit) random_matrix(fit),
  Zt = function(fit) Matrix::t(random_matrix(fit)),
  Ztlist = function(fit) transposed_effects(fit),
  mmList = function(fit) stats::model.matrix(fit, type = "randomListRaw"),
  y = function(fit) unname(mixed_rows(fit)$y),
  mu = function(fit) {
    unname(stats::family(fit)$linkinv(linear_predictor(fit)))
  },
  u = function(fit) spherical_effects(fit),
  b = function(fit) Matrix::Matrix(unname(stacked_modes(fit)), ncol = 1L),
  Gp = function(fit) c(0L, as.integer(cumsum(effect_counts(fit)))),
  Tp = function(fit) {
    widths <- lengths(effect_names(fit))
    c(beg__ = 0, cumsum(widths * (widths + 1) / 2))
  },
  L = function(fit) random_cholesky(fit),
  Lambda = function(fit) relative_factors(fit),
  Lambdat = function(fit) Matrix::t(relative_factors(fit)),
  Lind = function(fit) theta_places(fit),
  Tlist = function(fit) {
    lapply(named_terms(fit), function(term) unname(relative_factor(fit, term)))
  },
  A = function(fit) Matrix::t(random_matrix(fit) %*% relative_factors(fit)),
  RX = function(fit) fixed_cholesky(fit),
  RZX = function(fit) fixed_in_random(fit),
  sigma = function(fit) fit$sigma,
  flist = function(fit) grouping_factors(fit),
  fixef = function(fit) fixef(fit),
  beta = function(fit) unname(fit$beta),
  theta = function(fit) stats::setNames(fit$theta, theta_names(fit)),
  ST = function(fit) lapply(named_terms(fit), function(term) scale_and_shape(fit, term)),
  REML = function(fit) if (fit$REML) length(fit$beta) else 0L,
  is_REML = function(fit) fit$REML,
  n_rtrms = function(fit) length(fit$random),
  n_rfacs = function(fit) length(joined_terms(fit)),
  N = function(fit) as.integer(fit$nobs),
  n = function(fit) as.integer(fit$nobs),
  p = function(fit) length(fit$beta),
  q = function(fit) sum(effect_counts(fit)),
  p_i = function(fit) stats::setNames(lengths(effect_names(fit)), term_names(fit)),
  l_i = function(fit) ngrps(fit),
  q_i = function(fit) stats::setNames(effect_counts(fit), term_names(fit)),
  k = function(fit) length(fit$random),
  m_i = function(fit) {
    stats::setNames(choose(lengths(effect_names(fit)) + 1, 2), term_names(fit))
  },
  m = function(fit) length(fit$theta),
  cnms = function(fit) effect_names(fit),
  devcomp = function(fit) deviance_components(fit),
  offset = function(fit) if (is.null(fit$offset)) numeric(fit$nobs) else fit$offset,
  lower = function(fit) {
    diagonal <- fit$structure$row == fit$structure$column
    stats::setNames(ifelse(diagonal, 0, -Inf), theta_names(fit))
  },
  devfun = function(fit) criterion_function(fit)
)

# Lambda = T S with S diagonal: S on the diagonal, T below it.
scale_and_shape <- function(fit, term) {
  lambda <- unname(relative_factor(fit, term))
  scale <- diag(lambda)
  lambda <- lambda %*% diag(ifelse(scale == 0, 0, 1 / scale), length(scale))
  diag(lambda) <- scale
  lambda
}

#' @rdname getME
#' @param x A fit of [lmm()] or [glmm()].
#' @export
as.function.ember_mixed <- function(x, ...) criterion_function(x)

criterion_function <- function(fit) {
  if (inherits(fit, "ember_glmm")) {
    return(glmm_criterion_function(fit))
  }
  count <- length(fit$theta)
  function(theta) {
    call <- rlang::current_env()
    numbers <- is.numeric(theta) && all(is.finite(theta))
    if (!numbers || (if (is.matrix(theta)) ncol(theta) else length(theta)) != count) {
      abort_argument(
        "theta", paste0("must be ", count, " numbers, or a matrix with ", count, " columns."), NULL,
        call
      )
    }
    native_mixed_criterion(fit, if (is.matrix(theta)) t(theta) else theta, call)
  }
}

# Of theta, the fixed effects (those kept) and the shape, if it was estimated.
glmm_criterion_function <- function(fit) {
  shape <- has_estimated_shape(fit$distribution)
  count <- length(fit$theta) + length(fit$beta) + shape
  function(parameters) {
    call <- rlang::current_env()
    numbers <- is.numeric(parameters) && all(is.finite(parameters))
    columns <- if (is.matrix(parameters)) ncol(parameters) else length(parameters)
    if (!numbers || columns != count) {
      abort_argument(
        "parameters", paste0("must be ", count, " numbers, or a matrix with ", count, " columns."),
        c(i = paste0("They are theta, the fixed effects", if (shape) " and the shape", ".")), call
      )
    }
    points <- if (is.matrix(parameters)) t(parameters) else parameters
    native_glmm_criterion(
      mixed_rows(fit), fit$distribution, fit$structure, fit$n_agq, points, call
    )$criterion
  }
}

# The terms by grouping factor, whose name comes more than once for several terms on it.
named_terms <- function(fit) stats::setNames(fit$random, random_groups(fit))

effect_names <- function(fit) lapply(named_terms(fit), `[[`, "names")

effect_counts <- function(fit) {
  vapply(named_terms(fit), function(term) length(term$names) * length(term$levels), 0L)
}

# "Subject.Days.(Intercept)": the term, the row of Lambda and, off the diagonal, the column.
theta_names <- function(fit) {
  names <- character(length(fit$theta))
  for (term in fit$random) {
    row <- term$names[match(fit$structure$row[term$theta], term$positions)]
    column <- term$names[match(fit$structure$column[term$theta], term$positions)]
    names[term$theta] <- paste0(
      term$group, ".", row, ifelse(row == column, "", paste0(".", column))
    )
  }
  names
}

# For every stored element of Lambda', column by column, which theta it is; 0 for known ones.
theta_places <- function(fit) {
  unlist(lapply(fit$random, function(term) {
    q <- length(term$names)
    places <- matrix(0L, q, q)
    row <- match(fit$structure$row[term$theta], term$positions)
    column <- match(fit$structure$column[term$theta], term$positions)
    places[cbind(column, row)] <- term$theta
    stored <- if (term$structure == "diag") diag(TRUE, q) else upper.tri(places, diag = TRUE)
    rep(places[stored], length(term$levels))
  }), use.names = FALSE)
}

# Z' split by term and effect: a levels x n matrix for each.
transposed_effects <- function(fit) {
  parts <- term_rows(fit)
  matrices <- Map(function(part, term) {
    lapply(stats::setNames(seq_along(term$names), term$names), function(j) {
      one <- list(columns = part$columns[, j, drop = FALSE], codes = part$codes)
      Matrix::t(sparse_effects(one, term$levels))
    })
  }, parts, fit$random)
  names(matrices) <- random_groups(fit)
  unlist(matrices, recursive = FALSE)
}

# Lambda' Z' W^(1/2).
weighted_effects <- function(fit) {
  precisions <- row_precisions(fit)
  scale <- if (is.null(precisions)) 1 else sqrt(precisions)
  Matrix::t(scale * (random_matrix(fit) %*% relative_factors(fit)))
}

# The sparse Cholesky factor of Lambda' Z' W Z Lambda + I, with a fill-reducing permutation.
random_cholesky <- function(fit, effects = weighted_effects(fit)) {
  Matrix::Cholesky(Matrix::tcrossprod(effects), LDL = FALSE, Imult = 1)
}

# X' V^-1 X = R'R, with V the variance of the (working) response. The covariance matrix of a
# generalized model also counts the estimation of theta.
fixed_cholesky <- function(fit) {
  if (length(fit$beta) == 0L) {
    return(fit$vcov_beta)
  }
  if (inherits(fit, "ember_lmm")) {
    return(chol(solve(fit$vcov_beta / fit$sigma^2)))
  }
  x <- sqrt(row_precisions(fit)) * fixed_matrix(fit)
  chol(as.matrix(Matrix::crossprod(x)) - crossprod(fixed_in_random(fit)))
}

fixed_in_random <- function(fit) {
  effects <- weighted_effects(fit)
  precisions <- row_precisions(fit)
  x <- fixed_matrix(fit) * if (is.null(precisions)) 1 else sqrt(precisions)
  factor <- random_cholesky(fit, effects)
  permuted <- Matrix::solve(factor, effects %*% x, system = "P")
  rzx <- as.matrix(Matrix::solve(factor, permuted, system = "L"))
  dimnames(rzx) <- list(NULL, colnames(x))
  rzx
}

# The grouping factors as a data frame, and which of them each term has.
grouping_factors <- function(fit, rows = mixed_rows(fit)) {
  groups <- joined_terms(fit)
  factors <- lapply(groups, function(terms) {
    term <- fit$random[[terms[[1L]]]]
    factor(term$levels[rows$terms[[term$core]]$codes], term$levels)
  })
  frame <- structure(
    factors, row.names = seq_len(fit$nobs), class = "data.frame"
  )
  structure(frame, assign = match(random_groups(fit), names(groups)))
}

deviance_components <- function(fit) {
  if (inherits(fit, "ember_glmm")) {
    return(glmm_deviance_components(fit))
  }
  p <- length(fit$beta)
  n <- fit$nobs
  ussq <- sum(spherical_effects(fit)^2)
  list(
    cmp = c(
      ldL2 = fit$log_det_random, ldRX2 = fit$log_det_fixed, wrss = fit$pwrss - ussq, ussq = ussq,
      pwrss = fit$pwrss, drsum = NA, REML = if (fit$REML) fit$criterion else NA,
      dev = if (fit$REML) NA else fit$criterion, sigmaML = sqrt(fit$pwrss / n),
      sigmaREML = sqrt(fit$pwrss / (n - p))
    ),
    dims = c(
      N = n, n = n, p = p, nmp = n - p, q = sum(effect_counts(fit)), nth = length(fit$theta),
      useSc = 1, reTrms = length(fit$random), spFe = 0, REML = if (fit$REML) p else 0, GLMM = 0,
      NLMM = 0
    )
  )
}

glmm_deviance_components <- function(fit) {
  p <- length(fit$beta)
  n <- fit$nobs
  wrss <- sum(glmm_residuals(fit, "pearson")^2)
  ussq <- sum(spherical_effects(fit)^2)
  list(
    cmp = c(
      ldL2 = fit$log_det_random, ldRX2 = 2 * sum(log(diag(fixed_cholesky(fit)))), wrss = wrss,
      ussq = ussq, pwrss = wrss + ussq, drsum = stats::deviance(fit), REML = NA,
      dev = fit$criterion, sigmaML = NA, sigmaREML = NA, tolPwrss = NA
    ),
    dims = c(
      N = n, n = n, p = p, nmp = n - p, q = sum(effect_counts(fit)), nth = length(fit$theta),
      nAGQ = fit$n_agq, compDev = 1, useSc = as.integer(has_residual(fit)),
      reTrms = length(fit$random), spFe = 0, REML = 0, GLMM = 1, NLMM = 0
    )
  )
}
