/*
 * page.c — pages that were compiled into the program, with what browsers are told about them.
 *
 * Runs on the loop. Owns nothing. Leaves out: making the table (pages/embed.py, at build time).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/page.h"

#include <assert.h>
#include <string.h>

const struct rest_page *rest_page_find(const char *name)
{
    for (size_t i = 0; i < rest_page_count; i++) {
        if (strcmp(rest_pages[i].name, name) == 0)
            return &rest_pages[i];
    }
    return NULL;
}

void rest_page_reply(struct rest_exchange *exchange, const struct rest_page *page)
{
    assert(page);
    CLEANUP(slices_finish) struct slices bytes;
    slices_init(&bytes);
    slices_append(&bytes, slice_make(page->bytes, page->size, NULL));
    struct rest_reply *reply = &exchange->reply;
    reply->content_type = page->media_type;
    reply->etag = str_of(page->etag);
    reply->compressible = true;
    reply->source = http_source_slices(&bytes);
    rest_add_header(exchange, STR("cache-control"), STR("no-cache"));
    rest_add_header(exchange, STR("x-content-type-options"), STR("nosniff"));
    rest_add_header(exchange, STR("referrer-policy"), STR("no-referrer"));
    rest_add_header(exchange, STR("content-security-policy"),
                    str_of(page->content_security_policy));
}
