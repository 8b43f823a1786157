# Sample selection models that several files look at, each fitted once.

# One equation, 400 rows.
people <- function() withr_seed(21, simulate_mssm(400))

# Two equations with every pattern of selection.
households <- function() withr_seed(22, simulate_mssm(500, equations = 2L, rho = 0.4))

# Wages of married women, Mroz (1987): not observed for those who do not work.
mroz <- function() {
  skip_if_not_installed("AER")
  env <- new.env()
  utils::data("PSID1976", package = "AER", envir = env)
  data <- env$PSID1976
  data$kids <- data$youngkids + data$oldkids > 0
  data$wage[data$participation == "no"] <- NA
  data
}

mroz_fit <- local({
  fit <- NULL
  function() {
    data <- mroz()
    if (is.null(fit)) {
      fit <<- mssm(
        wage ~ experience + I(experience^2) + education + city,
        participation ~ age + I(age^2) + fincome + kids + education,
        data = data
      )
    }
    fit
  }
})

people_fit <- local({
  fit <- NULL
  function() {
    if (is.null(fit)) fit <<- mssm(y1 ~ x1, s1 ~ x1 + z1, data = people())
    fit
  }
})

households_fit <- local({
  fit <- NULL
  function() {
    if (is.null(fit)) {
      fit <<- mssm(
        list(y1 ~ x1, y2 ~ x1), list(s1 ~ x1 + z1, s2 ~ x1 + z2), data = households()
      )
    }
    fit
  }
})

# Everything before the fit.
model_of <- function(outcome, selection, data, weights = NULL, subset = NULL, cluster = NULL,
                     na_action = stats::na.omit, contrasts = NULL) {
  mssm_model(
    outcome, selection, data, list(weights = weights, subset = subset, cluster = cluster),
    na_action, contrasts, rlang::caller_env(), rlang::current_env()
  )
}

# A fit with the history of a Monte Carlo run.
with_history <- function(fit) {
  fit$mc <- list(history = data.frame(
    iteration = 1:8, draws = c(10, 10, 10, 10, 15, 23, 34, 51),
    gain = c(500, 80, 9, NaN, 0.3, -0.02, 0.01, -0.01), ase = c(5, 1, 0.2, NaN, rep(0.05, 4))
  ))
  fit
}
