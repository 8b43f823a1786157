# Help pages and NAMESPACE from the comments in R/.
# roxygen2's own loader attaches every imported package; Matrix then hides print(), summary() and
# update() behind S4 generics, and roxygen2 no longer sees that our functions are their methods.
load_sources <- function(path) {
  for (package in c("generics", "nlme")) library(package, character.only = TRUE)
  sources <- new.env(parent = globalenv())
  for (file in list.files(file.path(path, "R"), full.names = TRUE)) {
    sys.source(file, sources, keep.source = TRUE)
  }
  sources
}
roxygen2::roxygenise(load_code = load_sources)
