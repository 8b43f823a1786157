# Random effects: conditional modes with their variances, and coefficients by group.

#' @importFrom nlme fixef ranef
#' @export
nlme::fixef

#' @export
nlme::ranef

#' Random effects of a mixed model
#'
#' `ranef()` gives the conditional modes of the random effects (their best linear unbiased
#' predictions, given the variances), `coef()` the coefficients of every group: fixed effects plus
#' the random effects of the same name. Both have the form they have in lme4.
#'
#' @details
#' The conditional variances are those of the random effects given the data, with the fixed effects
#' and the variances as if they were known, as lme4 has them: \eqn{\sigma^2 \Lambda (\Lambda' Z' W Z
#' \Lambda + I)^{-1} \Lambda'} (Bates et al. 2015, equation 56). The standard errors of
#' [predict()][predict.ember_lmm] also count the uncertainty of the fixed effects.
#'
#' @param object A fit of [lmm()] or [glmm()].
#' @param condVar Also compute the conditional variances?
#' @param drop Turn data frames of one column into named vectors?
#' @param whichel Names of the grouping factors wanted; by default all.
#' @param x Random effects, as `ranef()` returns them.
#' @param ... Not used.
#' @returns `ranef()`: an object of class `ember_ranef`: a list with a data frame per grouping
#'   factor, with a row per level and a column per effect; terms on the same factor are joined. With
#'   `condVar` each has an attribute `postVar`: an effects x effects x levels array (a list of them
#'   where several terms share the factor). `as.data.frame()` of it: a row per effect with columns
#'   `grpvar`, `term`, `grp`, `condval` and `condsd`. `coef()`: a list of data frames of the same
#'   shape.
#' @references Bates, D., Mächler, M., Bolker, B. and Walker, S. (2015). Fitting linear
#'   mixed-effects models using lme4. *Journal of Statistical Software* 67(1), 1-48.
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' ranef(fit)
#' head(as.data.frame(ranef(fit)))
#' coef(fit)
#' @name ranef.ember_mixed
NULL

#' @rdname ranef.ember_mixed
#' @export
ranef.ember_mixed <- function(object, condVar = TRUE, # nolint: object_name_linter.
                            drop = FALSE, whichel = NULL, ...) {
  call <- rlang::current_env()
  groups <- joined_terms(object)
  groups <- groups[chosen_groups(names(groups), whichel, call)]
  effects <- lapply(groups, function(terms) {
    modes <- do.call(cbind, lapply(terms, function(k) object$b[[k]]))
    data.frame(modes, row.names = object$random[[terms[[1L]]]]$levels, check.names = FALSE)
  })
  if (condVar) {
    variances <- conditional_variances(object, groups, call)
    effects <- Map(function(frame, variance) structure(frame, postVar = variance), effects,
      variances
    )
  }
  if (drop) effects <- lapply(effects, drop_effects)
  structure(effects, class = "ember_ranef")
}

chosen_groups <- function(groups, whichel, call) {
  if (is.null(whichel)) {
    return(groups)
  }
  unknown <- setdiff(whichel, groups)
  if (!is.character(whichel) || length(unknown) > 0L) {
    abort_argument(
      "whichel", "must name grouping factors of the fit.",
      c(i = paste0("They are ", paste0("`", groups, "`", collapse = ", "), ".")), call
    )
  }
  groups[groups %in% whichel]
}

# Per factor an array (effects x effects x levels); a list of them where several terms share it.
conditional_variances <- function(fit, groups = joined_terms(fit), call = rlang::caller_env()) {
  arrays <- native_mixed_effect_variances(fit, call = call)
  lapply(groups, function(terms) {
    parts <- lapply(fit$random[terms], function(term) {
      block <- arrays[[term$core]][term$positions, term$positions, , drop = FALSE]
      dimnames(block) <- NULL
      random_scale(fit)^2 * block
    })
    if (length(parts) == 1L) {
      return(parts[[1L]])
    }
    names(parts) <- vapply(fit$random[terms], function(term) toString(term$names), "")
    parts
  })
}

drop_effects <- function(frame) {
  if (ncol(frame) > 1L) {
    return(frame)
  }
  variances <- attr(frame, "postVar")
  values <- stats::setNames(frame[[1L]], rownames(frame))
  if (is.null(variances)) values else structure(values, postVar = drop(variances))
}

#' @export
print.ember_ranef <- function(x, ...) {
  print(lapply(unclass(x), structure, postVar = NULL), ...)
  has_variances <- vapply(x, function(part) !is.null(attr(part, "postVar")), NA)
  if (any(has_variances)) {
    cat("with conditional variances for ", paste(dQuote(names(x), FALSE), collapse = " "), "\n",
      sep = ""
    )
  }
  invisible(x)
}

#' @rdname ranef.ember_mixed
#' @export
as.data.frame.ember_ranef <- function(x, ...) { # nolint: object_name_linter.
  rows <- Map(effect_rows, x, names(x))
  table <- do.call(rbind, unname(rows))
  rownames(table) <- NULL
  table
}

# One row per level and effect; levels are ordered by their first effect, as plots want them.
effect_rows <- function(frame, group) {
  variances <- attr(frame, "postVar")
  if (!is.data.frame(frame)) {
    frame <- data.frame("(Intercept)" = as.vector(frame), row.names = names(frame),
      check.names = FALSE
    )
  }
  levels <- factor(rownames(frame), levels = rownames(frame)[order(frame[[1L]])])
  table <- data.frame(
    grpvar = group, term = factor(rep(names(frame), each = nrow(frame)), names(frame)),
    grp = rep(levels, ncol(frame)), condval = unlist(frame, use.names = FALSE)
  )
  if (!is.null(variances)) table$condsd <- conditional_deviations(variances)
  table
}

conditional_deviations <- function(variances) {
  if (is.list(variances)) {
    return(unlist(lapply(variances, conditional_deviations), use.names = FALSE))
  }
  if (length(dim(variances)) < 3L) {
    return(sqrt(as.vector(variances)))
  }
  q <- dim(variances)[[1L]]
  unlist(lapply(seq_len(q), function(i) sqrt(variances[i, i, ])))
}

#' @rdname ranef.ember_mixed
#' @export
coef.ember_mixed <- function(object, ...) {
  fixed <- fixef(object)
  effects <- ranef(object, condVar = FALSE)
  # An effect without a fixed one varies about zero; such columns come first, as in lme4.
  absent <- setdiff(unlist(lapply(effects, names)), names(fixed))
  fixed <- c(stats::setNames(numeric(length(absent)), absent), fixed)
  coefficients <- lapply(unclass(effects), function(frame) {
    all <- data.frame(
      matrix(
        fixed, nrow(frame), length(fixed), byrow = TRUE,
        dimnames = list(rownames(frame), names(fixed))
      ),
      check.names = FALSE
    )
    for (j in seq_along(frame)) {
      name <- names(frame)[[j]]
      all[[name]] <- all[[name]] + frame[[j]]
    }
    all
  })
  structure(coefficients, class = "ember_coef")
}

#' @export
print.ember_coef <- function(x, ...) {
  print(unclass(x), ...)
  invisible(x)
}
