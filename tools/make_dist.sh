#!/usr/bin/env bash
# Packs the sources of the last commit, the same bytes each time.
#
# usage: tools/make_dist.sh [DEST]    (default: build/dist)
#
# Nothing third-party is in it: its `make build` fetches what the build needs. Prints the archive's path.
#
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$repository"

destination=$(realpath -m "${1:-build/dist}")
version=$(sed -n "s/^  version: '\(.*\)',$/\1/p" meson.build)
archive=$destination/volley-$version.tar.xz
mkdir -p "$destination"
[ -z "$(git status --porcelain --untracked-files=no)" ] ||
    say "there are changes that are not committed: they are not in the archive"
git archive --format=tar --prefix="volley-$version/" HEAD | xz -T0 >"$archive.part"
mv "$archive.part" "$archive"
printf '%s\n' "$archive"
