# Several fits of one model side by side.

#' Compare fits of one model
#'
#' Puts estimates, standard errors and intervals of random effects of several fits side by side,
#' whichever function made them: [lmm()], [glmm()], [data_clone()], lme4's `lmer()` and `glmer()`,
#' or `glmmTMB()`. Variances have the names of [data_clone()].
#'
#' @details
#' Data cloning is maximum likelihood with a Monte Carlo error, which the table shows: compare it
#' with `lmm(REML = FALSE)`. For a fit by restricted maximum likelihood the variances differ by more
#' than that. So does, by an amount of order 1/K, the mean of a posterior that is still skewed with
#' K clones; differences are also shown in standard errors.
#'
#' Standard errors of variances are those of the information matrix; `lmer()` and `glmer()` do not
#' compute them (`NA`).
#'
#' Intervals of random effects are normal ones. Those of `lmm()` and `lmer()` take the parameters as
#' known; those of data cloning count their uncertainty, see [ranef()][ranef.ember_clone].
#'
#' @param ... Fits, by name or not: `compare_fits(ML = a, cloning = b)`.
#' @param effects Compare random effects too?
#' @param level Coverage of the intervals.
#' @returns An object of class `ember_comparison`, a list with `estimates` (data frame: `parameter`,
#'   `fit`, `estimate`, `std.error`, `mc.error`), `effects` (data frame: `grpvar`, `term`, `grp`,
#'   `fit`, `estimate`, `std.error`, `lower`, `upper`; `NULL` without `effects`) and `level`.
#' @export
#' @examples
#' set.seed(1)
#' data <- nlme::Machines
#' ml <- lmm(score ~ Machine + (1 | Worker), data, REML = FALSE)
#' dc <- data_clone(score ~ Machine + (1 | Worker), data, clones = c(1, 10, 50))
#' both <- compare_fits(lmm = ml, data_clone = dc)
#' both
#' plot(both)
compare_fits <- function(..., effects = TRUE, level = 0.95) {
  call <- rlang::current_env()
  fits <- list(...)
  check_compared(fits, effects, call)
  check_level(level, call)
  names(fits) <- compared_labels(fits, as.list(substitute(list(...)))[-1L])
  estimates <- Map(function(fit, label) {
    table <- estimates_of(fit)
    data.frame(parameter = table$parameter, fit = label, table[-1L], row.names = NULL)
  }, fits, names(fits))
  estimates <- do.call(rbind, unname(estimates))
  estimates$parameter <- factor(estimates$parameter, unique(estimates$parameter))
  estimates$fit <- factor(estimates$fit, names(fits))
  structure(
    list(
      estimates = estimates, effects = if (effects) compared_effects(fits, level), level = level
    ),
    class = "ember_comparison"
  )
}

compared_classes <- c("ember_mixed", "ember_clone", "merMod", "glmmTMB")

check_compared <- function(fits, effects, call) {
  if (length(fits) == 0L) abort_argument("...", "must hold fits to compare.", NULL, call)
  for (k in seq_along(fits)) {
    if (!inherits(fits[[k]], compared_classes)) {
      abort_argument(
        "...", paste0("must hold fits of mixed models; number ", k, " is none."),
        c(
          x = paste0("It is ", describe_object(fits[[k]]), "."),
          i = "They are those of lmm(), glmm(), data_clone(), lmer(), glmer() and glmmTMB()."
        ), call
      )
    }
    if (!inherits(fits[[k]], "ember_fit")) {
      rlang::check_installed(if (inherits(fits[[k]], "merMod")) "lme4" else "glmmTMB", call = call)
    }
  }
  if (!is_flag(effects)) abort_argument("effects", "must be TRUE or FALSE.", NULL, call)
}

# The user's names, else what was written, else the class.
compared_labels <- function(fits, expressions) {
  labels <- rlang::names2(fits)
  for (k in which(!nzchar(labels))) {
    labels[[k]] <- if (is.name(expressions[[k]])) {
      as.character(expressions[[k]])
    } else {
      sub("^ember_", "", class(fits[[k]])[[1L]])
    }
  }
  make.unique(labels, sep = " ")
}

# ---- parameters

