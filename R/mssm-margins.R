# Average marginal effects of a sample selection model.

#' Average marginal effects of a sample selection model
#'
#' How a prediction changes with a variable, averaged over the rows, with standard errors by the
#' delta method. A variable may be in several formulas at once (outcome and selection): the effect
#' is the total one.
#'
#' @details
#' For a numeric variable the effect is the mean over rows of the derivative of
#' [predict()][predict.ember_mssm] of that type by the variable, taken through all terms that hold
#' it, such as `I(age^2)`. For a factor, a character or a logical variable it is the mean of the
#' difference between the predictions with every row at a level and with every row at the first
#' level. Rows count with the weights of the fit.
#'
#' With one equation and type `"selected"` the derivative is \eqn{\beta_x - \rho \sigma \gamma_x
#' \lambda (\lambda + w'\gamma)} (Greene 2018, section 19.4).
#'
#' Standard errors are \eqn{\sqrt{g' V g}}, with g the gradient of the mean effect by all
#' parameters, those of the errors included, and V their covariance matrix. The regressors are taken
#' as given. Derivatives by a variable are central differences of averages computed in the core.
#'
#' @inheritParams predict.ember_mssm
#' @param object A fit of [mssm()].
#' @param type What changes, one of the types of [predict()][predict.ember_mssm] except `"missing"`.
#' @param variables Names of variables; by default all regressors.
#' @param newdata A data frame to average over; by default the data of the fit, which must still
#'   exist where the fit was made.
#' @param level Probability of the confidence intervals.
#' @returns A data frame of class `ember_margins` with columns `equation`, `variable`, `contrast`
#'   (`"dy/dx"` or the two levels), `estimate`, `std.error`, `statistic`, `p.value`, `conf.low` and
#'   `conf.high`; attribute `vcov` is the covariance matrix of the estimates. `tidy()` and
#'   `as.data.frame()` give a plain data frame.
#' @references Greene, W. H. (2018). *Econometric Analysis*, 8th edition. Pearson.
#' @examplesIf requireNamespace("AER", quietly = TRUE)
#' data("PSID1976", package = "AER")
#' PSID1976$lwage <- ifelse(PSID1976$participation == "yes", log(PSID1976$wage), NA)
#' fit <- mssm(
#'   lwage ~ education + experience, participation ~ education + age + youngkids,
#'   data = PSID1976
#' )
#' marginal_effects(fit)
#' marginal_effects(fit, type = "probability", variables = c("age", "youngkids"))
#' @export
marginal_effects <- function(object,
                             type = c(
                               "selected", "not_selected", "outcome", "pattern", "latent",
                               "probability", "joint", "mills"
                             ),
                             variables = NULL, equation = NULL, pattern = NULL, newdata = NULL,
                             level = 0.95, vcov = NULL) {
  call <- rlang::current_env()
  if (!inherits(object, "ember_mssm")) {
    abort_argument("object", "must be a fit of `mssm()`.", NULL, call)
  }
  type <- match_choice("type", call)
  check_level(level, call)
  equation <- mssm_equations(object, equation, call)
  targets <- mssm_targets(object, type, equation, mssm_pattern(object, pattern, type, call))
  covariance <- mssm_covariance(object, vcov, call)
  data <- margins_data(object, newdata, call)
  variables <- margins_variables(object, variables, data$frame, call)
  average <- function(frame) {
    rows <- mssm_rows(object, frame, stats::na.pass, call, needed_components(type))
    native_mssm_average(
      rows$designs, mssm_kept_parameters(object), targets, data$weights,
      native_mssm_control(object$control, object$seed), call
    )
  }
  effects <- unlist(lapply(variables, variable_effects, data$frame, average, call), FALSE)
  labels <- if (type == "joint") "joint" else object$equations$outcome[equation]
  margins_table(effects, labels, covariance, type, level)
}

# One list(variable, contrast, means, gradient) for each contrast of a variable.
variable_effects <- function(variable, frame, average, call) {
  column <- frame[[variable]]
  at <- function(value) {
    frame[[variable]] <- value
    average(frame)
  }
  difference <- function(contrast, high, low, width) {
    list(
      variable = variable, contrast = contrast, means = (high$means - low$means) / width,
      gradient = (high$gradient - low$gradient) / width
    )
  }
  if (is.numeric(column)) {
    # The error of the difference is about its square, that of rounding its inverse.
    spread <- stats::sd(column)
    step <- 1e-5 * if (isTRUE(spread > 0)) spread else max(1, abs(column))
    return(list(difference("dy/dx", at(column + step), at(column - step), 2 * step)))
  }
  levels <- if (is.logical(column)) c(FALSE, TRUE) else categories(column)
  if (length(levels) < 2L) {
    abort_argument(
      "variables", paste0("holds `", variable, "`, which does not vary."), NULL, call
    )
  }
  fixed <- function(level) {
    value <- if (is.factor(column)) factor(level, levels, ordered = is.ordered(column)) else level
    at(rep(value, nrow(frame)))
  }
  base <- fixed(levels[[1L]])
  lapply(levels[-1L], function(level) {
    difference(paste(level, "-", levels[[1L]]), fixed(level), base, 1)
  })
}

