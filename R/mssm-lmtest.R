#' z tests of a sample selection model in package lmtest
#'
#' `lmtest::coeftest()` and `lmtest::coefci()` of fits of [mssm()] are based on the normal
#' distribution, as the fit's own summary. `lmtest::lrtest()` compares fits as
#' [anova()][anova.ember_mssm] does, without its checks.
#'
#' @param x A fit of [mssm()].
#' @param df Degrees of freedom; by default none, for z tests.
#' @param ... Passed on, such as `vcov. = sandwich::sandwich`.
#' @returns What lmtest's own methods return.
#' @examplesIf requireNamespace("lmtest", quietly = TRUE)
#' set.seed(1)
#' fit <- mssm(y1 ~ x1, s1 ~ x1 + z1, data = simulate_mssm(500))
#' lmtest::coeftest(fit)
#' @name mssm_lmtest
#' @keywords internal
NULL

#' @rdname mssm_lmtest
#' @exportS3Method lmtest::coeftest
coeftest.ember_mssm <- function(x, ..., df = Inf) NextMethod(df = df)

#' @rdname mssm_lmtest
#' @exportS3Method lmtest::coefci
coefci.ember_mssm <- function(x, ..., df = Inf) NextMethod(df = df)
