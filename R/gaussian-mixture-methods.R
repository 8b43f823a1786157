# Short answers about a fitted mixture; longer ones have files of their own (-summary, -predict,
# -inference, -merge, -plot).

#' @importFrom stats anova coef confint density fitted formula model.frame predict quantile
#'   residuals simulate update vcov
#' @export
print.ember_mixture <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  cat(mixture_heading(x), "\n", sep = "")
  cat(call_lines(x), sep = "\n")
  cat(criteria_line(x), "\n", sep = "")
  if (x$status != "converged") {
    cat("NOT a maximum: ", status_words(x), "\n", sep = "")
  }
  cat("\nMixing weights:\n")
  print(component_weights(x), digits = digits)
  cat("\nMeans:\n")
  print(x$means, digits = digits)
  invisible(x)
}

mixture_heading <- function(fit) {
  method <- if (is.null(fit$prior)) "maximum likelihood" else "posterior mode"
  paste0("Gaussian mixture fit by ", method, " (EM)")
}

# lme4's lines on what was fitted, and the model in words.
call_lines <- function(fit) {
  data <- fit$call$data
  components <- paste(fit$k, if (fit$k == 1L) "component" else "components")
  if (!is.null(fit$noise)) components <- paste(components, "and uniform noise")
  c(
    if (!is.null(fit$formula)) paste0("Formula: ", deparse1(fit$formula)),
    if (!is.null(data)) paste0("   Data: ", deparse1(data, nlines = 1L)),
    paste0("  Model: ", fit$model, " (", model_words(fit$model), "), ", components),
    if (length(fit$known) > 0L) paste0("  Known: ", paste(names(fit$known), collapse = ", "))
  )
}

criteria_line <- function(fit) {
  paste0(
    "logLik ", format(round(fit$loglik, 2), nsmall = 2), " (df = ", fit$df, "), BIC ",
    format(round(stats::BIC(fit), 2), nsmall = 2), ", n = ", format(fit$nobs)
  )
}

# The covariance model of that name, in words.
model_words <- function(model) {
  if (model %in% univariate_models) {
    return(c(E = "equal variance", V = "variable variance")[[model]])
  }
  letters <- strsplit(model, "")[[1L]]
  form <- c("ellipsoidal", "diagonal", "spherical")[[1L + sum(letters[2:3] == "I")]]
  parts <- c("volume", "shape", "orientation")
  group <- function(letter) parts[letters == letter]
  list_words <- function(words) sub(", ([^,]*)$", " and \\1", paste(words, collapse = ", "))
  phrases <- c(
    if (length(group("E")) > 0L) paste("equal", list_words(group("E"))),
    if (length(group("V")) > 0L) paste("variable", list_words(group("V")))
  )
  paste0(form, ", ", paste(phrases, collapse = ", "))
}

# Mixing weights with their labels; the noise comes last.
component_weights <- function(fit) {
  labels <- c(rownames(fit$means), if (!is.null(fit$noise)) "noise")
  stats::setNames(c(fit$weights, fit$noise$weight), labels)
}

#' Integrated completed likelihood
#'
#' The integrated completed likelihood criterion,
#' \eqn{BIC - 2 \sum_i w_i \log \max_k r_{ik}}, with r the posterior probabilities and w the row
#' weights: rows that are hard to classify cost, so it prefers well-separated clusters. Smaller is
#' better, as for [stats::AIC()] and [stats::BIC()] (mclust's `icl()` has the opposite sign).
#'
#' @param object A fit of [gaussian_mixture()].
#' @param ... Not used.
#' @returns A number, on the scale of [stats::BIC()].
#' @references Biernacki, C., Celeux, G. and Govaert, G. (2000). Assessing a mixture model for
#'   clustering with the integrated completed likelihood. *IEEE Transactions on Pattern Analysis and
#'   Machine Intelligence* 22, 719-725.
#' @examples
#' fit <- gaussian_mixture(faithful, k = 2, model = "VVV")
#' c(AIC = AIC(fit), BIC = BIC(fit), ICL = ICL(fit))
#' @export
ICL <- function(object, ...) {
  UseMethod("ICL")
}

#' @export
ICL.ember_mixture <- function(object, ...) {
  cell <- object$table$k == object$k & object$table$model == object$model
  object$table$ICL[cell]
}

