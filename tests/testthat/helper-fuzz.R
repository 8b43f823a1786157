# Degenerate inputs for every exported function, made one argument at a time, and what may come of a
# call.

# Values that some argument of some function cannot mean.
odd_values <- function() {
  list(
    null = NULL, na = NA, na_real = NA_real_, na_integer = NA_integer_,
    na_character = NA_character_, nan = NaN,
    inf = Inf, minus_inf = -Inf, zero = 0, minus_one = -1, half = 0.5, fraction = 1.5, two = 2L,
    large = 1e10,
    past_integer = 2^31, huge = 1e300, tiny = 1e-300, word = "a", empty_word = "",
    percent = "50% done %s %n %d",
    braces = "{x} `y` \\ {", not_ascii = "\u00fc\u4e2d", words = c("VVV", NA),
    no_words = character(),
    no_numbers = numeric(), no_logicals = logical(), true = TRUE, false = FALSE,
    some_true = c(TRUE, NA),
    no_list = list(), a_list = list(1), null_in_list = list(a = NULL), named_list = list(means = 1),
    nested_list = list(means = list(1, "a"), weights = list()), no_matrix = matrix(0, 0, 0),
    a_matrix = matrix(1:4, 2),
    word_matrix = matrix("a", 2, 2), na_matrix = matrix(NA_real_, 20, 2),
    four_dimensions = array(1, c(2, 2, 2, 2)),
    no_frame = data.frame(), a_frame = data.frame(a = 1:3, b = letters[1:3]),
    a_factor = factor(c("a", "b")),
    date = as.Date("2020-01-01"), time = as.POSIXct("2020-01-01", tz = "UTC"), complex = 1i,
    raw = as.raw(1),
    a_function = mean, builtin = sum, symbol = quote(x), expression = quote(x + y),
    two_sided = y ~ x, constant = ~1,
    unknown_variable = ~not_there, environment = new.env(), numbers = 1:3, some_na = c(1, NA),
    some_inf = c(1, Inf),
    negative = c(0.5, -0.5), repeated = rep(1, 20), long = rep(1, 1e4), control = em_control(),
    s4 = methods::getClass("numeric")
  )
}

# Data that cannot be fitted, or hardly.
odd_data <- function() {
  set.seed(20)
  n <- 24
  good <- cbind(a = rnorm(n) + rep(c(0, 6), n / 2), b = rnorm(n))
  frame <- as.data.frame(good)
  with_cell <- function(value) replace(good, 5, value)
  list(
    good = good, one_dimension = good[, 1], frame = frame, formula = ~ mpg + wt,
    no_rows = good[0, ], one_row = good[1, , drop = FALSE],
    two_rows = good[1:2, ], three_rows = good[1:3, ], no_columns = good[, 0],
    one_column = frame["a"], empty = matrix(0, 0, 0),
    no_frame = data.frame(), frame_without_rows = frame[0, ], frame_without_columns = frame[, 0],
    one_number = 1, no_numbers = numeric(),
    wide = matrix(rnorm(30), 3), very_wide = matrix(rnorm(60), 2), some_na = with_cell(NA),
    some_nan = with_cell(NaN),
    some_inf = with_cell(Inf), some_minus_inf = with_cell(-Inf), na_column = cbind(good, NA),
    na_row = rbind(NA, good),
    all_na = good * NA,
    na_diagonal = cbind(c(good[1:12, 1], rep(NA, 12)), c(rep(NA, 12), good[13:24, 2])),
    mostly_na = replace(good, sample(2 * n, 40), NA), na_numbers = rep(NA_real_, 10),
    na_logicals = rep(NA, 10),
    constant = matrix(1, n, 2), constant_column = cbind(good, 1), constant_numbers = rep(3, 10),
    zeros = matrix(0, n, 2),
    negative_zero = c(-0, 0, 0, -0), duplicates = good[rep(1:2, n / 2), ],
    three_points = good[rep(1:3, 8), ],
    near_duplicates = good[rep(1, n), ] + 1e-13 * good, equal_columns = good[, c(1, 1)],
    collinear = cbind(good, good[, 1] + good[, 2]),
    near_collinear = cbind(good[, 1], good[, 1] * (1 + 1e-12 * good[, 2])),
    on_a_line = cbind(1:n, 2 * (1:n)), huge = good * 1e150,
    very_huge = good * 1e300, largest = rep(c(-1, 1), 12) * .Machine$double.xmax,
    tiny = good * 1e-150, denormal = good * 1e-310,
    shifted = good + 1e12, far_shifted = good + 1e16, scales = good %*% diag(c(1e-150, 1e150)),
    outlier = rbind(good, 1e12),
    huge_outlier = rbind(good, 1e200), integers = matrix(1:48, n), ties = matrix(rep(1:3, 16), n),
    binary = matrix(rep(0:1, n), n),
    logicals = good > 0, characters = matrix("a", n, 2), factor = factor(rep(c("a", "b"), 12)),
    words = rep(c("a%s", "b"), 12),
    factor_column = cbind(frame, f = factor(rep("a", n))),
    word_column = cbind(frame, `50% %s` = "a"), logical_column = cbind(frame, l = TRUE),
    date_column = cbind(frame, d = as.Date("2020-01-01")),
    list_column = structure(
      c(frame, list(l = as.list(1:n))), class = "data.frame", row.names = 1:n
    ),
    matrix_column = structure(c(frame, list(m = good)), class = "data.frame", row.names = 1:n),
    complex = good + 0i, raw = as.raw(1:10),
    a_list = list(1, 2), array = array(rnorm(48), c(4, 4, 3)), a_function = mean, null = NULL,
    environment = new.env(), time_series = stats::ts(good),
    table = table(rep(1:4, 6)), dates = as.Date("2020-01-01") + 1:10,
    same_names = `colnames<-`(good, c("a", "a")),
    no_names = `colnames<-`(good, c("", NA)),
    percent_names = `colnames<-`(good, c("50% %s", "{x}")),
    difference = as.difftime(1:10, units = "mins"),
    s4 = methods::getClass("numeric"),
    heavy_tails = cbind(stats::rcauchy(n)^3, stats::rcauchy(n)^3),
    exponents = matrix(10^seq(-200, 200, length.out = 48), n)
  )
}

