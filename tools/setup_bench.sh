#!/usr/bin/env bash
# Prepares `make bench`: the Python environment with the peers, the peers in Go, Rust and C++, nginx
# and h2o, the small C programs.
#
# usage: tools/setup_bench.sh
#
# Needs Go >= 1.25 and a C compiler; h2load and curl come from Debian's packages. Without Rust, a C++
# compiler with gRPC's headers, or apt-get, the peers made with them are left out. nginx and h2o are
# unpacked, not installed: an installed one would start as a service. A second call with nothing
# changed fetches nothing.
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

# The S3 server that uploads are measured against; the same module as the tests have.
s3_server() {
    (cd "$repository/tests/clients/versitygw" && GOFLAGS=-mod=readonly GOTOOLCHAIN=local \
        go build -o "$built/versitygw" github.com/versity/versitygw/cmd/versitygw)
}

peers_in_rust() {
    local folder=$built/rust
    mkdir -p "$folder" &&
        cp -r "$bench/peers/rust/Cargo.toml" "$bench/peers/rust/src" "$folder/" &&
        cargo build --quiet --release --manifest-path "$folder/Cargo.toml" \
            --target-dir "$folder/target" >&2 &&
        cp "$folder/target/release/health-tonic" "$folder/target/release/flight-tonic" "$built/" &&
        sed -n '/^name = "tonic"$/{n;s/^version = "\(.*\)"$/\1/p}' "$folder/Cargo.lock" \
            >"$built/tonic.version"
}

peer_in_cpp() {
    local flags
    read -ra flags <<<"$(pkg-config --cflags --libs grpc++)"
    g++ -O2 -Wall -Wextra -o "$built/health-cpp" "$bench/peers/cpp/health.cc" "${flags[@]}"
}

web_peers() {
    local packages=$built/packages package
    rm -rf "$packages" "$built/debian"
    mkdir -p "$packages" "$built/debian" &&
        (cd "$packages" && apt-get download -qq nginx h2o >&2) || return 1
    for package in "$packages"/*.deb; do
        dpkg-deb --extract "$package" "$built/debian" || return 1
    done
    rm -rf "$packages"
}

native_programs() {
    gcc -O2 -Wall -Wextra -o "$built/raw" "$bench/native/raw.c" &&
        gcc -O2 -Wall -Wextra -o "$built/idle" "$bench/native/idle.c" -lssl -lcrypto -lpthread &&
        gcc -O2 -Wall -Wextra -o "$built/codec" "$bench/native/codec.c" -llz4 -lzstd &&
        gcc -O2 -Wall -Wextra -o "$built/feed" "$bench/native/feed.c" -lnghttp2 &&
        gcc -O2 -Wall -Wextra -shared -fPIC -o "$built/libdrain.so" "$bench/native/drain.c"
}

"$repository/tools/setup_build.sh" bench
once python "$repository"/tests/requirements*.txt -- python_environment
once bench-python "$bench/requirements.txt" "$repository"/tests/requirements*.txt -- peers_in_python
once bench-go "$bench"/peers/go/*/*.go "$bench"/peers/go/go.* -- peers_in_go
once bench-s3 "$repository"/tests/clients/versitygw/go.* -- s3_server
once bench-native "$bench"/native/*.c -- native_programs
if command -v cargo >/dev/null; then
    once bench-rust "$bench"/peers/rust/Cargo.toml "$bench"/peers/rust/src/*.rs -- peers_in_rust ||
        say "the peers in Rust could not be built: they are left out"
fi
if command -v g++ >/dev/null && pkg-config --exists grpc++; then
    once bench-cpp "$bench"/peers/cpp/health.cc -- peer_in_cpp ||
        say "the peer in C++ could not be built: it is left out"
fi
if command -v apt-get >/dev/null; then
    once bench-web "$bench"/web_peers.py -- web_peers ||
        say "nginx and h2o could not be fetched: they are left out"
fi
