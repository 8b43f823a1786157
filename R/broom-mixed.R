# broom's three verbs for mixed models, with the names of package broom.mixed.

#' Tidy a fitted mixed model
#'
#' The tables that package broom.mixed makes of lme4's fits, so that what is built on them
#' (modelsummary, for instance) works on fits of [lmm()] and [glmm()] too.
#'
#' @param x A fit of [lmm()] or [glmm()].
#' @param effects What to list: `"fixed"` effects, `"ran_pars"` (standard deviations and
#'   correlations of the random effects), `"ran_vals"` (random effects of every level),
#'   `"ran_coefs"` (coefficients of every level).
#' @param scales For each of `effects` the scale or `NA`; for `"ran_pars"` `"sdcor"` (standard
#'   deviations and correlations) or `"vcov"` (variances and covariances).
#' @param exponentiate Exponentiate the fixed effects?
#' @param ran_prefix Two prefixes of the names of `"ran_pars"`, by default `sd`, `cor` or `var`,
#'   `cov`.
#' @param conf.int,conf.level Whether to add confidence intervals, and their coverage.
#' @param conf.method `"Wald"` (with the degrees of freedom of `ddf.method`), `"profile"` or
#'   `"boot"`, as in [confint()][confint.ember_mixed]. There are no Wald intervals for `"ran_pars"`.
#' @param ddf.method Degrees of freedom: `"Satterthwaite"`, `"Kenward-Roger"`, or `"lme4"` for none
#'   (and no p-values).
#' @param data Data to which `augment()` adds columns; by default the model frame.
#' @param newdata New data to predict, instead of `data`; levels that the fit does not know have
#'   random effects of zero.
#' @param ... Passed to [confint()][confint.ember_mixed] by `tidy()`; otherwise not used.
#' @returns A data frame (a tibble where the package tibble is installed). `tidy()`: `effect`,
#'   `group`, `level` (where levels are listed), `term` (such as `sd__(Intercept)`), `estimate`,
#'   `std.error`, `statistic`, `df`, `p.value`, `conf.low`, `conf.high`. `glance()`: one row with
#'   `nobs`, `sigma`, `logLik`, `AIC`, `BIC`, `REMLcrit` or `deviance`, `df.residual`. `augment()`:
#'   the data and `.fitted`, `.resid`, `.hat`, `.cooksd`, `.fixed`, `.mu`, `.offset`, `.sqrtXwt`,
#'   `.sqrtrwt`, `.weights`, `.wtres` (for [glmm()] `.fitted` and `.fixed` are on the scale of the
#'   link, and `.eta` is there too); with `newdata` only `.fitted` and `.fixed`.
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' tidy(fit, conf.int = TRUE)
#' glance(fit)
#' head(augment(fit))
#' @name lmm_tidiers
NULL

#' @rdname lmm_tidiers
#' @export
tidy.ember_mixed <- function(x, effects = c("ran_pars", "fixed"), scales = NULL,
                           exponentiate = FALSE, ran_prefix = NULL, conf.int = FALSE,
                           conf.level = 0.95, conf.method = c("Wald", "profile", "boot"),
                           ddf.method = c("Satterthwaite", "Kenward-Roger", "lme4"), ...) {
  call <- rlang::current_env()
  check_tidy_effects(effects, scales, call)
  interval <- list(
    wanted = conf.int, level = conf.level, method = match_choice("conf.method", call)
  )
  ddf <- match_choice("ddf.method", call)
  scale <- if (is.null(scales)) "sdcor" else scales[effects == "ran_pars"]
  parts <- list(
    fixed = if ("fixed" %in% effects) tidy_fixed(x, ddf, exponentiate, interval, ...),
    ran_pars = if ("ran_pars" %in% effects) tidy_ran_pars(x, scale, ran_prefix, interval, ...),
    ran_vals = if ("ran_vals" %in% effects) tidy_ran_vals(x, interval),
    ran_coefs = if ("ran_coefs" %in% effects) tidy_ran_coefs(x)
  )
  as_tibble_if_installed(stack_tables(parts[lengths(parts) > 0L]))
}

