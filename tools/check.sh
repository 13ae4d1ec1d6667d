#!/usr/bin/env bash
# The gate: prepares the tests, then runs every one of them. `make check` and CI run this.
#
# usage: tools/check.sh
#
# Lint; unit, wire and lint suites in a plain build and again under ASan and UBSan; each fuzz
# target for a short time; the integration tests against the sanitizer build, then against the
# release build together with the Go, Java and Rust clients. Stops at the first step that fails.
# VOLLEY_FUZZ_SECONDS (default 10) is the time of one target.
#
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$repository"

reports=$cache/reports
rm -rf "$reports"
mkdir -p "$reports"
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1

configure() { # FOLDER OPTION...: configures once; meson itself notices later changes of the build files
    local folder=$1
    shift
    [ -f "$folder/build.ninja" ] || meson setup "$folder" "$@" >"$reports/$folder.configure" ||
        { cat "$reports/$folder.configure"; fail "$folder could not be configured"; }
}

run_meson_tests() { # FOLDER
    meson test -C "$1" --no-rebuild --no-suite lint --print-errorlogs --num-processes "$(nproc)"
    cp "$1/meson-logs/testlog.junit.xml" "$reports/$1.xml"
}

run_fuzz_targets() {
    local target name count=0
    for target in build-fuzz/tests/fuzz/*_fuzz; do
        [ -x "$target" ] || continue
        name=$(basename "$target")
        mkdir -p "$cache/corpus/$name"
        local seeds=() folder=tests/fuzz/corpus/${name%_fuzz}
        [ -d "$folder" ] && seeds=("$folder")
        "$target" -max_total_time="${VOLLEY_FUZZ_SECONDS:-10}" -rss_limit_mb=1024 -timeout=5 \
            -artifact_prefix="$reports/" "$cache/corpus/$name" "${seeds[@]}" >"$reports/$name.log" 2>&1 ||
            { tail -n 60 "$reports/$name.log"; fail "fuzz target $name failed; its input is in $reports"; }
        count=$((count + 1))
    done
    say "fuzz: $count targets, ${VOLLEY_FUZZ_SECONDS:-10} s each, found nothing"
}

run_integration() { # NAME BUILD HELPERS PYTEST-ARGUMENT...: HELPERS is a build folder with tests
    local name=$1 build=$2 helpers=$3
    shift 3
    VOLLEY_BINARY=$repository/$build/volley \
        VOLLEY_ARROW_SAMPLE=$repository/$helpers/tests/unit/arrow/arrow_tool \
        "$cache/venv/bin/python" -m pytest tests/integration -q -rsfE \
        --junitxml="$reports/integration-$name.xml" -o junit_suite_name="$name" "$@"
}

tools/setup_tests.sh

say "building"
configure build --buildtype=release -Doptimization=2 -Dtests=false
configure build-check --buildtype=debugoptimized
configure build-asan --buildtype=debug -Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false
CC=clang configure build-fuzz --buildtype=debug -Doptimization=1 -Db_sanitize=address,undefined \
    -Db_lundef=false -Dtests=false -Dfuzz=true
for folder in build build-check build-asan build-fuzz; do
    ninja -C "$folder" >"$reports/$folder.build" ||
        { tail -n 60 "$reports/$folder.build"; fail "$folder failed"; }
done

tools/lint.sh
say "unit and wire tests"
run_meson_tests build-check
say "unit and wire tests under ASan and UBSan"
run_meson_tests build-asan
run_fuzz_targets
say "integration tests under ASan and UBSan"
run_integration asan build-asan build-asan -m "not clients and not release"
say "integration tests and client matrix"
run_integration release build build-check
python3 tools/gate_summary.py "$reports"
