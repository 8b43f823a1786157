# Writes the values of tests/glmm_criterion/peers.rs: -2 log-likelihoods by Laplace's approximation at fixed
# parameters, from lme4 (canonical links) and glmmTMB (observed information, every link).
# The rows are those of tests/glmm_criterion/models.rs.
suppressMessages({
  library(lme4)
  library(glmmTMB)
})

hash <- function(i, k) {
  s <- abs(sin(i * 12.9898 + k * 78.233)) * 43758.5453
  s - floor(s)
}
i <- 0:239
rows <- data.frame(
  x1 = 2 * hash(i, 1) - 1, x2 = (i %% 5) / 5, off = 0.1 * hash(i, 2), trials = 1 + floor(5 * hash(i, 3)),
  g = factor(i %% 12), h = factor(i %% 12 + 12 * (floor(i / 60) %% 3)), k = factor(floor(i * 7 / 5) %% 10)
)
rows$successes <- floor((rows$trials + 1) * hash(i, 4))
rows$count <- floor(9 * hash(i, 4)^2)
rows$positive <- 0.2 + 3 * hash(i, 4)

show <- function(label, value) cat(sprintf("%-40s %.12f\n", label, value))

lme4_value <- function(label, formula, family, theta, beta) {
  control <- glmerControl(tolPwrss = 1e-13, compDev = TRUE, optCtrl = list(maxfun = 3))
  deviance <- suppressWarnings(
    glmer(formula, rows, family, control = control, devFunOnly = TRUE, nAGQ = 1)
  )
  show(label, deviance(c(theta, beta)))
}
tmb_value <- function(label, formula, family, theta, beta, shape = NULL) {
  few <- glmmTMBControl(optCtrl = list(iter.max = 1, eval.max = 1))
  object <- suppressWarnings(glmmTMB(formula, rows, family, control = few, se = FALSE))$obj
  object$env$inner.control <- list(maxit = 1000, tol = 1e-14, grad.tol = 1e-12)
  object$env$beSilent()
  par <- c(beta, if (is.null(shape)) NULL else log(shape), theta)
  stopifnot(length(par) == length(object$par))
  for (k in 1:3) value <- object$fn(par)
  show(label, 2 * value)
}

binomial_response <- cbind(successes, trials - successes) ~ x1 + x2 + offset(off)
one <- ~ . + (1 | g)
slope <- ~ . + (1 + x1 | g)
nested <- ~ . + (1 | h) + (1 | g)
crossed <- ~ . + (1 + x1 | k) + (1 | g)
model <- function(response, terms) update(response, terms)
counts <- count ~ x1 + x2 + offset(off)
positive <- positive ~ x1 + x2 + offset(off)
beta <- c(0.3, -0.4, 0.2)

lme4_value("lme4 binomial logit one", model(binomial_response, one), binomial(), 0.8, beta)
lme4_value("lme4 binomial logit nested", model(binomial_response, nested), binomial(), c(0.8, 0.5), beta)
lme4_value("lme4 poisson log slope", model(counts, slope), poisson(), c(0.6, -0.3, 0.4), beta)
# lme4 orders terms by their numbers of levels: g (12), then k (10).
lme4_value("lme4 poisson log crossed", model(counts, crossed), poisson(), c(0.5, 0.6, -0.3, 0.4), beta)

# log sds and the correlation of (0.6, -0.3, 0.4): sds 0.6 and 0.5, correlation -0.6 = c / sqrt(1 + c^2).
pair <- c(log(0.6), log(0.5), -0.75)
both <- c(pair, log(0.5))
for (link in c("logit", "probit", "cloglog")) {
  tmb_value(paste("glmmTMB binomial", link, "crossed"), model(binomial_response, crossed), binomial(link), both, beta)
}
tmb_value("glmmTMB poisson log crossed", model(counts, crossed), poisson(), both, beta)
tmb_value("glmmTMB negative_binomial log crossed", model(counts, crossed), nbinom2(), both, beta, 1.7)
tmb_value("glmmTMB negative_binomial log nested", model(counts, nested), nbinom2(), log(c(0.8, 0.5)), beta, 1.7)
tmb_value("glmmTMB Gamma log slope", model(positive, slope), Gamma("log"), pair, beta, 1.7)
tmb_value("glmmTMB Gamma log crossed", model(positive, crossed), Gamma("log"), both, beta, 1.7)
far <- c(2.5, -0.2, 0.3)
small <- c(log(0.06), log(0.05), -0.75, log(0.05))
tmb_value("glmmTMB Gamma inverse crossed", model(positive, crossed), Gamma("inverse"), small, far, 1.7)
tmb_value("glmmTMB Gamma identity crossed", model(positive, crossed), Gamma("identity"), small, far, 1.7)
tmb_value("glmmTMB poisson sqrt crossed", model(counts, crossed), poisson("sqrt"), small, far)
tmb_value("glmmTMB negative_binomial sqrt crossed", model(counts, crossed), nbinom2("sqrt"), small, far, 1.7)
