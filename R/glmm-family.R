# Families of generalized linear mixed models: what users may write, and what the core takes.

# What each family is called in the core, and its links, the default one first.
family_links <- list(
  binomial = c("logit", "probit", "cloglog", "cauchit", "log"),
  poisson = c("log", "sqrt", "identity"),
  negative_binomial = c("log", "sqrt", "identity"),
  Gamma = c("inverse", "log", "identity")
)

#' Negative binomial family
#'
#' Counts that vary more than Poisson counts: with mean \eqn{\mu} the variance is \eqn{\mu +
#' \mu^2/\theta}. A family for [glmm()], which estimates \eqn{\theta} by maximum likelihood unless
#' it is given.
#'
#' @param theta The shape \eqn{\theta}, a positive number; `NULL` to estimate it.
#' @param link `"log"`, `"sqrt"` or `"identity"`.
#' @returns An object of class `family`, as [stats::poisson()] returns it, with element `theta`.
#'   The family of a fit holds the estimate of theta and can do all that a family can; without theta
#'   the variance and the deviance are not known.
#' @details
#' The families of packages MASS (`negative.binomial(theta)`) and glmmTMB (`nbinom2()`) are taken
#' by [glmm()] too.
#' @seealso [glmm()]
#' @export
#' @examples
#' negative_binomial()
#' negative_binomial(theta = 2)$variance(c(1, 10))
negative_binomial <- function(theta = NULL, link = "log") {
  call <- rlang::current_env()
  if (!is.null(theta) && (!is_number(theta) || theta <= 0)) {
    abort_argument("theta", "must be NULL or a positive number.", NULL, call)
  }
  check_link(link, "negative_binomial", call)
  new_negative_binomial(theta, stats::make.link(link))
}

new_negative_binomial <- function(theta, link) {
  shape <- function() {
    if (is.null(theta)) {
      abort_argument(
        "theta", "is not known before a model is fitted.",
        c(i = "`family(fit)` of a fit of `glmm()` has it."), rlang::caller_env()
      )
    }
    theta
  }
  name <- "Negative Binomial"
  if (!is.null(theta)) name <- paste0(name, "(", format(round(theta, 4L)), ")")
  structure(
    list(
      family = name, link = link$name, linkfun = link$linkfun, linkinv = link$linkinv,
      variance = function(mu) mu + mu^2 / shape(),
      dev.resids = function(y, mu, wt) {
        2 * wt * (y * log(pmax(1, y) / mu) - (y + shape()) * log((y + shape()) / (mu + shape())))
      },
      aic = function(y, n, mu, wt, dev) {
        -2 * sum(wt * stats::dnbinom(y, size = shape(), mu = mu, log = TRUE))
      },
      mu.eta = link$mu.eta,
      initialize = expression({
        n <- rep(1, nobs)
        mustart <- y + (y == 0) / 6
      }),
      validmu = function(mu) all(mu > 0), valideta = link$valideta,
      simulate = function(object, nsim) {
        mu <- stats::fitted(object)
        stats::rnbinom(nsim * length(mu), size = shape(), mu = mu)
      },
      theta = theta
    ),
    class = "family"
  )
}

# The family as R has it and as the core takes it: list(family, native = list(name, link, shape)).
glmm_family <- function(family, call) {
  family <- family_object(family, call)
  name <- core_family_name(family$family)
  if (is.na(name)) abort_family(family, call)
  check_link(family$link, name, call)
  shape <- if (name == "negative_binomial") known_theta(family, call)
  # One kind of negative binomial object, whichever package the user's came from.
  if (name == "negative_binomial") {
    family <- new_negative_binomial(shape, stats::make.link(family$link))
  }
  list(family = family, native = list(name = name, link = family$link, shape = shape))
}

