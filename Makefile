# The one entry point; what a target does stands in tools/ and meson.build.
#
# SPDX-License-Identifier: Apache-2.0
PREFIX ?= /usr/local
DESTDIR ?=
RELEASE = --buildtype=release -Doptimization=2 -Db_lto=true -Dtests=false

.DEFAULT_GOAL := help
.PHONY: help setup build run check bench docs-clients lint format clean install deb dist

help:
	@echo "make run      install what is missing, build, and serve the demo data on loopback"
	@echo "make build    a release build: build/volley"
	@echo "make check    prepare the tests and run every one of them"
	@echo "make lint     layers, house rules, format, shell scripts, clang-tidy"
	@echo "make format   apply clang-format"
	@echo "make bench    measure Volley and its peers; rewrites docs/performance.md"
	@echo "make docs-clients  run the matrix of clients; rewrites the tables of docs/clients.md"
	@echo "make install  install below PREFIX ($(PREFIX)); DESTDIR for packages"
	@echo "make deb      a Debian package: build/deb/volley_*.deb"
	@echo "make dist     the sources of the last commit: build/dist/volley-*.tar.xz"
	@echo "make clean    remove the build folders; the downloads in .cache stay"

setup:
	@tools/setup_build.sh

build/build.ninja: | setup
	@meson setup build $(RELEASE) --prefix "$(PREFIX)" >&2

build: setup build/build.ninja
	@ninja -C build

run: build
	@tools/fetch_flights.sh >/dev/null
	@exec build/volley serve --demo

check:
	@tools/check.sh

bench: build
	@tools/setup_bench.sh
	@ninja -C build bench/native/arrow_bench bench/native/s3_bench
	@"$${VOLLEY_CACHE:-.cache}"/venv/bin/python -W ignore bench/run.py

docs-clients: build
	@tools/setup_tests.sh
	@"$${VOLLEY_CACHE:-.cache}"/venv/bin/python -m pytest -q -W ignore --write-client-table \
		tests/integration/test_matrix_*.py tests/integration/test_client_table.py

lint:
	@tools/lint.sh

format:
	@tools/lint.sh format

install: build
	@meson configure build --prefix "$(abspath $(PREFIX))"
	@DESTDIR="$(DESTDIR)" meson install -C build
	@[ ! -f .cache/data/flights.parquet ] || install -D -m 644 .cache/data/flights.parquet \
		"$(DESTDIR)$(abspath $(PREFIX))/share/volley/flights.parquet"

deb: build
	@tools/setup_build.sh deb
	@tools/fetch_flights.sh >/dev/null
	@tools/make_deb.sh

dist:
	@tools/make_dist.sh

clean:
	rm -rf build build-*
