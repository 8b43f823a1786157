# Package insight learns of the fit here; with it performance, parameters, ggeffects and effects.

#' What package insight asks of a mixed model
#'
#' Methods that let the packages of easystats, and ggeffects, which rest on insight, work on fits of
#' [lmm()] and [glmm()] as they do on those of lme4: `insight::get_variance()`,
#' `performance::icc()`, `performance::r2()`, `performance::model_performance()`,
#' `performance::check_convergence()`, `parameters::model_parameters()`, `ggeffects::ggpredict()`.
#'
#' @param x,model A fit of [lmm()] or [glmm()].
#' @param effects `"fixed"`, `"random"` or (where both have a place) `"all"`.
#' @param flatten A vector instead of a list?
#' @param component The variance wanted: `"all"`, or one of `"fixed"`, `"random"`, `"residual"`,
#'   `"distribution"`, `"dispersion"`, `"intercept"`, `"slope"`, `"rho01"`, `"rho00"`.
#' @param type Degrees of freedom: `"residual"` (also `"wald"`, `"analytical"`), `"model"`,
#'   `"normal"`, `"satterthwaite"` or `"kenward"`; the last two have a value for each coefficient.
#' @param data New data to predict.
#' @param predict `"expectation"` for intervals of the mean, `"prediction"` for those of a new
#'   observation.
#' @param ci Coverage of the intervals, or `NULL`.
#' @param include_random Whether predictions include the random effects; by default those of the
#'   fit's own data do and those of new `data` do not (ggeffects relies on that).
#' @param verbose,source,remove_nonestimable,... As insight has them; mostly not used.
#' @returns What insight's own methods return.
#'
#' @details
#' insight keeps a list of the classes that it knows, and some functions (such as
#' `performance::check_model()` and `parameters::compare_parameters()`) refuse all others: give them
#' [as_merMod()] of the fit.
#'
#' The variance of the random effects is the mean over the observations of \eqn{z_i' \Sigma z_i}
#' (Johnson 2014), and the residual variance with `dispersion` the mean over the observations. A
#' variance of zero counts as zero; insight gives up there for lme4.
#'
#' The distribution-specific variance of a [glmm()] is that of Nakagawa, Johnson and Schielzeth
#' (2017): of the latent variable for binomial models with the links logit, probit and cloglog, of
#' the lognormal approximation for counts with a log link, by the delta method otherwise, at the
#' intercept of the model without predictors. The variance of a random effect for each row is
#' `var.dispersion`, not `var.random`.
#' @references Johnson, P. C. D. (2014). Extension of Nakagawa & Schielzeth's R2GLMM to random
#'   slopes models. *Methods in Ecology and Evolution* 5, 944-946.
#'
#'   Nakagawa, S., Johnson, P. C. D. and Schielzeth, H. (2017). The coefficient of determination R2
#'   and intra-class correlation coefficient from generalized linear mixed-effects models revisited
#'   and expanded. *Journal of the Royal Society Interface* 14, 20170213.
#' @examplesIf all(vapply(c("performance", "parameters"), requireNamespace, NA, quietly = TRUE))
#' fit <- lmm(score ~ Machine + (1 | Worker), data = nlme::Machines)
#' performance::r2(fit)
#' performance::model_performance(fit)
#' parameters::model_parameters(fit, ci_method = "satterthwaite")
#' @name lmm_insight
#' @keywords internal
NULL

#' @rdname lmm_insight
#' @exportS3Method insight::find_formula
find_formula.ember_mixed <- function(x, verbose = TRUE, ...) {
  random <- lapply(x$random, function(term) {
    bar <- random_term_expression(term)[[2L]]
    stats::as.formula(call("~", bar), environment(stats::formula(x)))
  })
  structure(
    list(
      conditional = stats::formula(stats::terms(x)),
      random = if (length(random) == 1L) random[[1L]] else random
    ),
    class = c("insight_formula", "list")
  )
}

#' @rdname lmm_insight
#' @exportS3Method insight::find_parameters
find_parameters.ember_mixed <- function(x, effects = c("all", "fixed", "random"), flatten = FALSE,
                                      ...) {
  effects <- match_choice("effects", rlang::current_env())
  groups <- vapply(x$random, `[[`, "", "group")
  random <- lapply(split(x$random, factor(groups, unique(groups))), function(terms) {
    unlist(lapply(terms, `[[`, "names"), use.names = FALSE)
  })
  parameters <- list(conditional = names(fixef(x)), random = random)
  if (effects == "fixed") parameters <- parameters["conditional"]
  if (effects == "random") parameters <- parameters["random"]
  if (flatten) unique(unlist(parameters, use.names = FALSE)) else parameters
}

#' @rdname lmm_insight
#' @exportS3Method insight::get_parameters
get_parameters.ember_mixed <- function(x, effects = c("fixed", "random"), ...) {
  if (match_choice("effects", rlang::current_env()) == "random") {
    return(ranef(x))
  }
  estimates <- fixef(x)
  data.frame(Parameter = plain_names(estimates), Estimate = unname(estimates))
}

plain_names <- function(x) gsub("`", "", names(x), fixed = TRUE)

