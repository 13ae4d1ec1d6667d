#!/usr/bin/env bash
# Puts what the pages /docs and /redoc are made of into a folder: Swagger UI and ReDoc, as their npm
# packages have them, with their licences.
#
# usage: tools/fetch_api_pages.sh [DEST]    (default: .cache/api-pages in the repository)
#
# Exact versions, used only if the checksum is the pinned one; where the files are right already nothing
# is fetched. Prints DEST when done.
#
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

destination=${1:-$cache/api-pages}
swagger_ui=swagger-ui-dist@5.35.0
redoc=redoc@2.5.4

mkdir -p "$destination"
destination=$(cd "$destination" && pwd)
exec 9>"$destination/.lock"
flock 9

# fetch PACKAGE MEMBER HASH NAME
fetch() {
    fetch_from_npm "$1" "package/$2" "$3" "$destination/$4"
}

fetch "$swagger_ui" swagger-ui-bundle.js \
    e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2 swagger-ui-bundle.js
fetch "$swagger_ui" swagger-ui.css \
    5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d swagger-ui.css
fetch "$swagger_ui" LICENSE \
    cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30 swagger-ui.LICENSE
fetch "$redoc" bundles/redoc.standalone.js \
    dcaf76612bc4a3fbcc923a8966dee2f6146a5f32e5ce1b6f02dd60cbbf89500b redoc.standalone.js
fetch "$redoc" LICENSE \
    d3026d549cf68ab7355bcfa85877bf8f845b3334a7efbfdc63936432fb34ff0e redoc.LICENSE
printf '%s\n' "$destination"
