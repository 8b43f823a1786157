# Values of lme4's criterion at arbitrary theta: data/mixed-criterion.txt.
# Each line: model, REML, theta, criterion, coefficients; models as in mixed_criterion/lme4.rs.
library(lme4)
sleep <- sleepstudy
write(t(cbind(as.integer(sleep$Subject), sleep$Days, sleep$Reaction)), "sleepstudy.txt", 3)
write(t(cbind(as.integer(Pastes$sample), as.integer(Pastes$batch), Pastes$strength)),
      "pastes.txt", 3)
write(t(cbind(as.integer(Penicillin$plate), as.integer(Penicillin$sample), Penicillin$diameter)),
      "penicillin.txt", 3)
sleep$w <- 1 + sleep$Days / 4
values <- function(name, formula, data, points, weights = NULL) {
  for (reml in c(FALSE, TRUE)) {
    call <- list(formula, data, REML = reml, devFunOnly = TRUE, weights = weights)
    devfun <- do.call(lmer, call)
    for (theta in points) {
      value <- devfun(theta)
      beta <- environment(devfun)$pp$beta(1)
      cat(name, reml, formatC(c(theta, value, beta), digits = 17, format = "g"), "\n")
    }
  }
}
sink("mixed-criterion.txt")
values("sleepstudy", Reaction ~ Days + (Days | Subject), sleep,
       list(c(1, 0, 1), c(0.9, -0.2, 0.3), c(0.7, 0.1, 0), c(0, 0, 0)))
values("weights", Reaction ~ Days + (Days | Subject), sleep,
       list(c(1, 0, 1), c(0.9, -0.2, 0.3)), weights = sleep$w)
values("pastes", strength ~ 1 + (1 | sample) + (1 | batch), Pastes,
       list(c(1, 1), c(3.5, 1.3), c(2, 0)))
values("penicillin", diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin,
       list(c(1, 1), c(1.5, 3.2), c(0, 2)))
sink()
