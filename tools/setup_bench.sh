#!/usr/bin/env bash
# Prepares `make bench`: the Python environment with the peers, the Go peers, the small C programs.
#
# usage: tools/setup_bench.sh
#
# Needs Go >= 1.25 and a C compiler; h2load and curl come from Debian's packages. A second call with
# nothing changed fetches nothing.
#
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bench=$repository/bench
built=$cache/bench
mkdir -p "$built" "$cache/stamps"

peers_in_python() {
    "$cache/venv/bin/pip" install --quiet --disable-pip-version-check \
        -r "$bench/requirements.txt" >&2
}

peers_in_go() {
    command -v go >/dev/null || fail "the benchmark's client and one peer need Go >= 1.25"
    (cd "$bench/peers/go" && GOFLAGS=-mod=readonly GOTOOLCHAIN=local go build -o "$built/" ./...)
}

native_programs() {
    gcc -O2 -Wall -Wextra -o "$built/raw" "$bench/native/raw.c" &&
        gcc -O2 -Wall -Wextra -shared -fPIC -o "$built/libdrain.so" "$bench/native/drain.c"
}

"$repository/tools/setup_build.sh" bench
once python "$repository/tests/requirements.txt" -- python_environment
once bench-python "$bench/requirements.txt" "$repository/tests/requirements.txt" -- peers_in_python
once bench-go "$bench"/peers/go/*/*.go "$bench"/peers/go/go.* -- peers_in_go
once bench-native "$bench"/native/*.c -- native_programs
