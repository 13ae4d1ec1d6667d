#!/usr/bin/env bash
# Puts the demo data, 3,000,000 real US flights, into a file (npm package vega-datasets,
# BSD-3-Clause).
#
# usage: tools/fetch_flights.sh [FILE]    (default: .cache/data/flights.parquet in the repository)
#
# Checked against the pinned checksum; where the file is right already nothing is fetched. Prints
# FILE when done.
#
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

file=${1:-$cache/data/flights.parquet}

mkdir -p "$(dirname "$file")"
exec 9>"$(dirname "$file")/.lock"
flock 9
fetch_from_npm vega-datasets@3.2.1 package/data/flights-3m.parquet \
    dbeb920c90f59b6ccaff823dcc3d08f25a97fa1ce128d93f40be4e931f5900b0 "$file"
printf '%s\n' "$file"
