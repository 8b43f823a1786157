#!/bin/sh
# Everything that can be said about the code without running it. Goes through to the end, so that
# one run shows all complaints.
set -u
status=0
for manifest in src/rust/Cargo.toml bench/Cargo.toml; do
  [ -f "$manifest" ] || continue
  cargo fmt --all --check --manifest-path "$manifest" || status=1
  cargo clippy --quiet --workspace --all-targets --manifest-path "$manifest" -- -D warnings ||
    status=1
done

Rscript -e '
  files <- list.files(c("R", "tests", "tools", "bench"), "[.]R$", recursive = TRUE,
                      full.names = TRUE)
  files <- setdiff(files, "R/extendr-wrappers.R")
  # What lintr is to find defined: the package, the helpers of its tests and testthat.
  library(testthat)
  known <- attach(NULL, name = "known")
  for (file in c(Sys.glob("R/*.R"), Sys.glob("tests/testthat/helper-*.R"))) sys.source(file, known)
  lints <- lapply(files[!grepl("/target/", files)], lintr::lint)
  for (found in lints) if (length(found)) print(found)
  quit(status = as.integer(sum(lengths(lints)) > 0L))' || status=1

# R keeps the last of two functions of one name without a word.
twice=$(grep -hoE '^[A-Za-z_.]+ <- function' R/*.R | sort | uniq -d)
if [ -n "$twice" ]; then
  echo "Defined more than once in R/: $twice" >&2
  status=1
fi

tools/docs.sh --check || status=1
[ "$status" = 0 ] && echo "Nothing to complain about."
exit "$status"