#' @rdname lmm_insight
#' @exportS3Method insight::get_statistic
get_statistic.ember_mixed <- function(x, ...) {
  estimates <- fixef(x)
  out <- data.frame(
    Parameter = plain_names(estimates),
    Statistic = unname(estimates / sqrt(diag(stats::vcov(x))))
  )
  structure(out, statistic = paste0(statistic_letter(x), "-statistic"))
}

# What the tests of the fixed effects are called.
statistic_letter <- function(fit) if (inherits(fit, "ember_glmm")) "z" else "t"

#' @rdname lmm_insight
#' @exportS3Method insight::n_parameters
n_parameters.ember_mixed <- function(x, effects = c("fixed", "random"),
                                   remove_nonestimable = FALSE, ...) {
  effects <- match_choice("effects", rlang::current_env())
  length(unlist(find_parameters.ember_mixed(x, effects)))
}

#' @rdname lmm_insight
#' @exportS3Method insight::get_data
get_data.ember_mixed <- function(x, effects = c("all", "fixed", "random"), source = "environment",
                               verbose = TRUE, ...) {
  effects <- match_choice("effects", rlang::current_env())
  data <- variables_of_fit(x)
  grouping <- unique(unlist(lapply(x$random, function(term) all.vars(term$grouping))))
  fixed <- all.vars(stats::formula(stats::terms(x)))
  shown <- switch(effects, all = names(data), fixed = fixed, random = grouping)
  data[intersect(shown, names(data))]
}

# The variables of the formula themselves, in the rows of the fit: from the data where the model
# frame has only what was made of them (as poly(x, 2)).
variables_of_fit <- function(fit) {
  frame <- fit$frame
  variables <- all.vars(stats::formula(fit))
  if (all(variables %in% names(frame))) {
    return(frame[variables])
  }
  environment <- environment(stats::formula(fit))
  data <- try(eval(fit$call$data, environment), silent = TRUE)
  if (!inherits(data, "data.frame")) {
    return(frame)
  }
  rows <- match(rownames(frame), rownames(data))
  if (anyNA(rows)) {
    return(frame)
  }
  data[rows, intersect(variables, names(data)), drop = FALSE]
}

#' @rdname lmm_insight
#' @exportS3Method insight::is_converged
is_converged.ember_mixed <- function(x, ...) {
  facts <- convergence(x)
  structure(facts$converged, gradient = facts$gradient)
}

#' @rdname lmm_insight
#' @exportS3Method insight::get_df
get_df.ember_mixed <- function(x, type = "residual", ...) {
  types <- c(
    "residual", "wald", "analytical", "model", "normal", "satterthwaite", "kenward", "kr",
    "kenward-roger"
  )
  if (!rlang::is_string(type) || !tolower(type) %in% types) {
    abort_argument("type", paste0("must be one of ", quoted(types), "."))
  }
  switch(tolower(type),
    residual = , wald = , analytical = stats::df.residual(x),
    model = x$df, normal = Inf,
    satterthwaite = coefficient_df(x, "Satterthwaite"),
    coefficient_df(x, "Kenward-Roger")
  )
}

coefficient_df <- function(fit, ddf) {
  refuse_glmm(fit, "degrees of freedom", rlang::caller_env())
  stats::coef(summary(fit, ddf = ddf))[, "df"]
}

#' @rdname lmm_insight
#' @exportS3Method insight::get_predicted
get_predicted.ember_mixed <- function(x, data = NULL, predict = c("expectation", "prediction"),
                                    ci = 0.95, include_random = is.null(data), ...) {
  predict <- match_choice("predict", rlang::current_env())
  if (inherits(x, "ember_glmm")) {
    return(predicted_means(x, data, ci, include_random))
  }
  prediction <- stats::predict(
    x, data, re.form = if (include_random) NULL else NA, allow.new.levels = TRUE,
    se.fit = !is.null(ci)
  )
  if (is.null(ci)) {
    return(structure(as.vector(prediction), class = c("get_predicted", "numeric")))
  }
  error <- as.vector(prediction$se.fit)
  if (predict == "prediction") error <- sqrt(error^2 + x$sigma^2)
  half <- stats::qt((1 + ci) / 2, stats::df.residual(x)) * error
  fit <- as.vector(prediction$fit)
  structure(
    fit,
    ci_data = data.frame(SE = error, CI_low = fit - half, CI_high = fit + half), data = data,
    ci = ci, predict = predict, class = c("get_predicted", "numeric")
  )
}

# Means and their intervals, on the scale of the response.
predicted_means <- function(fit, data, ci, include_random) {
  prediction <- stats::predict(
    fit, data, re.form = if (include_random) NULL else NA, allow.new.levels = TRUE,
    type = "response", se.fit = !is.null(ci), interval = if (is.null(ci)) "none" else "confidence",
    level = if (is.null(ci)) 0.95 else ci
  )
  if (is.null(ci)) {
    return(structure(as.vector(prediction), class = c("get_predicted", "numeric")))
  }
  limits <- prediction$fit
  structure(
    as.vector(limits[, "fit"]),
    ci_data = data.frame(
      SE = as.vector(prediction$se.fit), CI_low = limits[, "lwr"], CI_high = limits[, "upr"],
      row.names = NULL
    ),
    data = data, ci = ci, predict = "expectation", class = c("get_predicted", "numeric")
  )
}
