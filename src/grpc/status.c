/*
 * status.c — how a call's end is written: grpc-status, grpc-message and what goes with them.
 *
 * C-core and grpc-java take 8 KiB of trailers in all and drop a call whose trailers are larger, status
 * included; so everything here is cut to METADATA_BYTES_MAX.
 *
 * Runs on any thread and owns nothing.
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md, "Responses"; the retry advice: proposal A6.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/status.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/error_codes.h"
#include "base/memory.h"

#define DETAILS_NAME "grpc-status-details-bin"

static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte <= 0x7e && byte != '%';
}

/* Bytes of the UTF-8 character at the front; 0 when what stands there is none. */
static size_t character_len(struct str text)
{
    uint8_t first = (uint8_t)text.ptr[0];
    size_t len = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (len > text.len || !str_is_utf8(str_slice(text, 0, len)))
        return 0;
    return len;
}

static size_t write_escaped(struct str bytes, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = (uint8_t)bytes.ptr[i];
        *out++ = '%';
        *out++ = digits[byte >> 4];
        *out++ = digits[byte & 15];
    }
    return 3 * bytes.len;
}

size_t status_encode_message(struct str message, char *out, size_t size)
{
    size_t written = 0;
    while (message.len > 0) {
        size_t len = character_len(message);
        struct str character = len > 0 ? str_slice(message, 0, len) : STR("\xEF\xBF\xBD");
        bool plain = len == 1 && is_plain((uint8_t)message.ptr[0]);
        if (written + (plain ? 1 : 3 * character.len) > size)
            break;
        if (plain)
            out[written++] = message.ptr[0];
        else
            written += write_escaped(character, out + written);
        message = str_slice(message, size_max(len, 1), message.len);
    }
    return written;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

struct str status_decode_message(struct arena *arena, struct str text)
{
    char *decoded = arena_new(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int high = text.ptr[i] == '%' && i + 2 < text.len ? hex_value(text.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_value(text.ptr[i + 2]) : -1;
        if (low < 0) {
            decoded[len++] = text.ptr[i];
            continue;
        }
        decoded[len++] = (char)(high << 4 | low);
        i += 2;
    }
    return str_make(decoded, len);
}

static void add(struct status_trailers *trailers, struct str name, struct str value)
{
    assert(trailers->count < ARRAY_COUNT(trailers->items));
    trailers->items[trailers->count++] = (struct http_header){.name = name, .value = value};
    trailers->bytes += name.len + value.len + METADATA_ENTRY_OVERHEAD;
}

/* If there is room for all of it: a part of a message is none. */
static void add_details(struct status_trailers *trailers, enum status status,
                        const struct error *error, size_t room)
{
    struct str name = STR(DETAILS_NAME);
    uint8_t details[DETAILS_SIZE];
    struct base64_encoder base64 = {.held_len = 0};
    size_t size = details_encode(status, error, details);
    size_t len = base64_encode(&base64, str_make(details, size), trailers->details);
    len += base64_encode_end(&base64, false, trailers->details + len);
    if (name.len + len + METADATA_ENTRY_OVERHEAD <= room)
        add(trailers, name, str_make(trailers->details, len));
}

static void add_failure(struct status_trailers *trailers, const struct error *error, size_t room)
{
    size_t len = status_encode_message(str_of(error->message), trailers->message,
                                       size_min(room, sizeof(trailers->message)));
    if (len > 0)
        add(trailers, STR("grpc-message"), str_make(trailers->message, len));
    add(trailers, STR("volley-error-code"), str_of(error_code_name(error)));
    const char *sqlstate = error_sqlstate(error);
    if (sqlstate)
        add(trailers, STR("volley-sqlstate"), str_of(sqlstate));
    if (error->retry_after_ms > 0) {
        int digits = snprintf(trailers->retry_text, sizeof(trailers->retry_text), "%u",
                              error->retry_after_ms);
        add(trailers, STR("grpc-retry-pushback-ms"),
            str_make(trailers->retry_text, (size_t)digits));
    }
}

void status_write_trailers(struct status_trailers *trailers, enum status status,
                           const struct error *error, const struct metadata *metadata)
{
    trailers->count = 0;
    trailers->bytes = metadata->bytes;
    if (status == STATUS_OK) {
        add(trailers, STR("grpc-status"), STR("0"));
    } else {
        int digits = snprintf(trailers->code_text, sizeof(trailers->code_text), "%d", (int)status);
        add(trailers, STR("grpc-status"), str_make(trailers->code_text, (size_t)digits));
        add_failure(trailers, error, METADATA_BYTES_MAX - metadata->bytes);
        if (trailers->bytes < METADATA_BYTES_MAX && !metadata_has(metadata, STR(DETAILS_NAME)))
            add_details(trailers, status, error, METADATA_BYTES_MAX - trailers->bytes);
    }
    trailers->count += metadata_headers(metadata, trailers->items + trailers->count,
                                        ARRAY_COUNT(trailers->items) - trailers->count);
}
