# Variances of the random effects: from theta to covariance matrices, and how they are shown.

# The relative covariance factor Lambda of one term (q x q, lower triangular), with its names.
relative_factor <- function(fit, term) {
  q <- length(term$names)
  lambda <- matrix(0, q, q, dimnames = list(term$names, term$names))
  lambda[lower.tri(lambda, diag = TRUE)] <- fit$theta[term$theta]
  lambda
}

# The standard deviation to which the relative covariance factor is relative: the residual one of a
# linear model. The effects of a generalized one have no scale.
random_scale <- function(fit) if (inherits(fit, "ember_lmm")) fit$sigma else 1

# For each grouping factor, in the order of the fit, the numbers of the terms on it.
joined_terms <- function(fit) {
  groups <- random_groups(fit)
  split(seq_along(groups), factor(groups, unique(groups)))
}

random_groups <- function(fit) vapply(fit$random, `[[`, "", "group")

#' @importFrom nlme VarCorr
#' @export
nlme::VarCorr

#' Variances of the random effects
#'
#' The covariance matrices of the random effects of a mixed model and its residual standard
#' deviation, in the form [lme4::VarCorr()] gives them: printed as standard deviations and
#' correlations, and turned into a data frame by `as.data.frame()`.
#'
#' @param x A fit of [lmm()] or [glmm()]; for the methods, its variances.
#' @param sigma Residual standard deviation to scale by; by default that of a fit of [lmm()], and 1
#'   for one of [glmm()].
#' @param digits Significant digits.
#' @param comp What to print: `"Variance"`, `"Std.Dev."` or both.
#' @param formatter A function that formats numbers, such as [format()].
#' @param order Rows of the data frame: `"cov.last"` (variances, then covariances) or `"lower.tri"`
#'   (columns of the lower triangle) within each term.
#' @param row.names,optional Not used; they are arguments of [as.data.frame()].
#' @param ... Passed on to [print()] and `formatter`; otherwise not used.
#' @returns `VarCorr()`: an object of class `ember_varcorr`: a list with a covariance matrix per
#'   random term, each with attributes `stddev` and `correlation`. Attribute `sc` is the residual
#'   standard deviation; `useSc` says whether there is one: of the families of [glmm()] only the
#'   Gamma has one, a coefficient of variation. `dispersion` holds, for a model with one, the
#'   residual standard deviations of the groups. `as.data.frame()`: columns `grp`, `var1`, `var2`,
#'   `vcov`, `sdcor` (a standard deviation or a correlation).
#' @examples
#' fit <- lmm(score ~ Machine + (Machine | Worker), data = nlme::Machines)
#' VarCorr(fit)
#' as.data.frame(VarCorr(fit))
#' @name VarCorr.ember_mixed
NULL

#' @rdname VarCorr.ember_mixed
#' @export
VarCorr.ember_mixed <- function(x, sigma = random_scale(x), ...) {
  blocks <- lapply(x$random, function(term) {
    covariance_block(tcrossprod(sigma * relative_factor(x, term)))
  })
  names(blocks) <- vapply(x$random, `[[`, "", "label")
  linear <- inherits(x, "ember_lmm")
  structure(
    blocks, sc = if (linear) sigma else x$sigma, useSc = has_residual(x),
    dispersion = if (linear) residual_deviations(x, sigma), class = "ember_varcorr"
  )
}

# Whether the observations have a variance of their own, beside that which follows from their mean.
has_residual <- function(fit) {
  inherits(fit, "ember_lmm") || fit$distribution$name == "Gamma"
}

# A covariance matrix with its standard deviations and correlations beside it.
covariance_block <- function(covariance) {
  stddev <- sqrt(diag(covariance))
  correlation <- t(covariance / stddev) / stddev
  diag(correlation) <- 1
  structure(covariance, stddev = stddev, correlation = correlation)
}

# Residual standard deviations by group, or NULL if all rows share one.
residual_deviations <- function(fit, sigma = fit$sigma) {
  if (length(fit$dispersion) > 1L) sigma * fit$dispersion
}

