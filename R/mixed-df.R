# Tests of linear functions of the fixed effects in small samples: the degrees of freedom of
# Satterthwaite and of Kenward and Roger.
#
# Both rest on the same moments: C, the covariance of beta-hat; its derivatives by the variance
# parameters; and the covariance A of these parameters. Satterthwaite takes the observed information
# of the criterion (as lmerTest), Kenward and Roger the expected one of REML and a corrected C (as
# pbkrtest). Known variances are not parameters.

# Moments of the fit: list(method, beta, vcov, vcov_adjusted, derivatives, covariance).
df_satterthwaite <- function(fit, call = rlang::caller_env()) {
  native <- native_mixed_satterthwaite(fit, call)
  if (native$falling > 0L) {
    ember_warn(
      "The fit is not at a minimum of the criterion: degrees of freedom are not reliable.",
      "degrees_of_freedom", c(i = "See `convergence()`."),
      call = call
    )
  } else if (native$flat > 0L) {
    rlang::inform(
      c(
        "The data do not determine all variance parameters of the fit.",
        i = "Degrees of freedom leave out what is undetermined."
      ),
      class = "ember_message_degrees_of_freedom"
    )
  }
  moments_of(fit, native, "Satterthwaite")
}

df_kenward_roger <- function(fit, call = rlang::caller_env()) {
  if (!fit$REML) {
    rlang::inform(
      "Kenward and Roger's method is for REML: the model is refitted by REML for these tests.",
      class = "ember_message_refit"
    )
    fit$REML <- TRUE
    fit <- refit_rows(fit, mixed_rows(fit), call)
  }
  moments_of(fit, native_mixed_kenward_roger(fit, call), "Kenward-Roger")
}

moments_of <- function(fit, native, method) {
  adjusted <- if (is.null(native$vcov_adjusted)) native$vcov else native$vcov_adjusted
  names <- list(names(fit$beta), names(fit$beta))
  list(
    method = method, beta = fit$beta, vcov = structure(native$vcov, dimnames = names),
    vcov_adjusted = structure(adjusted, dimnames = names), derivatives = native$derivatives,
    covariance = native$covariance
  )
}

# Tests of L beta = 0; L has a column per kept coefficient. Without `joint` a t test of each row
# (data frame: estimate, std_error, df, statistic, p_value), with it one F test (sum_sq, mean_sq,
# num_df, den_df, statistic, p_value). `moments` spares their computation.
contrast_test <- function(fit, L, # nolint: object_name_linter.
                          ddf = c("Satterthwaite", "Kenward-Roger", "none"), joint = FALSE,
                          moments = NULL, call = rlang::caller_env()) {
  ddf <- match.arg(ddf)
  contrasts <- if (is.matrix(L)) L else matrix(L, nrow = 1L)
  if (!is.numeric(contrasts) || ncol(contrasts) != length(fit$beta) || anyNA(contrasts)) {
    abort_argument(
      "L", "must be a matrix of numbers with a column for each fixed effect.",
      c(i = paste0("There are ", length(fit$beta), " fixed effects.")), call
    )
  }
  if (is.null(moments)) moments <- contrast_moments(fit, ddf, call)
  if (joint) joint_test(fit, contrasts, moments) else t_tests(contrasts, moments)
}

contrast_moments <- function(fit, ddf, call) {
  switch(ddf,
    Satterthwaite = df_satterthwaite(fit, call),
    "Kenward-Roger" = df_kenward_roger(fit, call),
    none = list(
      method = "none", beta = fit$beta, vcov = fit$vcov_beta, vcov_adjusted = fit$vcov_beta
    )
  )
}

t_tests <- function(contrasts, moments) {
  estimate <- drop(contrasts %*% moments$beta)
  variance <- rowSums((contrasts %*% moments$vcov_adjusted) * contrasts)
  error <- sqrt(pmax(variance, 0))
  statistic <- estimate / error
  df <- vapply(seq_len(nrow(contrasts)), function(i) {
    contrast_df(contrasts[i, ], moments)
  }, 0)
  data.frame(
    estimate = estimate, std_error = error, df = df, statistic = statistic,
    p_value = 2 * stats::pt(-abs(statistic), df), row.names = rownames(contrasts)
  )
}

# Degrees of freedom 2 v^2 / var(v-hat) of one contrast with variance v. Kenward and Roger's formula
# is the same for one contrast, at the unadjusted v.
contrast_df <- function(contrast, moments) {
  if (moments$method == "none") {
    return(Inf)
  }
  variance <- sum(contrast * (moments$vcov %*% contrast))
  gradient <- apply(moments$derivatives, 3L, function(d) sum(contrast * (d %*% contrast)))
  2 * variance^2 / sum(gradient * (moments$covariance %*% gradient))
}

