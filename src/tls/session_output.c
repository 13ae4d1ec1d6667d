/*
 * session_output.c — plaintext of a session into records, batch by batch.
 *
 * Records are full, and are encrypted straight from where their bytes are. Many small pieces are gathered
 * first, and so are any that stand together in a record which OpenSSL encrypts: where the records are not
 * ours (records.c), or while it has messages of its own to send. All go to the session's block, from which
 * they are sent.
 *
 * Runs on the connection's loop. Owns nothing of its own. Spec: RFC 8446 sections 5.1 and 6.1.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/session_private.h"

#include "base/checked.h"

#include <assert.h>
#include <openssl/err.h>
#include <string.h>

/* Encrypting a piece by itself costs as much as copying some hundred bytes. */
#define PIECES_MAX 4

/* A position in a list of iovecs. */
struct cursor {
    const struct iovec *iovecs;
    size_t count;
    size_t offset; /* in the first */
};

static size_t first_bytes(const struct cursor *cursor)
{
    return cursor->count > 0 ? cursor->iovecs->iov_len - cursor->offset : 0;
}

static const uint8_t *first_pointer(const struct cursor *cursor)
{
    return (const uint8_t *)cursor->iovecs->iov_base + cursor->offset;
}

static void advance(struct cursor *cursor, size_t size)
{
    cursor->offset += size;
    while (cursor->count > 0 && cursor->offset == cursor->iovecs->iov_len) {
        cursor->iovecs++;
        cursor->count--;
        cursor->offset = 0;
    }
}

static size_t gather_record(struct cursor *cursor, uint8_t *staging, size_t limit)
{
    size_t filled = 0;
    while (filled < limit && cursor->count > 0) {
        size_t part = size_min(first_bytes(cursor), limit - filled);
        memcpy(staging + filled, first_pointer(cursor), part);
        filled += part;
        advance(cursor, part);
    }
    return filled;
}

/* OpenSSL sends new keys with the next payload that it is given. */
static bool makes_records(const struct tls_session *session)
{
    return session->records.is_on && SSL_is_init_finished(session->handle) &&
           SSL_get_key_update_type(session->handle) == SSL_KEY_UPDATE_NONE;
}

/* The pieces of one record; 0: they are too many to stay where they are. */
static size_t take_pieces(struct cursor *cursor, size_t limit, struct iovec pieces[PIECES_MAX],
                          size_t *out_count)
{
    struct cursor ahead = *cursor;
    size_t filled = 0;
    *out_count = 0;
    while (filled < limit && ahead.count > 0) {
        if (*out_count == PIECES_MAX)
            return 0;
        size_t part = size_min(first_bytes(&ahead), limit - filled);
        pieces[(*out_count)++] =
            (struct iovec){.iov_base = (void *)first_pointer(&ahead), .iov_len = part};
        filled += part;
        advance(&ahead, part);
    }
    *cursor = ahead;
    return filled;
}

/* 0: nothing was written so. */
static size_t write_pieces(struct tls_session *session, struct cursor *cursor, size_t limit)
{
    struct iovec pieces[PIECES_MAX];
    size_t count;
    if (!makes_records(session))
        return 0;
    size_t size = take_pieces(cursor, limit, pieces, &count);
    if (size == 0 || tls_records_write_one(&session->records, session->buffers,
                                           tls_session_block(session), pieces, count))
        return size;
    tls_session_fail(session);
    return 0;
}

static bool encrypt(struct tls_session *session, const uint8_t *bytes, size_t size)
{
    size_t written = 0;
    ERR_clear_error();
    if (SSL_write_ex(session->handle, bytes, size, &written) == 1)
        return true;
    tls_session_fail(session);
    return false;
}

/* Whole records straight from where they are, and the end of the last piece; 0: it failed. */
static size_t write_by_openssl(struct tls_session *session, struct cursor *cursor, size_t room)
{
    size_t size = size_min(first_bytes(cursor), room);
    if (cursor->count > 1 && size < room)
        size -= size % TLS_RECORD_BYTES;
    const uint8_t *bytes = session->buffers->staging;
    if (size > 0) {
        bytes = first_pointer(cursor);
        advance(cursor, size);
    } else {
        size = gather_record(cursor, session->buffers->staging, size_min(room, TLS_RECORD_BYTES));
    }
    return encrypt(session, bytes, size) ? size : 0;
}

size_t tls_session_write(struct tls_session *session, const struct iovec *iovecs, size_t count)
{
    assert(session->is_open && !session->is_shut && !session->block);
    struct cursor cursor = {.iovecs = iovecs, .count = count};
    advance(&cursor, 0);
    size_t taken = 0;
    while (cursor.count > 0 && taken < TLS_BATCH_BYTES) {
        size_t room = TLS_BATCH_BYTES - taken;
        size_t size = write_pieces(session, &cursor, size_min(room, TLS_RECORD_BYTES));
        if (size == 0 && session->is_open)
            size = write_by_openssl(session, &cursor, room);
        if (size == 0)
            break;
        taken += size;
    }
    return taken;
}

void tls_session_shut(struct tls_session *session)
{
    if (!session->is_open || session->is_shut)
        return;
    session->is_shut = true;
    ERR_clear_error();
    (void)SSL_shutdown(session->handle);
    ERR_clear_error();
}

struct iovec tls_session_pending(const struct tls_session *session)
{
    struct tls_block *block = session->block;
    if (!block)
        return (struct iovec){0};
    return (struct iovec){.iov_base = block->bytes + block->sent,
                          .iov_len = block->used - block->sent};
}

void tls_session_sent(struct tls_session *session, size_t size)
{
    struct tls_block *block = session->block;
    assert(block && size <= block->used - block->sent);
    block->sent += size;
    if (block->sent < block->used)
        return;
    tls_buffers_give(session->buffers, block);
    session->block = NULL;
}