# Data frame with columns parameter, estimate, std.error, mc.error.
estimates_of <- function(fit) {
  if (inherits(fit, "ember_clone")) {
    table <- estimate_table(fit)
    return(estimate_rows(rownames(table), table[, "Mean"], table[, "DC SD"], table[, "MC error"]))
  }
  variances <- c(named_variances(fit), shape = shape_of(fit))
  errors <- stats::setNames(rep(NA_real_, length(variances)), names(variances))
  if (inherits(fit, "ember_mixed")) {
    known <- variance_errors(fit)
    shared <- intersect(names(known), names(errors))
    errors[shared] <- known[shared]
  }
  rbind(fixed_estimates(fit), estimate_rows(names(variances), variances, errors))
}

estimate_rows <- function(parameter, estimate, error, mc_error = NA_real_) {
  data.frame(
    parameter = parameter, estimate = unname(estimate), std.error = unname(error),
    mc.error = unname(mc_error), row.names = NULL
  )
}

fixed_estimates <- function(fit) {
  if (inherits(fit, "glmmTMB")) {
    estimates <- fixef(fit)$cond
    covariance <- stats::vcov(fit)$cond
  } else {
    estimates <- fixef(fit)
    covariance <- as.matrix(stats::vcov(fit))
  }
  errors <- sqrt(diag(covariance))[names(estimates)]
  estimate_rows(names(estimates), estimates, errors)
}

# Variances and covariances under the names of data_clone(), in its order.
named_variances <- function(fit) {
  blocks <- VarCorr(fit)
  if (inherits(fit, "glmmTMB")) blocks <- blocks$cond
  gaussian <- stats::family(fit)$family == "gaussian"
  single <- sum(vapply(blocks, ncol, 0L)) == 1L
  parts <- Map(function(block, label) {
    group <- sub("\\.[0-9]+$", "", label)
    table <- block_table(list(group = group, names = colnames(block)), 1L, single)
    stats::setNames(block[cbind(table$row, table$column)], table$name)
  }, blocks, names(blocks))
  c(if (gaussian) c(sigma_sq = stats::sigma(fit)^2), do.call(c, unname(parts)))
}

# The shape of a negative binomial or Gamma response; NULL for others.
shape_of <- function(fit) {
  if (inherits(fit, "ember_mixed")) {
    return(fit$shape)
  }
  name <- stats::family(fit)$family
  if (name == "Gamma") {
    return(1 / stats::sigma(fit)^2)
  }
  if (!grepl("^(nbinom2|Negative Binomial)", name)) {
    return(NULL)
  }
  if (inherits(fit, "glmmTMB")) stats::sigma(fit) else lme4::getME(fit, "glmer.nb.theta")
}

# Standard errors of the variances and the shape of a fit of ember, by the delta method from the
# covariance of theta and log sigma (or log shape).
variance_errors <- function(fit) {
  if (!is_plain_interior(fit)) {
    return(numeric())
  }
  linear <- inherits(fit, "ember_lmm")
  # What is estimated beside theta.
  last <- if (linear) {
    if (is.null(fit$known$sigma)) "sigma"
  } else if (has_estimated_shape(fit$distribution)) {
    "shape"
  }
  if (!linear) fit$sigma <- 1
  point <- c(fit$theta, if (length(last) > 0L) log(fit[[last]]))
  covariance <- coordinate_covariance(fit, linear, length(point))
  if (NROW(covariance) != length(point)) {
    return(numeric())
  }
  table <- parameter_table(
    names(fit$beta), fit$random, identical(last, "sigma"), identical(last, "shape")
  )
  natural_at <- function(point) {
    fit$theta <- point[seq_along(fit$theta)]
    if (length(last) > 0L) fit[[last]] <- exp(point[[length(point)]])
    start_natural(fit, fit$random, table)
  }
  errors <- sqrt(rowSums(delta_method(natural_at, point, covariance)))
  stats::setNames(errors, table$name)[table$kind != "fixed"]
}

# A maximum inside the parameters, none of which is known or differs between groups of rows.
is_plain_interior <- function(fit) {
  length(fit$singular) == 0L && length(fit$dispersion) < 2L && length(fit$known$term) == 0L
}

