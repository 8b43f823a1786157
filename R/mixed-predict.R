# Predictions of a mixed model, for known and new levels, with their errors.

#' Predictions of a linear mixed model
#'
#' Predictions for the levels of the grouping factors that were observed (conditional), or for the
#' population, with standard errors and intervals of both kinds.
#'
#' @details
#' ## Standard errors
#'
#' For a *conditional* prediction \eqn{x'\hat\beta + z'\hat b} the error is that of the prediction
#' of \eqn{x'\beta + z'b}: the variance of \eqn{x'(\hat\beta - \beta) + z'(\hat b - b)} from the
#' inverse of Henderson's mixed model equations (Henderson 1975; Robinson 1991), which counts the
#' uncertainty of the fixed effects, of the random effects, and their covariance. A level that is
#' not in the fit has an effect of 0 and adds its variance \eqn{z'\Sigma z}.
#'
#' For a *population* prediction (`re.form = NA`) it is \eqn{x' \mathrm{vcov}(\hat\beta) x}, the
#' error of the mean of the population.
#'
#' A `"confidence"` interval is the prediction plus or minus the quantile times that error. A
#' `"prediction"` interval is for a new observation: it adds the residual variance, and for random
#' effects that `re.form` leaves out their variance \eqn{z'\Sigma z}. Variances are taken as known:
#' intervals are somewhat too short with few groups. `df` gives t instead of normal quantiles.
#'
#' The residual variance of a new row is \eqn{\sigma^2} (times the squared ratio of its group in a
#' model with `dispersion`); that of a row of the fit is also divided by its weight.
#'
#' @param object A fit of [lmm()].
#' @param newdata A data frame with the variables of the model; by default the data of the fit.
#' @param re.form Random effects to use: `NULL` for all of them, `NA` or `~0` for none, or a
#'   formula with some, such as `~ (1 | g)`.
#' @param allow.new.levels Allow levels that are not in the fit, with random effects of 0?
#' @param random.only Only the random effects, without fixed effects and offset?
#' @param se.fit Also return standard errors?
#' @param interval `"none"`, `"confidence"` (for the mean, or the mean of the level) or
#'   `"prediction"` (for a new observation).
#' @param level Probability of the interval.
#' @param df Degrees of freedom of its quantile; `Inf` for the normal distribution.
#' @param na.action What to do with missing values in `newdata`: with [na.pass()] the prediction is
#'   `NA`.
#' @param type Not used: `"link"` and `"response"` are the same in a linear model.
#' @param ... Not used.
#' @returns A named vector; with an interval a matrix with columns `fit`, `lwr` and `upr`; with
#'   `se.fit` a list with `fit` (either of these), `se.fit`, `df` and `residual.scale`.
#' @references Henderson, C. R. (1975). Best linear unbiased estimation and prediction under a
#'   selection model. *Biometrics* 31, 423-447.
#'
#'   Robinson, G. K. (1991). That BLUP is a good thing: the estimation of random effects.
#'   *Statistical Science* 6, 15-32.
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' new <- data.frame(Machine = c("A", "B"), Worker = c("3", "unknown"))
#' predict(fit, new, allow.new.levels = TRUE, interval = "prediction")
#' predict(fit, new, re.form = NA, se.fit = TRUE)
#' @export
predict.ember_lmm <- function(object, newdata = NULL,
                              re.form = NULL, # nolint: object_name_linter.
                              allow.new.levels = FALSE, # nolint: object_name_linter.
                              random.only = FALSE, # nolint: object_name_linter.
                              se.fit = FALSE, # nolint: object_name_linter.
                              interval = c("none", "confidence", "prediction"),
                              level = 0.95, df = Inf,
                              na.action = stats::na.pass, # nolint: object_name_linter.
                              type = c("link", "response"), ...) {
  call <- rlang::current_env()
  type <- match_choice("type", call)
  interval <- match_choice("interval", call)
  check_interval(level, df, call)
  chosen <- selected_effects(object, re.form, call)
  rows <- if (is.null(newdata)) {
    own_rows(object, chosen)
  } else {
    with_columns <- interval == "prediction"
    new_rows(object, newdata, chosen, na.action, allow.new.levels, with_columns, call)
  }
  fit <- predicted_values(object, rows, random.only)
  if (!se.fit && interval == "none") {
    return(stats::napredict(rows$na_action, fit))
  }
  variance <- prediction_variances(object, rows, !random.only, call)
  values <- with_interval(object, rows, fit, variance, interval, level, df)
  values <- stats::napredict(rows$na_action, values)
  if (!se.fit) {
    return(values)
  }
  errors <- stats::napredict(rows$na_action, stats::setNames(sqrt(variance), rows$names))
  list(fit = values, se.fit = errors, df = df, residual.scale = object$sigma)
}

