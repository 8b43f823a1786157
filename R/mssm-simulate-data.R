#' Simulate data with sample selection
#'
#' Draws data from the model of [mssm()] with parameters that you choose, to try a method where the
#' truth is known.
#'
#' @details
#' Without coefficients, every outcome is \eqn{y_j = 1 + x_1 + e_j} and is selected where
#' \eqn{0.25 + 0.5 x_1 + z_j + v_j > 0}: `x1` is in all equations and `z1`, `z2`, ... are exclusion
#' restrictions. Regressors are independent standard normal numbers unless `n` is a data frame that
#' has them.
#'
#' All numbers come from R's generator: `set.seed()` rules.
#'
#' @param n The number of rows, or a data frame with all regressors.
#' @param equations The number J of outcomes, 1 to 10; by default that of the coefficients.
#' @param outcome,selection Coefficients: a named vector such as `c("(Intercept)" = 1, x1 = 0.5)`
#'   for one equation, or a list of J of them. The names say which regressors there are.
#' @param sigma Standard deviations of the errors of the outcomes, positive: J numbers, or one for
#'   all.
#' @param rho Correlations of the errors: a matrix 2J x 2J, outcomes first, then selections; or one
#'   number, the correlation of any two errors.
#'
#' @returns A data frame with outcomes `y1`, `y2`, ... (`NA` where they are not selected),
#'   selections `s1`, `s2`, ... (0 and 1) and the regressors. Its attributes hold the truth:
#' * `truth`: list with `coefficients` (all parameters, named as those of `coef()` of a fit) and
#'   `omega` (covariance matrix of the errors);
#' * `formulas`: list with `outcome` and `selection`, for [mssm()];
#' * `latent`: matrix n x 2J of the outcomes and of the latent selections, none missing.
#' @seealso [mssm()]
#' @export
#' @examples
#' set.seed(1)
#' people <- simulate_mssm(1000, rho = -0.5)
#' head(people)
#' attr(people, "truth")$coefficients
#'
#' # Regressors of your own, and how well least squares does
#' cars <- simulate_mssm(
#'   mtcars,
#'   outcome = c("(Intercept)" = 40, wt = -5), selection = c("(Intercept)" = -1, hp = 0.01),
#'   sigma = 3, rho = 0.8
#' )
#' coef(lm(y1 ~ wt, data = cars))
simulate_mssm <- function(n, equations = NULL, outcome = NULL, selection = NULL, sigma = 1,
                          rho = 0.5) {
  call <- rlang::current_env()
  size <- simulated_equations(equations, outcome, selection, call)
  outcome <- simulated_coefficients(outcome, "outcome", size, function(j) {
    c("(Intercept)" = 1, x1 = 1)
  }, call)
  selection <- simulated_coefficients(selection, "selection", size, function(j) {
    stats::setNames(c(0.25, 0.5, 1), c("(Intercept)", "x1", paste0("z", j)))
  }, call)
  omega <- simulated_omega(sigma, rho, size, call)
  names <- unique(unlist(lapply(c(outcome, selection), names)))
  regressors <- simulated_regressors(n, setdiff(names, "(Intercept)"), size, call)
  predictors <- vapply(c(outcome, selection), function(values) {
    Reduce(`+`, Map(function(value, name) {
      if (name == "(Intercept)") value else value * regressors[[name]]
    }, values, names(values)), numeric(nrow(regressors)))
  }, numeric(nrow(regressors)))
  errors <- matrix(stats::rnorm(nrow(regressors) * 2L * size), ncol = 2L * size) %*% chol(omega)
  latent <- matrix(predictors, ncol = 2L * size) + errors
  observed_part(latent, regressors, outcome, selection, omega)
}

simulated_equations <- function(equations, outcome, selection, call) {
  if (!is.null(equations)) {
    return(as.integer(check_count(equations, "equations", most_equations, call)))
  }
  given <- if (is.null(outcome)) selection else outcome
  if (is.list(given)) max(length(given), 1L) else 1L
}

