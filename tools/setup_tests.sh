#!/usr/bin/env bash
# Prepares everything `make check` runs: Debian packages, the Python environment, and the Go, Java
# and Rust clients.
#
# usage: tools/setup_tests.sh
#
# A client whose toolchain is absent is left out with a message; its tests then skip by name, or
# fail where VOLLEY_REQUIRE_CLIENTS=1. Each step leaves a stamp of its inputs in the cache and is
# not repeated while they stay the same, so a second call fetches nothing.
#
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

clients=$repository/tests/clients
built=$cache/clients
mkdir -p "$built" "$cache/stamps"

version_at_least() { # WANTED GOT
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

go_client() {
    (cd "$clients/go" && GOFLAGS=-mod=readonly GOTOOLCHAIN=local go build -o "$built/flightsql-go" .)
}

jdbc_driver() {
    local artifact=org.apache.arrow:flight-sql-jdbc-driver:18.3.0 jar=flight-sql-jdbc-driver-18.3.0.jar
    mvn --batch-mode --quiet org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
        -Dartifact="$artifact" -DoutputDirectory="$built/java" -Dmdep.overWriteReleases=true >&2 ||
        fail "Maven could not fetch $artifact"
    has_sha256 "$built/java/$jar" "$(cut -d' ' -f1 "$clients/java/driver.sha256")" ||
        fail "$jar has another checksum than tests/clients/java/driver.sha256"
    javac -d "$built/java" "$clients/java/FlightSqlClient.java"
}

rust_client() {
    local folder=$built/rust
    mkdir -p "$folder/src" &&
        cp "$clients/rust/Cargo.toml" "$folder/" &&
        cp "$clients/rust/src/main.rs" "$folder/src/" &&
        cargo build --quiet --manifest-path "$folder/Cargo.toml" \
            --target-dir "$folder/target" >&2 &&
        cp "$folder/target/debug/flightsql-rust" "$built/flightsql-rust"
}

"$repository/tools/setup_build.sh" tests
"$repository/tools/fetch_flights.sh" >/dev/null
once python "$repository/tests/requirements.txt" -- python_environment

if command -v go >/dev/null && version_at_least go1.25 "$(GOTOOLCHAIN=local go env GOVERSION)"; then
    once go "$clients"/go/*.go "$clients"/go/go.* -- go_client || fail "the Go client could not be built"
else
    say "Go >= 1.25 is not here: the Go client is left out"
fi
if command -v mvn >/dev/null && command -v javac >/dev/null; then
    once java "$clients"/java/* -- jdbc_driver || fail "the Java client could not be prepared"
else
    say "a JDK with Maven is not here: the JDBC client is left out"
fi
if command -v cargo >/dev/null && version_at_least 1.85 "$(cargo --version | cut -d' ' -f2)"; then
    once rust "$clients/rust/Cargo.toml" "$clients/rust/src/main.rs" -- rust_client ||
        fail "the Rust client could not be built"
else
    say "Rust >= 1.85 is not here: the Rust client is left out"
fi
