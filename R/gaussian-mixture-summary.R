#' Summarise a fitted mixture
#'
#' How the mixture was fitted, its criteria, mixing weights, means, and covariances as standard deviations and
#' correlations, each with a standard error.
#'
#' @param object A fit of [gaussian_mixture()].
#' @param type Kind of standard errors, as in [vcov()][mixture_inference]; `"none"` leaves them out.
#' @param ... Not used.
#' @returns An object of class `summary.ember_mixture`: a list with `coefficients` (data frame: `kind`, `component`,
#'   `row`, `column`, `estimate`, `std_error`), `criteria` (named vector), `weights` (data frame: `component`, `weight`,
#'   `std_error`, `rows` classified to it), `missing` (counts of values and rows), `singular`, and `fit`.
#' @examples
#' summary(gaussian_mixture(faithful, k = 2, model = "VVV"))
#' @export
summary.ember_mixture <- function(object, type = c("observed", "opg", "sandwich", "none"), ...) {
  call <- rlang::current_env()
  type <- rlang::arg_match(type)
  table <- coefficient_table(object, "deviations")
  table$std_error <- NA_real_
  singular <- FALSE
  with_errors <- type != "none" && !is.null(object$data)
  if (with_errors) {
    information <- tryCatch(
      mixture_information(object, type, "deviations", call),
      ember_error = function(cnd) NULL
    )
    singular <- is.null(information) || information$singular
    if (!is.null(information)) table$std_error <- sqrt(diag(information$vcov))
  }
  structure(
    list(
      coefficients = table, weights = weights_table(object, table), criteria = criteria_of(object),
      missing = missing_counts(object$data), singular = singular, type = if (with_errors) type else "none", fit = object
    ),
    class = "summary.ember_mixture"
  )
}

criteria_of <- function(fit) {
  c(AIC = stats::AIC(fit), BIC = stats::BIC(fit), ICL = ICL(fit), logLik = fit$loglik, df = fit$df)
}

weights_table <- function(fit, table) {
  weights <- component_weights(fit)
  errors <- if (is.null(fit$known$weights)) table$std_error[table$kind == "weight"] else rep(NA_real_, length(weights))
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
  reached <- sum(fit$starts$loglik >= fit$loglik - 1e-4 * (1 + abs(fit$loglik)) * 1e-2, na.rm = TRUE)
  failed <- sum(is.na(fit$table$loglik))
  status <- if (fit$status == "converged") "Converged" else "NOT A MAXIMUM:"
  words <- if (fit$status == "converged") sub("^converged ", "", status_words(fit)) else status_words(fit)
  c(
    if (cells > 1L) {
      paste0(" Choice: smallest ", fit$select, " of ", cells, " fits", if (failed > 0L) paste0(" (", failed, " failed)"))
    },
    paste0(" Status: ", status, " ", words),
    if (nrow(fit$starts) > 1L) paste0(" Starts: ", reached, " of ", nrow(fit$starts), " reached this maximum")
  )
}

print_criteria <- function(criteria) {
  cells <- format(round(criteria[c("AIC", "BIC", "ICL", "logLik")], 1), nsmall = 1, trim = TRUE)
  cells <- c(cells, df = format(criteria[["df"]]))
  print(cells, quote = FALSE, right = TRUE)
}

print_weights <- function(x, digits) {
  table <- data.frame(
    Component = x$weights$component, Weight = format(x$weights$weight, digits = digits),
    "Std. Error" = format_errors(x$weights$std_error, digits), Rows = x$weights$rows, check.names = FALSE
  )
  if (all(is.na(x$weights$std_error))) table[["Std. Error"]] <- NULL
  if (all(is.na(x$weights$rows))) table$Rows <- NULL
  print(table, row.names = FALSE, right = TRUE)
}

format_errors <- function(errors, digits) {
  ifelse(is.na(errors), "", format(signif(errors, digits), digits = digits))
}

