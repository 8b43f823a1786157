# Sources of rows too many for memory: each pass reads the rows block by block.

#' Rows read in chunks
#'
#' A source of rows for [gaussian_mixture()] that never holds more than one block of them. A fit to
#' a source reads it once per iteration and needs the memory of one block; it gives the same answer
#' as a fit to the same rows in memory.
#'
#' @param open A function without arguments that begins a new pass over the rows. It returns a
#'   function without arguments, which gives the next block each time it is called (a numeric matrix
#'   or data frame with the variables in columns, or a vector in one dimension) and `NULL` at the
#'   end; or `list(read =, close =)` of this function and one that is called when the pass ends,
#'   also if it ends with an error or an interrupt. Every pass must give the same rows.
#' @param x A matrix, data frame or vector, to be read `size` rows at a time; or a list of blocks.
#' @param size Most rows of a block: a whole number.
#' @param file A text file with one row per line: its name, or what else [file()] opens for reading
#'   (a compressed file, a URL).
#' @param columns Names of the columns to read; `NULL` is all of them. They must be numbers, without
#'   quotes.
#' @param sep,dec,na_strings Separator of the columns, decimal point, and what stands for a missing
#'   value, as in [scan()].
#' @param header Whether the first line has the names of the columns; otherwise they are `V1`, `V2`,
#'   ...
#' @param con A connection of the DBI package; it must stay open while fits read from it.
#' @param query An SQL query that returns the rows. The order of the rows does not matter, but
#'   unless it is fixed (`ORDER BY`) the last digits of a fit may differ between passes.
#' @param dataset A `Dataset` of the arrow package, as from `arrow::open_dataset()`.
#'
#' @details
#' `row_chunks()` is for any source of your own, `chunks_in_memory()` for tests and for lists of
#' blocks, `chunks_text()` for text files such as CSV, `chunks_dbi()` for data bases (DBI),
#' `chunks_arrow()` for Parquet and other files that arrow reads.
#'
#' The names of the columns are those of the first block; later blocks are matched by name where
#' they have these names, otherwise by position. Blocks without rows are skipped.
#'
#' @returns An object of class `row_chunks`.
#' @section Errors:
#' An error in a source ends the fit with an `ember_error_source` that shows its message; so does a
#' source that gives other numbers of rows in later passes.
#' @seealso [gaussian_mixture()], section *Rows in chunks*; [mixture_stats()] for rows on several
#'   machines.
#' @examples
#' # Blocks of 100 rows from a data frame
#' fit <- gaussian_mixture(chunks_in_memory(faithful, 100), k = 2, model = "VVV")
#' fit
#'
#' # A file
#' path <- tempfile(fileext = ".csv")
#' write.csv(faithful, path, row.names = FALSE)
#' gaussian_mixture(~ log(eruptions) + waiting, k = 2, model = "EEE", data = chunks_text(path))
#' unlink(path)
#'
#' # Your own source: five blocks that are made when they are needed
#' blocks <- row_chunks(function() {
#'   done <- 0
#'   function() {
#'     done <<- done + 1
#'     if (done > 5) NULL else qnorm(ppoints(200), mean = 3 * (done %% 2))
#'   }
#' })
#' gaussian_mixture(blocks, k = 2, model = "E")$means
#' @export
row_chunks <- function(open) {
  if (!is.function(open)) {
    abort_argument(
      "open", "must be a function that begins a pass over the rows.",
      c(x = paste0("It is ", describe_object(open), ".")), rlang::current_env()
    )
  }
  new_row_chunks(open, "blocks from a function")
}

new_row_chunks <- function(open, label) {
  structure(list(open = open, label = label), class = "row_chunks")
}

#' @export
print.row_chunks <- function(x, ...) {
  cat("Rows in chunks: ", x$label, "\n", sep = "")
  invisible(x)
}

