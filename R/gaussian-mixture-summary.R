#' Summarise a fitted mixture
#'
#' How the mixture was fitted, its criteria, mixing weights, means, and covariances as standard
#' deviations and correlations, each with a standard error.
#'
#' @param object A fit of [gaussian_mixture()].
#' @param type Kind of standard errors, as in [vcov()][mixture_inference]; `"none"` leaves them out.
#' @param ... Not used.
#' @returns An object of class `summary.ember_mixture`: a list with `coefficients` (data frame:
#'   `kind`, `component`, `row`, `column`, `estimate`, `std_error`), `criteria` (named vector),
#'   `weights` (data frame: `component`, `weight`, `std_error`, `rows` classified to it), `missing`
#'   (counts of values and rows), `singular`, and `fit`.
#' @examples
#' summary(gaussian_mixture(faithful, k = 2, model = "VVV"))
#' @export
summary.ember_mixture <- function(object, type = c("observed", "opg", "sandwich", "none"), ...) {
  call <- rlang::current_env()
  type <- match_choice("type", call)
  table <- coefficient_table(object, "deviations")
  table$std_error <- NA_real_
  singular <- FALSE
  with_errors <- type != "none" && !is.null(object$data)
  if (with_errors) {
    information <- tryCatch(
      named_information(object, type, "deviations", call),
      ember_error = function(cnd) NULL
    )
    singular <- is.null(information) || information$singular
    if (!is.null(information)) table$std_error <- sqrt(diag(information$vcov))
  }
  structure(
    list(
      coefficients = table, weights = weights_table(object, table), criteria = criteria_of(object),
      missing = missing_counts(object$data), singular = singular,
      type = if (with_errors) type else "none", fit = object
    ),
    class = "summary.ember_mixture"
  )
}

criteria_of <- function(fit) {
  c(AIC = stats::AIC(fit), BIC = stats::BIC(fit), ICL = ICL(fit), logLik = fit$loglik, df = fit$df)
}

weights_table <- function(fit, table) {
  weights <- component_weights(fit)
  errors <- if (is.null(fit$known$weights)) table$std_error[table$kind == "weight"] else rep(
    NA_real_, length(weights)
  )
  rows <- rep(NA_integer_, length(weights))
  if (!is.null(fit$data)) {
    class <- stats::predict(fit)
    rows <- tabulate(ifelse(class == 0L, length(weights), class), length(weights))
  }
  data.frame(component = names(weights), weight = unname(weights), std_error = errors, rows = rows)
}

missing_counts <- function(x) {
  if (is.null(x) || !anyNA(x)) {
    return(NULL)
  }
  missing <- is.na(x)
  c(values = sum(missing), of = length(x), rows = sum(rowSums(missing) > 0))
}

#' @export
print.summary.ember_mixture <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  fit <- x$fit
  cat(mixture_heading(fit), "\n", sep = "")
  cat(call_lines(fit), sep = "\n")
  cat(how_fitted(fit), sep = "\n")
  cat("\n")
  print_criteria(x$criteria)
  cat("\nMixing weights:\n")
  print_weights(x, digits)
  cat("\nMeans:\n")
  print_means(x, digits)
  cat("\nCovariances:\n")
  print_covariances(x, digits)
  cat("\n", paste0(closing_lines(x), "\n"), sep = "")
  invisible(x)
}

# Search, starts and end of the iterations, in plain words.
how_fitted <- function(fit) {
  cells <- nrow(fit$table)
  objective <- fit$loglik + fit$log_prior
  reached <- sum(fit$starts$loglik >= objective - 1e-6 * (1 + abs(objective)), na.rm = TRUE)
  failed <- sum(is.na(fit$table$loglik))
  words <- if (fit$status == "converged") {
    sub("^converged", "Converged", status_words(fit))
  } else {
    paste("NOT A MAXIMUM:", status_words(fit))
  }
  c(
    if (cells > 1L) {
      paste0(
        " Choice: smallest ", fit$select, " of ", cells, " fits",
        if (failed > 0L) paste0(" (", failed, " failed)")
      )
    },
    paste0(" Status: ", words),
    if (nrow(fit$starts) > 1L) paste0(
      " Starts: ", reached, " of ", nrow(fit$starts), " reached this maximum"
    ),
    if (length(fit$thin) > 0L) paste0(
      " Few rows: component ", paste(fit$thin, collapse = ", "),
      " has fewer rows than its parameters need"
    )
  )
}

print_criteria <- function(criteria) {
  cells <- format(round(criteria[c("AIC", "BIC", "ICL", "logLik")], 1), nsmall = 1, trim = TRUE)
  cells <- c(cells, df = format(criteria[["df"]]))
  print(cells, quote = FALSE, right = TRUE)
}

print_weights <- function(x, digits) {
  cells <- cbind(
    Component = x$weights$component, Weight = format(x$weights$weight, digits = digits),
    "Std. Error" = format_errors(x$weights$std_error), Rows = x$weights$rows
  )
  print_cells(cells)
}