joint_test <- function(fit, contrasts, moments) {
  test <- if (moments$method == "Kenward-Roger") {
    kenward_roger_test(contrasts, moments)
  } else {
    spectral_test(contrasts, moments)
  }
  mean_square <- test$statistic * fit$sigma^2
  data.frame(
    sum_sq = mean_square * test$num_df, mean_sq = mean_square, num_df = test$num_df,
    den_df = test$den_df, statistic = test$statistic,
    p_value = stats::pf(test$statistic, test$num_df, test$den_df, lower.tail = FALSE)
  )
}

# Fai and Cornelius (1996): along the principal axes of the covariance of L beta-hat the F statistic
# is a mean of squared t statistics; the F distribution whose mean is that of theirs.
spectral_test <- function(contrasts, moments) {
  spectrum <- eigen(contrasts %*% moments$vcov %*% t(contrasts), symmetric = TRUE)
  tolerance <- max(dim(contrasts), 8) * .Machine$double.eps * max(spectrum$values, 0)
  used <- which(spectrum$values > tolerance)
  if (length(used) == 0L) {
    return(list(statistic = NA_real_, num_df = 0L, den_df = NA_real_))
  }
  axes <- crossprod(spectrum$vectors[, used, drop = FALSE], contrasts)
  squares <- drop(axes %*% moments$beta)^2 / spectrum$values[used]
  df <- vapply(seq_along(used), function(i) contrast_df(axes[i, ], moments), 0)
  list(statistic = mean(squares), num_df = length(used), den_df = pooled_df(df))
}

# q t statistics with these degrees of freedom: E(F) = sum E(t^2) / q gives those of the F.
pooled_df <- function(df) {
  if (max(df) - min(df) < 1e-8 || all(is.infinite(df))) {
    return(mean(df))
  }
  if (any(df <= 2)) {
    return(2)
  }
  expected <- sum(ifelse(is.infinite(df), 1, df / (df - 2)))
  2 * expected / (expected - length(df))
}

# Kenward and Roger (1997), section 4: F* = lambda F with F on the adjusted covariance.
kenward_roger_test <- function(contrasts, moments) {
  contrasts <- independent_rows(contrasts)
  q <- nrow(contrasts)
  if (q == 0L) {
    return(list(statistic = NA_real_, num_df = 0L, den_df = NA_real_))
  }
  estimate <- contrasts %*% moments$beta
  wald <- sum(estimate * solve(contrasts %*% moments$vcov_adjusted %*% t(contrasts), estimate))
  approximation <- kenward_roger_scale(contrasts, moments)
  list(statistic = approximation$scale * wald / q, num_df = q, den_df = approximation$df)
}

kenward_roger_scale <- function(contrasts, moments) {
  q <- nrow(contrasts)
  theta <- t(contrasts) %*% solve(contrasts %*% moments$vcov %*% t(contrasts), contrasts)
  products <- apply(moments$derivatives, 3L, function(d) theta %*% d, simplify = FALSE)
  traces <- vapply(products, function(product) sum(diag(product)), 0)
  crossed <- outer(seq_along(products), seq_along(products), Vectorize(function(i, j) {
    sum(products[[i]] * t(products[[j]]))
  }))
  a1 <- sum(traces * (moments$covariance %*% traces))
  a2 <- sum(moments$covariance * crossed)
  b <- (a1 + 6 * a2) / (2 * q)
  g <- ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
  divisor <- 3 * q + 2 * (1 - g)
  numerator <- 1 + g / divisor * b
  first <- 1 - (q - g) / divisor * b
  second <- 1 - (q + 2 - g) / divisor * b
  mean_ratio <- if (abs(1 - a2 / q) < 1e-12 && abs(first) < 1e-12) 1 else (1 - a2 / q) / first
  rho <- mean_ratio^2 * (if (abs(numerator) < 1e-10) 0 else numerator) / second / q
  df <- 4 + (q + 2) / (q * rho - 1)
  list(df = df, scale = if (abs(df - 2) < 1e-2) 1 else df * (1 - a2 / q) / (df - 2))
}

# The rows of a matrix without those that others determine.
independent_rows <- function(contrasts) {
  decomposition <- qr(t(contrasts), tol = 1e-8)
  contrasts[sort(decomposition$pivot[seq_len(decomposition$rank)]), , drop = FALSE]
}
