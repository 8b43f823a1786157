# lme4's optimizer told to go on to the end: what packages make of its fits and of ours is then
# compared to a relative 1e-4.
tight_control <- function() {
  lme4::lmerControl(
    optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE,
    check.conv.singular = "ignore"
  )
}

# One model fitted by both: list(ours, theirs).
fit_pair <- function(formula, data, ...) {
  list(
    ours = lmm(formula, data, ...),
    theirs = lme4::lmer(formula, data, ..., control = tight_control())
  )
}
