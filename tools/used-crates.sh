#!/bin/sh
# Prints name-version of every crate that is compiled into ember on some platform that R runs on;
# Cargo.lock has more: crates of options that nothing turns on, and of tests. Platforms are asked one
# by one: all at once would count what only one of them wants of what only another one has.
for target in \
  x86_64-unknown-linux-gnu i686-unknown-linux-gnu aarch64-unknown-linux-gnu \
  armv7-unknown-linux-gnueabihf powerpc64le-unknown-linux-gnu s390x-unknown-linux-gnu \
  riscv64gc-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl \
  x86_64-pc-windows-gnu i686-pc-windows-gnu aarch64-pc-windows-gnullvm \
  x86_64-apple-darwin aarch64-apple-darwin x86_64-unknown-freebsd; do
  cargo tree --locked --target "$target" -e no-dev --prefix none --no-dedupe -p ember \
    --manifest-path "${1:-src/rust}/Cargo.toml" || exit 1
done | awk '$1 !~ /^ember/ { sub(/^v/, "", $2); print $1 "-" $2 }' | sort -u
