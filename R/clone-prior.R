# Priors of data cloning: what users write, what is sampled with, and how it is shown.
#
# A prior is a data frame of class `ember_clone_prior`, one row per parameter on the unconstrained
# scale w (one per correlation matrix): `index` (the parameter's place in w; for correlations the
# first of the matrix), `power` (the density is on exp(power * w); 0: on w itself), `density`, `a`,
# `b` (its arguments, NA if it has none), `block` (number of the random term of a correlation
# matrix, else 0), `left` (the parameter on its scale, as a user would write it), `default`.

# Densities by name: arguments with what they must be, and where the density is positive.
prior_densities <- list(
  normal = list(arguments = c(mean = "number", sd = "positive"), support = "real"),
  uniform = list(arguments = c(lower = "number", upper = "number"), support = "interval"),
  gamma = list(arguments = c(shape = "positive", rate = "positive"), support = "positive"),
  inverse_gamma = list(arguments = c(shape = "positive", scale = "positive"), support = "positive"),
  half_cauchy = list(arguments = c(scale = "positive"), support = "positive"),
  half_normal = list(arguments = c(sd = "positive"), support = "positive"),
  exponential = list(arguments = c(rate = "positive"), support = "positive"),
  lkj = list(arguments = c(eta = "positive"), support = "correlation"),
  flat = list(arguments = character(), support = "any")
)

# The places of the parameters in w: list(kind, name (of the fixed effect or variance), index,
# group, effect, block) per row.
prior_targets <- function(table, random) {
  fixed <- table$name[table$kind == "fixed"]
  targets <- list(target_rows("fixed", fixed, seq_along(fixed)))
  used <- length(fixed)
  if (any(table$kind == "residual")) {
    used <- used + 1L
    targets <- c(targets, list(target_rows("residual", "sigma", used)))
  }
  for (block in unique(table$block[table$block > 0L])) {
    own <- table[table$block == block, ]
    deviations <- own[own$kind == "variance", ]
    q <- nrow(deviations)
    term <- random[[block]]
    rows <- target_rows(
      "deviation", sub("_sq", "", deviations$name, fixed = TRUE), used + seq_len(q), term$group,
      term$names, block
    )
    if (q > 1L) {
      name <- paste0("rho[", term$group, "]")
      rows <- rbind(rows, target_rows("correlation", name, used + q + 1L, term$group, "", block))
    }
    targets <- c(targets, list(rows))
    used <- used + nrow(own)
  }
  for (kind in intersect(c("shape", "level"), table$kind)) {
    name <- if (kind == "level") "alpha" else kind
    targets <- c(targets, list(target_rows(kind, name, used + 1L)))
  }
  do.call(rbind, targets)
}

target_rows <- function(kind, name, index, group = "", effect = "", block = 0L) {
  count <- length(name)
  data.frame(
    kind = rep(kind, count), name = name, index = as.integer(index), group = rep(group, count),
    effect = rep_len(effect, count), block = rep(as.integer(block), count)
  )
}

# The prior of a fit: the defaults, replaced where the user's formulas say so; the last one counts.
clone_prior <- function(formulas, targets, fixed_scale, call) {
  rows <- default_prior(targets, fixed_scale)
  for (formula in check_prior_list(formulas, call)) {
    replacement <- parse_prior(formula, targets, call)
    rows <- rows[!rows$index %in% replacement$index, ]
    rows <- rbind(rows, replacement)
  }
  rows <- rows[order(rows$index), ]
  row.names(rows) <- NULL
  structure(rows, class = c("ember_clone_prior", "data.frame"))
}

# Standard deviation of the normal priors on logs: precision 0.001, as in the note.
log_prior_sd <- 31.6

default_prior <- function(targets, fixed_scale) {
  rows <- lapply(seq_len(nrow(targets)), function(k) {
    target <- targets[k, ]
    switch(target$kind,
      fixed = prior_row(target, 0, "normal", c(0, fixed_scale[[target$index]])),
      correlation = prior_row(target, 0, "lkj", 1),
      prior_row(target, 0, "normal", c(0, log_prior_sd))
    )
  })
  rows <- do.call(rbind, rows)
  rows$default <- TRUE
  rows
}