#' @export
formula.ember_mixture <- function(x, ...) {
  if (is.null(x$formula)) {
    ember_abort(
      "The mixture was not fitted with a formula.", class = "unsupported",
      details = c(i = "Its variables are `colnames(fit$means)`."), call = rlang::current_env()
    )
  }
  x$formula
}

#' @export
model.frame.ember_mixture <- function(formula, ...) {
  fit <- formula
  x <- data_of(fit, rlang::current_env())
  colnames(x) <- colnames(fit$means)
  as.data.frame(x)
}

#' @export
residuals.ember_mixture <- function(object, ...) {
  ember_abort(
    "A mixture has no residuals.", class = "unsupported",
    details = c(
      i = "See `uncertainty()` for rows that are hard to classify.",
      i = "See `predict(type = \"log_density\")` for outliers."
    ),
    call = rlang::current_env()
  )
}

#' @export
fitted.ember_mixture <- function(object, ...) {
  ember_abort(
    "A mixture has no fitted values.", class = "unsupported",
    details = c(i = "See `predict()` for classes, posterior probabilities and densities."),
    call = rlang::current_env()
  )
}

# The data a fit was made from, or an error that says how to keep them.
data_of <- function(fit, call) {
  if (is.null(fit$data)) {
    ember_abort(
      "The fit does not hold its data.", class = "no_data",
      details = c(i = "Fit with `keep_data = TRUE`, or give `newdata` where that is an argument."),
      call = call
    )
  }
  fit$data
}

#' @export
update.ember_mixture <- function(object, formula., # nolint: object_name_linter.
                                 ..., evaluate = TRUE) {
  call <- object$call
  if (!missing(formula.)) {
    call$x <- stats::update(stats::formula(object), formula.)
  }
  changes <- match.call(expand.dots = FALSE)$...
  for (name in names(changes)) {
    call[[name]] <- changes[[name]]
  }
  if (evaluate) eval(call, parent.frame()) else call
}

#' Compare fitted mixtures
#'
#' A table of the criteria of several mixtures, fitted to the same data. It has no p-values: the
#' likelihood ratio of mixtures with different numbers of components is not chi-square.
#' [bootstrap_lrt()] tests them.
#'
#' @param object,... Fits of [gaussian_mixture()].
#' @returns A data frame of class `anova`: one row per fit with `k`, `npar`, `AIC`, `BIC`, `ICL`,
#'   `logLik` and `deviance` (twice the negative log-likelihood).
#' @examples
#' two <- gaussian_mixture(faithful, k = 2, model = "VVV")
#' three <- gaussian_mixture(faithful, k = 3, model = "EEE")
#' anova(two, three)
#' @export
anova.ember_mixture <- function(object, ...) {
  call <- rlang::current_env()
  fits <- list(object, ...)
  labels <- fit_labels(as.list(match.call())[-1L])
  if (!all(vapply(fits, inherits, NA, "ember_mixture"))) {
    abort_argument("...", "must be mixtures fitted by `gaussian_mixture()`.", NULL, call)
  }
  sizes <- vapply(fits, function(fit) fit$nobs, 0)
  dims <- vapply(fits, function(fit) ncol(fit$means), 0L)
  if (any(sizes != sizes[[1L]]) || any(dims != dims[[1L]])) {
    abort_argument(
      "...", "must be fitted to the same data.",
      c(x = "The numbers of observations or variables differ."), call
    )
  }
  loglik <- vapply(fits, function(fit) fit$loglik, 0)
  table <- data.frame(
    k = vapply(fits, function(fit) fit$k, 0L), npar = vapply(fits, function(fit) fit$df, 0L),
    AIC = vapply(fits, stats::AIC, 0), BIC = vapply(fits, stats::BIC, 0), ICL = vapply(
      fits, ICL, 0
    ),
    logLik = loglik, deviance = -2 * loglik,
    row.names = labels
  )
  models <- vapply(fits, function(fit) fit$model, "")
  structure(table,
    heading = c(
      "Gaussian mixtures", paste0(row.names(table), ": ", models, ", k = ", table$k),
      "No chi-square test holds between numbers of components; see bootstrap_lrt().\n"
    ),
    class = c("anova", "data.frame")
  )
}

# Names of variables as they are; what is not a variable is called fit1, fit2, ... by its place.
fit_labels <- function(expressions) {
  named <- vapply(expressions, is.symbol, NA)
  labels <- paste0("fit", seq_along(expressions))
  labels[named] <- vapply(expressions[named], as.character, "")
  make.unique(labels)
}
