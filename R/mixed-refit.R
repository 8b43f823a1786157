# The same model again: with another response, criterion or formula.

#' Fit the same model again
#'
#' `refit()` fits the model to another response, without building its matrices again: it is fast,
#' and meant for simulation. `refitML()` fits by maximum likelihood what was fitted by REML.
#' `update()` changes arguments of the call and evaluates it.
#'
#' @param object,x A fit of [lmm()] or, but for `refitML()`, [glmm()].
#' @param newresp A response with a value for each row of the fit (or for each row of the data, if
#'   rows with missing values were left out), in any form that the family takes; or a data frame
#'   with one such column, as [simulate()][simulate.ember_mixed] returns. By default the response of
#'   the fit.
#' @param formula. Changes of the formula, as in [update.formula()].
#' @param evaluate Evaluate the new call, or return it?
#' @param ... For `update()`: arguments of [lmm()] or [glmm()] to change. Otherwise not used.
#' @returns A fit of the same kind; `update(evaluate = FALSE)` a call.
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' refit(fit, simulate(fit, seed = 1))
#' logLik(refitML(fit))
#' update(fit, . ~ . - Machine)
#' @export
refit <- function(object, newresp = NULL, ...) UseMethod("refit")

#' @export
refit.default <- function(object, newresp = NULL, ...) {
  pass_to_lme4("refit", object)(object, newresp, ...)
}

#' @rdname refit
#' @export
#' @rawNamespace S3method(lme4::refit,ember_mixed)
refit.ember_mixed <- function(object, newresp = NULL, ...) {
  call <- rlang::current_env()
  if (!is.null(newresp)) {
    response <- attr(attr(object$frame, "terms"), "response")
    object$frame[[response]] <- if (inherits(object, "ember_glmm")) {
      new_glmm_response(object, one_response(newresp, call), call)
    } else {
      new_response(object, one_response(newresp, call), call)
    }
  }
  refit_rows(object, mixed_rows(object), call)
}

one_response <- function(newresp, call) {
  if (is.list(newresp)) {
    if (length(newresp) != 1L) {
      abort_argument(
        "newresp", "must be one response.", c(i = "For several: `lapply(newresp, refit, ...)`."),
        call
      )
    }
    newresp <- newresp[[1L]]
  }
  newresp
}

new_response <- function(fit, newresp, call) {
  if (!is.numeric(newresp) || !length(newresp) %in% c(fit$nobs, fit$nobs + length(fit$na_action))) {
    abort_argument(
      "newresp", paste0("must be ", fit$nobs, " numbers, one for each row of the fit."),
      c(x = paste0("It is ", describe_object(newresp), " of length ", length(newresp), ".")), call
    )
  }
  if (length(newresp) > fit$nobs) newresp <- newresp[-fit$na_action]
  values <- as.double(newresp)
  if (!all(is.finite(values))) {
    abort_argument("newresp", "must be finite, without missing values.", NULL, call)
  }
  values
}

# In any form that the family takes: mixed_rows() checks it like the first one.
new_glmm_response <- function(fit, newresp, call) {
  rows <- NROW(newresp)
  if (!is.atomic(newresp) || !rows %in% c(fit$nobs, fit$nobs + length(fit$na_action))) {
    abort_argument(
      "newresp", paste0("must have ", fit$nobs, " values, one for each row of the fit."),
      c(x = paste0("It is ", describe_object(newresp), " with ", rows, ".")), call
    )
  }
  if (rows > fit$nobs) {
    left_out <- fit$na_action
    newresp <- if (is.matrix(newresp)) newresp[-left_out, , drop = FALSE] else newresp[-left_out]
  }
  if (anyNA(newresp)) {
    abort_argument("newresp", "must have no missing values.", NULL, call)
  }
  newresp
}

#' @rdname refit
#' @export
refitML <- function(x, ...) UseMethod("refitML") # nolint: object_name_linter.

#' @export
refitML.default <- function(x, ...) { # nolint: object_name_linter.
  pass_to_lme4("refitML", x)(x, ...)
}

#' @rdname refit
#' @export
#' @rawNamespace S3method(lme4::refitML,ember_lmm)
refitML.ember_lmm <- function(x, ...) { # nolint: object_name_linter.
  if (!x$REML) {
    return(x)
  }
  x$REML <- FALSE
  x$call$REML <- FALSE
  refit_rows(x, mixed_rows(x), rlang::current_env())
}

#' @rdname refit
#' @export
update.ember_mixed <- function(object, formula., # nolint: object_name_linter.
                             ..., evaluate = TRUE) {
  call <- object$call
  changes <- match.call(expand.dots = FALSE)$...
  if (!missing(formula.)) {
    call$formula <- stats::update.formula(stats::formula(object), formula.)
  }
  for (name in names(changes)) call[[name]] <- changes[[name]]
  if (!evaluate) {
    return(call)
  }
  evaluate_call(call, environment(object$formula), parent.frame())
}

# Where the formula was written, or else where update() was called: the arguments of a changed call
# can live in either. Those that are looked up in the data first do not tell.
evaluate_call <- function(call, first, second) {
  arguments <- as.list(call)[-1L]
  masked <- c("formula", "weights", "offset", "subset", "dispersion")
  variables <- unlist(lapply(arguments[!names(arguments) %in% masked], all.vars))
  found <- vapply(as.character(variables), exists, NA, envir = first)
  eval(call, if (all(found)) first else second)
}
