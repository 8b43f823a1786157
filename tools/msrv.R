# The oldest Rust that compiles ember, read from DESCRIPTION, against the one that is installed.

minimum_rust <- function(description = "DESCRIPTION") {
  requirements <- read.dcf(description, fields = "SystemRequirements")[[1L]]
  found <- regmatches(requirements, regexec("rustc \\(>= *([0-9.]+)\\)", requirements))[[1L]]
  if (length(found) != 2L) stop("SystemRequirements names no minimum version of rustc")
  found[[2L]]
}

# The version line of a tool, or NULL if the tool cannot be run.
tool_version <- function(tool) {
  if (!nzchar(Sys.which(tool))) return(NULL)
  line <- tryCatch(
    suppressWarnings(system2(tool, "--version", stdout = TRUE, stderr = FALSE)),
    error = function(e) character()
  )
  if (length(line) == 0L || !is.null(attr(line, "status"))) return(NULL)
  line[[1L]]
}

stop_boxed <- function(lines) {
  rule <- strrep("-", max(nchar(lines)))
  message(paste(c("", rule, lines, rule, ""), collapse = "\n"))
  quit(save = "no", status = 1L)
}

how_to_install <- function(minimum) {
  c(
    "",
    paste0("Install Rust ", minimum, " or later, then install ember again:"),
    "  any system:    see https://www.rust-lang.org/tools/install (rustup)",
    "  Debian/Ubuntu: apt-get install rustup, then rustup default stable;",
    "                 on Debian 12: apt-get install cargo-web rustc-web",
    "                 (its plain cargo and rustc are too old)",
    "  Fedora:        dnf install cargo",
    "  macOS:         brew install rust",
    "  Windows:       rustup target add x86_64-pc-windows-gnu, after rustup"
  )
}

# Stops the installation with advice unless cargo and a recent enough rustc can be run.
check_rust <- function(minimum = minimum_rust()) {
  cargo <- tool_version("cargo")
  rustc <- tool_version("rustc")
  if (is.null(cargo) || is.null(rustc)) {
    missing <- c("cargo", "rustc")[c(is.null(cargo), is.null(rustc))]
    stop_boxed(c(
      paste("ember is written in Rust;", paste(missing, collapse = " and "),
            "cannot be run from the PATH or ~/.cargo/bin."),
      how_to_install(minimum)
    ))
  }
  version <- regmatches(rustc, regexpr("[0-9]+\\.[0-9]+(\\.[0-9]+)?", rustc))
  if (length(version) == 0L || package_version(version) < package_version(minimum)) {
    stop_boxed(c(
      paste0("ember needs rustc ", minimum, " or later; found: ", rustc, "."),
      how_to_install(minimum)
    ))
  }
  message("Using ", cargo, "\nUsing ", rustc)
}
