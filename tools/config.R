# Run by configure: checks Rust, then fills src/Makevars.in (or its Windows twin).
source("tools/msrv.R")

home <- Sys.getenv("CARGO_HOME", file.path(Sys.getenv("HOME"), ".cargo"))
Sys.setenv(PATH = paste(
  Sys.getenv("PATH"), file.path(home, "bin"), file.path(Sys.getenv("HOME"), ".cargo", "bin"),
  sep = .Platform$path.sep
))
check_rust()

# A source package carries its crates and builds without network, leaving nothing behind.
# A git checkout uses cargo's own cache and keeps the compiled crates; EMBER_DEV=true does too, and
# compiles so that the next build takes seconds.
developing <- identical(Sys.getenv("EMBER_DEV"), "true")
vendored <- file.exists("src/rust/vendor.tar.xz") && !developing

target_dir <- "rust/target"
if (!vendored && nzchar(Sys.getenv("CARGO_TARGET_DIR"))) {
  target_dir <- normalizePath(Sys.getenv("CARGO_TARGET_DIR"), winslash = "/", mustWork = FALSE)
}

# Only the entry point need be visible; everything Rust does not reach can go (6 MB to 0.5 MB).
linux <- identical(Sys.info()[["sysname"]], "Linux")
link_flags <- if (linux) "-Wl,--exclude-libs,ALL -Wl,--gc-sections -Wl,-S -Wl,-x" else ""
system_libs <- switch(Sys.info()[["sysname"]], Linux = "-lpthread -ldl -lm", "")

fill <- function(template, values) {
  lines <- readLines(template)
  for (name in names(values)) {
    lines <- gsub(paste0("@", name, "@"), values[[name]], lines, fixed = TRUE)
  }
  out <- file(sub("\\.in$", "", template), open = "wb")
  on.exit(close(out))
  writeLines(lines, out, sep = "\n")
}

windows <- .Platform$OS.type == "windows"
fill(
  if (windows) "src/Makevars.win.in" else "src/Makevars.in",
  list(
    VENDORED = if (vendored) "yes" else "no",
    PROFILE = if (developing) "develop" else "release",
    TARGET_DIR = target_dir,
    LINK_FLAGS = link_flags,
    SYSTEM_LIBS = system_libs
  )
)
message(if (vendored) "Building offline from the vendored crates" else "Development build")