# A table of text without row names; columns with nothing in them are left out.
print_cells <- function(cells) {
  cells[is.na(cells)] <- ""
  cells <- cells[, colSums(cells != "") > 0L, drop = FALSE]
  rownames(cells) <- rep("", nrow(cells))
  print(cells, quote = FALSE, right = TRUE)
}

# Standard errors to three figures: they are known no better.
format_errors <- function(errors, group = rep(1L, length(errors))) {
  cells <- format_columnwise(signif(errors, 3L), group, 3L)
  ifelse(is.na(errors), "", cells)
}

# Values of one group (one variable) share their number of decimals.
format_columnwise <- function(values, group, digits) {
  cells <- character(length(values))
  for (one in unique(group)) {
    cells[group == one] <- format(values[group == one], digits = digits)
  }
  cells
}

print_means <- function(x, digits) {
  fit <- x$fit
  d <- ncol(fit$means)
  errors <- x$coefficients$std_error[x$coefficients$kind == "mean"]
  if (length(errors) == 0L) errors <- rep(NA_real_, length(fit$means))
  variable <- rep(seq_len(d), fit$k)
  cells <- cbind(
    Component = component_column(rownames(fit$means), d), Name = colnames(fit$means)[variable],
    Estimate = format_columnwise(as.vector(t(fit$means)), variable, digits),
    "Std. Error" = format_errors(errors, variable)
  )
  print_cells(cells)
}

# The label on the first line of each component.
component_column <- function(labels, d) {
  as.vector(rbind(labels, matrix("", d - 1L, length(labels))))
}

# Most variables for which the correlations fit on a line.
most_correlations <- 6L

# lme4's table: one line per variable, the correlations with those before it on the right.
print_covariances <- function(x, digits) {
  variables <- colnames(x$fit$means)
  d <- length(variables)
  blocks <- covariance_blocks(x)
  variable <- rep(seq_len(d), length(blocks))
  part <- function(name) unlist(lapply(blocks, `[[`, name), use.names = FALSE)
  cells <- cbind(
    Component = component_column(names(blocks), d), Name = variables[variable],
    "Std. Dev." = format_columnwise(part("sd"), variable, digits),
    "Std. Error" = format_errors(part("sd_error"), variable)
  )
  if (d <= most_correlations && !is_diagonal_model(x$fit$model)) {
    cells <- cbind(cells, do.call(rbind, lapply(blocks, correlation_cells)))
  }
  print_cells(cells)
  if (d > most_correlations && !is_diagonal_model(x$fit$model)) {
    cat("Correlations: see coef(fit, scale = \"sd\")\n")
  }
}

# For each component (or "all"): standard deviations and correlations with their errors.
covariance_blocks <- function(x) {
  fit <- x$fit
  pooled <- fit$model %in% pooled_models
  components <- if (pooled) 1L else seq_len(fit$k)
  blocks <- lapply(components, function(component) {
    estimates <- covariance_coefficients(fit, component, "deviations")
    shared <- if (pooled) 0L else component
    mine <- x$coefficients$component == shared & x$coefficients$kind %in% c("sd", "correlation")
    errors <- if (any(mine)) x$coefficients$std_error[mine] else rep(NA_real_, nrow(estimates))
    sd <- estimates$kind == "sd"
    list(
      sd = estimates$estimate[sd], sd_error = errors[sd], row = estimates$row[!sd],
      column = estimates$column[!sd],
      correlation = estimates$estimate[!sd], correlation_error = errors[!sd]
    )
  })
  stats::setNames(blocks, if (pooled) "all" else components)
}

correlation_cells <- function(block) {
  d <- length(block$sd)
  cells <- matrix("", d, d - 1L, dimnames = list(NULL, c("Corr", rep("", d - 2L))))
  two_decimals <- function(values) formatC(values, format = "f", digits = 2L)
  errors <- ifelse(
    is.na(block$correlation_error), "", paste0(" (", two_decimals(block$correlation_error), ")")
  )
  cells[cbind(block$row, block$column)] <- paste0(two_decimals(block$correlation), errors)
  cells
}

closing_lines <- function(x) {
  fit <- x$fit
  observations <- paste0("Number of observations: ", format(fit$nobs))
  if (!is.null(fit$row_weights)) observations <- paste0(
    observations, " (sum of weights of ", length(fit$row_weights), " rows)"
  )
  missing <- x$missing
  error_kind <- c(
    observed = "observed information", opg = "outer products of scores", sandwich = "sandwich"
  )
  c(
    observations,
    if (!is.null(missing)) {
      paste0(
        "Missing: ", missing[["values"]], " of ", missing[["of"]], " values, in ",
        missing[["rows"]], " rows (fitted)"
      )
    },
    if (length(fit$na_action) > 0L) paste0(
      "Left out: ", length(fit$na_action), " rows without any value"
    ),
    if (!is.null(fit$noise)) paste0(
      "Noise density: ", format(exp(fit$noise$log_density), digits = 4)
    ),
    if (x$type != "none") paste0("Standard errors: ", error_kind[[x$type]]),
    if (x$singular) {
      "The information matrix is singular: parameters without an error are not identified."
    }
  )
}