# The terms of the variances of f(x) by the delta method, one row for each value of f.
delta_method <- function(f, point, covariance) {
  jacobian <- vapply(seq_along(point), function(j) {
    step <- 1e-5 * max(abs(point[[j]]), 0.1)
    shifted <- function(by) f(replace(point, j, point[[j]] + by))
    (shifted(step) - shifted(-step)) / (2 * step)
  }, numeric(length(f(point))))
  (jacobian %*% covariance) * jacobian
}

# Covariance of theta and log sigma, or of theta and log shape.
coordinate_covariance <- function(fit, linear, size) {
  if (!linear) {
    joint <- fit$vcov_parameters
    own <- c(seq_along(fit$theta), if (size > length(fit$theta)) nrow(joint))
    return(if (!is.null(joint)) joint[own, own, drop = FALSE])
  }
  tryCatch(
    native_mixed_satterthwaite(fit, rlang::caller_env())$covariance,
    ember_error = function(cnd) NULL
  )
}

# ---- random effects

compared_effects <- function(fits, level) {
  half <- stats::qnorm((1 + level) / 2)
  tables <- Map(function(fit, label) {
    if (inherits(fit, "ember_clone")) {
      table <- as.data.frame(ranef(fit, level = level))
    } else {
      table <- as.data.frame(ranef(fit, condVar = TRUE))
      if (!is.null(table$component)) table <- table[table$component == "cond", ]
      table$lower <- table$condval - half * table$condsd
      table$upper <- table$condval + half * table$condsd
    }
    data.frame(
      grpvar = as.character(table$grpvar), term = as.character(table$term),
      grp = as.character(table$grp), fit = label, estimate = table$condval,
      std.error = table$condsd, lower = table$lower, upper = table$upper
    )
  }, fits, names(fits))
  out <- do.call(rbind, unname(tables))
  out$fit <- factor(out$fit, names(fits))
  out
}

# ---- shown

#' @rdname compare_fits
#' @param x A comparison.
#' @param digits Significant digits.
#' @export
print.ember_comparison <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  cat("Estimates (standard errors):\n")
  cells <- wide_cells(x$estimates, digits)
  print(cells, quote = FALSE, right = TRUE)
  if (any(!is.na(x$estimates$mc.error))) print_mc_errors(x$estimates, digits)
  if (!is.null(x$effects)) print_effect_summary(x$effects, x$level, digits)
  invisible(x)
}

wide_cells <- function(table, digits) {
  words <- ifelse(
    is.na(table$std.error), format(table$estimate, digits = digits),
    paste0(
      formatC(table$estimate, digits = digits + 1L, format = "g"), " (",
      formatC(table$std.error, digits = digits - 1L, format = "g"), ")"
    )
  )
  words[is.na(table$std.error)] <- formatC(
    table$estimate[is.na(table$std.error)], digits = digits + 1L, format = "g"
  )
  cells <- matrix("", nlevels(table$parameter), nlevels(table$fit),
    dimnames = list(levels(table$parameter), levels(table$fit))
  )
  cells[cbind(as.integer(table$parameter), as.integer(table$fit))] <- words
  cells
}

# The Monte Carlo error of each cloning fit, and how many of these it is from the first other fit.
print_mc_errors <- function(table, digits) {
  reference <- table[!is.finite(table$mc.error), ]
  if (nrow(reference) > 0L) reference <- reference[reference$fit == reference$fit[[1L]], ]
  for (label in unique(as.character(table$fit[is.finite(table$mc.error)]))) {
    own <- table[table$fit == label, ]
    out <- data.frame(mc.error = own$mc.error, row.names = as.character(own$parameter))
    other <- reference$estimate[match(own$parameter, reference$parameter)]
    if (nrow(reference) > 0L) {
      out$difference <- own$estimate - other
      out$in.mc.errors <- out$difference / out$mc.error
      out$in.std.errors <- out$difference / own$std.error
    }
    cat("\nMonte Carlo error of ", label, if (nrow(reference) > 0L) {
      paste0(" and difference from ", reference$fit[[1L]])
    }, ":\n", sep = "")
    print(out, digits = max(2L, digits - 1L))
  }
}