# An object of class family from its name, its function or itself.
family_object <- function(family, call) {
  if (is.character(family) && length(family) == 1L) family <- named_family(family, call)
  if (is.function(family)) {
    family <- tryCatch(family(), error = function(cnd) {
      abort_argument(
        "family", "is a function that gives no family.", c(x = conditionMessage(cnd)), call
      )
    })
  }
  if (!is.list(family) || !rlang::is_string(family$family) || !rlang::is_string(family$link)) {
    abort_argument(
      "family", "must be a family, such as `binomial()` or \"poisson\".",
      c(x = paste0("It is ", describe_object(family), "."), i = known_families()), call
    )
  }
  family
}

named_family <- function(name, call) {
  own <- switch(name,
    binomial = stats::binomial(), poisson = stats::poisson(), Gamma = , gamma = stats::Gamma(),
    negative_binomial = , nbinom2 = negative_binomial()
  )
  if (!is.null(own)) {
    return(own)
  }
  # gaussian and the quasi families, which have an answer of their own.
  if (exists(name, envir = asNamespace("stats"), mode = "function", inherits = FALSE)) {
    other <- try(get(name, envir = asNamespace("stats"))(), silent = TRUE)
    if (inherits(other, "family")) {
      return(other)
    }
  }
  abort_argument(
    "family", paste0("is \"", name, "\", which is none."), c(i = known_families()), call
  )
}

known_families <- function() {
  "`glmm()` knows `binomial()`, `poisson()`, `negative_binomial()` and `Gamma()`."
}

# The name of the family in the core, NA if it has none. "Negative Binomial(2)" is how MASS calls
# it, "nbinom2" how glmmTMB does.
core_family_name <- function(name) {
  if (name %in% c("binomial", "poisson", "Gamma")) {
    name
  } else if (startsWith(name, "Negative Binomial") || name == "nbinom2") {
    "negative_binomial"
  } else {
    NA_character_
  }
}

abort_family <- function(family, call) {
  hint <- if (family$family == "gaussian" && family$link == "identity") {
    "Fit Gaussian models with `lmm()`."
  } else if (family$family == "gaussian") {
    "Gaussian models have the identity link, in `lmm()`; transform the response, or use `Gamma()`."
  } else if (startsWith(family$family, "quasi")) {
    paste(
      "Quasi-likelihoods are no likelihoods. Model overdispersion with a random effect for each",
      "row, or with `negative_binomial()`."
    )
  } else {
    known_families()
  }
  abort_argument(
    "family", paste0("is ", family$family, ", which `glmm()` does not fit."), c(i = hint), call
  )
}

check_link <- function(link, name, call) {
  links <- family_links[[name]]
  if (!rlang::is_string(link) || !link %in% links) {
    shown <- if (rlang::is_string(link)) paste0(", not \"", link, "\"") else ""
    abort_argument(
      "link", paste0(
        "of the ", sub("_", " ", name, fixed = TRUE), " family must be one of ",
        paste0("\"", links, "\"", collapse = ", "), shown, "."
      ), c(i = paste0("For instance `family = ", name, "(link = \"", links[[1L]], "\")`.")), call
    )
  }
}

# The theta that a negative binomial family was given: our own has it as an element, MASS's where
# its functions live.
known_theta <- function(family, call) {
  theta <- family$theta
  if (is.null(theta) && is.function(family$variance)) {
    theta <- get0(".Theta", envir = environment(family$variance), inherits = FALSE)
  }
  if (!is.null(theta) && (!is_number(theta) || theta <= 0)) {
    abort_argument("family", "has a theta that is not a positive number.", NULL, call)
  }
  if (!is.null(theta)) as.double(theta)
}

# Whether the family has a shape beside its mean: theta of the negative binomial, the inverse of the
# dispersion of the Gamma.
has_shape <- function(name) name %in% c("negative_binomial", "Gamma")

has_estimated_shape <- function(distribution) {
  has_shape(distribution$name) && is.null(distribution$shape)
}

# The family of a fit with the shape that was estimated.
family_with_shape <- function(family, name, shape) {
  if (name != "negative_binomial") {
    return(family)
  }
  new_negative_binomial(shape, stats::make.link(family$link))
}