# Complete rows with all variables of the regressors, and weights.
margins_data <- function(fit, newdata, call) {
  own <- is.null(newdata)
  if (own) newdata <- mssm_data(fit, call)
  names <- regressor_variables(fit)
  absent <- setdiff(names, names(newdata))
  if (length(absent) > 0L) {
    abort_argument(
      "newdata", paste0("has no variable `", absent[[1L]], "`."),
      c(i = if (own) "The data of the fit were not found; give `newdata`."), call
    )
  }
  frame <- as.data.frame(newdata)[names]
  complete <- stats::complete.cases(frame)
  if (!any(complete)) abort_argument("newdata", "has no complete rows.", NULL, call)
  list(
    frame = frame[complete, , drop = FALSE],
    weights = if (own) fit$rows$weights[complete]
  )
}

# The variables of the data that regressors are made of.
regressor_variables <- function(fit) {
  of_terms <- function(terms) all.vars(stats::formula(stats::delete.response(terms)))
  unique(unlist(lapply(c(fit$terms$outcome, fit$terms$selection), of_terms)))
}

# The variables of the rows that were fitted, as the user had them.
mssm_data <- function(fit, call) {
  names <- regressor_variables(fit)
  rows <- row.names(fit$frame)
  data <- rlang::try_fetch(
    {
      env <- environment(fit$formulas$outcome[[1L]])
      found <- eval(fit$call$data, env)
      frame <- if (is.data.frame(found)) found else as.data.frame(mget(names, env))
      frame <- frame[intersect(names, names(frame))]
      frame[match(rows, row.names(frame)), , drop = FALSE]
    },
    error = function(cnd) NULL
  )
  if (is.null(data)) {
    abort_argument("newdata", "is needed: the data of the fit were not found.", NULL, call)
  }
  data
}

margins_variables <- function(fit, variables, frame, call) {
  known <- regressor_variables(fit)
  if (is.null(variables)) {
    return(known)
  }
  if (!is.character(variables) || length(variables) == 0L || !all(variables %in% known)) {
    abort_argument(
      "variables", "must be names of variables in the formulas of the fit.",
      c(i = paste0("They are ", quoted(known), ".")), call
    )
  }
  unique(variables)
}

# Rows: equation by equation, then variable by variable.
margins_table <- function(effects, equations, covariance, type, level) {
  each <- length(effects)
  gradient <- do.call(cbind, lapply(seq_along(equations), function(t) {
    vapply(effects, function(effect) effect$gradient[, t], numeric(nrow(covariance)))
  }))
  estimate <- unlist(lapply(seq_along(equations), function(t) {
    vapply(effects, function(effect) effect$means[[t]], 0)
  }))
  of_effects <- crossprod(gradient, covariance %*% gradient)
  error <- sqrt(pmax(diag(of_effects), 0))
  half <- stats::qnorm((1 + level) / 2) * error
  # An effect that is zero whatever the parameters has no test.
  statistic <- ifelse(error > 0, estimate / error, NA)
  field <- function(name) rep(vapply(effects, `[[`, "", name), length(equations))
  table <- data.frame(
    equation = rep(equations, each = each), variable = field("variable"),
    contrast = field("contrast"), estimate = estimate, std.error = error,
    statistic = statistic, p.value = 2 * stats::pnorm(-abs(statistic)),
    conf.low = estimate - half, conf.high = estimate + half
  )
  names <- paste(table$equation, table$variable, table$contrast, sep = ":")
  dimnames(of_effects) <- list(names, names)
  structure(
    table, vcov = of_effects, type = type, level = level,
    class = c("ember_margins", "data.frame")
  )
}

#' @export
print.ember_margins <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  cat("Average marginal effects, type \"", attr(x, "type"), "\"\n", sep = "")
  for (equation in unique(x$equation)) {
    rows <- x[x$equation == equation, ]
    cells <- as.matrix(rows[c("estimate", "std.error", "statistic", "p.value")])
    label <- ifelse(rows$contrast == "dy/dx", rows$variable, paste0(
      rows$variable, " (", rows$contrast, ")"
    ))
    dimnames(cells) <- list(label, c("Effect", "Std. Error", "z value", "Pr(>|z|)"))
    cat("\n", equation, ":\n", sep = "")
    stats::printCoefmat(cells, digits = digits, signif.legend = FALSE, has.Pvalue = TRUE)
  }
  invisible(x)
}

#' @rdname marginal_effects
#' @param x Marginal effects.
#' @param row.names,optional,... Not used.
#' @export
as.data.frame.ember_margins <- function(x, row.names = NULL, # nolint: object_name_linter.
                                        optional = FALSE, ...) {
  attributes(x)[c("vcov", "type", "level")] <- NULL
  class(x) <- "data.frame"
  x
}

#' @rdname marginal_effects
#' @export
tidy.ember_margins <- function(x, ...) as_tibble_if_installed(as.data.frame(x))
