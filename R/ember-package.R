#' ember: maximum likelihood where part of the data is hidden
#'
#' Fits models in which something was not observed (the group that a row belongs to, a random
#' effect, a missing value, a count of your own model) by maximum likelihood. The computations run
#' in Rust; what users see is R: a formula in, a fit out.
#'
#' ## Where to begin
#'
#' * [gaussian_mixture()] fits Gaussian mixtures and chooses the number of components. The tour is
#'   `vignette("gaussian-mixtures")`.
#' * [lmm()] fits linear mixed models, with the formulas of lme4. The tour is `vignette("lmm")`.
#'   [glmm()] fits generalized ones. [data_clone()] checks what they can estimate.
#' * [mssm()] fits outcomes that are seen for a selected part of the rows. The tour is
#'   `vignette("sample-selection")`.
#' * [em()] runs the EM algorithm for a model of your own, given its E step and M step.
#' * [em_control()] sets tolerances, acceleration and threads for all of them.
#' * `vignette("mixture-algorithm")` and `vignette("mixed-models-algorithm")` say what is computed,
#'   and in which source file.
#'
#' ## What to do with a mixed model
#'
#' `print()`, [summary()][summary.ember_lmm], [anova()][anova.ember_lmm] and
#' [plot()][plot.ember_mixed]; [VarCorr()][VarCorr.ember_mixed] and [ranef()][ranef.ember_mixed];
#' [predict()][predict.ember_lmm]; [confint() and profile()][confint.ember_mixed], [bootstrap()];
#' [ranova()], [drop1()][drop1.ember_mixed] and [conditional_aic()];
#' [influence()][influence.ember_mixed]; [simulate()][simulate.ember_mixed] and [refit()];
#' [getME()]; [convergence()]; [as_merMod()].
#'
#' ## What to do with a sample selection model
#'
#' `print()`, `summary()` and [plot()][plot.ember_mssm]; [modes()]; [selection_test()] and
#' [anova()][anova.ember_mssm]; [confint()][confint.ember_mssm] and [vcov()][vcov.ember_mssm];
#' [predict()][predict.ember_mssm] and [marginal_effects()]; [impute()];
#' [exclusion_restrictions()]; [simulate_mssm()].
#'
#' ## What to do with a mixture
#'
#' `print()`, [summary()][summary.ember_mixture], [plot()][plot.ember_mixture] and
#' [autoplot()][autoplot.ember_mixture]; [predict()][predict.ember_mixture] and [uncertainty()];
#' [coef(), vcov() and confint()][mixture_inference]; [logLik()][logLik.ember_fit], `AIC()`, `BIC()`
#' and [ICL()]; [bootstrap_lrt()] and [anova()][anova.ember_mixture]; [merge_components()];
#' [cdf() and quantile()][mixture_distribution]; [simulate()][simulate.ember_mixture];
#' [tidy(), glance() and augment()][mixture_tidiers]; [as_mclust()].
#'
#' ## How to read a fit
#'
#' `$status` is `"converged"` for a maximum. Otherwise the fit warned, and print and summary say so:
#' `"iteration_limit"`, `"degenerate"` (a component collapsed), `"saddle"`, `"interrupted"`.
#'
#' ## Conditions
#'
#' Every error inherits `ember_error` and a more specific class, such as `ember_error_argument`,
#' `ember_error_data` or `ember_error_fit`; every warning inherits `ember_warning`. Catch them with
#' [tryCatch()].
#'
#' @useDynLib ember, .registration = TRUE
"_PACKAGE"
