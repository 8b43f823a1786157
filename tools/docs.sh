#!/bin/sh
# Writes every generated file that is committed; with --check fails if one of them was out of date.
set -eu
generated="NAMESPACE man R/extendr-wrappers.R inst/AUTHORS LICENSE.note"
before=build/docs-before
mkdir -p man
rm -rf "$before"
mkdir -p "$before"
cp -R --parents $generated "$before"

Rscript tools/roxygen.R
Rscript tools/wrappers.R > build/wrappers.log 2>&1 || { cat build/wrappers.log; exit 1; }
Rscript tools/authors.R

changed=""
for file in $generated; do
  diff -rq "$before/$file" "$file" || changed="$changed $file"
done
rm -rf "$before"
if [ -z "$changed" ]; then
  echo "The generated files are up to date."
elif [ "${1:-}" = --check ]; then
  echo "These were out of date and are now rewritten; commit them:$changed" >&2
  exit 1
fi
