#!/usr/bin/env bash
# Puts the pinned DuckDB library and C header into a folder: DEST/lib/libduckdb.so,
# DEST/include/duckdb.h.
#
# usage: tools/fetch_duckdb.sh [DEST]    (default: .cache/duckdb in the repository)
#
# Both files come from npm packages of exact versions and are used only if their checksum is the
# pinned one. Where they are right already nothing is fetched, so a second call works offline.
# Prints DEST when done.
#
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

destination=${1:-$cache/duckdb}

# The npm registry has no 1.5.6 for arm64; the 1.5.5 library has every function that the header
# declares.
case $(uname -m) in
x86_64)
    library_package=@duckdb/node-bindings-linux-x64@1.5.6-r.1
    library_sha256=3f4962cdd266eab2b479a5b5a4a6d063d279b2954ae814ed00385d553b747633
    ;;
aarch64 | arm64)
    library_package=@duckdb/node-bindings-linux-arm64@1.5.5-r.5
    library_sha256=d00d007f3f7ca1f2896a5e4b89c2ce141bf0508506a9d6d56f9598b8e59d074e
    ;;
*)
    fail "no DuckDB library is pinned for $(uname -m): build with meson's -Dduckdb=PREFIX for your own"
    ;;
esac
header_package=duckdb@1.4.4
header_sha256=cbe6a827284375c5a646b8f27dbd3a00808ce8738b5bbb49c190cb1e08540281

mkdir -p "$destination"
destination=$(cd "$destination" && pwd)
exec 9>"$destination/.lock"
flock 9

fetch_from_npm "$library_package" package/libduckdb.so "$library_sha256" "$destination/lib/libduckdb.so"
fetch_from_npm "$header_package" package/src/duckdb/src/include/duckdb.h "$header_sha256" \
    "$destination/include/duckdb.h"
printf '%s\n' "$destination"