print_effect_summary <- function(table, level, digits) {
  cat("\nRandom effects, mean width of the ", format(100 * level), "% intervals:\n", sep = "")
  print(
    tapply(table$upper - table$lower, list(paste(table$grpvar, table$term), table$fit), mean),
    digits = digits
  )
}

#' @rdname compare_fits
#' @param what `"estimates"` or `"effects"`.
#' @param parameters Names of the parameters to draw; by default all.
#' @export
plot.ember_comparison <- function(x, what = c("estimates", "effects"), parameters = NULL, ...) {
  call <- rlang::current_env()
  what <- match_choice("what", call)
  if (what == "effects") {
    if (is.null(x$effects)) {
      abort_argument("x", "has no random effects.", c(i = "Compare with `effects = TRUE`."), call)
    }
    plot_compared_effects(x$effects, ...)
  } else {
    names <- levels(x$estimates$parameter)
    plot_compared_estimates(
      x$estimates, monitored_parameters(parameters, names, names, call), x$level, ...
    )
  }
  invisible(x)
}

# A panel per parameter, an interval per fit.
plot_compared_estimates <- function(table, parameters, level, ...) {
  half <- stats::qnorm((1 + level) / 2)
  old <- graphics::par(
    mfrow = grDevices::n2mfrow(length(parameters)), mar = c(3.1, 1, 2.1, 1),
    oma = c(0, 0.5 * max(nchar(levels(table$fit))) + 0.5, 0, 0)
  )
  on.exit(graphics::par(old))
  columns <- grDevices::n2mfrow(length(parameters))[[2L]]
  count <- nlevels(table$fit)
  colours <- component_colours(count)
  for (k in seq_along(parameters)) {
    own <- table[table$parameter == parameters[[k]], ]
    place <- count + 1L - as.integer(own$fit)
    width <- ifelse(is.na(own$std.error), 0, half * own$std.error)
    graphics::plot(own$estimate, place,
      type = "n", xlim = range(own$estimate - width, own$estimate + width),
      ylim = c(0.5, count + 0.5), yaxt = "n", xlab = "", ylab = "", main = parameters[[k]],
      font.main = 1, ...
    )
    graphics::segments(own$estimate - width, place, own$estimate + width, place,
      col = colours[as.integer(own$fit)], lwd = 2
    )
    graphics::points(own$estimate, place, pch = 16, col = colours[as.integer(own$fit)])
    if ((k - 1L) %% columns == 0L) {
      graphics::axis(2, rev(seq_len(count)), levels(table$fit), las = 1, tick = FALSE)
    }
  }
}

# Intervals of every level, fits beside each other, ordered by the first fit.
plot_compared_effects <- function(table, xlab = "", ylab = "Random effect", ...) {
  panels <- unique(table[c("grpvar", "term")])
  count <- nlevels(table$fit)
  colours <- component_colours(count)
  old <- graphics::par(mfrow = c(nrow(panels), 1L), mar = c(3.1, 4.1, 2.1, 1.1))
  on.exit(graphics::par(old))
  for (k in seq_len(nrow(panels))) {
    own <- table[table$grpvar == panels$grpvar[[k]] & table$term == panels$term[[k]], ]
    first <- own[own$fit == levels(own$fit)[[1L]], ]
    levels <- first$grp[order(first$estimate)]
    place <- match(own$grp, levels) + (as.integer(own$fit) - (count + 1) / 2) * 0.7 / count
    graphics::plot(place, own$estimate,
      type = "n", ylim = range(own$lower, own$upper), xaxt = "n", las = 1, xlab = xlab,
      ylab = ylab, main = paste(panels$grpvar[[k]], panels$term[[k]]), font.main = 1, ...
    )
    graphics::abline(h = 0, lty = 2, col = "grey60")
    graphics::segments(place, own$lower, place, own$upper, col = colours[as.integer(own$fit)])
    graphics::points(place, own$estimate,
      pch = 16, cex = min(0.8, 30 / length(levels) + 0.25), col = colours[as.integer(own$fit)]
    )
    if (length(levels) <= most_named_levels) {
      graphics::axis(1, seq_along(levels), levels, las = 2, cex.axis = 0.8)
    }
    if (k == 1L) {
      graphics::legend("topleft", levels(table$fit), col = colours, pch = 16, lty = 1, bty = "n")
    }
  }
}
