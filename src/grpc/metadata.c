/*
 * metadata.c — what gRPC allows as metadata, and base64 for the names that end in "-bin".
 *
 * Values are sent unpadded, one header field per value (grpc-go does not split at commas), and read
 * padded, unpadded and joined.
 *
 * Runs on any thread; lists live in their call's arena.
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md, "Custom-Metadata"; RFC 4648 section 4.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/metadata.h"

#include <string.h>

#include "base/memory.h"
#include "grpc/base64.h"

bool metadata_is_binary(struct str name)
{
    return name.len >= 4 && memcmp(name.ptr + name.len - 4, "-bin", 4) == 0;
}

bool metadata_is_reserved(struct str name)
{
    static const char *const http_names[] = {
        "te",      "content-type",     "content-length",    "connection", "keep-alive",
        "upgrade", "proxy-connection", "transfer-encoding", "host",
    };
    /* The one reserved name whose value is the method's to choose. */
    if (str_equal(name, STR("grpc-status-details-bin")))
        return false;
    if (str_starts_with(name, STR("grpc-")))
        return true;
    for (size_t i = 0; i < ARRAY_COUNT(http_names); i++) {
        if (str_equal(name, str_of(http_names[i])))
            return true;
    }
    return false;
}

static bool is_name_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '_' ||
           byte == '-' || byte == '.';
}

bool metadata_is_valid(struct str name, struct str value)
{
    if (name.len == 0)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (!is_name_byte(name.ptr[i]))
            return false;
    }
    if (metadata_is_binary(name))
        return true;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < 0x20 || value.ptr[i] > 0x7e)
            return false;
    }
    return true;
}

bool metadata_add(struct metadata *metadata, struct arena *arena, struct str name, struct str value)
{
    if (metadata_is_reserved(name) || !metadata_is_valid(name, value) ||
        metadata->count == METADATA_COUNT_MAX)
        return false;
    size_t room = METADATA_BYTES_MAX - metadata->bytes;
    size_t value_len = metadata_is_binary(name) ? value.len / 3 * 4 + 3 : value.len;
    if (value.len > room || name.len > room ||
        name.len + value_len + METADATA_ENTRY_OVERHEAD > room)
        return false;
    struct metadata_entry *entry = ARENA_NEW(arena, struct metadata_entry);
    entry->header.name = arena_copy(arena, name);
    entry->header.value =
        metadata_is_binary(name) ? metadata_encode(arena, value) : arena_copy(arena, value);
    if (metadata->last)
        metadata->last->next = entry;
    else
        metadata->first = entry;
    metadata->last = entry;
    metadata->count++;
    metadata->bytes += name.len + entry->header.value.len + METADATA_ENTRY_OVERHEAD;
    return true;
}

size_t metadata_headers(const struct metadata *metadata, struct http_header *out, size_t capacity)
{
    size_t count = 0;
    for (struct metadata_entry *entry = metadata->first; entry && count < capacity;
         entry = entry->next)
        out[count++] = entry->header;
    return count;
}

bool metadata_has(const struct metadata *metadata, struct str name)
{
    for (const struct metadata_entry *entry = metadata->first; entry; entry = entry->next) {
        if (str_equal(entry->header.name, name))
            return true;
    }
    return false;
}

/* One value without its padding, or false. */
static bool strip(struct str *text)
{
    *text = str_trim(*text);
    size_t padded_len = text->len;
    while (text->len > 0 && text->ptr[text->len - 1] == '=')
        text->len--;
    size_t padding = padded_len - text->len;
    if (padding > 0 && (padding > 2 || padded_len % 4 != 0))
        return false;
    if (text->len % 4 == 1)
        return false;
    for (size_t i = 0; i < text->len; i++) {
        if (base64_value(text->ptr[i]) < 0)
            return false;
    }
    return true;
}

bool metadata_is_base64(struct str text)
{
    do {
        struct str value = str_split(&text, ',');
        if (!strip(&value))
            return false;
    } while (text.len > 0);
    return true;
}

bool metadata_decode(struct arena *arena, struct str text, struct str *out_value)
{
    struct str value = str_split(&text, ',');
    if (!strip(&value))
        return false;
    size_t len = value.len / 4 * 3 + (value.len % 4 * 3) / 4;
    uint8_t *decoded = arena_new(arena, len + 1);
    size_t written = 0;
    unsigned bits = 0;
    unsigned bit_count = 0;
    for (size_t i = 0; i < value.len; i++) {
        bits = (bits << 6 | (unsigned)base64_value(value.ptr[i])) & 0xffff;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            decoded[written++] = (uint8_t)(bits >> bit_count);
        }
    }
    *out_value = str_make(decoded, written);
    return true;
}

struct str metadata_encode(struct arena *arena, struct str value)
{
    char *text = arena_new(arena, BASE64_SIZE(value.len) + 1);
    struct base64_encoder encoder = {.held_len = 0};
    size_t len = base64_encode(&encoder, value, text);
    len += base64_encode_end(&encoder, false, text + len);
    return str_make(text, len);
}

enum status metadata_check(const struct http_headers *headers, struct error *error)
{
    for (size_t i = 0; i < headers->count; i++) {
        const struct http_header *header = &headers->items[i];
        if (!metadata_is_binary(header->name) || metadata_is_reserved(header->name))
            continue;
        if (!metadata_is_base64(header->value))
            return error_set(error, STATUS_INTERNAL,
                             "metadata \"%.*s\" is not base64, as names ending in -bin must be",
                             STR_ARGS(str_slice(header->name, 0, 64)));
    }
    return STATUS_OK;
}
