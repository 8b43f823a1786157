# Sample selection models with known answers: data of packages AER and MatchIt (loaded from there,
# never copied) and simulated systems of one to three equations.

# Errors (epsilon_1..J, v_1..J) of covariance `omega`.
selection_errors <- function(n, omega) matrix(rnorm(n * ncol(omega)), n) %*% chol(omega)

# J equations with a regressor of their own; the outcome is NA where it is not selected.
selection_system <- function(n, beta, gamma, omega) {
  equations <- length(beta)
  errors <- selection_errors(n, omega)
  data <- data.frame(x = rnorm(n), z = rnorm(n))
  for (j in seq_len(equations)) {
    own <- rnorm(n)
    latent <- gamma[[j]][[1L]] + gamma[[j]][[2L]] * data$x + gamma[[j]][[3L]] * own +
      errors[, equations + j]
    outcome <- beta[[j]][[1L]] + beta[[j]][[2L]] * data$x + beta[[j]][[3L]] * data$z + errors[, j]
    data[[paste0("w", j)]] <- own
    data[[paste0("s", j)]] <- as.integer(latent > 0)
    data[[paste0("y", j)]] <- ifelse(latent > 0, outcome, NA)
  }
  data
}

# A covariance matrix of errors from standard deviations and the correlations below the diagonal,
# column by column.
error_covariance <- function(sd, correlations) {
  size <- 2L * length(sd)
  correlation <- diag(size)
  correlation[lower.tri(correlation)] <- correlations
  correlation[upper.tri(correlation)] <- t(correlation)[upper.tri(correlation)]
  scale <- c(sd, rep(1, length(sd)))
  correlation * outer(scale, scale)
}

mssm_two <- function() {
  withr_seed(21, {
    data <- selection_system(
      1000L,
      beta = list(c(1, 0.8, -0.5), c(-0.5, 0.4, 1)),
      gamma = list(c(0.3, 0.5, 1), c(-0.2, -0.4, 0.8)),
      omega = error_covariance(c(1.5, 0.8), c(0.4, 0.5, 0.2, 0.1, -0.4, 0.3))
    )
  })
  data
}

mssm_three <- function() {
  withr_seed(22, {
    data <- selection_system(
      250L,
      beta = list(c(1, 0.8, -0.5), c(-0.5, 0.4, 1), c(0, -1, 0.3)),
      gamma = list(c(0.3, 0.5, 1), c(0.2, -0.4, 0.8), c(0.1, 0.2, -0.9)),
      omega = error_covariance(
        c(1, 0.8, 1.2),
        c(0.4, 0.2, 0.5, 0.2, 0, 0.3, 0.1, -0.4, 0.1, 0.1, 0.1, 0.4, 0.3, -0.1, 0.2)
      )
    )
  })
  data
}

# Mroz's women: 753, of whom 428 worked in 1975.
mssm_women <- function() {
  found <- new.env()
  utils::data("PSID1976", package = "AER", envir = found)
  women <- found$PSID1976
  women$wage <- ifelse(women$participation == "yes", women$wage, NA)
  women$lwage <- log(women$wage)
  women$kids <- as.integer(women$youngkids + women$oldkids > 0)
  women
}

# LaLonde's men: cube roots of what they earned in 1975 and 1978, if anything.
mssm_men <- function() {
  found <- new.env()
  utils::data("lalonde", package = "MatchIt", envir = found)
  men <- found$lalonde
  for (year in c("75", "78")) {
    earned <- men[[paste0("re", year)]]
    men[[paste0("works", year)]] <- earned > 0
    men[[paste0("earned", year)]] <- ifelse(earned > 0, (earned / 1000)^(1 / 3), NA)
  }
  men
}

# Each case: lists of formulas and a function that makes the data; `package` is where they are.
mssm_cases <- function() {
  participation <- participation ~ age + I(age^2) + fincome + kids + education
  wage <- wage ~ experience + I(experience^2) + education + city
  own <- function(j, side) {
    if (side == "y") {
      stats::reformulate(c("x", "z"), paste0("y", j))
    } else {
      stats::reformulate(c("x", paste0("w", j)), paste0("s", j))
    }
  }
  system <- function(equations, data) {
    list(
      outcome = lapply(seq_len(equations), own, "y"), data = data,
      selection = lapply(seq_len(equations), own, "s")
    )
  }
  list(
    wage = list(
      outcome = list(wage), selection = list(participation), data = mssm_women, package = "AER"
    ),
    lwage = list(
      outcome = list(update(wage, lwage ~ .)), selection = list(participation), data = mssm_women,
      package = "AER"
    ),
    earnings = list(
      outcome = list(earned75 ~ age + educ + race, earned78 ~ age + educ + race + treat),
      selection = list(
        works75 ~ age + educ + race + married + nodegree,
        works78 ~ age + educ + race + treat + married + re74
      ),
      data = mssm_men, package = "MatchIt"
    ),
    two = system(2L, mssm_two),
    three = system(3L, mssm_three)
  )
}
