# Draws the figures of README.md with the installed package: Rscript tools/readme-figures.R
library(ember)

dir.create("man/figures", showWarnings = FALSE, recursive = TRUE)
set.seed(1)
fit <- gaussian_mixture(faithful, k = 1:9)

png("man/figures/README-old-faithful.png", width = 720, height = 320, res = 76)
par(mfrow = c(1, 2), mar = c(4.2, 4.2, 2.2, 1), cex.main = 1)
plot(fit, "BIC", ylim = c(2300, 2480), main = "Which mixture?")
par(mar = c(4.2, 4.2, 2.2, 1))
plot(fit, "density", main = "The one with the smallest BIC")
invisible(dev.off())
