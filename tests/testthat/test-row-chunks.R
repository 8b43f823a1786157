blocks_of <- function(chunks) {
  blocks <- list()
  read_pass(chunks, function(block) blocks <<- c(blocks, list(block)), NULL)
  blocks
}

test_that("blocks of a matrix, a data frame, a vector and a list cover all rows once", {
  x <- as.matrix(faithful)
  expect_identical(do.call(rbind, blocks_of(chunks_in_memory(x, 100))), x)
  expect_identical(vapply(blocks_of(chunks_in_memory(x, 100)), nrow, 0L), c(100L, 100L, 72L))
  expect_identical(do.call(rbind, blocks_of(chunks_in_memory(faithful, 272))), faithful)
  expect_length(unlist(blocks_of(chunks_in_memory(1:5 + 0, 2))), 5)
  parts <- list(x[1:3, ], x[0, ], x[4:9, ])
  expect_identical(blocks_of(chunks_in_memory(parts)), parts[-2])
  source <- chunks_in_memory(x, 100)
  expect_identical(blocks_of(source), blocks_of(source))
})

test_that("text files are read in blocks, whatever else they hold", {
  path <- tempfile(fileext = ".csv")
  on.exit(unlink(path))
  data <- transform(faithful, name = "a, \"b\"", waiting = replace(waiting, 5, NA))
  write.csv(data, path, row.names = FALSE)
  before <- nrow(showConnections())
  read <- function(...) do.call(rbind, blocks_of(chunks_text(path, ...)))
  columns <- c("waiting", "eruptions")
  expect_equal(read(size = 100, columns = columns), as.matrix(data[columns]), ignore_attr = TRUE)
  expect_identical(colnames(read(columns = columns)), columns)
  expect_identical(read(size = 7, columns = columns), read(columns = columns))
  expect_error(read(), class = "ember_error_source")
  expect_error(read(columns = "price"), "there is no column `price`", class = "ember_error_source")

  write.table(faithful, path, sep = ";", dec = ",", row.names = FALSE, col.names = FALSE)
  got <- read(size = 50, sep = ";", dec = ",", header = FALSE)
  expect_equal(got, as.matrix(faithful), ignore_attr = TRUE)
  expect_identical(colnames(got), c("V1", "V2"))

  write("1;2;3", path, append = TRUE)
  expect_error(read(sep = ";", dec = ",", header = FALSE), class = "ember_error_source")
  expect_identical(nrow(showConnections()), before)
  unlink(path)
  expect_error(suppressWarnings(read()), class = "ember_error_source")
})

test_that("compressed files are read too", {
  path <- tempfile(fileext = ".csv.gz")
  on.exit(unlink(path))
  file <- gzfile(path, "w")
  write.csv(faithful, file, row.names = FALSE)
  close(file)
  got <- do.call(rbind, blocks_of(chunks_text(path, 60)))
  expect_equal(got, as.matrix(faithful), ignore_attr = TRUE)
})

test_that("data bases are read in blocks and results cleared", {
  skip_if_not_installed("DBI")
  skip_if_not_installed("RSQLite")
  con <- DBI::dbConnect(RSQLite::SQLite())
  on.exit(DBI::dbDisconnect(con))
  DBI::dbWriteTable(con, "geyser", transform(faithful, place = "Yellowstone"))
  source <- chunks_dbi(con, "SELECT eruptions, waiting FROM geyser WHERE waiting > 50", 60)
  some <- faithful[faithful$waiting > 50, ]
  expect_equal(do.call(rbind, blocks_of(source)), some, ignore_attr = TRUE)
  fit <- function(x) gaussian_mixture(x, model = "EEE", start = two_at_faithful()[-1])
  expect_same_fit(fit(source), fit(some))
  wrong <- chunks_dbi(con, "SELECT * FROM absent_table")
  error <- expect_error(gaussian_mixture(wrong, k = 2), class = "ember_error_source")
  expect_match(conditionMessage(error), "no such table: absent_table")
  # A pending result would make this warn.
  expect_silent(DBI::dbGetQuery(con, "SELECT count(*) FROM geyser"))
})

test_that("arrow data sets are read in blocks", {
  skip_if_not_installed("arrow")
  folder <- tempfile()
  on.exit(unlink(folder, recursive = TRUE))
  arrow::write_dataset(faithful, folder)
  source <- chunks_arrow(arrow::open_dataset(folder), c("eruptions", "waiting"), 60)
  expect_equal(do.call(rbind, blocks_of(source)), faithful, ignore_attr = TRUE)
})

test_that("later blocks are matched by name", {
  blocks <- list(faithful[1:100, ], faithful[101:272, 2:1])
  fit <- function(x) gaussian_mixture(x, model = "VVV", start = two_at_faithful()[-1])
  expect_same_fit(fit(chunks_in_memory(blocks)), fit(faithful))
})

test_that("sources print, and say what they cannot use", {
  expect_snapshot({
    row_chunks(function() NULL)
    chunks_in_memory(faithful, 100)
    chunks_text("somewhere.csv")
  })
  expect_snapshot(error = TRUE, {
    row_chunks(faithful)
    chunks_in_memory(faithful, 0)
    chunks_text(faithful)
    chunks_text("a", columns = 1)
    chunks_text("a", header = NA)
  })
})