check_tidy_effects <- function(effects, scales, call) {
  known <- c("fixed", "ran_pars", "ran_vals", "ran_coefs")
  if (!is.character(effects) || length(effects) == 0L || !all(effects %in% known)) {
    abort_argument(
      "effects", "must be one or several of \"fixed\", \"ran_pars\", \"ran_vals\", \"ran_coefs\".",
      call = call
    )
  }
  usable <- is.null(scales) || length(scales) == length(effects) &&
    all(scales[effects == "ran_pars"] %in% c("sdcor", "vcov"))
  if (!usable) {
    abort_argument(
      "scales", "must have a value for each of `effects`.",
      c(i = "For \"ran_pars\" it is \"sdcor\" or \"vcov\", otherwise NA."), call
    )
  }
}

tidy_fixed <- function(fit, ddf, exponentiate, interval, ...) {
  table <- stats::coef(summary(fit, ddf = ddf))
  out <- data.frame(
    term = as.character(rownames(table)), table, check.names = FALSE, row.names = NULL
  )
  broom_names <- c(
    Estimate = "estimate", "Std. Error" = "std.error", df = "df", "t value" = "statistic",
    "Pr(>|t|)" = "p.value", "z value" = "statistic", "Pr(>|z|)" = "p.value"
  )
  names(out)[-1L] <- broom_names[colnames(table)]
  if (interval$wanted) out[c("conf.low", "conf.high")] <- fixed_limits(fit, out, interval, ...)
  if (exponentiate) {
    shown <- intersect(c("estimate", "conf.low", "conf.high"), names(out))
    out[shown] <- exp(out[shown])
    out$std.error <- out$std.error * out$estimate
  }
  out
}

fixed_limits <- function(fit, table, interval, ...) {
  if (interval$method != "Wald") {
    limits <- stats::confint(
      fit, "beta_", level = interval$level, method = interval$method, ...
    )
    return(list(unname(limits[, 1L]), unname(limits[, 2L])))
  }
  df <- if (is.null(table$df)) Inf else table$df
  half <- stats::qt((1 + interval$level) / 2, df) * table$std.error
  list(table$estimate - half, table$estimate + half)
}

tidy_ran_pars <- function(fit, scale, prefix, interval, ...) {
  table <- as.data.frame(VarCorr(fit), order = "lower.tri")
  if (is.null(prefix)) prefix <- if (scale == "vcov") c("var", "cov") else c("sd", "cor")
  one <- is.na(table$var2)
  name <- ifelse(one, table$var1, paste(table$var1, table$var2, sep = "."))
  name[is.na(name)] <- "Observation"
  out <- data.frame(
    group = table$grp, term = paste(ifelse(one, prefix[[1L]], prefix[[2L]]), name, sep = "__"),
    estimate = table[[scale]]
  )
  if (interval$wanted) {
    limits <- variance_limits(fit, table, interval$level, interval$method, ...)
    out$conf.low <- limits[, 1L]
    out$conf.high <- limits[, 2L]
  }
  out
}

# Intervals of the rows of as.data.frame(VarCorr(fit)): standard deviations and correlations. NA
# for those that are known or have no interval of their own.
variance_limits <- function(fit, table, level, method, ...) {
  if (!method %in% c("profile", "boot")) {
    return(matrix(NA_real_, nrow(table), 2L))
  }
  limits <- stats::confint(
    fit, "theta_", level = level, method = method, oldNames = FALSE, ...
  )
  unname(limits[match(variance_names(fit, table), rownames(limits)), , drop = FALSE])
}

# The names of confint(): sd_x|g, cor_y.x|g, sigma.
variance_names <- function(fit, table) {
  labels <- vapply(fit$random, `[[`, "", "label")
  groups <- random_groups(fit)[match(table$grp, labels)]
  names <- ifelse(is.na(table$var2),
    paste0("sd_", table$var1, "|", groups),
    paste0("cor_", table$var2, ".", table$var1, "|", groups)
  )
  # With residual variances by group, sigma is that of the first one.
  residual <- which(table$grp == "Residual")
  names[residual] <- NA_character_
  names[utils::head(residual, 1L)] <- "sigma"
  names
}

