/*
 * paging.h — lists that are told page by page: where the next page begins.
 * Private to rest. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "rest/rest_private.h"
#include "json/writer.h"

/* Writes the member next_page_token, null when the token is empty; otherwise also a header `link` to the
 * same list from there on. */
void rest_write_next_page(struct rest_exchange *exchange, struct json_writer *json,
                          struct str token);

/* Tokens that are the parts of a name: each in hexadecimal digits, with dots between them. An empty token
 * leaves all parts empty. INVALID_ARGUMENT (VALIDATION_ERROR) when it is no token of `count` parts, none of
 * them empty, all of them UTF-8. */
MUST_CHECK enum status rest_page_token_read(struct arena *arena, struct str token,
                                            struct str *parts, size_t count, struct error *error);
/* Appends, unless the token is empty, a condition on the rows behind it: `before`, such as
 * " WHERE (catalog, name) > ", and its parts as texts in parentheses. */
MUST_CHECK enum status rest_append_position(struct arena *arena, struct str token, size_t count,
                                            const char *before, struct buf *sql,
                                            struct error *error);