# Calls of `f` with `base` and one argument replaced by each of the odd values.
one_argument_at_a_time <- function(name, f, base, arguments, values = odd_values()) {
  cases <- lapply(arguments, function(argument) {
    lapply(stats::setNames(nm = names(values)), function(value) {
      changed <- base
      changed[argument] <- values[value]
      list(label = paste0(name, "(", argument, " = <", value, ">)"), f = f, arguments = changed)
    })
  })
  unlist(cases, recursive = FALSE)
}

quick <- function(...) em_control(max_iter = 200, ...)

fuzz_data <- function() {
  settings <- list(
    plain = list(k = 1:3, n_starts = 2), one = list(k = 1),
    all_free = list(k = 3, model = "VVV", n_starts = 2),
    axes = list(k = 2, model = c("VVE", "EVE", "VEV"), n_starts = 1),
    noise = list(k = 2, noise = TRUE, n_starts = 2),
    prior = list(k = 1:2, prior = mixture_prior(), n_starts = 2),
    floor = list(k = 2, model = c("VVV", "VII"), floor = 1e-3, n_starts = 2),
    known = list(known = list(weights = c(0.3, 0.7)), n_starts = 2),
    weighted = list(k = 2, weights = rep(c(0, 1, 2.5), 8), n_starts = 2),
    labels = list(start = rep(1:2, 12)),
    hierarchical = list(k = 2, start = "hierarchical"),
    threads = list(k = 2, n_starts = 2, control = quick(threads = 2))
  )
  data <- odd_data()
  cases <- lapply(names(settings), function(setting) {
    lapply(names(data), function(name) {
      base <- settings[[setting]]
      if (is.null(base$control)) base$control <- quick()
      if (inherits(data[[name]], "formula")) base$data <- mtcars[1:24, ]
      list(
        label = paste0("gaussian_mixture(<", name, ">, ", setting, ")"), f = gaussian_mixture,
        arguments = c(list(x = data[[name]]), base)
      )
    })
  })
  unlist(cases, recursive = FALSE)
}

