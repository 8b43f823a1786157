# Influence of rows and groups: refits without them.

#' Influence of observations and groups
#'
#' Refits the model without each row, or without each level of a grouping variable, starting from
#' the estimates of the fit. What changes is reported for the fixed effects and for the variances.
#'
#' @details
#' A refit costs as much as a fit; [cooks.distance()][residuals.ember_lmm] of the fit itself costs
#' nothing, but keeps the variances. `cooks.distance()` of the result is
#' \eqn{(\hat\beta_{(i)} - \hat\beta)' V^{-1} (\hat\beta_{(i)} - \hat\beta) / p}, with V the
#' covariance matrix of \eqn{\hat\beta} (lme4 multiplies it by (m - p) / m, m the number of
#' deletions).
#'
#' @param model A fit of [lmm()] or [glmm()]; for the other functions, its influence.
#' @param groups `NULL` to leave out rows, or names of variables of the data: their levels (or
#'   combinations) are left out.
#' @param do.coef With `FALSE` only the leverages are computed, without refits.
#' @param which `"fixed"` or `"var.cov"`: changes of the fixed effects or of the variances.
#' @param ... Not used.
#' @returns `influence()`: a list of class `ember_influence` with the components of lme4's: for
#'   groups `g`, `fixed.effects`, `fixed.effects[-g]` (a row per deletion), `var.cov.comps`,
#'   `var.cov.comps[-g]`, `vcov`, `vcov[-g]`, `groups`, `deleted`, `converged`, `function.evals`.
#'   `dfbeta()`: the estimates without minus those with; `dfbetas()`: divided by the standard errors
#'   of the refits; `cooks.distance()`: a named vector.
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' without <- influence(fit, groups = "Worker")
#' dfbeta(without)
#' cooks.distance(without)
#' @importFrom stats influence dfbeta dfbetas
#' @export
influence.ember_mixed <- function(model, groups = NULL,
                                do.coef = TRUE, ...) { # nolint: object_name_linter.
  call <- rlang::current_env()
  if (!do.coef) {
    return(structure(list(hat = stats::hatvalues(model)), class = influence_class))
  }
  deletion <- deletion_groups(model, groups, call)
  rows <- mixed_rows(model)
  levels <- levels(deletion$codes)
  refits <- lapply(seq_along(levels), function(k) {
    fit_without(model, rows, as.integer(deletion$codes) != k, call)
  })
  part <- function(name) stats::setNames(lapply(refits, `[[`, name), levels)
  suffix <- paste0("[-", deletion$name, "]")
  result <- list(
    fixed.effects = model$beta, fixed = do.call(rbind, part("beta")),
    var.cov.comps = variance_components(model), variances = do.call(rbind, part("variances")),
    vcov = model$vcov_beta, covariances = part("vcov_beta"),
    groups = deletion$name, deleted = levels,
    converged = unlist(part("converged"), use.names = FALSE),
    function.evals = unlist(part("passes"), use.names = FALSE)
  )
  names(result)[c(2L, 4L, 6L)] <- paste0(c("fixed.effects", "var.cov.comps", "vcov"), suffix)
  structure(result, class = influence_class)
}

# The second class lets plots written for lme4's influences work.
influence_class <- c("ember_influence", "influence.merMod")

# What is left out at a time: a factor of the rows, and what it is called.
deletion_groups <- function(fit, groups, call) {
  if (is.null(groups)) {
    return(list(codes = factor(rownames(fit$frame), rownames(fit$frame)), name = "case"))
  }
  if (!is.character(groups) || length(groups) == 0L) {
    abort_argument("groups", "must be NULL or names of variables.", NULL, call)
  }
  variables <- lapply(groups, function(group) deletion_variable(fit, group, call))
  codes <- if (length(variables) == 1L) variables[[1L]] else do.call(paste, c(variables, sep = "."))
  list(codes = factor(codes, unique(codes)), name = paste(groups, collapse = "."))
}

