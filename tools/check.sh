#!/bin/sh
# R CMD check of the source package, which it installs from the vendored crates as a user would.
# The examples and tests run with no more than Imports and testthat, so that a use of a suggested
# package without a guard is found here (make test has them all).
set -eu
unset EMBER_DEV
tools/dist.sh
rm -rf build/check
mkdir -p build/check

# No look at a time server, no complaint about suggested packages that are not there.
export _R_CHECK_SYSTEM_CLOCK_=FALSE _R_CHECK_FORCE_SUGGESTS_=FALSE
export _R_CHECK_DEPENDS_ONLY_EXAMPLES_=TRUE _R_CHECK_DEPENDS_ONLY_TESTS_=TRUE
export NOT_CRAN=true
env -u R_LIBS R CMD check --no-manual --output=build/check ember_*.tar.gz || true

log=build/check/ember.Rcheck/00check.log
status=$(grep '^Status:' "$log") || { echo "R CMD check did not finish: see $log" >&2; exit 1; }
case "$status" in
  *ERROR* | *WARNING*)
    echo "R CMD check: $status (see $log)" >&2
    exit 1
    ;;
esac
echo "R CMD check: $status (NOTEs are explained in cran-comments.md)"
