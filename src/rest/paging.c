/*
 * paging.c — where the next page of a list begins, in its body and as a link.
 *
 * Runs on workers. Owns nothing. Leaves out: what a token means. Spec: RFC 8288.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/paging.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

#define PARTS_MAX 4
#define LINK_BYTES_MAX ((size_t)64 << 10)

/* A page of another place is not asked for by number too. */
static bool says_where(struct str pair)
{
    return str_starts_with(pair, STR("page_token=")) || str_starts_with(pair, STR("offset="));
}

static void add_link(struct rest_exchange *exchange, struct str token)
{
    struct str query = exchange->input->query;
    CLEANUP(buf_finish) struct buf url;
    buf_init(&url, LINK_BYTES_MAX);
    buf_printf(&url, "<%.*s?", STR_ARGS(exchange->input->path));
    while (query.len > 0) {
        struct str pair = str_split(&query, '&');
        if (!says_where(pair))
            buf_printf(&url, "%.*s&", STR_ARGS(pair));
    }
    buf_append_text(&url, "page_token=");
    for (size_t i = 0; i < token.len; i++)
        buf_printf(&url, "%%%02X", (unsigned char)token.ptr[i]);
    buf_append_text(&url, ">; rel=\"next\"");
    if (!url.failed)
        rest_add_header(exchange, STR("link"), arena_copy(&exchange->arena, buf_str(&url)));
}

void rest_write_next_page(struct rest_exchange *exchange, struct json_writer *json,
                          struct str token)
{
    json_write_key(json, "next_page_token");
    if (token.len == 0) {
        json_write_null(json);
        return;
    }
    json_write_text(json, token);
    add_link(exchange, token);
}

static bool read_parts(struct arena *arena, struct str token, struct str *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct str digits = str_split(&token, '.');
        char *text = ARENA_NEW_ARRAY(arena, char, digits.len / 2 + 1);
        if (digits.len == 0 || digits.len % 2 != 0)
            return false;
        for (size_t at = 0; at < digits.len / 2; at++) {
            char pair[3] = {digits.ptr[2 * at], digits.ptr[2 * at + 1], '\0'};
            char *end;
            text[at] = (char)strtoul(pair, &end, 16);
            if (*end != '\0' || text[at] == '\0')
                return false;
        }
        parts[i] = str_make(text, digits.len / 2);
        if (!str_is_utf8(parts[i]))
            return false;
    }
    return token.len == 0;
}

enum status rest_page_token_read(struct arena *arena, struct str token, struct str *parts,
                                 size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        parts[i] = STR_EMPTY;
    if (token.len == 0 || read_parts(arena, token, parts, count))
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "parameter page_token takes the next_page_token of an earlier page");
}

enum status rest_append_position(struct arena *arena, struct str token, size_t count,
                                 const char *before, struct buf *sql, struct error *error)
{
    struct str parts[PARTS_MAX];
    assert(count <= PARTS_MAX);
    TRY(rest_page_token_read(arena, token, parts, count, error));
    if (token.len == 0)
        return STATUS_OK;
    buf_append_text(sql, before);
    for (size_t i = 0; i < count; i++) {
        buf_append_text(sql, i > 0 ? ", " : "(");
        engine_append_quoted(sql, parts[i], '\'');
    }
    buf_append_text(sql, ")");
    return STATUS_OK;
}
