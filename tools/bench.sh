#!/bin/sh
# Kernels first (Rust alone), then whole fits beside other programs; both print their tables.
set -eu
cargo run --release --quiet --manifest-path bench/Cargo.toml
for script in bench/*.R; do Rscript "$script"; done
