#!/usr/bin/env bash
# Installs what a build needs that is not there yet; on a machine that has it all, changes and
# fetches nothing.
#
# usage: tools/setup_build.sh          what `make run` and `make build` need
#        tools/setup_build.sh tests    what `make check` needs besides
#        tools/setup_build.sh browser  Chromium, for the test of a page
#        tools/setup_build.sh bench    what `make bench` needs besides
#        tools/setup_build.sh deb      what `make deb` needs besides
#
# Debian 12 packages, by apt, as root or through sudo. A thing counts as present when it can be
# used (a command, a pkg-config module, a file), so other distributions can bring it in their own
# way. x86-64 and arm64 are alike here.
#
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# kind:probe:package, kind one of command, module (pkg-config), file (any of them, with patterns).
build_needs=(
    command:gcc:gcc
    file:/usr/include/stdio.h:libc6-dev
    command:meson:meson
    command:ninja:ninja-build
    command:pkg-config:pkg-config
    command:python3:python3
    command:npm:npm
    file:/etc/ssl/certs/ca-certificates.crt:ca-certificates
    module:libnghttp2:libnghttp2-dev
    module:libcrypto:libssl-dev
    module:libcurl:libcurl4-openssl-dev
    file:/usr/share/llhttp/llhttp.c:node-llhttp
    file:/usr/include/wslay/wslay.h:libwslay-dev
    module:libprotobuf-c:libprotobuf-c-dev
    command:protoc-c:protobuf-c-compiler
    module:zlib:zlib1g-dev
    module:liblz4:liblz4-dev
    module:libzstd:libzstd-dev
    module:jansson:libjansson-dev
    module:yaml-0.1:libyaml-dev
    module:sqlite3:libsqlite3-dev
    module:libedit:libedit-dev
    file:/usr/lib/*/libstdc++.so.6:libstdc++6
)
test_needs=(
    command:git:git
    module:cmocka:libcmocka-dev
    file:/usr/lib/gcc/*/*/libasan.so:libgcc-12-dev
    command:clang:clang
    file:/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a:libclang-rt-14-dev
    command:clang-format:clang-format
    command:clang-tidy:clang-tidy
    command:shellcheck:shellcheck
    command:curl:curl
    command:nghttpd:nghttp2-server
    command:openssl:openssl
    command:groff:groff-base
    command:mandoc:mandoc
    command:systemd-analyze:systemd
    command:zsh:zsh
    command:fish:fish
    command:promtool:prometheus
    file:/usr/lib/python3*/ensurepip/__init__.py:python3-venv
)

bench_needs=(
    command:curl:curl
    command:h2load:nghttp2-client
    command:openssl:openssl
    command:g++:g++
    module:grpc++:libgrpc++-dev
    file:/usr/lib/python3*/ensurepip/__init__.py:python3-venv
)

deb_needs=(
    command:dh:debhelper
    command:dpkg-buildpackage:dpkg-dev
    command:lintian:lintian
    command:xz:xz-utils
)

present() {
    case $1 in
    command) command -v "$2" >/dev/null ;;
    module) command -v pkg-config >/dev/null && pkg-config --exists "$2" ;;
    file) compgen -G "$2" >/dev/null ;;
    esac
}

missing_packages() {
    local need kind probe package
    for need in "$@"; do
        IFS=: read -r kind probe package <<<"$need"
        present "$kind" "$probe" || printf '%s\n' "$package"
    done
}

install_packages() {
    local as_root=()
    command -v apt-get >/dev/null ||
        fail "missing: $*. There is no apt-get here: install their likes with this system's package manager"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "missing: $*. Run this as root, or install sudo"
        as_root=(sudo)
    fi
    say "installing $*"
    # Two tries: a package list that is a moment old may name a version that has just been replaced.
    for _ in 1 2; do
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2 &&
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
                --no-install-recommends "$@" >&2 && return 0
    done
    fail "apt-get could not install: $*"
}

needs=("${build_needs[@]}")
case ${1:-} in
browser) needs+=(command:chromium:chromium) ;;
tests) needs+=("${test_needs[@]}" "${deb_needs[@]}") ;;
deb) needs+=("${deb_needs[@]}") ;;
bench) needs+=("${bench_needs[@]}") ;;
esac
mapfile -t missing < <(missing_packages "${needs[@]}")
if [ ${#missing[@]} -gt 0 ]; then
    install_packages "${missing[@]}"
    mapfile -t missing < <(missing_packages "${needs[@]}")
    [ ${#missing[@]} -eq 0 ] || fail "still not usable after the installation: ${missing[*]}"
fi
