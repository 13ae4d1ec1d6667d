/*
 * page.h — the table of compiled-in pages, which pages/embed.py makes.
 * Private to rest. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "rest/rest_private.h"

struct rest_page {
    const char *name;
    const char *media_type;
    const char *etag; /* of the bytes */
    const char *content_security_policy;
    const char *bytes;
    size_t size;
};
extern const struct rest_page rest_pages[];
extern const size_t rest_page_count;

/* NULL: none of that name. */
const struct rest_page *rest_page_find(const char *name);
void rest_page_reply(struct rest_exchange *exchange, const struct rest_page *page);