print_means <- function(x, digits) {
  fit <- x$fit
  if (!is.null(fit$known$means)) {
    print(fit$means, digits = digits)
    return(invisible())
  }
  rows <- x$coefficients[x$coefficients$kind == "mean", ]
  first <- !duplicated(rows$component)
  table <- data.frame(
    Component = ifelse(first, rows$component, ""), Name = colnames(fit$means)[rows$row],
    Estimate = format_columnwise(rows$estimate, rows$row, digits), "Std. Error" = format_errors(rows$std_error, digits),
    check.names = FALSE
  )
  if (all(is.na(rows$std_error))) table[["Std. Error"]] <- NULL
  print(table, row.names = FALSE, right = TRUE)
}

# Values of one variable share their number of decimals.
format_columnwise <- function(values, group, digits) {
  out <- character(length(values))
  for (one in unique(group)) {
    out[group == one] <- format(values[group == one], digits = digits)
  }
  out
}

# lme4's table: one line per variable, the correlations with those before it on the right.
print_covariances <- function(x, digits) {
  fit <- x$fit
  variables <- colnames(fit$means)
  blocks <- covariance_blocks(x)
  lines <- lapply(names(blocks), function(label) {
    block <- blocks[[label]]
    data.frame(
      Component = c(label, rep("", length(variables) - 1L)), Name = variables,
      "Std. Dev." = format(block$sd, digits = digits), "Std. Error" = format_errors(block$sd_error, digits),
      correlation_columns(block), check.names = FALSE
    )
  })
  table <- do.call(rbind, lines)
  if (all(table[["Std. Error"]] == "")) table[["Std. Error"]] <- NULL
  print(table, row.names = FALSE, right = TRUE)
}

# For each component (or "all"): standard deviations and correlations with their errors.
covariance_blocks <- function(x) {
  fit <- x$fit
  components <- if (fit$model %in% pooled_models) 1L else seq_len(fit$k)
  labels <- if (fit$model %in% pooled_models) "all" else as.character(components)
  blocks <- lapply(components, function(component) {
    estimates <- covariance_coefficients(fit, component, "deviations")
    shared <- if (fit$model %in% pooled_models) 0L else component
    mine <- x$coefficients$component == shared & x$coefficients$kind %in% c("sd", "correlation")
    errors <- if (any(mine)) x$coefficients$std_error[mine] else rep(NA_real_, nrow(estimates))
    sd <- estimates$kind == "sd"
    list(
      sd = estimates$estimate[sd], sd_error = errors[sd], row = estimates$row[!sd], column = estimates$column[!sd],
      correlation = estimates$estimate[!sd], correlation_error = errors[!sd]
    )
  })
  stats::setNames(blocks, labels)
}

correlation_columns <- function(block) {
  d <- length(block$sd)
  if (length(block$correlation) == 0L) {
    return(data.frame(row.names = seq_len(d)))
  }
  cells <- matrix("", d, d - 1L)
  errors <- ifelse(is.na(block$correlation_error), "", paste0(" (", formatC(block$correlation_error, format = "f", digits = 2), ")"))
  cells[cbind(block$row, block$column)] <- paste0(formatC(block$correlation, format = "f", digits = 2), errors)
  columns <- as.data.frame(cells)
  names(columns) <- c("Corr", rep("", d - 2L))
  columns
}

closing_lines <- function(x) {
  fit <- x$fit
  observations <- paste0("Number of observations: ", format(fit$nobs))
  if (!is.null(fit$row_weights)) observations <- paste0(observations, " (sum of weights of ", length(fit$row_weights), " rows)")
  missing <- x$missing
  error_kind <- c(observed = "observed information", opg = "outer products of scores", sandwich = "sandwich")
  c(
    observations,
    if (!is.null(missing)) {
      paste0("Missing: ", missing[["values"]], " of ", missing[["of"]], " values, in ", missing[["rows"]], " rows (fitted)")
    },
    if (length(fit$na_action) > 0L) paste0("Left out: ", length(fit$na_action), " rows without any value"),
    if (!is.null(fit$noise)) paste0("Noise density: ", format(exp(fit$noise$log_density), digits = 4)),
    if (x$type != "none") paste0("Standard errors: ", error_kind[[x$type]]),
    if (x$singular) "The information matrix is singular: parameters without a standard error are not identified."
  )
}