fuzz_mixture_arguments <- function() {
  good <- odd_data()$good
  base <- list(k = 1:2, n_starts = 2, control = quick())
  arguments <- c(
    "k", "model", "data", "weights", "known", "noise", "start", "n_starts", "select", "control",
    "prior", "floor", "keep_data", "unknown"
  )
  fields <- c("means", "weights", "covariances")
  odd <- odd_values()
  part <- function(argument, field, others) {
    lapply(stats::setNames(nm = names(odd)), function(value) {
      inner <- others
      inner[field] <- odd[value]
      list(
        label = paste0("gaussian_mixture(", argument, "$", field, " = <", value, ">)"),
        f = gaussian_mixture,
        arguments = c(
          list(good, control = quick(), n_starts = 1), stats::setNames(list(inner), argument)
        )
      )
    })
  }
  means <- list(means = cbind(c(0, 6), 0))
  c(
    one_argument_at_a_time(
      "gaussian_mixture", gaussian_mixture, c(list(x = good), base), arguments
    ),
    one_argument_at_a_time(
      "gaussian_mixture 1-D", gaussian_mixture, c(list(x = good[, 1]), base),
      c("k", "model", "weights", "known", "start")
    ),
    unlist(
      lapply(fields, function(field) c(part("known", field, list()), part("start", field, means))),
      recursive = FALSE
    )
  )
}

fuzz_control <- function() {
  c(
    one_argument_at_a_time("em_control", em_control, list(), names(formals(em_control))),
    one_argument_at_a_time("mixture_prior", mixture_prior, list(), names(formals(mixture_prior))),
    # What the prior lets through meets the data.
    one_argument_at_a_time(
      "gaussian_mixture prior",
      function(...) {
        gaussian_mixture(odd_data()$good, k = 2, n_starts = 1, prior = mixture_prior(...))
      },
      list(), names(formals(mixture_prior))
    )
  )
}

fuzz_methods <- function() {
  set.seed(21)
  two <- gaussian_mixture(odd_data()$good, k = 2, model = "VVV", n_starts = 2)
  line <- gaussian_mixture(odd_data()$good[, 1], k = 2, model = "V", n_starts = 2)
  vary <- function(name, f, arguments, fit, values = odd_values()) {
    one_argument_at_a_time(name, f, list(fit), arguments, values)
  }
  test <- function(fit, ...) bootstrap_lrt(fit, replicates = 2, n_starts = 1, ...)
  merged <- merge_components(two)
  c(
    vary("predict", stats::predict, c("newdata", "type"), two),
    vary("predict data", stats::predict, "newdata", two, odd_data()),
    vary("predict 1-D", stats::predict, "newdata", line, odd_data()),
    vary("uncertainty", uncertainty, "newdata", two),
    vary("predict merged", stats::predict, c("newdata", "clusters", "type"), merged),
    vary("cdf", cdf, "q", line), vary("quantile", stats::quantile, "probs", line),
    vary("density", stats::density, "n", line),
    vary("simulate", stats::simulate, c("nsim", "seed", "n"), two),
    vary("vcov", stats::vcov, c("type", "scale"), two), vary("coef", stats::coef, "scale", two),
    vary("confint", stats::confint, c("parm", "level", "type", "scale"), two),
    vary("summary", summary, "type", two),
    vary("tidy", tidy, c("what", "conf.int", "conf.level"), two),
    vary("augment", augment, c("data", "newdata"), two), vary("anova", stats::anova, "other", two),
    vary("bootstrap_lrt", test, c("k", "model", "level", "control", "unknown"), two),
    vary(
      "bootstrap_lrt", function(fit, ...) bootstrap_lrt(fit, k = 1, ...), "n_starts", two,
      odd_values()[c("na", "word", "zero", "fraction")]
    ),
    vary(
      "bootstrap_lrt", function(fit, ...) bootstrap_lrt(fit, k = 1, ...), "replicates", two,
      odd_values()[c("na", "word", "zero", "fraction")]
    ),
    lapply(names(odd_data()), function(name) {
      list(
        label = paste0("bootstrap_lrt(<", name, ">)"), f = test,
        arguments = list(odd_data()[[name]], k = 1)
      )
    }),
    vary("em_trace", function(fit, f) em_trace(f), "f", two)
  )
}