prior_row <- function(target, power, density, values) {
  data.frame(
    index = target$index, power = power, density = density, a = values[1L], b = values[2L],
    block = if (target$kind == "correlation") target$block else 0L,
    left = scale_words(target, power), default = FALSE
  )
}

# Parameters whose priors are on themselves, not on a log or a power.
unscaled_kinds <- c("fixed", "correlation", "level")

# The parameter on the scale of its prior, as users write it.
scale_words <- function(target, power) {
  name <- target$name
  if (target$kind %in% unscaled_kinds) {
    return(name)
  }
  if (power == 0) {
    return(paste0("log(", name, ")"))
  }
  size <- if (abs(power) == 1) name else paste0(name, "^", format(abs(power)))
  if (power < 0) paste0("1/", size) else size
}

# ---- what users write

check_prior_list <- function(formulas, call) {
  if (inherits(formulas, "formula")) formulas <- list(formulas)
  usable <- is.null(formulas) || is.list(formulas) &&
    all(vapply(formulas, rlang::is_formula, NA, lhs = TRUE))
  if (!usable) {
    abort_argument(
      "prior", "must be a list of two-sided formulas.",
      c(i = "For instance `list(log(sigma) ~ normal(0, 10), tau^2 ~ gamma(0.01, 0.01))`."), call
    )
  }
  formulas
}

parse_prior <- function(formula, targets, call) {
  left <- prior_left(formula[[2L]], targets, call)
  right <- prior_right(formula[[3L]], environment(formula), call)
  right <- check_support(left, right, deparse1(formula), call)
  rows <- lapply(seq_len(nrow(left$targets)), function(k) {
    prior_row(left$targets[k, ], left$power, right$density, right$values)
  })
  do.call(rbind, rows)
}

# list(targets, power, multiplier): `log(sigma^2)` is 2 w, so power 0 and multiplier 2.
prior_left <- function(expression, targets, call) {
  found <- targets_of(expression, targets)
  if (!is.null(found)) {
    return(list(targets = found$targets, power = found$power, multiplier = 1))
  }
  scaled <- scaled_left(expression, targets, call)
  if (is.null(scaled)) abort_prior_parameter(expression, targets, call)
  scaled
}

# A function of a parameter: log(), a power, a reciprocal or a root. NULL if it is something else.
scaled_left <- function(expression, targets, call) {
  operator <- if (is.call(expression)) operator_of(expression) else ""
  operands <- c("(" = 1L, log = 1L, sqrt = 1L, "^" = 2L, "/" = 2L)
  if (!operator %in% names(operands) || length(expression) - 1L != operands[[operator]]) {
    return(NULL)
  }
  inside <- expression[[if (operator == "/") 3L else 2L]]
  if (operator == "(") {
    return(prior_left(inside, targets, call))
  }
  factor <- scale_factor(operator, expression)
  if (is.null(factor)) {
    return(NULL)
  }
  left <- prior_left(inside, targets, call)
  if (left$power == 0) abort_prior_scale(expression, call)
  if (operator == "log") {
    return(list(targets = left$targets, power = 0, multiplier = left$power))
  }
  left$power <- left$power * factor
  left
}

# What an operator does to the power of a parameter; NULL if it is none that a prior may have.
scale_factor <- function(operator, expression) {
  switch(operator,
    log = 1, sqrt = 0.5,
    "^" = if (is_number(expression[[3L]]) && expression[[3L]] != 0) expression[[3L]],
    "/" = if (identical(expression[[2L]], 1)) -1
  )
}

# The parameters that an expression names, and the power of exp(w) that it is; NULL if none.
targets_of <- function(expression, targets) {
  label <- if (is.call(expression) && operator_of(expression) == "[") {
    indexed_name(expression)
  } else {
    label_of(expression)
  }
  power <- if (grepl("^(sigma|tau)_sq", label)) 2 else 1
  name <- sub("^(sigma|tau)_sq", "\\1", label)
  kind <- targets$kind
  chosen <- switch(sub("\\[.*", "", name),
    beta = kind == "fixed" & name == "beta",
    sigma = kind == "residual" & name == "sigma",
    tau = kind == "deviation" & matches_term(name, "tau", targets),
    rho = kind == "correlation" & matches_term(name, "rho", targets),
    shape = kind == "shape" & name == "shape",
    alpha = kind == "level" & name == "alpha",
    FALSE
  )
  if (any(chosen)) {
    first <- kind[chosen][[1L]]
    return(list(
      targets = targets[chosen, ], power = if (first %in% unscaled_kinds) 0 else power
    ))
  }
  chosen <- kind == "fixed" & targets$name == label
  if (any(chosen)) list(targets = targets[chosen, ], power = 0)
}

