# The data of the goals of glmm() in issue 4. What is simulated follows from the seed. Formulas are
# text, as in mixed-cases.R.

glmm_cases <- function() {
  list(
    cbpp = new_glmm_case("cbind(incidence, size - incidence) ~ period + (1 | herd)", "binomial",
      \() from_lme4("cbpp"), calls = 20L),
    grouseticks = new_glmm_case(
      "TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)", "poisson",
      \() from_lme4("grouseticks")),
    VerbAgg = new_glmm_case("r2 ~ Anger + Gender + btype + situ + (1 | id) + (1 | item)",
      "binomial", \() from_lme4("VerbAgg"), slow = TRUE),
    bernoulli = new_glmm_case("y ~ x + (1 | g)", "binomial", bernoulli, slow = TRUE)
  )
}

new_glmm_case <- function(formula, family, data, goal = 10, calls = 1L, slow = FALSE) {
  list(
    formula = formula, family = family, data = data, goal = goal, calls = calls, slow = slow
  )
}

from_lme4 <- function(name) get(utils::data(list = name, package = "lme4", envir = environment()))

bernoulli <- function(rows = 1e6, groups = 1e4) {
  set.seed(4)
  g <- sample.int(groups, rows, replace = TRUE)
  x <- rnorm(rows)
  y <- rbinom(rows, 1L, plogis(-0.5 + 0.5 * x + rnorm(groups)[g]))
  data.frame(y = y, x = x, g = factor(g))
}
