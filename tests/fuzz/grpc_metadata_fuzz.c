/*
 * Any text as a header's value: time-outs, base64, percent-encoding; what was encoded must decode.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>

#include "grpc/deadline.h"
#include "grpc/metadata.h"
#include "grpc/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_base64(struct arena *arena, struct str text)
{
    struct str decoded;
    if (metadata_is_base64(text))
        assert(metadata_decode(arena, text, &decoded));
    assert(metadata_decode(arena, metadata_encode(arena, text), &decoded));
    assert(str_equal(decoded, text));
}

static void check_message(struct arena *arena, struct str text)
{
    static char encoded[STATUS_MESSAGE_SIZE];
    size_t len = status_encode_message(text, encoded, sizeof(encoded));
    assert(len <= sizeof(encoded));
    for (size_t i = 0; i < len; i++)
        assert(encoded[i] >= 0x20 && encoded[i] <= 0x7e);
    struct str decoded = status_decode_message(arena, str_make(encoded, len));
    assert(str_is_utf8(decoded));
    if (str_is_utf8(text) && 3 * text.len <= sizeof(encoded))
        assert(str_equal(decoded, text));
    (void)status_decode_message(arena, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str text = str_make(bytes, size);
    uint64_t timeout_ns;
    (void)deadline_parse(text, &timeout_ns);
    check_base64(&arena, text);
    check_message(&arena, text);
    struct metadata metadata = {.count = 0};
    struct str name = str_split(&text, ':');
    while (metadata_add(&metadata, &arena, name, text))
        assert(metadata.bytes <= METADATA_BYTES_MAX);
    return 0;
}