# `tau` is every standard deviation, `tau[g]` those of a group, `tau[g,x]` that of one effect.
matches_term <- function(name, symbol, targets) {
  name == symbol | name == paste0(symbol, "[", targets$group, "]") |
    name == paste0(symbol, "[", targets$group, ",", targets$effect, "]")
}

# list(density, values).
prior_right <- function(expression, env, call) {
  density <- if (is.call(expression)) operator_of(expression) else label_of(expression)
  if (!density %in% names(prior_densities) || !is.call(expression)) {
    abort_argument(
      "prior", paste0("has an unknown distribution: `", deparse1(expression), "`."),
      c(i = paste0("They are ", density_words(), ".")), call
    )
  }
  arguments <- prior_densities[[density]]$arguments
  values <- prior_values(expression, names(arguments), env, call)
  for (k in seq_along(arguments)) {
    bad <- !is_number(values[[k]]) || arguments[[k]] == "positive" && values[[k]] <= 0
    if (bad) {
      abort_argument(
        "prior", paste0(
          "has `", deparse1(expression), "`, whose `", names(arguments)[[k]], "` must be a ",
          if (arguments[[k]] == "positive") "positive" else "finite", " number."
        ), NULL, call
      )
    }
  }
  if (density == "uniform" && values[[1L]] >= values[[2L]]) {
    abort_argument(
      "prior", paste0("has `", deparse1(expression), "`, whose `lower` must be less than `upper`."),
      NULL, call
    )
  }
  list(density = density, values = as.double(unlist(values)))
}

prior_values <- function(expression, arguments, env, call) {
  template <- rlang::new_function(
    stats::setNames(rep(list(rlang::missing_arg()), length(arguments)), arguments), NULL
  )
  matched <- tryCatch(
    as.list(match.call(template, expression))[-1L],
    error = function(cnd) list()
  )
  if (!setequal(names(matched), arguments) || length(expression) - 1L != length(arguments)) {
    abort_argument(
      "prior", paste0("has `", deparse1(expression), "`, which cannot be read."),
      c(i = paste0(
        "Write `", operator_of(expression), "(", paste(arguments, collapse = ", "), ")`."
      )), call
    )
  }
  lapply(matched[arguments], function(part) {
    tryCatch(eval(part, env), error = function(cnd) NULL)
  })
}

density_words <- function() {
  calls <- vapply(names(prior_densities), function(name) {
    paste0("`", name, "(", toString(names(prior_densities[[name]]$arguments)), ")`")
  }, "")
  paste(calls, collapse = ", ")
}

# ---- does the distribution fit the parameter?

# The distribution, in terms of w where the scale is a multiple of it.
check_support <- function(left, right, formula, call) {
  if (any(left$targets$kind == "level") && right$density != "normal") {
    abort_support(formula, c(i = "The prior of the effects of levels is normal."), call)
  }
  support <- prior_densities[[right$density]]$support
  correlation <- any(left$targets$kind == "correlation")
  if (xor(correlation, support == "correlation") && support != "any") {
    abort_support(formula, c(i = if (correlation) {
      "The prior of correlations is `lkj(eta)`; `lkj(1)` is uniform on correlation matrices."
    } else {
      "`lkj()` is a prior of correlations: `rho ~ lkj(2)`."
    }), call)
  }
  if (left$power == 0) {
    on_real_line(left, right, formula, call)
  } else {
    on_half_line(right, formula, call)
  }
}

on_real_line <- function(left, right, formula, call) {
  if (prior_densities[[right$density]]$support == "positive") {
    abort_support(formula, c(
      x = paste0("`", right$density, "()` is for positive numbers; this one can have any sign."),
      i = "Use `normal()` or `uniform()`."
    ), call)
  }
  if (left$multiplier != 1 && right$density %in% c("normal", "uniform")) {
    right$values <- right$values / left$multiplier
    right$values <- if (right$density == "normal") {
      c(right$values[[1L]], abs(right$values[[2L]]))
    } else {
      sort(right$values)
    }
  }
  right
}

