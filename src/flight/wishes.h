/*
 * wishes.h — wishes for an upload (store/put_wishes.h) in JSON: of a descriptor, of app_metadata.
 *
 * Threads: any; no state. Source: contracts section 6. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "store/put_wishes.h"
#include "json/reader.h"

/* Sets those that are members of a JSON object; a `ttl` may also be a number of seconds. */
MUST_CHECK enum status put_wishes_read(struct put_wishes *wishes, const struct json_value *object,
                                       struct error *error);
