test_that("a fit in chunks is the fit in memory", {
  case <- chunk_cases()
  for (model in c("EII", "VEI", "EEE", "VVE", "EVV", "VVV")) {
    whole <- gaussian_mixture(case$x, k = 3, model = model, start = case$start)
    for (size in c(41, 150, 7)) {
      source <- chunks_in_memory(case$x, size)
      expect_same_fit(gaussian_mixture(source, k = 3, model = model, start = case$start), whole)
    }
  }
})

test_that("it is so for plain EM and Anderson mixing, in one dimension, and far from the origin", {
  for (accelerate in c("none", "anderson")) {
    control <- em_control(accelerate = accelerate)
    start <- two_at_faithful()[-1]
    fit <- function(x) gaussian_mixture(x, model = "VVV", start = start, control = control)
    expect_same_fit(fit(chunks_in_memory(faithful, 50)), fit(faithful))
  }
  # Sorted rows: the first block is far from the others.
  y <- sort(qnorm(ppoints(3000)) + rep(c(0, 5), 1500))
  fit <- function(x, shift) {
    gaussian_mixture(x, model = "V", start = list(means = c(0, 4) + shift))
  }
  expect_same_fit(fit(chunks_in_memory(y, 11), 0), fit(y, 0))
  # The means have 2e-9 between neighbouring doubles there.
  expect_same_fit(fit(chunks_in_memory(y + 1e7, 11), 1e7), fit(y + 1e7, 1e7), 1e-8)
})

test_that("weights, missing values, priors, noise and known parameters work in chunks", {
  case <- chunk_cases()
  weighted <- data.frame(case$x, w = case$weights)
  holes <- data.frame(case$holes, w = case$weights)
  columns <- 1:4
  fit <- function(data, chunked, ...) {
    x <- if (chunked) chunks_in_memory(data, 41) else data[columns]
    weights <- if (chunked) "w" else data$w
    gaussian_mixture(x, k = 3, start = case$start, weights = weights, ...)
  }
  both <- function(data, ...) expect_same_fit(fit(data, TRUE, ...), fit(data, FALSE, ...))
  for (model in c("EEE", "VVI", "VEI")) {
    both(weighted, model = model)
    both(holes, model = model)
    both(weighted, model = model, prior = mixture_prior())
    both(holes, model = model, prior = mixture_prior())
    both(weighted, model = model, noise = TRUE)
    both(weighted, model = model, noise = 50)
    both(weighted, model = model, known = list(weights = c(0.3, 0.3, 0.4)))
  }
  both(weighted, model = "VVV", floor = 0.01)
})

test_that("rows without any value are left out, of the count too", {
  case <- chunk_cases()
  x <- case$holes
  x[c(5, 60, 61), ] <- NA
  fit <- function(x) gaussian_mixture(x, k = 3, model = "EEE", start = case$start)
  expect_message(chunked <- fit(chunks_in_memory(x, 3)), "Left out 3 rows")
  expect_same_fit(chunked, suppressMessages(fit(x)))
  expect_identical(nobs(chunked), 147)
})

test_that("a formula takes its variables and weights from the blocks", {
  data <- transform(faithful, w = waiting / 70)
  fit <- function(data) {
    gaussian_mixture(~ log(eruptions) + waiting, data = data, weights = w, model = "VVV",
                     start = list(means = rbind(c(0.7, 55), c(1.4, 80))))
  }
  chunked <- fit(chunks_in_memory(data, 100))
  expect_same_fit(chunked, fit(data))
  expect_equal(formula(chunked), ~ log(eruptions) + waiting, ignore_attr = TRUE)
  expect_equal(predict(chunked, data[1:5, ]), predict(fit(data), data[1:5, ]))
})