#' @rdname row_chunks
#' @export
chunks_in_memory <- function(x, size = 10000) {
  call <- rlang::current_env()
  if (is.list(x) && !is.data.frame(x)) {
    blocks <- length(x)
    block <- function(i) x[[i]]
  } else {
    size <- check_count(size, "size", .Machine$integer.max, call)
    if (is.null(dim(x))) x <- plain_matrix(x, call)
    blocks <- ceiling(nrow(x) / size)
    block <- function(i) x[seq.int((i - 1) * size + 1, min(i * size, nrow(x))), , drop = FALSE]
  }
  open <- function() {
    done <- 0
    function() {
      if (done == blocks) return(NULL)
      done <<- done + 1
      block(done)
    }
  }
  new_row_chunks(open, paste0("in memory, ", blocks, if (blocks == 1L) " block" else " blocks"))
}

#' @rdname row_chunks
#' @export
chunks_text <- function(file, size = 10000, columns = NULL, sep = ",", dec = ".",
                        na_strings = c("NA", ""), header = TRUE) {
  call <- rlang::current_env()
  check_text_arguments(file, columns, header, call)
  size <- check_count(size, "size", .Machine$integer.max, call)
  read_cells <- function(connection, what, lines) {
    scan(
      connection, what, nlines = lines, sep = sep, dec = dec, quote = "\"", na.strings = na_strings,
      multi.line = FALSE, quiet = TRUE
    )
  }
  # The names of the columns, from a connection of its own when they must be counted in the data.
  read_names <- function(connection) {
    if (header) return(read_cells(connection, "", 1L))
    first <- base::file(file, "rt")
    on.exit(close(first))
    paste0("V", seq_along(read_cells(first, "", 1L)))
  }
  open <- function() {
    connection <- base::file(file, "rt")
    opened <- FALSE
    on.exit(if (!opened) close(connection))
    names <- read_names(connection)
    wanted <- if (is.null(columns)) names else columns
    absent <- setdiff(wanted, names)
    if (length(absent) > 0L) stop("there is no column `", absent[[1L]], "` in ", file)
    # Other columns are read as text, whatever they hold, and left out.
    what <- lapply(names %in% wanted, function(number) if (number) 0 else "")
    names(what) <- names
    opened <- TRUE
    list(
      read = function() {
        cells <- tryCatch(read_cells(connection, what, size), error = function(error) {
          hint <- if (is.null(columns)) "; name the columns of numbers in `columns`"
          stop(conditionMessage(error), hint, call. = FALSE)
        })
        if (length(cells[[1L]]) > 0L) do.call(cbind, cells[wanted])
      },
      close = function() close(connection)
    )
  }
  new_row_chunks(open, paste0("text file ", file, ", ", format(size), " rows at a time"))
}

check_text_arguments <- function(file, columns, header, call) {
  if (!rlang::is_string(file)) {
    abort_argument("file", "must be the name of a file.", NULL, call)
  }
  if (!is.null(columns) && (!is.character(columns) || length(columns) == 0L)) {
    abort_argument("columns", "must be names of columns.", NULL, call)
  }
  if (!is_flag(header)) abort_argument("header", "must be TRUE or FALSE.", NULL, call)
}

#' @rdname row_chunks
#' @export
chunks_dbi <- function(con, query, size = 10000) {
  call <- rlang::current_env()
  rlang::check_installed("DBI", "to read from data bases.")
  if (!rlang::is_string(query)) {
    abort_argument("query", "must be an SQL query, as one string.", NULL, call)
  }
  size <- check_count(size, "size", .Machine$integer.max, call)
  open <- function() {
    result <- DBI::dbSendQuery(con, query)
    list(
      read = function() if (!DBI::dbHasCompleted(result)) DBI::dbFetch(result, n = size),
      close = function() DBI::dbClearResult(result)
    )
  }
  new_row_chunks(open, paste0("data base, ", format(size), " rows at a time: ", query))
}

