# How a sample selection model is shown: the sections that print() and summary() share.

#' @export
print.ember_mssm <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  cat(title_line(mssm_title(x), class(x)[[1L]]), mssm_lines(x), sep = "\n")
  if (!is.na(x$loglik)) print_criterion(mssm_criterion(x), 4L)
  cat("Errors:\n")
  print_errors(x, digits)
  cat(pattern_lines(x), sep = "\n")
  size <- length(x$equations$outcome)
  names <- unlist(x$equations, use.names = FALSE)
  for (k in seq_along(names)) {
    words <- if (k <= size) outcome_words(names[[k]]) else selection_words(names[[k]])
    cat(equation_heading(words), ":\n", sep = "")
    print.default(format(x$coefficients[[k]], digits = digits), print.gap = 2L, quote = FALSE)
  }
  closing <- mssm_remarks(x)
  if (length(closing) > 0L) cat(closing, sep = "\n")
  invisible(x)
}

# "Outcome equation `wage`".
equation_heading <- function(words) sub("^the (.)", "\\U\\1", words, perl = TRUE)

mssm_title <- function(fit) {
  paste("Sample selection model fit by", switch(fit$method,
    ml = "maximum likelihood", "px-mcem" = "maximum likelihood (PX-MCEM)",
    "two-step" = "Heckman's two-step estimator"
  ))
}

# The formulas, and what else of the call says which rows were fitted, and how.
mssm_lines <- function(fit) {
  shown <- c(data = "     Data", weights = "  Weights", subset = "   Subset", cluster = "  Cluster")
  given <- names(shown)[vapply(names(shown), function(name) !is.null(fit$call[[name]]), NA)]
  c(
    formula_lines("  Outcome: ", fit$formulas$outcome),
    formula_lines("Selection: ", fit$formulas$selection),
    unlist(lapply(given, function(name) {
      filled(paste0(shown[[name]], ":"), deparse(fit$call[[name]]))
    }))
  )
}

# A formula on each line; one whose equation has another name than its response begins with it.
formula_lines <- function(label, formulas) {
  lines <- Map(function(formula, name) {
    own <- deparse1(formula[[2L]]) == name
    attributes(formula) <- NULL
    text <- paste0(if (!own) paste0(name, ": "), deparse1(formula))
    strwrap(text, width = getOption("width") - nchar(label), exdent = 4L)
  }, formulas, names(formulas))
  lines <- unlist(lines, use.names = FALSE)
  paste0(c(label, rep(strrep(" ", nchar(label)), length(lines) - 1L)), lines)
}

mssm_criterion <- function(fit) {
  c(
    AIC = stats::AIC(fit), BIC = stats::BIC(fit), logLik = fit$loglik,
    deviance = -2 * fit$loglik, df.resid = fit$nobs - fit$df
  )
}

# The errors as a random-effects block: standard deviations, and below the diagonal correlations.
print_errors <- function(fit, digits) {
  size <- length(fit$equations$outcome)
  names <- unlist(fit$equations, use.names = FALSE)
  block <- covariance_block(fit$omega)
  deviations <- format(attr(block, "stddev"), digits = digits)
  cells <- cbind(
    Equation = c("outcome", rep("", size - 1L), "selection", rep("", size - 1L)),
    Name = names, Std.Dev. = unname(deviations)
  )
  rownames(cells) <- rep("", 2L * size)
  correlations <- varcorr_correlations(list(block), 2L * size, max(2L, digits - 1L))
  print(cbind(cells, correlations), quote = FALSE)
}

# How many rows there are, and how many of each pattern of what is observed.
pattern_lines <- function(fit) {
  patterns <- fit$patterns
  outcomes <- fit$equations$outcome
  counts <- vapply(outcomes, function(name) sum(patterns$rows[patterns[[name]]]), 0)
  lines <- filled(
    sprintf("Number of obs: %d, observed:", as.integer(fit$nobs)),
    paste0(outcomes, ", ", counts, " (", format(100 * counts / fit$nobs, digits = 3L, trim = TRUE),
      "%)", collapse = "; ")
  )
  if (length(outcomes) == 1L) lines else c(lines, pattern_table(patterns, outcomes))
}

