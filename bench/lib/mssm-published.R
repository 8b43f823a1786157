# Published values of sample selection models: package sampleSelection (1.2-12, its vignette and
# example data), Stata's manual of heckman. Data: AER's PSID1976; others from the folder that
# EMBER_BENCH_DATA names (randhie.csv of sampleSelection, womenwk.csv of Stata), where they are.

# A value with its last printed digit, and what it is called in a fit.
published_values <- list(
  list(
    data = "psid", fit = "two-step",
    outcome = wage ~ experience + I(experience^2) + education + city,
    loglik = NA, values = c(
      "wage:(Intercept)" = -0.9712003, "wage:experience" = 0.0210610,
      "wage:I(experience^2)" = 0.0001370769, "wage:education" = 0.4170174,
      "wage:cityyes" = 0.4438379,
      "sigma(wage)" = 3.2000643, "rho(wage,participation)" = -0.3429992
    )
  ),
  list(
    data = "psid", fit = "textbook mode",
    outcome = wage ~ experience + I(experience^2) + education + city,
    loglik = -1581.25767552, values = c(
      "wage:(Intercept)" = -1.9630242, "wage:experience" = 0.0278683,
      "wage:I(experience^2)" = -0.0001038605, "wage:education" = 0.4570051,
      "wage:cityyes" = 0.4465290,
      "participation:(Intercept)" = -4.1196920, "participation:age" = 0.1840154,
      "participation:I(age^2)" = -0.0024086973, "participation:fincome" = 5.67969e-6,
      "participation:kids" = -0.4506149, "participation:education" = 0.0952808,
      "sigma(wage)" = 3.1083762, "rho(wage,participation)" = -0.1319586
    )
  ),
  list(
    data = "psid", fit = "ml", outcome = wage ~ experience + I(experience^2) + education + city,
    loglik = -1479.653923, values = c("sigma(wage)" = 4.21329, "rho(wage,participation)" = 0.99308)
  ),
  list(
    data = "psid", fit = "ml", outcome = lwage ~ experience + I(experience^2) + education + city,
    loglik = -911.666867, values = c("rho(lwage,participation)" = -0.823061)
  ),
  list(
    data = "randhie", fit = "ml", loglik = -10170.11044, values = c(
      "sigma(lnmeddol)" = 1.5700525, "rho(lnmeddol,binexp)" = 0.7355982,
      "lnmeddol:logc" = -0.0760236
    )
  ),
  list(
    data = "womenwk", fit = "ml", outcome = wage ~ education + age, loglik = -5178.304498,
    values = c(
      "wage:education" = 0.9899532, "wage:age" = 0.2131293, "wage:(Intercept)" = 0.4857927,
      "rho(wage,works)" = 0.70350, "sigma(wage)" = 6.00479
    )
  )
)

randhie_terms <- c(
  "logc", "idp", "lpi", "fmde", "physlm", "disea", "hlthg", "hlthf", "hlthp", "linc", "lfam",
  "educdec", "xage", "female", "child", "fchild", "black"
)

data_of <- function(name) {
  if (name == "psid") {
    if (!requireNamespace("AER", quietly = TRUE)) {
      return(NULL)
    }
    women <- get(utils::data("PSID1976", package = "AER", envir = environment()))
    women$kids <- as.integer(women$youngkids + women$oldkids > 0)
    women$wage <- ifelse(women$participation == "yes", women$wage, NA)
    women$lwage <- log(women$wage)
    return(women)
  }
  file <- file.path(Sys.getenv("EMBER_BENCH_DATA"), paste0(name, ".csv"))
  if (!file.exists(file)) {
    return(NULL)
  }
  data <- utils::read.csv(file)
  if (name == "randhie") {
    data <- data[data$year == 2 & !is.na(data$educdec), ]
    data$lnmeddol <- ifelse(data$binexp == 1, data$lnmeddol, NA)
  } else {
    data$works <- !is.na(data$wage)
  }
  data
}

formulas_of <- function(case) {
  switch(case$data,
    psid = list(case$outcome, participation ~ age + I(age^2) + fincome + kids + education),
    womenwk = list(case$outcome, works ~ married + children + education + age),
    randhie = list(
      stats::reformulate(randhie_terms, "lnmeddol"), stats::reformulate(randhie_terms, "binexp")
    )
  )
}

fit_published <- function(case, data) {
  formulas <- formulas_of(case)
  method <- if (case$fit == "two-step") "two-step" else "ml"
  fit <- ember::mssm(formulas[[1L]], formulas[[2L]], data = data, method = method)
  if (case$fit == "textbook mode") {
    lower <- which(abs(ember::modes(fit)$loglik - case$loglik) < 0.01)
    fit <- ember::modes(fit, which = lower[[1L]])
  }
  fit
}

compare_published <- function() {
  rows <- lapply(published_values, function(case) {
    data <- data_of(case$data)
    outcome <- all.vars(formulas_of(case)[[1L]])[[1L]]
    row <- data.frame(data = case$data, fit = case$fit, outcome = outcome)
    if (is.null(data)) {
      return(cbind(
        row, "log-likelihood" = "-", published = case$loglik, "largest relative difference" = "-"
      ))
    }
    fit <- fit_published(case, data)
    difference <- max(abs(stats::coef(fit)[names(case$values)] / case$values - 1))
    cbind(
      row, "log-likelihood" = format(fit$loglik, digits = 12L), published = case$loglik,
      "largest relative difference" = format(difference, digits = 2L)
    )
  })
  do.call(rbind, rows)
}