#' @rdname row_chunks
#' @export
chunks_arrow <- function(dataset, columns = NULL, size = 10000) {
  call <- rlang::current_env()
  rlang::check_installed("arrow", "to read its data sets.")
  size <- check_count(size, "size", .Machine$integer.max, call)
  open <- function() {
    # Threads would give the batches in another order each time.
    scanner <- arrow::Scanner$create(
      dataset, projection = columns, use_threads = FALSE, batch_size = size
    )
    reader <- scanner$ToRecordBatchReader()
    function() {
      batch <- reader$read_next_batch()
      if (!is.null(batch)) as.data.frame(batch)
    }
  }
  new_row_chunks(open, paste0("arrow data set, ", format(size), " rows at a time"))
}

# One pass: `visit()` sees every block that has rows. Closes the source however the pass ends.
read_pass <- function(chunks, visit, call) {
  pass <- from_source(as_pass(chunks$open()), call)
  # A source that cannot be closed has given its rows all the same.
  on.exit(try(pass$close(), silent = TRUE))
  repeat {
    block <- from_source(pass$read(), call)
    if (is.null(block)) break
    if (NROW(block) > 0L) visit(block)
  }
}

as_pass <- function(pass) {
  if (is.function(pass)) {
    return(list(read = pass, close = function() NULL))
  }
  if (!is.list(pass) || !is.function(pass$read) || !is.function(pass$close)) {
    stop("`open()` must return a function, or a list of functions `read` and `close`")
  }
  pass
}

# `value`, a promise of the source's; its errors as errors of class `ember_error_source`.
from_source <- function(value, call) {
  tryCatch(value, error = function(error) {
    abort_source("The source of the rows failed.", conditionMessage(error), call)
  })
}

abort_source <- function(message, fact, call) {
  ember_abort(message, class = "source", details = c(x = fact), call = call)
}

# How blocks become rows of numbers, settled by the first block: `variables`, `terms` and `formula`
# (or NULL), and `weights`: NULL, the name of a column, or for a formula an expression.
block_layout <- function(block, formula, weights, call) {
  if (is.null(formula)) {
    if (!is.null(weights)) {
      check_weight_column(block, weights, call)
      block <- block[, colnames(block) != weights, drop = FALSE]
    }
    design <- plain_design(block, call)
  } else {
    design <- formula_design(formula, as.data.frame(block), call)
    if (!identical(attr(design$terms, "predvars"), attr(design$terms, "variables"))) {
      ember_abort(
        "A formula for rows in chunks cannot have terms that look at all rows, as `scale()` does.",
        class = "unsupported", call = call
      )
    }
  }
  list(
    variables = design$variables, terms = design$terms, formula = design$formula, weights = weights
  )
}

# The rows of a block that have any value: list(x = n x d doubles, weights = n doubles or NULL,
# dropped = number of rows without any value).
block_rows <- function(block, layout, call) {
  names <- list(NULL, layout$variables)
  like <- list(means = matrix(0, 0L, length(layout$variables), dimnames = names))
  like$terms <- layout$terms
  x <- newdata_matrix(like, block, call, "x")
  weights <- check_weight_values(block_weights(block, layout, call), nrow(x), call)
  empty <- empty_rows(x)
  if (length(empty) > 0L) {
    x <- x[-empty, , drop = FALSE]
    weights <- weights[-empty]
  }
  list(x = x, weights = weights, dropped = length(empty))
}

block_weights <- function(block, layout, call) {
  if (!is.null(layout$formula)) {
    return(eval(layout$weights, as.data.frame(block), environment(layout$formula)))
  }
  if (!is.null(layout$weights)) {
    check_weight_column(block, layout$weights, call)
    as.data.frame(block)[[layout$weights]]
  }
}

check_weight_column <- function(block, weights, call) {
  if (!weights %in% colnames(block)) {
    abort_argument(
      "weights", "must name a column of every block.",
      c(x = paste0("There is no column `", weights, "`.")), call
    )
  }
}
