#!/bin/sh
# Tests of the Rust core, then of the R package in build/library. The last line is that of R.
set -u
result=build/test-result.txt log=build/cargo-test.log
mkdir -p build
rm -f "$result"

# The status of cargo is kept in a file, since a pipe gives that of tee.
{ cargo test --manifest-path src/rust/Cargo.toml -p ember-core --no-fail-fast -j 2 2>&1
  echo $? > build/cargo-test.status; } | tee "$log" | grep -v '\.\.\. ok$'
core=$(cat build/cargo-test.status)
awk '/^test result:/ { passed += $4; failed += $6; ignored += $8 }
     END { printf "Rust core: %d passed; %d failed; %d ignored\n", passed, failed, ignored }' "$log"

Rscript tools/test.R "$result"
package=$?
[ -f "$result" ] || echo "0 passed, 1 failed, 0 skipped" > "$result"
[ "$core" = 0 ] || echo "The tests of the Rust core failed: see above, or $log." >&2
cat "$result"
[ "$core" = 0 ] && [ "$package" = 0 ]
