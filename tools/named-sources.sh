#!/bin/sh
# Fails if a vignette or README names a source file that does not exist.
set -eu
missing=0
for page in README.md vignettes/*.Rmd; do
  for file in $(grep -o '`[A-Za-z0-9_./-]*\.\(rs\|R\|c\)`' "$page" | tr -d '`' | sort -u); do
    if [ ! -f "$file" ] && [ ! -f "src/rust/core/src/$file" ]; then
      echo "$page names $file, which does not exist" >&2
      missing=1
    fi
  done
done
exit "$missing"
