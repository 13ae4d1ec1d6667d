/*
 * packer.c — one response message becomes what is sent: compressed, framed, base64; step by step.
 *
 * The plain message is kept until its compressed form is complete: where that is not smaller, the
 * message is sent as it was.
 *
 * Runs on the call's loop. Owns: the message in both forms.
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message"; PROTOCOL-WEB.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/packer.h"

#include <assert.h>

#include "base/checked.h"
#include "grpc/frame.h"

/* Of input: some 0.3 ms of work. */
#define COMPRESS_STEP_BYTES ((size_t)32 << 10)
#define TEXT_STEP_BYTES ((size_t)192 << 10)

void packer_start(struct packer *packer, const enum compress_format *format, bool is_text,
                  struct slices *message)
{
    assert(!packer->busy);
    *packer = (struct packer){.busy = true, .is_text = is_text};
    slices_init(&packer->plain);
    slices_init(&packer->packed);
    slices_move(&packer->plain, message);
    if (!format) {
        frame_fill_prefix(&packer->plain, false);
        return;
    }
    packer->encoder = compress_encoder_create(*format, 0);
    packer->cursor.offset = FRAME_PREFIX_BYTES;
    frame_reserve_prefix(&packer->packed);
}

void packer_finish(struct packer *packer)
{
    compress_encoder_destroy(packer->encoder);
    if (packer->busy) {
        slices_finish(&packer->plain);
        slices_finish(&packer->packed);
    }
    buffer_unref(packer->text);
    *packer = (struct packer){.busy = false};
}

/* The next bytes of a list, at most `size`; empty at its end. */
static struct str read_piece(struct slices *slices, struct packer_cursor *cursor, size_t size)
{
    while (cursor->index < slices->count) {
        struct str whole = slice_str(*slices_at(slices, cursor->index));
        if (cursor->offset < whole.len) {
            struct str piece = str_slice(whole, cursor->offset, cursor->offset + size);
            cursor->offset += piece.len;
            return piece;
        }
        cursor->index++;
        cursor->offset = 0;
    }
    return STR_EMPTY;
}

static void frame(struct packer *packer)
{
    bool is_smaller = packer->packed.bytes < packer->plain.bytes;
    if (is_smaller) {
        slices_finish(&packer->plain);
        slices_init(&packer->plain);
        slices_move(&packer->plain, &packer->packed);
    }
    frame_fill_prefix(&packer->plain, is_smaller);
    packer->cursor = (struct packer_cursor){.index = 0};
}

/* One step of compression; at the end the message is framed. */
static enum status compress_some(struct packer *packer, struct error *error)
{
    size_t left = COMPRESS_STEP_BYTES;
    while (left > 0) {
        struct str piece = read_piece(&packer->plain, &packer->cursor, left);
        left -= piece.len;
        enum compress_flush flush = piece.len > 0 ? COMPRESS_MORE : COMPRESS_END;
        TRY(compress_encoder_write(packer->encoder, piece, flush, &packer->packed, error));
        if (flush == COMPRESS_MORE)
            continue;
        compress_encoder_destroy(STEAL(packer->encoder));
        frame(packer);
        return STATUS_OK;
    }
    return STATUS_OK;
}

/* One step of base64; true at the end. */
static bool encode_some(struct packer *packer)
{
    if (!packer->text)
        packer->text = buffer_create(BASE64_SIZE(packer->plain.bytes));
    size_t left = TEXT_STEP_BYTES;
    while (left > 0) {
        struct str piece = read_piece(&packer->plain, &packer->cursor, left);
        char *at = (char *)packer->text->data + packer->text_len;
        left -= piece.len;
        if (piece.len == 0) {
            packer->text_len += base64_encode_end(&packer->base64, true, at);
            return true;
        }
        packer->text_len += base64_encode(&packer->base64, piece, at);
    }
    return false;
}

static void move_text(struct packer *packer, struct slices *out)
{
    assert(packer->text_len == packer->text->size);
    const uint8_t *text = packer->text->data;
    slices_append(out, slice_make(text, packer->text_len, STEAL(packer->text)));
}

enum status packer_step(struct packer *packer, struct slices *out, bool *out_done,
                        struct error *error)
{
    assert(packer->busy && out->bytes == 0);
    *out_done = false;
    if (packer->encoder)
        TRY(compress_some(packer, error));
    if (packer->encoder || (packer->is_text && !encode_some(packer)))
        return STATUS_OK;
    if (packer->is_text)
        move_text(packer, out);
    else
        slices_move(out, &packer->plain);
    packer_finish(packer);
    *out_done = true;
    return STATUS_OK;
}

void packer_append_text(struct slices *out, struct str bytes)
{
    struct base64_encoder encoder = {.held_len = 0};
    struct buffer *text = buffer_create(BASE64_SIZE(bytes.len));
    size_t len = base64_encode(&encoder, bytes, (char *)text->data);
    len += base64_encode_end(&encoder, true, (char *)text->data + len);
    const uint8_t *start = text->data;
    slices_append(out, slice_make(start, len, text));
}
