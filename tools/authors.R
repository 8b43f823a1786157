# Writes inst/AUTHORS and LICENSE.note: who wrote the crates that are compiled into ember, and under
# which licence, as the crates' own manifests say.
used <- system2("sh", "tools/used-crates.sh", stdout = TRUE)
metadata <- jsonlite::fromJSON(
  paste(system2(
    "cargo",
    c("metadata", "--locked", "--format-version=1", "--manifest-path=src/rust/Cargo.toml"),
    stdout = TRUE
  ), collapse = ""),
  simplifyVector = FALSE
)$packages

crates <- Filter(function(crate) paste0(crate$name, "-", crate$version) %in% used, metadata)
crates <- crates[order(
  vapply(crates, `[[`, "", "name"), vapply(crates, `[[`, "", "version"), method = "radix"
)]
stopifnot(length(crates) == length(used))

or_else <- function(value, alternative) if (length(value)) value else alternative
# Addresses are of no use to a reader here, and their owners may not want them copied about.
authors <- vapply(crates, function(crate) {
  names <- trimws(sub("<[^>]*>", "", unlist(crate$authors)))
  toString(or_else(names, paste("the authors of", crate$name)))
}, "")
label <- vapply(crates, function(crate) paste(crate$name, crate$version), "")

dir.create("inst", showWarnings = FALSE)
writeLines(c(
  "Authors of the Rust crates that are compiled into ember (see LICENSE.note for licences):",
  "",
  paste0(label, ": ", authors)
), "inst/AUTHORS")

writeLines(c(
  "ember itself is under the MIT licence (see LICENSE).",
  "",
  "The package contains the Rust crates listed below, each under its own licence.",
  unlist(lapply(seq_along(crates), function(i) {
    c(
      "",
      paste0("Name:       ", label[[i]]),
      paste0("Repository: ", or_else(crates[[i]]$repository, "not given")),
      paste0("Authors:    ", authors[[i]]),
      paste0("License:    ", or_else(crates[[i]]$license, "see the crate's licence file"))
    )
  }))
), "LICENSE.note")
