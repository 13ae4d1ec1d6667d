#!/usr/bin/env bash
# Prepares everything `make check` runs: Debian packages, the Python environment, and the Go, Java,
# JavaScript and Rust clients.
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

# h2spec and grpcurl are tools of the same module, so that its go.sum checks them too.
go_clients() {
    (cd "$clients/go" && export GOFLAGS=-mod=readonly GOTOOLCHAIN=local &&
        go build -o "$built/flightsql-go" . &&
        go build -o "$built/grpc-go" ./raw &&
        go build -o "$built/arrow-go" ./ipc &&
        go build -o "$built/matrix-go" ./matrix &&
        go build -o "$built/h2spec" github.com/summerwind/h2spec/cmd/h2spec &&
        go build -o "$built/grpcurl" github.com/fullstorydev/grpcurl/cmd/grpcurl)
}

# An S3 server; go.sum of its module checks it.
s3_server() {
    (cd "$clients/versitygw" &&
        GOFLAGS=-mod=readonly GOTOOLCHAIN=local \
            go build -o "$built/versitygw" github.com/versity/versitygw/cmd/versitygw)
}

jdbc_driver() {
    local artifact=org.apache.arrow:flight-sql-jdbc-driver:18.3.0 jar=flight-sql-jdbc-driver-18.3.0.jar
    mvn --batch-mode --quiet org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
        -Dartifact="$artifact" -DoutputDirectory="$built/java" -Dmdep.overWriteReleases=true >&2 ||
        fail "Maven could not fetch $artifact"
    has_sha256 "$built/java/$jar" "$(cut -d' ' -f1 "$clients/java/driver.sha256")" ||
        fail "$jar has another checksum than tests/clients/java/driver.sha256"
    javac -d "$built/java" "$clients"/java/FlightSqlClient.java "$clients"/java/matrix/*.java
}

# java_program FOLDER POM CHECKSUMS SOURCE: the jars of the POM, checked, and the program compiled
# against them.
java_program() {
    local folder=$1 pom=$2 checksums=$3 source=$4
    rm -rf "$folder"
    mkdir -p "$folder/jars"
    mvn --batch-mode --quiet --file "$pom" \
        org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$folder/jars" >&2 ||
        fail "Maven could not fetch the jars of $pom"
    (cd "$folder/jars" && sha256sum --check --quiet --strict "$checksums") >&2 ||
        fail "a jar has another checksum than $checksums"
    javac -cp "$folder/jars/*" -d "$folder" "$source"
}

grpc_java() {
    java_program "$built/grpc-java" "$clients"/java/{pom.xml,grpc.sha256,GrpcJava.java}
}

arrow_java() {
    java_program "$built/arrow-java" "$clients"/java/ipc/{pom.xml,arrow.sha256,ArrowJava.java}
}

grpc_js() {
    local folder=$built/grpc-js
    mkdir -p "$folder" &&
        cp "$clients/js"/{package.json,package-lock.json,.npmrc,grpc_js.js} "$folder/" &&
        npm ci --silent --ignore-scripts --no-audit --no-fund --prefix "$folder" >&2
}

# The program of the matrix reads our proto files as any client would, without protobuf-c's options.
matrix_js() {
    local folder=$built/matrix-js proto
    mkdir -p "$folder" &&
        cp "$clients/js/matrix"/{package.json,package-lock.json,matrix.js} "$clients/js/.npmrc" "$folder/" &&
        npm ci --silent --ignore-scripts --no-audit --no-fund --prefix "$folder" >&2 || return 1
    for proto in flight flight_sql timestamp any; do
        sed '/protobuf-c\|pb_c_file/d' "$repository/src/proto/$proto.proto" >"$folder/$proto.proto" ||
            return 1
    done
}

rust_clients() {
    local folder=$built/rust
    mkdir -p "$folder" &&
        cp -r "$clients/rust/Cargo.toml" "$clients/rust/src" "$folder/" &&
        cargo build --quiet --manifest-path "$folder/Cargo.toml" \
            --target-dir "$folder/target" >&2 &&
        cp "$folder/target/debug/flightsql-rust" "$built/flightsql-rust" &&
        cp "$folder/target/debug/grpc_tonic" "$built/grpc-tonic" &&
        cp "$folder/target/debug/arrow_ipc" "$built/arrow-rust" &&
        cp "$folder/target/debug/matrix" "$built/matrix-rust"
}

"$repository/tools/setup_build.sh" tests
"$repository/tools/setup_build.sh" browser ||
    say "Chromium could not be installed: the page in a browser is left out"
"$repository/tools/fetch_flights.sh" >/dev/null
once python "$repository"/tests/requirements*.txt -- python_environment
once tools "$repository"/tests/tools/requirements.txt -- python_tools

if command -v go >/dev/null && version_at_least go1.25 "$(GOTOOLCHAIN=local go env GOVERSION)"; then
    once go "$clients"/go/*.go "$clients"/go/{raw,ipc,matrix}/*.go "$clients"/go/go.* -- go_clients ||
        fail "the Go clients could not be built"
    once versitygw "$clients"/versitygw/go.* -- s3_server || fail "the S3 server could not be built"
else
    say "Go >= 1.25 is not here: the Go clients, h2spec, grpcurl and the S3 server are left out"
fi
if command -v mvn >/dev/null && command -v javac >/dev/null; then
    once java "$clients"/java/{FlightSqlClient.java,driver.sha256} "$clients"/java/matrix/*.java -- \
        jdbc_driver ||
        fail "the JDBC client could not be prepared"
    once grpc-java "$clients"/java/{GrpcJava.java,pom.xml,grpc.sha256} -- grpc_java ||
        fail "grpc-java could not be prepared"
    once arrow-java "$clients"/java/ipc/{ArrowJava.java,pom.xml,arrow.sha256} -- arrow_java ||
        fail "Arrow Java could not be prepared"
else
    say "a JDK with Maven is not here: the JDBC client, grpc-java and Arrow Java are left out"
fi
if command -v npm >/dev/null && command -v node >/dev/null; then
    once grpc-js "$clients"/js/{package.json,package-lock.json,.npmrc,grpc_js.js} -- grpc_js ||
        fail "grpc-js could not be prepared"
    once matrix-js "$clients"/js/matrix/* "$repository"/src/proto/*.proto -- matrix_js ||
        fail "grpc-js with apache-arrow could not be prepared"
else
    say "Node.js with npm is not here: grpc-js is left out"
fi
if command -v cargo >/dev/null && version_at_least 1.85 "$(cargo --version | cut -d' ' -f2)"; then
    once rust "$clients/rust/Cargo.toml" "$clients"/rust/src/{,bin/}*.rs -- rust_clients ||
        fail "the Rust clients could not be built"
else
    say "Rust >= 1.85 is not here: the Rust clients are left out"
fi
