# What a person types. Every target sets up what it needs by itself (tools/setup.sh).
#   make demo     Old Faithful: choose, fit, summarise and draw a mixture
#   make test     the tests of the Rust core and of the R package
#   make check    R CMD check of the source package: no errors, no warnings
#   make lint     clippy, rustfmt, lintr, and generated files that are out of date
#   make bench    speed and memory against other programs
#   make docs     man/, NAMESPACE, the native wrappers and the credits, from their sources
#   make dist     ember_<version>.tar.gz, with its crates: installs without network
#   make offline  proves that: installs it with the network cut off
#   make clean    removes everything that make built

SHELL = /bin/sh
export PATH := $(PATH):$(HOME)/.cargo/bin
# One language, one collation order: snapshots and R CMD check must not depend on the machine.
export LC_ALL := C.UTF-8
export LANGUAGE := en
export R_LIBS := $(CURDIR)/build/library$(if $(R_LIBS),:$(R_LIBS))
LIBRARY = build/library
# Compiles quickly after a change; what is measured or given away is compiled as users do.
EMBER_DEV = true
PNG = demo/old-faithful.png

.PHONY: help install demo test check lint bench docs wrappers dist offline clean

help:
	@sed -n 's/^#   make/make/p' Makefile

# cargo knows what is out of date, so this is quick when nothing has changed.
install:
	@tools/setup.sh build
	@mkdir -p $(LIBRARY)
	@EMBER_DEV=$(EMBER_DEV) R CMD INSTALL --no-docs --no-test-load --library=$(LIBRARY) . > build/install.log 2>&1 || \
	  { cat build/install.log; exit 1; }

demo: install
	@mkdir -p demo
	@Rscript tools/demo.R $(PNG)

test:
	@tools/setup.sh test
	@$(MAKE) --no-print-directory install
	@tools/test.sh

check:
	@tools/setup.sh check
	@tools/check.sh

lint:
	@tools/setup.sh develop
	@$(MAKE) --no-print-directory install
	@tools/lint.sh

bench:
	@tools/setup.sh bench
	@$(MAKE) --no-print-directory install EMBER_DEV=false
	@tools/bench.sh

docs:
	@tools/setup.sh develop
	@tools/docs.sh

wrappers:
	@tools/setup.sh build
	@Rscript tools/wrappers.R

dist:
	@tools/setup.sh check
	@tools/dist.sh

offline: dist
	@tools/offline.sh

clean:
	rm -rf build demo src/rust/target bench/target src/*.o src/*.so src/Makevars ember_*.tar.gz