with_interval <- function(object, rows, fit, variance, interval, level, df) {
  if (interval == "none") {
    return(fit)
  }
  if (interval == "prediction") variance <- variance + outcome_variances(object, rows)
  half <- stats::qt((1 + level) / 2, df) * sqrt(variance)
  cbind(fit = fit, lwr = fit - half, upr = fit + half)
}

check_interval <- function(level, df, call) {
  check_level(level, call)
  if (!is_positive(df)) {
    abort_argument("df", "must be a positive number, or Inf.", NULL, call)
  }
}

is_positive <- function(x) is.numeric(x) && length(x) == 1L && isTRUE(x > 0)

predicted_values <- function(fit, rows, random_only) {
  total <- numeric(nrow(rows$x))
  if (!random_only) {
    total <- as.vector(rows$x %*% fit$beta)
    if (!is.null(rows$offset)) total <- total + rows$offset
  }
  for (k in seq_along(rows$parts)) {
    part <- rows$parts[[k]]
    if (is_used(part)) total <- total + effects_of(part, fit$b[[k]])
  }
  stats::setNames(total, rows$names)
}

# Var(x'(beta-hat - beta) + z'(b-hat - b)) of every row for the chosen effects; NA where a value is
# missing.
prediction_variances <- function(fit, rows, fixed, call) {
  if (!any(vapply(rows$parts, is_used, NA))) {
    x <- if (fixed) as.matrix(rows$x) else matrix(0, nrow(rows$x), ncol(rows$x))
    return(rowSums((x %*% fit$vcov_beta) * x))
  }
  joint <- list(x = rows$x, terms = joint_terms(fit, rows))
  complete <- complete_rows(joint)
  variance <- rep(NA_real_, length(complete))
  if (any(complete)) {
    kept <- keep_joint_rows(joint, complete)
    variance[complete] <- native_mixed_error_variances(fit, kept, fixed, call)
  }
  variance
}

complete_rows <- function(joint) {
  values <- unlist(lapply(joint$terms, `[[`, "columns"), recursive = FALSE)
  !is.na(Reduce(`+`, values, Matrix::rowSums(joint$x)))
}

keep_joint_rows <- function(joint, kept) {
  terms <- lapply(joint$terms, function(term) {
    term$codes <- term$codes[kept]
    term$columns <- lapply(term$columns, `[`, kept)
    term
  })
  list(x = joint$x[kept, , drop = FALSE], terms = terms)
}

is_used <- function(part) any(part$chosen)

# The random part as the core takes it: effects that are not chosen have columns of zeros, code 0 is
# a level that is not in the fit, NA a factor that is not used.
joint_terms <- function(fit, rows) {
  of_core <- vapply(fit$random, `[[`, 0L, "core")
  lapply(seq_along(fit$structure$widths), function(core) {
    mine <- which(of_core == core)
    columns <- matrix(0, nrow(rows$x), fit$structure$widths[[core]])
    codes <- rep(NA_integer_, nrow(rows$x))
    for (k in mine) {
      part <- rows$parts[[k]]
      if (!is_used(part)) next
      codes <- ifelse(is.na(part$codes), 0L, part$codes)
      used <- which(part$chosen)
      columns[, fit$random[[k]]$positions[used]] <- part$columns[, used]
    }
    list(
      codes = codes, levels = length(fit$random[[mine[[1L]]]]$levels),
      columns = lapply(seq_len(ncol(columns)), function(j) columns[, j])
    )
  })
}

# z' Sigma z of some effects of a term.
marginal_variances <- function(fit, k, part, effects) {
  sigma <- tcrossprod(random_scale(fit) * relative_factor(fit, fit$random[[k]]))
  z <- part$columns[, effects, drop = FALSE]
  rowSums((z %*% sigma[effects, effects, drop = FALSE]) * z)
}

# What a new observation adds: the residual, and the random effects that were not used.
outcome_variances <- function(fit, rows) {
  variance <- rep(fit$sigma^2, nrow(rows$x))
  if (!is.null(rows$dispersion)) variance <- variance * rows$dispersion^2
  if (!is.null(rows$weights)) variance <- variance / rows$weights
  for (k in seq_along(rows$parts)) {
    part <- rows$parts[[k]]
    if (!all(part$chosen)) {
      variance <- variance + marginal_variances(fit, k, part, !part$chosen)
    }
  }
  variance
}
