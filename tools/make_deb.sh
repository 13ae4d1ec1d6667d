#!/usr/bin/env bash
# Packs a release build as a Debian package.
#
# usage: tools/make_deb.sh [BUILD [DEST]]    (default: build, and build/deb)
#
# Takes what the build would install, under /usr, adds the service and the default configuration
# of packaging/debian, and checks the package with lintian. Fetches nothing. Prints the package's
# path. VOLLEY_DEB_FAST=1 compresses less, for tests.
#
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$repository"

build=$(realpath "${1:-build}")
destination=$(realpath -m "${2:-$build/deb}")
for tool in dh dpkg-buildpackage lintian; do
    command -v "$tool" >/dev/null || fail "$tool is missing: run 'tools/setup_build.sh deb' first"
done
[ -x "$build/volley" ] || fail "$build has no program: run 'make build' first"

version=$(sed -n "s/^  version: '\(.*\)',$/\1/p" meson.build)
packed=$(dpkg-parsechangelog -l packaging/debian/changelog -S Version)
[ "${packed%-*}" = "$version" ] ||
    fail "packaging/debian/changelog is of ${packed%-*}, meson.build of $version"

work=$(mktemp -d "${TMPDIR:-/tmp}/volley-deb.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The prefix of the build does not matter to what is in it: programs find their files from where they lie.
prefix=$(meson introspect "$build" --buildoptions |
    python3 -c '
import json, sys
print(*(option["value"] for option in json.load(sys.stdin) if option["name"] == "prefix"))')
meson install -C "$build" --no-rebuild --quiet --destdir "$work/installed" >&2
stage=$work/stage
mkdir -p "$stage/etc/volley"
cp -a "$work/installed$prefix" "$stage/usr"
mkdir -p "$stage/usr/share/zsh"
mv "$stage/usr/share/zsh/site-functions" "$stage/usr/share/zsh/vendor-completions"
if [ -f "$cache/data/flights.parquet" ]; then
    install -D -m 644 "$cache/data/flights.parquet" "$stage/usr/share/volley/flights.parquet"
fi
install -m 644 packaging/debian/volley.yaml "$stage/etc/volley/volley.yaml"

source=$work/volley-$version
mkdir -p "$source" "$destination"
cp -a packaging/debian "$source/debian"
rm "$source/debian/volley.yaml"
chmod -R go=u-w "$source" "$stage"
compression=-Zxz
[ -z "${VOLLEY_DEB_FAST:-}" ] || compression="-Zgzip -z1"
(cd "$source" && VOLLEY_STAGE=$stage VOLLEY_DEB_COMPRESSION=$compression \
    dpkg-buildpackage --build=binary --no-sign --no-check-builddeps >"$work/log" 2>&1) ||
    { cat "$work/log" >&2; fail "the package could not be built"; }
package=$(basename "$work"/volley_*.deb)
lintian --allow-root --fail-on error "$work/$package" >&2 ||
    fail "lintian found errors in $package"
mv "$work/$package" "$destination/$package"
printf '%s\n' "$destination/$package"
