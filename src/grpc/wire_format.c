/*
 * wire_format.c — the forms in which gRPC travels inside HTTP, told apart by their content-type.
 *
 * Runs on any thread and owns nothing. Leaves out: what is done differently (inbox.c, packer.c,
 * response.c).
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md, PROTOCOL-WEB.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/wire_format.h"

#include "base/memory.h"

static const struct wire_format formats[] = {
    {.type = {"application/grpc", 16}},
    {.type = {"application/grpc-web", 20}, .is_web = true},
    {.type = {"application/grpc-web-text", 25}, .is_web = true, .is_text = true},
};

const struct wire_format *wire_format_find(struct str content_type)
{
    /* What nearly all clients send. */
    if (str_equal(content_type, formats[0].type))
        return &formats[0];
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        struct str type = formats[i].type;
        if (!str_starts_with_nocase(content_type, type))
            continue;
        if (content_type.len == type.len || content_type.ptr[type.len] == '+' ||
            content_type.ptr[type.len] == ';')
            return &formats[i];
    }
    return NULL;
}

const struct wire_format *wire_format_of_response(const struct wire_format *request,
                                                  struct str accept)
{
    while (request->is_web && accept.len > 0) {
        const struct wire_format *wanted = wire_format_find(str_trim(str_split(&accept, ',')));
        if (wanted && wanted->is_web)
            return wanted;
    }
    return request;
}

bool wire_format_is_proto(const struct wire_format *format, struct str content_type)
{
    if (content_type.len == format->type.len)
        return true;
    struct str type = str_trim(str_split(&content_type, ';'));
    struct str subtype = str_slice(type, format->type.len, type.len);
    return subtype.len == 0 || str_equal_nocase(subtype, STR("+proto"));
}