# Most patterns that are shown; there can be 2^J.
most_shown_patterns <- 8L

pattern_table <- function(patterns, outcomes) {
  shown <- utils::head(patterns, most_shown_patterns)
  cells <- ifelse(as.matrix(shown[outcomes]), "+", "-")
  cells <- cbind(cells, rows = format(shown$rows))
  rownames(cells) <- rep("", nrow(cells))
  rest <- nrow(patterns) - nrow(shown)
  c(
    "Patterns (+ observed, - missing):",
    utils::capture.output(print(cells, quote = FALSE, right = TRUE)),
    if (rest > 0L) {
      paste0(
        " and ", rest, if (rest == 1L) " more pattern" else " more patterns", " of ",
        sum(patterns$rows[-seq_len(most_shown_patterns)]), " rows"
      )
    }
  )
}

# What a reader must know before trusting the numbers, in plain words: nothing if all is well.
mssm_remarks <- function(fit) {
  sections <- list(
    aliased_equation_words(fit), ending_words(fit), mode_words(fit), correlation_words(fit),
    integration_words(fit), exclusion_words(fit)
  )
  wrap <- function(words) strwrap(words, width = 0.95 * getOption("width"), exdent = 2L)
  unlist(lapply(sections, function(words) if (length(words) > 0L) wrap(words)))
}

ending_words <- function(fit) {
  if (fit$status == "converged") {
    return(NULL)
  }
  c(paste0("NOT a maximum: ", status_words(fit), "."), mssm_remedy(fit))
}

# Are there other modes, and is this the highest?
mode_words <- function(fit) {
  if (length(fit$modes) < 2L) {
    return(NULL)
  }
  table <- mode_table(fit)
  remarks <- ifelse(table$kind == "maximum", "", paste0(" (", table$kind, ")"))
  logliks <- paste0(format(round(table$loglik, 2L), nsmall = 2L, trim = TRUE), remarks)
  paste0(
    "The likelihood has ", nrow(table), " modes: log-likelihoods ",
    paste(logliks, collapse = ", "), ". This is mode ", fit$mode,
    if (table$difference[[fit$mode]] < 0) ", NOT the highest", "; see `modes(fit)`."
  )
}

# A correlation of the errors this large is as good as 1.
extreme_correlation <- 0.99

correlation_words <- function(fit) {
  errors <- coef.ember_mssm(fit, "error")
  extreme <- grepl("^rho\\(", names(errors)) & is.finite(errors) & abs(errors) > extreme_correlation
  if (!any(extreme)) {
    return(NULL)
  }
  values <- format(round(errors[extreme], 5L), trim = TRUE)
  paste0(
    paste0("`", names(errors)[extreme], "` is ", values, collapse = ", "),
    if (sum(extreme) == 1L) ": near the edge." else ": near the edges.",
    " Standard errors and tests are doubtful there; look at `plot(fit, \"rho\")`."
  )
}

integration_words <- function(fit) {
  integration <- fit$integration
  if (fit$method == "px-mcem") {
    return(monte_carlo_words(fit))
  }
  if (is.null(integration) || identical(integration$method, "exact")) {
    return(NULL)
  }
  paste0(
    "Probabilities by quasi-Monte Carlo integration with ", integration$points,
    " points; the error of the log-likelihood is about ",
    format(integration$error, digits = 2L), "."
  )
}

# The largest Monte Carlo error of an estimate, in its standard errors.
monte_carlo_words <- function(fit) {
  share <- fit$mc$mc_error / sqrt(diag(fit$vcov))
  known <- is.finite(share)
  if (!any(known)) {
    return("The Monte Carlo error of the estimates is not known.")
  }
  worst <- which.max(ifelse(known, share, -Inf))
  paste0(
    "Largest Monte Carlo error of an estimate: ", format(share[[worst]], digits = 2L),
    " standard errors, of `", names(fit$mc$mc_error)[[worst]], "`."
  )
}
