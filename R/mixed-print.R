# How a mixed model is shown: the sections that print() and summary() share, in lme4's layout.

#' @export
print.ember_mixed <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  cat(title_line(method_words(x), class(x)[[1L]]), sep = "\n")
  cat(model_lines(x), sep = "\n")
  print_criterion(criterion_table(x), 4L)
  print_varcorr(VarCorr(x), digits, "Std.Dev.")
  cat(group_lines(x), sep = "\n")
  fixed <- fixef(x, add.dropped = TRUE)
  if (length(fixed) > 0L) {
    cat("Fixed Effects:\n")
    print.default(format(fixed, digits = digits), print.gap = 2L, quote = FALSE)
  } else {
    cat("No fixed effect coefficients\n")
  }
  cat(remarks(x), sep = "\n")
  invisible(x)
}

method_words <- function(fit) {
  if (inherits(fit, "ember_glmm")) {
    paste0(
      "Generalized linear mixed model fit by maximum likelihood (", approximation_words(fit), ")"
    )
  } else {
    paste("Linear mixed model fit by", if (fit$REML) "REML" else "maximum likelihood ")
  }
}

approximation_words <- function(fit) {
  if (fit$n_agq == 1L) {
    "Laplace Approximation"
  } else {
    paste0("Adaptive Gauss-Hermite Quadrature, nAGQ = ", fit$n_agq)
  }
}

# The method and the class, on one line where they fit.
title_line <- function(words, class) {
  if (nchar(words) + 5L + nchar(class) > getOption("width")) {
    lines <- strwrap(words, width = getOption("width") - 2L, exdent = 2L)
    lines[[length(lines)]] <- paste0(lines[[length(lines)]], " [", class, "]")
    return(lines)
  }
  paste0(words, " ['", class, "']")
}

# Family, formula, data and what else of the call says which rows were fitted, and how.
model_lines <- function(fit) {
  shown <- c(
    data = "   Data", weights = "Weights", offset = " Offset", dispersion = "Dispersion",
    known = "  Known", subset = " Subset"
  )
  given <- names(shown)[vapply(names(shown), function(name) !is.null(fit$call[[name]]), NA)]
  formula <- stats::formula(fit)
  attributes(formula) <- NULL
  c(
    if (inherits(fit, "ember_glmm")) {
      filled(" Family:", fit$family$family, " (", fit$family$link, ")")
    },
    filled("Formula:", deparse(formula)),
    unlist(lapply(given, function(name) {
      filled(paste0(shown[[name]], ":"), deparse(fit$call[[name]]))
    }))
  )
}

# What cat(fill = TRUE) would print, as lines.
filled <- function(...) {
  utils::capture.output(cat(..., fill = TRUE))
}

# The REML criterion, or AIC and its kin for a fit by maximum likelihood.
criterion_table <- function(fit) {
  if (fit$REML) {
    return(c(REML = fit$criterion))
  }
  c(
    AIC = stats::AIC(fit), BIC = stats::BIC(fit), logLik = fit$loglik, deviance = fit$criterion,
    df.resid = fit$nobs - fit$df
  )
}

print_criterion <- function(table, digits = 1L) {
  values <- round(table, digits)
  if (identical(names(table), "REML")) {
    cat("REML criterion at convergence:", values, fill = TRUE)
  } else {
    cells <- format(values)
    cells[["df.resid"]] <- format(values[["df.resid"]])
    print(cells, quote = FALSE)
  }
}

print_varcorr <- function(varcorr, digits, comp) {
  cat("Random effects:\n")
  print(varcorr_cells(varcorr, digits, comp), quote = FALSE, digits = digits)
}

group_lines <- function(fit) {
  counts <- ngrps(fit)
  filled(
    sprintf("Number of obs: %d, groups: ", as.integer(fit$nobs)),
    paste(paste(names(counts), counts, sep = ", "), collapse = "; ")
  )
}

# What a reader must know before trusting the numbers: columns left out, an end that is no optimum,
# variances at zero. Nothing if all is well.
remarks <- function(fit) {
  c(aliased_words(fit), closing_remarks(fit))
}

closing_remarks <- function(fit) {
  if (is.null(fit$separation)) {
    c(convergence_words(fit), singular_lines(fit))
  } else {
    strwrap(separation_words(fit), width = 0.95 * getOption("width"))
  }
}

aliased_words <- function(fit) {
  aliased <- fit$design$aliased
  if (length(aliased) == 0L) {
    return(NULL)
  }
  count <- length(aliased)
  paste0(
    count, if (count == 1L) " coefficient" else " coefficients",
    " not defined because of singularities"
  )
}

convergence_words <- function(fit) {
  if (fit$status == "converged") {
    return(NULL)
  }
  c(
    paste0("NOT an optimum: ", status_words(fit), "."),
    status_remedy(fit$status), "convergence(fit) has the facts."
  )
}

singular_lines <- function(fit) {
  if (length(fit$singular) > 0L) {
    strwrap(singularity_words(fit), width = 0.95 * getOption("width"))
  }
}
