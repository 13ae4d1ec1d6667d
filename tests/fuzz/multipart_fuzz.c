/*
 * multipart_fuzz.c — arbitrary bytes as a multipart/form-data body, once whole and once in pieces.
 *
 * The first byte says how large the pieces are. Both ways must tell the same story, or fail both; and no
 * part has more bytes than came in. SPDX-License-Identifier: Apache-2.0
 */
#include "base/buf.h"
#include "base/checked.h"
#include "http/multipart.h"

#include <assert.h>
#include <string.h>

#define STORY_BYTES_MAX ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct story {
    struct buf told;
    size_t content_bytes;
    bool inside;
};

static enum status on_part(void *context, const struct http_part *part, struct error *error)
{
    struct story *story = context;
    assert(!story->inside);
    story->inside = true;
    buf_printf(&story->told, "[%zu %zu %zu]", part->name.len, part->filename.len,
               part->content_type.len);
    buf_append_str(&story->told, part->name);
    buf_append_str(&story->told, part->filename);
    return STATUS_OK;
}

static enum status on_bytes(void *context, const uint8_t *bytes, size_t size, struct error *error)
{
    struct story *story = context;
    assert(story->inside && size > 0);
    story->content_bytes += size;
    buf_append(&story->told, bytes, size);
    return STATUS_OK;
}

static enum status on_part_end(void *context, struct error *error)
{
    struct story *story = context;
    assert(story->inside);
    story->inside = false;
    buf_append_text(&story->told, "[end]");
    return STATUS_OK;
}

static enum status parse(struct http_multipart *parser, const uint8_t *bytes, size_t size,
                         size_t piece)
{
    for (size_t at = 0; at < size; at += piece)
        TRY(http_multipart_write(parser, bytes + at, size_min(piece, size - at), NULL));
    return http_multipart_end(parser, NULL);
}

static enum status tell(const uint8_t *bytes, size_t size, size_t piece, struct story *story)
{
    const struct http_multipart_handler handler = {story, on_part, on_bytes, on_part_end};
    CLEANUP(http_multipart_destroy) struct http_multipart *parser = NULL;
    buf_init(&story->told, STORY_BYTES_MAX);
    TRY(http_multipart_create(STR("multipart/form-data; boundary=b"), &handler,
                              &http_multipart_limits_default, &parser, NULL));
    return parse(parser, bytes, size, piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 2)
        return 0;
    struct story whole = {0};
    struct story pieces = {0};
    enum status status = tell(bytes + 1, size - 1, size, &whole);
    enum status again = tell(bytes + 1, size - 1, 1 + bytes[0] % 9, &pieces);
    assert(status == again);
    assert(whole.content_bytes <= size && pieces.content_bytes <= size);
    if (status == STATUS_OK) {
        assert(!whole.inside && whole.told.len == pieces.told.len);
        assert(whole.told.len == 0 || memcmp(whole.told.ptr, pieces.told.ptr, whole.told.len) == 0);
    }
    buf_finish(&whole.told);
    buf_finish(&pieces.told);
    return 0;
}
