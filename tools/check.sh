#!/usr/bin/env bash
# The gate: prepares the tests, then runs every one of them. `make check` and CI run this.
#
# usage: tools/check.sh
#
# Lint; unit, wire and lint suites in a plain build and again under ASan and UBSan; each fuzz
# target for a short time; the integration tests against the sanitizer build; the soak and the gRPC
# interoperability tests under ThreadSanitizer; all of them against the release build together with
# the clients of other languages. Stops at the first step that fails.
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
export TSAN_OPTIONS=suppressions=$repository/tests/tsan.supp:second_deadlock_stack=1

configure() { # FOLDER OPTION...: configures once; meson itself notices later changes of the build files
    local folder=$1
    shift
    [ -f "$folder/build.ninja" ] || meson setup "$folder" "$@" >"$reports/$folder.configure" ||
        { cat "$reports/$folder.configure"; fail "$folder could not be configured"; }
}

build_targets() { # FOLDER TARGET...: everything, where no target is named
    ninja -C "$@" >"$reports/$1.build" || { tail -n 60 "$reports/$1.build"; fail "$1 failed"; }
}

run_meson_tests() { # FOLDER
    meson test -C "$1" --no-rebuild --no-suite lint --print-errorlogs --num-processes "$(nproc)"
    cp "$1/meson-logs/testlog.junit.xml" "$reports/$1.xml"
}

run_fuzz_target() { # TARGET
    local name seeds=() folder
    name=$(basename "$1")
    folder=tests/fuzz/corpus/${name%_fuzz}
    [ -d "$folder" ] && seeds=("$folder")
    mkdir -p "$cache/corpus/$name"
    "$1" -max_total_time="${VOLLEY_FUZZ_SECONDS:-10}" -rss_limit_mb=1024 -timeout=5 \
        -artifact_prefix="$reports/" "$cache/corpus/$name" "${seeds[@]}" >"$reports/$name.log" 2>&1 ||
        { tail -n 60 "$reports/$name.log"; fail "fuzz target $name failed; its input is in $reports"; }
}

run_fuzz_targets() { # as many at once as there are cores
    local targets=(build-fuzz/tests/fuzz/*_fuzz) target running=0
    for target in "${targets[@]}"; do
        if [ "$running" -ge "$(nproc)" ]; then
            wait -n
            running=$((running - 1))
        fi
        run_fuzz_target "$target" &
        running=$((running + 1))
    done
    for (( ; running > 0; running--)); do
        wait -n
    done
    say "fuzz: ${#targets[@]} targets, ${VOLLEY_FUZZ_SECONDS:-10} s each, found nothing"
}

run_integration() { # NAME BUILD HELPERS PYTEST-ARGUMENT...: HELPERS is a build folder with tests
    local name=$1 build=$2 helpers=$3
    shift 3
    VOLLEY_BINARY=$repository/$build/volley \
        VOLLEY_ARROW_SAMPLE=$repository/$helpers/tests/unit/arrow/arrow_tool \
        VOLLEY_GRPC_TEST_SERVER=$repository/$helpers/tests/wire/grpc/grpc_test_server \
        "$cache/venv/bin/python" -m pytest tests/integration tests/wire/grpc/interop_test.py -q -rsfE \
        -n "$(nproc)" \
        --junitxml="$reports/integration-$name.xml" -o junit_suite_name="$name" "$@"
}

tools/setup_tests.sh

say "building"
configure build --buildtype=release -Doptimization=2 -Db_lto=true -Dtests=false
configure build-check --buildtype=debugoptimized
configure build-asan --buildtype=debug -Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false
configure build-tsan --buildtype=debug -Doptimization=1 -Db_sanitize=thread -Db_lundef=false
CC=clang configure build-fuzz --buildtype=debug -Doptimization=1 -Db_sanitize=address,undefined \
    -Db_lundef=false -Dtests=false -Dfuzz=true
for folder in build build-check build-asan build-fuzz; do
    build_targets "$folder"
done
build_targets build-tsan volley volley-server \
    tests/wire/grpc/grpc_test_server tests/wire/http/http_test_server

tools/lint.sh
say "unit and wire tests"
run_meson_tests build-check
say "unit and wire tests under ASan and UBSan"
run_meson_tests build-asan
run_fuzz_targets
say "integration tests under ASan and UBSan"
run_integration asan build-asan build-asan -m "not clients and not release"
say "soak and interoperability under TSan"
VOLLEY_ENGINE_THREADS=1 run_integration tsan build-tsan build-tsan -k "soak or interop or websocket"
say "integration tests and client matrix"
run_integration release build build-check
python3 tools/gate_summary.py "$reports"