deletion_variable <- function(fit, group, call) {
  on_group <- match(group, random_groups(fit))
  if (!is.na(on_group)) {
    term <- fit$random[[on_group]]
    return(term$levels[mixed_rows(fit)$terms[[term$core]]$codes])
  }
  if (group %in% names(fit$frame)) {
    return(as.character(fit$frame[[group]]))
  }
  data <- tryCatch(nlme::getData(fit), error = function(cnd) NULL)
  if (is.data.frame(data) && group %in% names(data)) {
    return(as.character(data[rownames(fit$frame), group]))
  }
  abort_argument("groups", paste0("must name variables of the fit; `", group, "` is none."), c(
    i = paste0("They are ", toString(unique(c(random_groups(fit), names(fit$frame)))), ".")
  ), call)
}

# The fit to some of its rows. Levels without rows stay: they do not change the likelihood.
fit_without <- function(fit, rows, kept, call) {
  smaller <- refit_rows(fit, kept_rows(rows, kept), call)
  aliased <- setdiff(names(fit$beta), names(smaller$beta))
  beta <- stats::setNames(smaller$beta[names(fit$beta)], names(fit$beta))
  covariance <- matrix(
    NA_real_, length(beta), length(beta), dimnames = list(names(beta), names(beta))
  )
  estimated <- setdiff(names(beta), aliased)
  covariance[estimated, estimated] <- smaller$vcov_beta[estimated, estimated]
  list(
    beta = beta, vcov_beta = covariance, variances = variance_components(smaller),
    converged = smaller$status == "converged", passes = smaller$passes
  )
}

kept_rows <- function(rows, kept) {
  rows$y <- rows$y[kept]
  for (field in c("offset", "weights")) rows[[field]] <- rows[[field]][kept]
  dense <- is.matrix(rows$x)
  if (dense) {
    rows$x <- rows$x[kept, , drop = FALSE]
  } else {
    x <- rows_matrix(rows$x, length(kept))[kept, , drop = FALSE]
    rows$x <- list(p = x@p, i = x@i, x = x@x, columns = ncol(x))
  }
  rows$terms <- lapply(rows$terms, function(term) {
    term$codes <- term$codes[kept]
    own <- vapply(term$columns, is.double, NA)
    term$columns[own] <- lapply(term$columns[own], function(column) column[kept])
    term
  })
  if (!is.null(rows$dispersion)) rows$dispersion$codes <- rows$dispersion$codes[kept]
  rows
}

# sigma^2 and the lower triangles of the covariance matrices, named as in lme4.
variance_components <- function(fit) {
  blocks <- VarCorr(fit)
  labels <- if (length(blocks) == 1L) "" else paste0(names(blocks), ":")
  parts <- Map(function(block, label) {
    effects <- colnames(block)
    lower <- which(lower.tri(block, diag = TRUE), arr.ind = TRUE)
    row <- effects[lower[, 1L]]
    column <- effects[lower[, 2L]]
    names <- ifelse(
      row == column, paste0("v[", row, "]"), paste0("C[", row, ",", column, "]")
    )
    stats::setNames(block[lower], paste0(label, names))
  }, unclass(blocks), labels)
  c(if (has_residual(fit)) c("sigma^2" = fit$sigma^2), unlist(unname(parts)))
}

#' @rdname influence.ember_mixed
#' @export
dfbeta.ember_influence <- function(model, which = c("fixed", "var.cov"), ...) {
  call <- rlang::current_env()
  which <- match_choice("which", call)
  name <- c(fixed = "fixed.effects", var.cov = "var.cov.comps")[[which]]
  without <- model[[paste0(name, "[-", model$groups, "]")]]
  sweep(without, 2L, model[[name]])
}

#' @rdname influence.ember_mixed
#' @export
dfbetas.ember_influence <- function(model, ...) {
  covariances <- model[[paste0("vcov[-", model$groups, "]")]]
  errors <- do.call(rbind, lapply(covariances, function(covariance) sqrt(diag(covariance))))
  dfbeta.ember_influence(model) / errors
}

#' @rdname influence.ember_mixed
#' @export
cooks.distance.ember_influence <- function(model, ...) {
  change <- dfbeta.ember_influence(model)
  rowSums((change %*% solve(model$vcov)) * change) / ncol(change)
}