#' @rdname VarCorr.ember_mixed
#' @export
print.ember_varcorr <- function(x, digits = max(3L, getOption("digits") - 2L), comp = "Std.Dev.",
                                formatter = format, ...) {
  print(varcorr_cells(x, digits, comp, formatter, ...), quote = FALSE)
  invisible(x)
}

# lme4's table as text: Groups, Name, the components asked for, correlations.
varcorr_cells <- function(x, digits, comp, formatter = format, ...) {
  shown <- match.arg(comp, c("Variance", "Std.Dev."), several.ok = TRUE)
  residual <- residual_row(x)
  deviations <- c(lapply(x, attr, "stddev"), if (attr(x, "useSc")) list(Residual = residual))
  lengths <- lengths(deviations)
  values <- unlist(deviations, use.names = FALSE)
  groups <- rep("", length(values))
  groups[1L + cumsum(lengths) - lengths] <- names(deviations)
  residual_names <- if (attr(x, "useSc") && is.null(names(residual))) "" else names(residual)
  cells <- cbind(
    Groups = groups, Name = c(unlist(lapply(x, colnames), use.names = FALSE), residual_names),
    if ("Variance" %in% shown) cbind(Variance = formatter(values^2, digits = digits, ...)),
    if ("Std.Dev." %in% shown) cbind(Std.Dev. = formatter(values, digits = digits, ...))
  )
  rownames(cells) <- rep("", nrow(cells))
  correlations <- varcorr_correlations(x, nrow(cells), max(2L, digits - 2L))
  if (is.null(correlations)) cells else cbind(cells, correlations)
}

residual_row <- function(x) {
  deviations <- attr(x, "dispersion")
  if (is.null(deviations)) unname(attr(x, "sc")) else deviations
}

# The strictly lower triangles of the correlation matrices, one below the other; NULL if no term
# has more than one effect.
varcorr_correlations <- function(x, rows, decimals) {
  widths <- vapply(x, ncol, 0L)
  widest <- max(widths, 0L)
  if (widest < 2L) {
    return(NULL)
  }
  cells <- matrix(
    "", rows, widest - 1L, dimnames = list(NULL, c("Corr", rep("", widest - 2L)))
  )
  first <- cumsum(widths) - widths
  for (k in which(widths > 1L)) {
    block <- format(round(attr(x[[k]], "correlation"), decimals), nsmall = decimals)
    lower <- which(lower.tri(block), arr.ind = TRUE)
    cells[cbind(first[[k]] + lower[, 1L], lower[, 2L])] <- block[lower]
  }
  cells
}

#' @rdname VarCorr.ember_mixed
#' @export
as.data.frame.ember_varcorr <- function(x, row.names = NULL, # nolint: object_name_linter.
                                        optional = FALSE, order = c("cov.last", "lower.tri"),
                                        ...) {
  order <- match.arg(order)
  rows <- Map(varcorr_rows, x, names(x), MoreArgs = list(order = order))
  table <- do.call(rbind, c(unname(rows), list(if (attr(x, "useSc")) residual_rows(x))))
  rownames(table) <- NULL
  table
}

residual_rows <- function(x) {
  residual <- residual_row(x)
  data.frame(
    grp = "Residual", var1 = if (is.null(names(residual))) NA_character_ else names(residual),
    var2 = NA_character_, vcov = unname(residual)^2, sdcor = unname(residual)
  )
}

varcorr_rows <- function(block, group, order) {
  effects <- rownames(block)
  q <- length(effects)
  pairs <- which(lower.tri(block), arr.ind = TRUE)
  row <- c(seq_len(q), pairs[, 1L])
  column <- c(seq_len(q), pairs[, 2L])
  on_diagonal <- row == column
  table <- data.frame(
    grp = group, var1 = effects[column], var2 = ifelse(on_diagonal, NA_character_, effects[row]),
    vcov = block[cbind(row, column)],
    sdcor = ifelse(
      on_diagonal, attr(block, "stddev")[row], attr(block, "correlation")[cbind(row, column)]
    )
  )
  if (order == "lower.tri") table <- table[order(column, row), ]
  table
}