# One named vector for each equation.
simulated_coefficients <- function(given, argument, size, default, call) {
  if (is.null(given)) {
    return(lapply(seq_len(size), default))
  }
  if (is.numeric(given)) given <- rep(list(given), size)
  usable <- is.list(given) && length(given) == size && all(vapply(given, is_named_coefficients, NA))
  if (!usable) {
    abort_argument(
      argument, paste0(
        "must be a named numeric vector", if (size > 1L) paste0(", or a list of ", size), "."
      ),
      c(i = "For instance `c(\"(Intercept)\" = 1, x1 = 0.5)`."), call
    )
  }
  unname(given)
}

is_named_coefficients <- function(values) {
  is.numeric(values) && length(values) > 0L && all(is.finite(values)) &&
    all(nzchar(rlang::names2(values))) && !anyDuplicated(names(values))
}

simulated_omega <- function(sigma, rho, size, call) {
  if (!is.numeric(sigma) || !length(sigma) %in% c(1L, size) || !all(is.finite(sigma) & sigma > 0)) {
    abort_argument(
      "sigma", paste0(
        "must be ", if (size > 1L) paste0(size, " positive numbers, or "), "one positive number."
      ), NULL, call
    )
  }
  count <- 2L * size
  correlations <- if (is_number(rho)) equal_correlations(rho, count) else rho
  usable <- is_square(correlations, count) && all(abs(diag(correlations) - 1) < 1e-8) &&
    is_covariance_matrix(correlations)
  if (!usable) {
    abort_argument(
      "rho", paste0(
        "must be a positive definite correlation matrix, ", count, " by ", count,
        ", or one number that gives such a matrix."
      ), NULL, call
    )
  }
  unname(correlations) * tcrossprod(c(rep_len(sigma, size), rep(1, size)))
}

equal_correlations <- function(rho, size) {
  correlations <- matrix(rho, size, size)
  diag(correlations) <- 1
  correlations
}

# The regressors: those of a data frame, or standard normal numbers.
simulated_regressors <- function(n, names, size, call) {
  taken <- paste0(rep(c("y", "s"), each = size), seq_len(size))
  clash <- intersect(c(names, if (is.data.frame(n)) names(n)), taken)
  if (length(clash) > 0L) {
    abort_argument(
      if (is.data.frame(n)) "n" else "outcome",
      paste0("has `", clash[[1L]], "`, which is the name of a response."), NULL, call
    )
  }
  if (!is.data.frame(n)) {
    n <- check_count(n, "n", .Machine$integer.max, call)
    columns <- stats::setNames(lapply(names, function(name) stats::rnorm(n)), names)
    return(structure(columns, row.names = seq_len(n), class = "data.frame"))
  }
  for (name in names) {
    if (!is.numeric(n[[name]]) || !all(is.finite(n[[name]]))) {
      abort_argument(
        "n", paste0("must have the regressor `", name, "`, with finite numbers."), NULL, call
      )
    }
  }
  as.data.frame(n)
}

# The data frame that a user of the model would see, with the truth as attributes.
observed_part <- function(latent, regressors, outcome, selection, omega) {
  size <- length(outcome)
  equations <- list(
    outcome = paste0("y", seq_len(size)), selection = paste0("s", seq_len(size))
  )
  names <- unlist(equations, use.names = FALSE)
  dimnames(latent) <- list(NULL, names)
  dimnames(omega) <- list(names, names)
  selected <- latent[, equations$selection, drop = FALSE] > 0
  outcomes <- latent[, equations$outcome, drop = FALSE]
  outcomes[!selected] <- NA
  storage.mode(selected) <- "integer"
  coefficients <- c(outcome, selection)
  labels <- natural_names(
    list(equations = equations, columns = lapply(coefficients, names)), aliased = TRUE
  )
  structure(
    cbind(as.data.frame(outcomes), as.data.frame(selected), regressors),
    truth = list(
      coefficients = stats::setNames(c(unlist(coefficients), error_naturals(omega)), labels),
      omega = omega
    ),
    formulas = list(
      outcome = Map(simulated_formula, equations$outcome, outcome) |> unname(),
      selection = Map(simulated_formula, equations$selection, selection) |> unname()
    ),
    latent = latent
  )
}

simulated_formula <- function(response, coefficients) {
  terms <- setdiff(names(coefficients), "(Intercept)")
  stats::reformulate(
    if (length(terms) > 0L) sprintf("`%s`", terms) else "1", response,
    intercept = "(Intercept)" %in% names(coefficients), env = globalenv()
  )
}
