# make demo: the shortest honest analysis of real data, from choosing k to a picture in a PNG file.
library(ember)

picture <- commandArgs(trailingOnly = TRUE)[[1L]]

message("Old Faithful: 272 eruptions, their length and the wait for the next, in minutes.")
set.seed(1)
time <- system.time(fit <- gaussian_mixture(faithful, k = 1:9))[["elapsed"]]
print(summary(fit))

png(picture, width = 1400, height = 1000, res = 180)
plot(fit, what = "density")
invisible(dev.off())
message(sprintf("Searched k = 1 to 9 in %.2f s; the density plot is in %s", time, picture))