fuzz_em <- function() {
  linkage <- list(
    start = 0.5, e_step = function(p) 125 * p / (2 + p),
    m_step = function(hidden) (hidden + 34) / (hidden + 72),
    log_lik = function(p) 125 * log(2 + p) + 38 * log(1 - p) + 34 * log(p)
  )
  returning <- function(argument) {
    odd <- odd_values()
    lapply(stats::setNames(nm = names(odd)), function(value) {
      changed <- linkage
      changed[[argument]] <- function(...) odd[[value]]
      list(label = paste0("em(", argument, " returns <", value, ">)"), f = em, arguments = changed)
    })
  }
  ways_out <- list(
    error = function(...) stop("50% of %s %n {x}"),
    classed = function(...) {
      stop(structure(class = c("odd", "error", "condition"), list(message = "%s", call = NULL)))
    },
    no_message = function(...) stop(), abort = function(...) rlang::abort("{x} 50%s"),
    warning = function(...) {
      warning("%s")
      1
    },
    missing = function(...) get("not_there"), arguments = function() 1,
    recursion = function(...) {
      f <- function() f()
      f()
    },
    loop = function(...) {
      eval(quote(break))
      1
    },
    restart = function(...) invokeRestart("not there"), nested = function(...) em_trace(1),
    inner_fit = function(...) gaussian_mixture(c(1, 2), k = 5)
  )
  leaving <- function(argument) {
    lapply(stats::setNames(nm = names(ways_out)), function(way) {
      changed <- linkage
      changed[[argument]] <- ways_out[[way]]
      list(label = paste0("em(", argument, " leaves by <", way, ">)"), f = em, arguments = changed)
    })
  }
  steps <- c("e_step", "m_step", "log_lik")
  cases <- c(
    one_argument_at_a_time("em", em, linkage, names(formals(em))),
    unlist(lapply(c(steps, "complete_log_lik"), returning), recursive = FALSE),
    unlist(lapply(steps, leaving), recursive = FALSE)
  )
  # Warnings and messages of the user's own steps are the user's.
  lapply(cases, utils::modifyList, list(own_warnings = TRUE))
}

fuzz_cases <- function() {
  c(fuzz_data(), fuzz_mixture_arguments(), fuzz_control(), fuzz_methods(), fuzz_em())
}

# What no fitted mixture may hold.
unsound <- function(fit) {
  converged <- fit$status == "converged"
  faults <- c(
    "parameters that are not finite" = !all(is.finite(c(fit$weights, fit$means, fit$covariances))),
    "no log-likelihood, but converged" = converged && !is.finite(fit$loglik),
    "weights that do not sum to 1" = is.null(fit$known$weights) &&
      !isTRUE(all.equal(sum(fit$weights, fit$noise$weight), 1)),
    "weights out of range" = any(fit$weights < 0 | fit$weights > 1 + 1e-12),
    "a covariance that is not positive definite" =
      !all(apply(fit$covariances, 3L, function(sigma) is_positive_definite(as.matrix(sigma)))),
    "an unknown status" = !fit$status %in% c(
      "converged", "iteration_limit", "degenerate", "saddle", "interrupted"
    )
  )
  names(which(is.na(faults) | faults))
}

# Whatever the units of the columns.
is_positive_definite <- function(sigma) {
  all(diag(sigma) > 0) && !inherits(try(chol(stats::cov2cor(sigma)), silent = TRUE), "try-error")
}

# NULL if the call returned or ended in a condition of ember; otherwise what went wrong.
outcome_of <- function(case) {
  foreign <- NULL
  value <- NULL
  note <- function(cnd) {
    if (!inherits(cnd, "ember_warning") && !isTRUE(case$own_warnings)) {
      foreign <<- paste("warning:", conditionMessage(cnd))
    }
    invokeRestart("muffleWarning")
  }
  error <- tryCatch(
    withCallingHandlers(
      {
        suppressMessages(
          utils::capture.output(value <- do.call(case$f, case$arguments, quote = TRUE))
        )
        NULL
      },
      warning = note
    ),
    error = identity
  )
  if (!is.null(error)) {
    message <- conditionMessage(error)
    if (!inherits(error, "ember_error")) {
      return(
        paste0(
          case$label, ": ", class(error)[[1L]], ": ", message, " [",
          deparse(conditionCall(error))[[1L]], "]"
        )
      )
    }
    if (grepl("panicked|unwrap|index out of", message)) {
      return(paste0(case$label, ": ", message))
    }
  }
  if (!is.null(foreign)) return(paste0(case$label, ": ", foreign))
  faults <- if (inherits(value, "ember_mixture")) unsound(value)
  if (length(faults) > 0L) paste0(case$label, ": a fit with ", toString(faults))
}
