# Principal components of the random effects.

#' Principal components of the random effects
#'
#' A principal component analysis of the covariance matrix of the random effects of each grouping
#' factor: components with a standard deviation near zero are more than the data support (Bates et
#' al. 2015).
#'
#' @param x A fit of [lmm()] or [glmm()].
#' @param object The analyses, as `rePCA()` returns them.
#' @param ... Not used.
#' @returns `rePCA()`: a list of class `ember_repca` with a [prcomp()] object per grouping factor;
#'   standard deviations are relative to the residual one. `summary()`: the list of their summaries
#'   (proportions of variance).
#' @references Bates, D., Kliegl, R., Vasishth, S. and Baayen, H. (2015). Parsimonious mixed models.
#'   arXiv:1506.04967.
#' @examples
#' fit <- lmm(score ~ Machine + (Machine | Worker), data = nlme::Machines)
#' summary(rePCA(fit))
#' @export
rePCA <- function(x, ...) UseMethod("rePCA") # nolint: object_name_linter.

#' @export
rePCA.default <- function(x, ...) pass_to_lme4("rePCA", x)(x, ...) # nolint: object_name_linter.

#' @export
#' @rawNamespace S3method(lme4::rePCA,ember_mixed)
rePCA.ember_mixed <- function(x, ...) { # nolint: object_name_linter.
  components <- lapply(joined_terms(x), function(terms) {
    lambda <- as.matrix(Matrix::bdiag(lapply(x$random[terms], function(term) {
      unname(relative_factor(x, term))
    })))
    decomposition <- svd(lambda, nv = 0L)
    structure(
      list(sdev = decomposition$d, rotation = decomposition$u, center = FALSE, scale = FALSE),
      class = "prcomp"
    )
  })
  structure(components, class = "ember_repca")
}

#' @rdname rePCA
#' @export
summary.ember_repca <- function(object, ...) lapply(unclass(object), summary, ...)

#' @export
print.ember_repca <- function(x, ...) {
  print(unclass(x), ...)
  invisible(x)
}
