#!/bin/sh
# The kernels (Rust alone) against the arithmetic limit, then whole fits beside other programs. Prints
# its tables and keeps them in bench/results.md.
set -eu
cargo build --release --quiet --manifest-path bench/Cargo.toml
Rscript bench/mixtures.R
Rscript bench/mixed.R
Rscript bench/glmm.R
Rscript bench/cloning.R
Rscript bench/mssm.R
