# Exclusion restrictions: what shifts a selection without being in its outcome, and how well it
# does.

#' Exclusion restrictions of a sample selection model
#'
#' For each equation: which regressors of the selection are not in the outcome, whether they explain
#' the selection, and how nearly the outcome's regressors determine the inverse Mills ratio. The
#' summary of a fit says so where there is something to say; nothing is refused.
#'
#' @details
#' A model without exclusion restriction is estimated from the curvature of the inverse Mills ratio
#' alone, which is close to a straight line over much of its range. Leung and Yu (1996) find that it
#' is the collinearity of the ratio with the regressors that matters, and take a condition number
#' above 20 for a warning. Here the number is that of the ratio and its best linear prediction,
#' \eqn{\sqrt{(1 + R)/(1 - R)}} with \eqn{R^2} the share of the variation of the ratio that the
#' regressors explain, over the selected rows, at the estimates of a probit.
#'
#' @param fit A fit of [mssm()].
#' @returns A data frame with a row for each equation: `outcome`, `selection` (their names),
#'   `excluded` (a list of names of columns that only the selection has), `chisq`, `df`, `p_value`
#'   (Wald test that these have no effect on the selection), `r_squared` and `condition`.
#' @references Leung, S. F. and Yu, S. (1996). On the choice between sample selection and two-part
#'   models. *Journal of Econometrics* 72, 197-229.
#' @seealso [selection_test()]
#' @export
#' @examples
#' set.seed(1)
#' fit <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = simulate_mssm(500))
#' exclusion_restrictions(fit)
exclusion_restrictions <- function(fit) {
  call <- rlang::current_env()
  if (!inherits(fit, "ember_mssm")) abort_argument("fit", "must be a fit of `mssm()`.", NULL, call)
  collinearity <- ratio_collinearity(fit, call)
  covariance <- stats::vcov(fit)
  estimates <- naturals_of(fit)
  rows <- lapply(seq_along(fit$equations$outcome), function(j) {
    excluded <- excluded_columns(fit, j)
    at <- match(paste0(fit$equations$selection[[j]], ":", excluded), names(estimates))
    tested <- length(at) > 0L && !anyNA(covariance[at, at])
    chisq <- if (tested) {
      quadratic_form(estimates[at], covariance[at, at, drop = FALSE], call)
    } else {
      NA_real_
    }
    data.frame(
      outcome = fit$equations$outcome[[j]], selection = fit$equations$selection[[j]],
      excluded = I(list(excluded)), chisq = chisq, df = length(excluded),
      p_value = chisq_tail(chisq, length(excluded)), r_squared = collinearity[[j]],
      condition = ratio_condition(collinearity[[j]])
    )
  })
  do.call(rbind, rows)
}

# Columns that are kept in selection j and are not in outcome j.
excluded_columns <- function(fit, j) {
  kept <- function(component) {
    lost <- fit$aliased[[fit$equations[[component]][[j]]]]
    names(lost)[!lost]
  }
  all_outcome <- names(fit$aliased[[fit$equations$outcome[[j]]]])
  setdiff(kept("selection"), c(all_outcome, "(Intercept)"))
}

# Share of the variation of each inverse Mills ratio that the outcome's regressors explain.
ratio_collinearity <- function(fit, call) {
  equations <- if (fit$method == "two-step") {
    fit$two_step
  } else {
    native_mssm_two_step(fit$rows, fit_control(fit), call)$equations
  }
  vapply(equations, `[[`, 0, "collinearity")
}

ratio_condition <- function(r_squared) {
  multiple <- sqrt(min(max(r_squared, 0), 1))
  sqrt((1 + multiple) / (1 - multiple))
}

# Leung and Yu's limit.
largest_condition <- 20

# What summary() says of each equation: nothing if its restrictions do their work.
exclusion_words <- function(fit) {
  table <- tryCatch(
    suppressWarnings(exclusion_restrictions(fit)),
    ember_error = function(cnd) NULL
  )
  if (is.null(table)) {
    return(NULL)
  }
  unlist(lapply(seq_len(nrow(table)), function(j) equation_exclusion_words(table[j, ])))
}

equation_exclusion_words <- function(row) {
  excluded <- row$excluded[[1L]]
  collinear <- is.finite(row$r_squared) && row$condition > largest_condition
  share <- paste0(
    "its outcome's regressors explain ", format(100 * row$r_squared, digits = 3L),
    "% of the variation of the inverse Mills ratio"
  )
  if (length(excluded) == 0L) {
    return(paste0(
      "`", row$selection, "` has no exclusion restriction: nothing shifts it that is not also in `",
      row$outcome, "`. The model is identified by the normal distribution alone",
      if (collinear) paste0(", and weakly: ", share), "."
    ))
  }
  if (isTRUE(row$p_value > 0.05)) {
    return(paste0(
      "The exclusion restrictions of `", row$selection, "` are weak: ",
      abbreviated_list(paste0("`", excluded, "`")), " hardly explain it (p = ",
      format(row$p_value, digits = 2L), ")", if (collinear) paste0("; ", share), "."
    ))
  }
  if (collinear) {
    paste0("`", row$outcome, "` is weakly identified: ", share, ".")
  }
}
