# Data, an independent implementation in plain R of what the core computes, and mclust at tight
# tolerances.

# Data with the labels that ember and mclust both start from; those of mclust only where it is
# installed.
mixture_cases <- function() {
  by_quantile <- function(x, k) {
    as.integer(cut(x, stats::quantile(x, 0:k / k), include.lowest = TRUE))
  }
  cases <- list(
    faithful2 = list(x = as.matrix(faithful), labels = 1L + (faithful$waiting > 66)),
    faithful3 = list(x = as.matrix(faithful), labels = by_quantile(faithful$waiting, 3)),
    iris = list(x = as.matrix(iris[, 1:4]), labels = as.integer(iris$Species)),
    precip = list(x = as.matrix(as.vector(precip)), labels = 1L + (as.vector(precip) > 20))
  )
  # Chemistry of 178 wines of three cultivars (Forina et al. 1986; UCI Machine Learning Repository,
  # CC BY 4.0).
  wine <- utils::read.csv(file.path("oracles", "wine.csv"))
  cases$wine <- list(x = as.matrix(wine[-1L]), labels = wine$class)
  if (requireNamespace("MASS", quietly = TRUE)) {
    # MASS has 26690 where Roeder (1990) has 26960.
    galaxies <- replace(MASS::galaxies, MASS::galaxies == 26690, 26960) / 1000
    cases$galaxies <- list(
      x = as.matrix(galaxies), labels = as.integer(cut(galaxies, c(0, 15, 21.5, 28, 40)))
    )
  }
  if (requireNamespace("mclust", quietly = TRUE)) {
    labelled <- function(name, class) {
      data <- get(utils::data(list = name, package = "mclust", envir = environment()))
      list(
        x = as.matrix(data[setdiff(names(data), class)]), labels = as.integer(factor(data[[class]]))
      )
    }
    cases$diabetes <- labelled("diabetes", "class")
    cases$thyroid <- labelled("thyroid", "Diagnosis")
    cases$banknote <- labelled("banknote", "Status")
  }
  cases
}

mclust_models <- c(
  "EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"
)
# mclust does not maximise these two (spec of the models: its common axes stop short), so its value
# is a lower bound.
mclust_stops_short <- c("EVE", "VVE")

mclust_loglik <- function(case, model) {
  # mclust::me() finds its parts only when mclust is attached.
  maximize <- getExportedValue("mclust", paste0("me", model))
  fit <- suppressWarnings(maximize(
    data = if (ncol(case$x) == 1L) case$x[, 1L] else case$x, z = mclust::unmap(case$labels),
    control = mclust::emControl(tol = c(1e-14, 1e-13), itmax = c(1e5, 1e4))
  ))
  if (is.null(fit$loglik)) NA_real_ else fit$loglik
}

# log densities of the components times their weights, n x (k + noise), from the observed values of
# each row.
reference_log_joint <- function(x, fit) {
  joint <- vapply(seq_along(fit$weights), function(component) {
    apply(x, 1L, function(row) {
      seen <- !is.na(row)
      if (!any(seen)) {
        return(log(fit$weights[[component]]))
      }
      sigma <- matrix(fit$covariances[seen, seen, component], sum(seen))
      away <- row[seen] - fit$means[component, seen]
      log(fit$weights[[component]]) -
        0.5 * (
          sum(seen) * log(2 * pi) + determinant(sigma)$modulus + sum(away * solve(sigma, away))
        )
    })
  }, numeric(nrow(x)))
  joint <- matrix(joint, nrow(x))
  if (is.null(fit$noise)) joint else cbind(joint, log(fit$noise$weight) + fit$noise$log_density)
}

reference_log_density <- function(x, fit) {
  joint <- reference_log_joint(x, fit)
  top <- apply(joint, 1L, max)
  top + log(rowSums(exp(joint - top)))
}

reference_posterior <- function(x, fit) {
  exp(reference_log_joint(x, fit) - reference_log_density(x, fit))
}

# Heights of the paper: men N(69.5, 2.5^2), women N(64.5, 2.5^2), in inches; a fixed sample of
# evenly spaced quantiles.
paper_heights <- function(n = 1000) {
  p <- stats::ppoints(n)
  c(stats::qnorm(p, 69.5, 2.5), stats::qnorm(p, 64.5, 2.5))
}

relative_difference <- function(a, b) abs(a - b) / (1 + abs(b))