test_that("ember finds starts by itself, the same whatever the blocks", {
  set.seed(1)
  whole <- gaussian_mixture(faithful, k = 1:3, model = c("EEE", "VVV"))
  fits <- lapply(c(37, 272), function(size) {
    set.seed(1)
    gaussian_mixture(chunks_in_memory(faithful, size), k = 1:3, model = c("EEE", "VVV"))
  })
  expect_identical(fits[[1]]$model, whole$model)
  expect_equal(fits[[1]]$loglik, whole$loglik, tolerance = 1e-9)
  expect_equal(fits[[1]]$table[1:6], whole$table[1:6], tolerance = 1e-6)
  expect_same_fit(fits[[1]], fits[[2]])
  expect_true(all(is.na(fits[[1]]$table$ICL)))

  # More rows than the sample holds.
  y <- qnorm(ppoints(12000)) + rep(c(0, 6, 6), 4000)
  fits <- lapply(c(1000, 4999), function(size) {
    set.seed(2)
    gaussian_mixture(chunks_in_memory(y, size), k = 2, model = "V")
  })
  expect_same_fit(fits[[1]], fits[[2]])
  expect_equal(sort(fits[[1]]$means[, 1]), c(0, 6), tolerance = 0.02, ignore_attr = TRUE)
  expect_equal(fits[[1]]$loglik, gaussian_mixture(y, k = 2, model = "V")$loglik, tolerance = 1e-10)
})

test_that("the sample is uniform", {
  set.seed(3)
  means <- replicate(20, {
    look <- new.env()
    look$rows <- 0
    for (block in 1:20) {
      rows <- list(x = matrix((block - 1) * 1000 + 1:1000))
      sample_rows(look, rows)
      look$rows <- look$rows + 1000
    }
    expect_false(anyNA(look$sample))
    expect_identical(anyDuplicated(look$sample[, 1]), 0L)
    mean(look$sample)
  })
  # The standard error of a mean of 5000 of 20000 without replacement, over 20 samples.
  error <- 20000 / sqrt(12) * sqrt(0.75 / 5000 / 20)
  expect_lt(abs(mean(means) - 10000.5), 4 * error)
})

test_that("ICL takes a pass of its own", {
  start <- two_at_faithful()[-1]
  fit <- function(x, model) gaussian_mixture(x, model = model, start = start, select = "ICL")
  chunked <- fit(chunks_in_memory(faithful, 30), "EEE")
  expect_equal(ICL(chunked), ICL(fit(faithful, "EEE")), tolerance = 1e-12)
})

test_that("the source is read once per E-step, and closed", {
  log <- new.env()
  source <- failing_source(faithful, Inf, stop, log)
  fit <- gaussian_mixture(source, model = "VVV", start = two_at_faithful()[-1])
  expect_identical(log$opened, fit$passes + 1)
  expect_identical(log$closed, log$opened)
})

test_that("what needs the rows says so, the rest works", {
  fit <- gaussian_mixture(chunks_in_memory(faithful, 50), k = 2, model = "VVV")
  expect_null(fit$data)
  expect_identical(nobs(fit), 272)
  expect_output(print(fit), "n = 272")
  expect_output(print(summary(fit)), "Number of observations: 272")
  whole <- gaussian_mixture(faithful, start = fit, model = "VVV")
  expect_identical(unname(predict(fit, faithful)), unname(predict(whole)))
  expect_error(predict(fit), class = "ember_error_no_data")
  expect_error(vcov(fit), class = "ember_error_no_data")
  expect_identical(generics::glance(fit)$nobs, 272)
})

test_that("a source that fails ends the fit with its message, and is closed", {
  start <- two_at_faithful()[-1]
  # In the first pass, in the first E-step, in the middle of an extrapolation or an EM step.
  for (n in c(2, 5, 8:14)) {
    log <- new.env()
    source <- failing_source(faithful, n, function() stop("disk {gone} %d"), log)
    error <- expect_error(
      gaussian_mixture(source, model = "VVV", start = start),
      class = "ember_error_source"
    )
    expect_match(conditionMessage(error), "disk {gone} %d", fixed = TRUE)
    expect_identical(log$closed, log$opened)
    expect_identical(log$read, n)
  }
})

test_that("an interrupt keeps what was reached", {
  start <- two_at_faithful()[-1]
  log <- new.env()
  source <- failing_source(faithful, 11, rlang::interrupt, log)
  expect_warning(
    fit <- gaussian_mixture(source, model = "VVV", start = start),
    class = "ember_warning_interrupted"
  )
  expect_identical(fit$status, "interrupted")
  expect_identical(log$closed, log$opened)
  whole <- suppressWarnings(gaussian_mixture(
    faithful, model = "VVV", start = start, control = em_control(max_iter = fit$iterations)
  ))
  expect_equal(fit$means, whole$means, tolerance = 1e-12)

  # Before there is anything to keep.
  source <- failing_source(faithful, 5, rlang::interrupt)
  ended <- tryCatch(
    gaussian_mixture(source, model = "VVV", start = start),
    interrupt = function(cnd) "interrupt"
  )
  expect_identical(ended, "interrupt")
})

