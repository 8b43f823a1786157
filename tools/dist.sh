#!/bin/sh
# Builds ember_<version>.tar.gz with the crates inside. Works on a copy, so that a checkout never
# holds the vendored crates and R CMD build never copies gigabytes of compiled ones.
set -eu
unset EMBER_DEV
source=build/source/ember
limit=6000000 # bytes

rm -rf "$source" ember_*.tar.gz
mkdir -p "$source"
tar --exclude-vcs --exclude=./build --exclude=./demo --exclude=./.lib --exclude='*.Rcheck' \
  --exclude=target --exclude='*.o' --exclude='*.so' --exclude=./src/Makevars -cf - . |
  tar -xf - -C "$source"
tools/vendor.sh "$source"

R CMD build "$source"
tarball=$(ls ember_*.tar.gz)
size=$(wc -c < "$tarball")
echo "$tarball: $size bytes"
if [ "$size" -gt "$limit" ]; then
  echo "The source package is larger than $limit bytes: see tools/vendor.sh" >&2
  exit 1
fi
