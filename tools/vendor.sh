#!/bin/sh
# Writes src/rust/vendor.tar.xz of the directory given (a copy of the package; default: here): all
# crates that a build needs without network. What no platform compiles is cut out:
#  * crates that are in Cargo.lock only (optional, of other options, development): a manifest and
#    an empty library remain, because cargo wants to see every locked crate;
#  * tests, benchmarks, examples and documents of the others.
# Checksums stay valid: cargo verifies the files that .cargo-checksum.json lists, so none is listed.
set -eu
cd "${1:-.}/src/rust"
vendor=vendor

rm -rf "$vendor" vendor.tar.xz
cargo vendor --quiet --locked --versioned-dirs "$vendor" > /dev/null
used=$(sh ../../tools/used-crates.sh .)

# The file of the library, from the manifest that cargo publish normalised.
library_file() {
  awk '/^\[/ { inside = ($0 == "[lib]") } inside && /^path *=/ { gsub(/"/, "", $3); print $3 }' \
    "$1/Cargo.toml"
}

for crate in "$vendor"/*; do
  sed -i 's/"files":{.*},"package"/"files":{},"package"/' "$crate/.cargo-checksum.json"
  if printf '%s\n' "$used" | grep -qx "$(basename "$crate")"; then
    for dir in tests benches examples docs doc ci scripts; do rm -rf "${crate:?}/$dir"; done
    find "$crate" -mindepth 1 -maxdepth 1 -name '.*' ! -name .cargo-checksum.json \
      -exec rm -rf {} +
    rm -f "$crate/Cargo.toml.orig" "$crate/Cargo.lock"
    # A document stays where the source includes it.
    find "$crate" -name '*.md' ! -iname 'licen[cs]e*' ! -iname 'copy*' ! -iname 'notice*' | while read -r document; do
      grep -rqF "$(basename "$document")" --include='*.rs' "$crate" || rm "$document"
    done
  else
    lib=$(library_file "$crate")
    find "$crate" -mindepth 1 ! -name Cargo.toml ! -name .cargo-checksum.json -type f -delete
    find "$crate" -mindepth 1 -type d -empty -delete
    mkdir -p "$crate/$(dirname "${lib:-src/lib.rs}")"
    : > "$crate/${lib:-src/lib.rs}"
  fi
done

# Read from src/.cargo, so relative to src.
cat > "$vendor/config.toml" <<'CONFIG'
[source.crates-io]
replace-with = "vendored-sources"

[source.vendored-sources]
directory = "rust/vendor"
CONFIG

# Sorted, without times and owners: the same crates give the same file.
tar --sort=name --mtime='2000-01-01 00:00:00Z' --owner=0 --group=0 --numeric-owner \
  --format=ustar -cf - "$vendor" | xz -9e > vendor.tar.xz
rm -rf "$vendor"
