#!/bin/sh
# Prints name-version of every crate that is compiled into ember on some platform; Cargo.lock has
# more: crates of options that nothing turns on, and of tests.
cargo tree --locked --target all -e no-dev --prefix none --no-dedupe -p ember \
  --manifest-path "${1:-src/rust}/Cargo.toml" |
  awk '$1 !~ /^ember/ { sub(/^v/, "", $2); print $1 "-" $2 }' | sort -u
