#!/bin/sh
# Sees to it that what a make target needs is there. setup.sh build | test | check | develop: each
# includes the one before; bench is test and JAGS. Installs Debian packages when apt is there and we are root or have sudo
# without a password; otherwise says what to install. Never asks, never installs Rust.
set -eu
PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin:$HOME/.cargo/bin"

# Without the needed ones the target stops; without the wanted ones it goes on and says so.
commands="R gcc xz" needed="cli coda generics Matrix nlme rlang" wanted="" debian="gcc libc6-dev r-base-core xz-utils"
goal="${1:-build}"
case "$goal" in build) ;; test | check | develop | bench)
  needed="$needed testthat"
  wanted="mclust ggplot2 broom DBI RSQLite future future.apply"
  wanted="$wanted lme4 lmerTest pbkrtest broom.mixed emmeans insight parameters performance car"
  wanted="$wanted multcomp lmtest ggeffects effects glmmTMB MASS"
  wanted="$wanted AER sandwich mvtnorm numDeriv MatchIt maxLik"
esac
case "$goal" in bench)
  wanted="$wanted rjags"
esac
case "$goal" in check | develop)
  commands="$commands pandoc" needed="$needed knitr rmarkdown" debian="$debian pandoc qpdf"
esac
case "$goal" in develop)
  needed="$needed roxygen2 lintr jsonlite"
esac

missing_commands() {
  for command in $commands; do
    command -v "$command" > /dev/null || printf '%s ' "$command"
  done
}

# R's own answer to which of the packages named it cannot find.
missing_packages() {
  if command -v Rscript > /dev/null; then
    Rscript --vanilla -e 'p <- commandArgs(TRUE); cat(p[!nzchar(vapply(p, function(name) {
      system.file(package = name) }, ""))])' "$@"
  else
    printf '%s ' "$@"
  fi
}

debian_names() {
  for package in "$@"; do printf 'r-cran-%s ' "$package" | tr '[:upper:]' '[:lower:]'; done
}

if ! command -v cargo > /dev/null || ! command -v rustc > /dev/null; then
  echo "ember needs Rust (cargo and rustc), in the PATH or in ~/.cargo/bin." >&2
  echo "See https://www.rust-lang.org/tools/install, then run make again." >&2
  exit 1
fi

lacking=$(missing_commands)
packages=$(missing_packages $needed $wanted)
if [ -z "$lacking$packages" ]; then exit 0; fi

as_root=none
if [ "$(id -u)" = 0 ]; then
  as_root=""
elif command -v sudo > /dev/null && sudo -n true 2> /dev/null; then
  as_root="sudo -n"
fi
if [ "$as_root" != none ] && command -v apt-get > /dev/null; then
  echo "Installing what is missing: $lacking$packages"
  # One package that the archive lacks must not keep the others away.
  $as_root apt-get update -qq || echo "apt-get update failed; trying with the lists there are" >&2
  install="$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends"
  if [ -n "$lacking" ]; then $install $debian || true; fi
  packages=$(missing_packages $needed $wanted)
  if [ -n "$packages" ]; then
    $install $(debian_names $packages) ||
      for name in $(debian_names $packages); do $install "$name" || true; done
  fi
  lacking=$(missing_commands)
fi

absent=$(missing_packages $needed)
if [ -n "$lacking$absent" ]; then
  {
    echo "Cannot go on: missing commands: ${lacking:-none}; missing R packages: ${absent:-none}."
    echo "On Debian or Ubuntu, as root:"
    echo "  apt-get install --no-install-recommends $debian $(debian_names $needed $wanted)"
    echo "Elsewhere install R (>= 4.1), a C compiler and xz, then in R:"
    echo "  install.packages(c($(printf '"%s", ' $needed $wanted | sed 's/, $//')))"
  } >&2
  exit 1
fi
absent=$(missing_packages $wanted)
if [ -n "$absent" ]; then
  echo "Not found: $absent. What needs them is skipped, and says so." >&2
fi