test_that("other numbers of rows in later passes are an error", {
  passes <- 0
  source <- row_chunks(function() {
    passes <<- passes + 1
    chunks_in_memory(faithful[seq_len(273 - passes), ], 100)$open()
  })
  expect_error(gaussian_mixture(source, k = 2, model = "VVV"), class = "ember_error_source")
})

test_that("warnings of a source are shown", {
  source <- row_chunks(function() {
    warning("slow disk")
    chunks_in_memory(faithful, 100)$open()
  })
  caught <- character()
  withCallingHandlers(
    gaussian_mixture(source, model = "VVV", start = two_at_faithful()[-1]),
    warning = function(warning) {
      caught <<- c(caught, conditionMessage(warning))
      invokeRestart("muffleWarning")
    }
  )
  # Once from the first look, once for all iterations.
  expect_identical(caught, rep("slow disk", 2))
})

test_that("arguments that cannot work with chunks are named", {
  source <- chunks_in_memory(faithful, 100)
  expect_snapshot(error = TRUE, {
    gaussian_mixture(source, start = rep(1:2, 136))
    gaussian_mixture(source, weights = rep(1, 272))
    gaussian_mixture(source, weights = "w")
    gaussian_mixture(source, data = faithful)
    gaussian_mixture(~ scale(waiting), data = source)
    gaussian_mixture(~ duration, data = source)
    gaussian_mixture(source, model = "E")
    gaussian_mixture(source, control = list())
    gaussian_mixture(chunks_in_memory(replace(as.matrix(faithful), 9, NA), 50), noise = TRUE)
    gaussian_mixture(row_chunks(function() function() NULL))
    gaussian_mixture(row_chunks(function() 1))
    gaussian_mixture(chunks_in_memory(list(faithful, faithful[1])))
    gaussian_mixture(chunks_in_memory(transform(faithful, waiting = Inf), 100))
    gaussian_mixture(chunks_in_memory(transform(faithful, waiting = "a"), 100))
    gaussian_mixture(chunks_in_memory(transform(faithful, waiting = NA), 100))
    gaussian_mixture(chunks_in_memory(transform(faithful, w = 0), 100), weights = "w")
    gaussian_mixture(chunks_in_memory(transform(faithful, w = -1), 100), weights = "w")
  })
})

test_that("degenerate rows give a classed error or a status, never less", {
  one <- function(x, ...) {
    tryCatch(
      suppressWarnings(gaussian_mixture(x, model = "VVV", ...)),
      ember_error = function(error) error
    )
  }
  expect_s3_class(one(chunks_in_memory(faithful[1, ]), k = 1), "ember_error")
  expect_s3_class(one(chunks_in_memory(faithful[c(1, 1, 1), ]), k = 2), "ember_error")
  expect_s3_class(one(chunks_in_memory(transform(faithful, waiting = 1), 50), k = 2), "ember_error")
})

test_that("memory is bounded by the block", {
  skip_on_cran()
  skip_if_not(file.exists("/proc/self/status"))
  script <- tempfile(fileext = ".R")
  on.exit(unlink(script))
  peak <- function(rows) {
    writeLines(c(
      sprintf(".libPaths(%s)", paste(deparse(.libPaths()), collapse = "")),
      "library(ember)",
      "source <- row_chunks(function() {",
      "  done <- 0",
      "  function() {",
      "    done <<- done + 1",
      sprintf("    if (done > %d / 1e4) return(NULL)", rows),
      "    cbind(a = qnorm(ppoints(1e4)) + c(0, 5), b = cos(seq_len(1e4)))",
      "  }",
      "})",
      "control <- em_control(max_iter = 3)",
      "start <- list(means = rbind(c(0, 0), c(4, 0)))",
      "fit <- gaussian_mixture(source, model = 'VVV', start = start, control = control)",
      sprintf("stopifnot(nobs(fit) == %d)", rows),
      "cat(grep('VmHWM', readLines('/proc/self/status'), value = TRUE))"
    ), script)
    rscript <- file.path(R.home("bin"), "Rscript")
    line <- system2(rscript, c("--vanilla", script), stdout = TRUE, stderr = FALSE)
    as.numeric(gsub("[^0-9]", "", line[length(line)])) / 1024
  }
  # In memory the second half would be 32 MB; before the first R has not seen a need to collect
  # garbage.
  expect_lt(peak(4e6) - peak(2e6), 10)
})
