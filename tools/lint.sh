#!/usr/bin/env bash
# Checks the text of the sources: layers, house rules, format, shell scripts, clang-tidy.
#
# usage: tools/lint.sh [format]    with `format`: applies clang-format instead of checking
#
# clang-tidy reads the compile commands of build-check and is left out where that folder is not
# configured.
#
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$repository"

mapfile -t sources < <(find src tests bench -name '*.[ch]' | sort)
if [ "${1:-}" = format ]; then
    clang-format -i "${sources[@]}"
    exit
fi

mapfile -t scripts < <(find tools tests bench .ci -name '*.sh' -o -path .ci/run | sort)
say "lint: layers and house rules"
python3 tools/check_layers.py
python3 tools/tidy.py
say "lint: clang-format"
clang-format --dry-run -Werror "${sources[@]}"
say "lint: shellcheck"
shellcheck -x -P SCRIPTDIR "${scripts[@]}"
if [ -f build-check/compile_commands.json ]; then
    say "lint: clang-tidy"
    mapfile -t compiled < <(find src -name '*.c' | sort)
    printf '%s\0' "${compiled[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy -p build-check --quiet 2>/dev/null
fi
