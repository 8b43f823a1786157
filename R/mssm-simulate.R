# New responses from a fitted sample selection model.

#' Simulate responses of a sample selection model
#'
#' New selections and outcomes from the fitted model: errors are drawn from \eqn{N(0, \Omega)}, and
#' an outcome is `NA` where its selection is 0.
#'
#' @param object A fit of [mssm()].
#' @param nsim Number of responses.
#' @param seed `NULL`, to go on with R's random numbers, or a seed for [set.seed()].
#' @param newdata A data frame to simulate for; by default the data of the fit.
#' @param ... Not used.
#' @returns A list of `nsim` data frames `sim_1`, `sim_2`, ..., each with the columns of the
#'   outcomes and of the selections (coded as in the data), named by the left-hand sides of the
#'   formulas. Attribute `seed` is the state of the random number generator before. A row of
#'   `newdata` with a missing regressor is `NA`.
#' @seealso [simulate_mssm()] to simulate from parameters of your own.
#' @examplesIf requireNamespace("AER", quietly = TRUE)
#' data("PSID1976", package = "AER")
#' PSID1976$lwage <- ifelse(PSID1976$participation == "yes", log(PSID1976$wage), NA)
#' fit <- mssm(
#'   lwage ~ education + experience, participation ~ education + age + youngkids,
#'   data = PSID1976
#' )
#' new <- simulate(fit, nsim = 2, seed = 1)
#' head(new$sim_1)
#' @export
simulate.ember_mssm <- function(object, nsim = 1, seed = NULL, newdata = NULL, ...) {
  call <- rlang::current_env()
  check_no_dots(..., call = call)
  nsim <- check_count(nsim, "nsim", 1e6, call)
  if (!is.null(seed)) {
    before <- generator_state()
    on.exit(assign(".Random.seed", before, envir = globalenv()))
    set.seed(seed)
  }
  state <- generator_state()
  rows <- mssm_rows(object, newdata, stats::na.pass, call)
  parameters <- mssm_kept_parameters(object)
  eta <- do.call(cbind, Map(`%*%`, rows$designs, parameters$coefficients))
  root <- chol(parameters$omega)
  codes <- lapply(object$terms$selection, selection_code, frame = object$frame)
  simulated <- lapply(seq_len(nsim), function(k) {
    draws <- eta + matrix(stats::rnorm(length(eta)), nrow(eta)) %*% root
    simulated_frame(object, draws, codes, rows$names)
  })
  names(simulated) <- paste0("sim_", seq_len(nsim))
  structure(simulated, seed = state)
}

# Latent outcomes and selections as what is observed of them.
simulated_frame <- function(fit, draws, codes, names) {
  size <- length(codes)
  selected <- draws[, size + seq_len(size), drop = FALSE] > 0
  outcomes <- draws[, seq_len(size), drop = FALSE]
  outcomes[is.na(selected) | !selected] <- NA
  columns <- c(
    lapply(seq_len(size), function(j) outcomes[, j]),
    lapply(seq_len(size), function(j) codes[[j]](selected[, j]))
  )
  names(columns) <- unlist(lapply(fit$terms, vapply, response_name, ""), use.names = FALSE)
  structure(columns, class = "data.frame", row.names = names)
}

# How a selection is written in the data: a function of TRUE and FALSE.
selection_code <- function(terms, frame) {
  response <- frame[[response_name(terms)]]
  if (is.factor(response)) {
    function(selected) factor(levels(response)[selected + 1L], levels(response))
  } else if (is.logical(response)) {
    identity
  } else {
    as.integer
  }
}