tidy_ran_vals <- function(fit, interval) {
  table <- as.data.frame(ranef(fit, condVar = TRUE))
  out <- data.frame(
    group = as.character(table$grpvar), level = as.character(table$grp),
    term = as.character(table$term), estimate = table$condval, std.error = table$condsd
  )
  if (interval$wanted) {
    half <- stats::qnorm((1 + interval$level) / 2) * out$std.error
    out$conf.low <- out$estimate - half
    out$conf.high <- out$estimate + half
  }
  out
}

tidy_ran_coefs <- function(fit) {
  tables <- unclass(stats::coef(fit))
  do.call(rbind, Map(function(table, group) {
    data.frame(
      group = group, level = rep(rownames(table), ncol(table)),
      term = rep(names(table), each = nrow(table)), estimate = unlist(table, use.names = FALSE)
    )
  }, tables, names(tables)))
}

# Tables below each other, named in column `effect`, with NA where one has no such column.
stack_tables <- function(tables) {
  columns <- c(
    "group", "level", "term", "estimate", "std.error", "statistic", "df", "p.value", "conf.low",
    "conf.high"
  )
  present <- intersect(columns, unlist(lapply(tables, names)))
  rows <- Map(function(table, effect) {
    table[setdiff(present, names(table))] <- rep(NA, nrow(table))
    data.frame(effect = rep(effect, nrow(table)), table[present])
  }, tables, names(tables))
  out <- do.call(rbind, unname(rows))
  row.names(out) <- NULL
  out
}

#' @rdname lmm_tidiers
#' @export
glance.ember_mixed <- function(x, ...) {
  out <- data.frame(
    nobs = stats::nobs(x), sigma = stats::sigma(x), logLik = as.numeric(stats::logLik(x)),
    AIC = stats::AIC(x), BIC = stats::BIC(x)
  )
  out[[if (x$REML) "REMLcrit" else "deviance"]] <- stats::deviance(x)
  out$df.residual <- stats::df.residual(x)
  as_tibble_if_installed(out)
}

#' @rdname lmm_tidiers
#' @export
augment.ember_mixed <- function(x, data = stats::model.frame(x), newdata = NULL, ...) {
  call <- rlang::current_env()
  if (!is.null(newdata)) {
    return(as_tibble_if_installed(augment_newdata(x, newdata)))
  }
  data <- rows_of_fit(x, data, call)
  x <- without_padding(x)
  weights <- x$weights
  if (is.null(weights)) weights <- rep(1, x$nobs)
  working <- if (inherits(x, "ember_glmm")) stats::weights(x, type = "working") else weights
  offset <- x$offset
  data$.fitted <- as.vector(stats::predict(x))
  data$.resid <- as.vector(stats::residuals(x))
  data$.hat <- as.vector(stats::hatvalues(x))
  data$.cooksd <- as.vector(stats::cooks.distance(x))
  data$.fixed <- as.vector(stats::predict(x, re.form = NA))
  data$.mu <- as.vector(stats::fitted(x))
  data$.offset <- if (is.null(offset)) 0 else offset
  data$.sqrtXwt <- sqrt(working)
  data$.sqrtrwt <- sqrt(weights / stats::family(x)$variance(data$.mu))
  data$.weights <- weights
  data$.wtres <- as.vector(stats::residuals(x, type = "pearson"))
  if (inherits(x, "ember_glmm")) data$.eta <- data$.fitted
  as_tibble_if_installed(data)
}

augment_newdata <- function(fit, newdata) {
  out <- as.data.frame(newdata)
  out$.fitted <- as.vector(stats::predict(fit, newdata, allow.new.levels = TRUE))
  out$.fixed <- as.vector(stats::predict(fit, newdata, re.form = NA))
  out
}

# The rows of `data` that the fit used: all of them, or all but those it left out.
rows_of_fit <- function(fit, data, call) {
  data <- as.data.frame(data)
  left_out <- unclass(fit$na_action)
  if (nrow(data) == fit$nobs + length(left_out) && length(left_out) > 0L) {
    data <- data[-left_out, , drop = FALSE]
  }
  if (nrow(data) != fit$nobs) {
    abort_argument("data", "must be the data of the fit.", NULL, call)
  }
  data
}
