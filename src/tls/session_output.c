/*
 * session_output.c — plaintext of a session into records, batch by batch.
 *
 * Whole records are encrypted straight from where their bytes are; small pieces are gathered first, so that
 * records are full. OpenSSL writes the records to the session's block (session.c), from which they are
 * sent.
 *
 * Runs on the connection's loop. Owns nothing of its own. Spec: RFC 8446 sections 5.1 and 6.1.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/session_private.h"

#include "base/checked.h"

#include <assert.h>
#include <openssl/err.h>
#include <string.h>

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

static bool encrypt(struct tls_session *session, const uint8_t *bytes, size_t size)
{
    size_t written = 0;
    ERR_clear_error();
    if (SSL_write_ex(session->handle, bytes, size, &written) == 1)
        return true;
    tls_session_fail(session);
    return false;
}

size_t tls_session_write(struct tls_session *session, const struct iovec *iovecs, size_t count)
{
    assert(session->is_open && !session->is_shut && !session->block);
    struct cursor cursor = {.iovecs = iovecs, .count = count};
    advance(&cursor, 0);
    size_t taken = 0;
    while (cursor.count > 0 && taken < TLS_BATCH_BYTES) {
        size_t room = TLS_BATCH_BYTES - taken;
        /* Whole records straight from where they are, and the end of the last piece. */
        size_t direct = size_min(first_bytes(&cursor), room);
        if (cursor.count > 1 && direct < room)
            direct -= direct % TLS_RECORD_BYTES;
        const uint8_t *bytes = session->buffers->staging;
        size_t size = direct;
        if (direct > 0) {
            bytes = first_pointer(&cursor);
            advance(&cursor, direct);
        } else {
            size =
                gather_record(&cursor, session->buffers->staging, size_min(room, TLS_RECORD_BYTES));
        }
        if (!encrypt(session, bytes, size))
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