on_half_line <- function(right, formula, call) {
  negative <- right$density == "normal" || right$density == "uniform" && right$values[[1L]] < 0
  if (negative) {
    abort_support(formula, c(
      x = "It gives probability to negative values, which this parameter cannot have.",
      i = if (right$density == "normal") {
        "Use `half_normal(sd)`, or a normal prior on the log: `log(sigma) ~ normal(0, 10)`."
      } else {
        "Let `lower` be at least 0."
      }
    ), call)
  }
  right
}

abort_support <- function(formula, details, call) {
  abort_argument(
    "prior", paste0("has a distribution outside the parameter's support: `", formula, "`."),
    details, call
  )
}

abort_prior_parameter <- function(expression, targets, call) {
  words <- unique(c(
    if (any(targets$kind == "fixed")) c("beta", targets$name[targets$kind == "fixed"]),
    targets$name[targets$kind != "fixed"]
  ))
  abort_argument(
    "prior", paste0("has an unknown parameter: `", deparse1(expression), "`."),
    c(i = paste0(
      "There are ", paste0("`", words, "`", collapse = ", "),
      ", and their logs and powers such as `log(sigma)`, `sigma^2`, `1/sigma^2`."
    )), call
  )
}

abort_prior_scale <- function(expression, call) {
  abort_argument(
    "prior", paste0("has `", deparse1(expression), "`, a scale that is not known."),
    c(i = "Fixed effects and correlations have priors as they are, the others on logs and powers."),
    call
  )
}

# The prior must allow the start: a maximum outside it would never be found.
check_prior_start <- function(prior, start, call) {
  for (k in which(prior$density == "uniform" & prior$left != "alpha")) {
    w <- start[[prior$index[[k]]]]
    value <- if (prior$power[[k]] == 0) w else exp(prior$power[[k]] * w)
    if (value < prior$a[[k]] || value > prior$b[[k]]) {
      abort_argument(
        "prior", paste0(
          "leaves out the maximum likelihood estimate: `", prior$left[[k]], " ~ ",
          distribution_words(prior[k, ]), "`."
        ),
        c(
          x = paste0("The estimate is ", format(value, digits = 4L), "."),
          i = "Widen the prior; with many clones it would hide the estimate."
        ), call
      )
    }
  }
}

# ---- shown

#' Priors of a data cloning fit
#'
#' The prior distributions that a fit of [data_clone()] was sampled with, those that were not given
#' included.
#'
#' @param fit A fit of [data_clone()].
#' @returns A data frame of class `ember_clone_prior`, a row per parameter (one per correlation
#'   matrix): `left` (the parameter on its scale), `density`, `a` and `b` (its arguments), `default`
#'   (was it the default?), and how the sampler reads it: `index`, `power`, `block`. Its `print()`
#'   method shows the formulas.
#' @seealso [prior_influence()] to see that priors wash out.
#' @export
#' @examples
#' fit <- data_clone(score ~ Machine + (1 | Worker), data = nlme::Machines, clones = c(1, 10))
#' prior(fit)
prior <- function(fit) {
  check_clone_fit(fit, rlang::current_env())
  fit$prior
}

distribution_words <- function(row) {
  count <- length(prior_densities[[row$density]]$arguments)
  values <- c(row$a, row$b)[seq_len(count)]
  paste0(
    row$density, "(", paste(vapply(values, format, "", digits = 4L), collapse = ", "), ")"
  )
}

#' @export
print.ember_clone_prior <- function(x, ...) {
  if (!all(c("left", "density", "a", "b", "default") %in% names(x))) {
    print(as.data.frame(unclass(x)), ...)
    return(invisible(x))
  }
  words <- vapply(seq_len(nrow(x)), function(k) distribution_words(x[k, ]), "")
  lines <- paste0("  ", format(x$left), " ~ ", format(words), ifelse(x$default, "  (default)", ""))
  cat(trimws(lines, "right"), sep = "\n")
  invisible(x)
}
