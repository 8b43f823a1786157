#!/bin/sh
# Installs the source package as a user without network would: no route out, and a home directory
# that is empty before and must be empty afterwards.
set -eu
unset EMBER_DEV
tarball=$(ls ember_*.tar.gz)
home=$(mktemp -d) library=$(mktemp -d)
trap 'rm -rf "$home" "$library"' EXIT
export RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}"
cut_off="unshare -n"
[ "$(id -u)" = 0 ] || cut_off="unshare -rn"

start=$(date +%s)
env -u CARGO_HOME -u R_LIBS -u CARGO_TARGET_DIR HOME="$home" $cut_off Rscript -e "
  install.packages('$tarball', lib = '$library', repos = NULL)
  library(ember, lib.loc = '$library')
  cat('ember', as.character(packageVersion('ember')), 'answers\n')"
echo "Installed without network in $(($(date +%s) - start)) s; installed size:" \
  "$(du -sk "$library/ember" | cut -f1) kB, library:" \
  "$(wc -c < "$library/ember/libs/ember.so") bytes"
left=$(find "$home" -mindepth 1)
if [ -n "$left" ]; then
  echo "The installation wrote to the home directory: $left" >&2
  exit 1
fi
