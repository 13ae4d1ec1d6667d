/*
 * intake.c — request bodies that are taken while they come: uploads of any size.
 *
 *      on_body --> came --(a worker is free)--> given --> [decoder] --> route->receive ... route->handle
 *
 * The loop collects what comes; one worker at a time has what was collected before, so that bytes are handled
 * in order and no thread waits for a client. The client's window opens again when the worker is through with
 * its bytes: what waits here is bounded by the window. A coded body is decompressed on the way. What the
 * handler keeps until more comes counts in what all requests together may hold.
 *
 * Runs on the request's loop, take() on a worker. Owns the bytes and the decoder. Leaves out what the
 * bytes mean (dataset_put.c). SPDX-License-Identifier: Apache-2.0
 */
#include "rest/rest_private.h"

#include "base/memory.h"
#include "compress/decoder.h"

/* Smaller pieces share buffers. */
#define SHARED_BYTES ((size_t)4 << 10)
#define PIECE_BYTES ((size_t)256 << 10)
/* Of a coded body, decompressed: what keeps it are bounds of their own. */
#define DECODED_BYTES_MAX (SIZE_MAX / 2)

struct rest_intake {
    struct rest_exchange *exchange;
    struct slices came;  /* on_loop */
    bool ended;          /* on_loop: the client sent all */
    struct slices given; /* the worker's, while it works */
    size_t given_bytes;
    size_t kept_bytes;                /* on_loop: by the handler, when it was last through */
    bool is_last;                     /* nothing comes behind what is given */
    struct compress_decoder *decoder; /* NULL: the body is not coded */
};

/* --- on a worker ------------------------------------------------------------------------------- */

/* Decompresses one slice and passes on what comes out. */
static enum status give_decoded(struct rest_intake *intake, struct str coded, struct error *error)
{
    struct rest_exchange *exchange = intake->exchange;
    size_t size = PIECE_BYTES;
    while (size == PIECE_BYTES) {
        struct buffer *piece = buffer_create(PIECE_BYTES);
        CLEANUP(slice_finish) struct slice decoded = slice_make(piece->data, 0, piece);
        enum status status =
            compress_decoder_read(intake->decoder, &coded, piece->data, PIECE_BYTES, &size, error);
        if (status != STATUS_OK) {
            error->code =
                status == STATUS_RESOURCE_EXHAUSTED ? "PAYLOAD_TOO_LARGE" : "VALIDATION_ERROR";
            return status;
        }
        decoded.len = size;
        if (size > 0)
            TRY(exchange->route->receive(exchange, decoded, error));
    }
    return STATUS_OK;
}

static enum status give(struct rest_intake *intake, struct error *error)
{
    struct rest_exchange *exchange = intake->exchange;
    while (intake->given.count > 0) {
        struct slice *slice = slices_at(&intake->given, 0);
        if (intake->decoder)
            TRY(give_decoded(intake, slice_str(*slice), error));
        else
            TRY(exchange->route->receive(exchange, *slice, error));
        slices_consume(&intake->given, slice->len);
    }
    if (!intake->is_last)
        return STATUS_OK;
    if (intake->decoder && compress_decoder_end(intake->decoder, error) != STATUS_OK) {
        error->code = "VALIDATION_ERROR";
        return error->status;
    }
    return exchange->route->handle(exchange, error);
}

static void take(struct work *work)
{
    struct rest_exchange *exchange = CONTAINER_OF(work, struct rest_exchange, work);
    exchange->status = give(exchange->intake, &exchange->error);
}

/* --- on the loop ------------------------------------------------------------------------------- */

static void hand_over(struct rest_intake *intake);

/* Where all requests together hold too much, an upload is broken off: its worker may be at work, which
 * leaves nobody to answer. */
static void account(struct rest_intake *intake)
{
    struct http_request *request = intake->exchange->request;
    if (!http_hold(request, intake->came.bytes + intake->given_bytes + intake->kept_bytes))
        http_abort(request);
}

static void taken(struct rest_exchange *exchange)
{
    struct rest_intake *intake = exchange->intake;
    if (exchange->status != STATUS_OK || intake->is_last) {
        rest_answer(exchange);
        return;
    }
    http_consume(exchange->request, intake->given_bytes);
    intake->given_bytes = 0;
    intake->kept_bytes = rest_upload_waiting_bytes(exchange->upload);
    hand_over(intake);
    account(intake);
}

static void hand_over(struct rest_intake *intake)
{
    if (intake->exchange->working || intake->is_last || (intake->came.count == 0 && !intake->ended))
        return;
    intake->given_bytes = intake->came.bytes;
    slices_move(&intake->given, &intake->came);
    intake->is_last = intake->ended;
    (void)rest_work(intake->exchange, take, taken);
}

void rest_intake_begin(struct rest_exchange *exchange)
{
    struct rest_intake *intake = NEW(struct rest_intake);
    const struct compress_limits limits = compress_limits_of(DECODED_BYTES_MAX);
    enum compress_format format;
    intake->exchange = exchange;
    slices_init(&intake->came);
    slices_init(&intake->given);
    if (rest_body_coding(exchange->input, &format))
        intake->decoder = compress_decoder_create(format, &limits);
    exchange->intake = intake;
}

void rest_intake_add(struct rest_intake *intake, const uint8_t *bytes, size_t size)
{
    if (size < SHARED_BYTES)
        slices_append_copy(&intake->came, bytes, size);
    else
        slices_append(&intake->came, slice_copy(bytes, size));
    hand_over(intake);
    account(intake);
}

void rest_intake_end(struct rest_intake *intake)
{
    intake->ended = true;
    hand_over(intake);
}

void rest_intake_destroy(struct rest_intake *intake)
{
    if (!intake)
        return;
    compress_decoder_destroy(intake->decoder);
    slices_finish(&intake->came);
    slices_finish(&intake->given);
    free(intake);
}
