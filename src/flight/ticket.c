/*
 * ticket.c — writing and checking signed tickets.
 *
 * Half of the digest (128 bits) is enough against forgery and keeps the ticket short. The signature is
 * compared in constant time. Threads: any; no state. SPDX-License-Identifier: Apache-2.0
 */
#include "flight/ticket.h"

#include "base/memory.h"
#include "proto/flight_sql.h"

#define SIGNATURE_BYTES 16
#define SIGNATURE_DIGITS (2 * SIGNATURE_BYTES)

static void append_signature(const struct crypto_mac *mac, struct str body, struct buf *out)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    crypto_mac_sign(mac, body, digest);
    crypto_hex_encode(str_make(digest, SIGNATURE_BYTES), out);
}

void ticket_write(const struct crypto_mac *mac, const struct ticket *ticket, struct buf *out)
{
    const struct dataset_part *part = &ticket->part;
    buf_printf(out, "v1:%.*s:%zu-", STR_ARGS(ticket->dataset_id), part->first_batch);
    if (part->end_batch != SIZE_MAX)
        buf_append_u64(out, part->end_batch);
    if (part->stride > 1)
        buf_printf(out, "/%zu", part->stride);
    buf_printf(out, ":%llu+", (unsigned long long)part->from);
    if (part->limit != UINT64_MAX)
        buf_append_u64(out, part->limit);
    buf_append_byte(out, ':');
    for (size_t i = 0; i < part->column_count; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        buf_append_u64(out, part->columns[i]);
    }
    buf_append_byte(out, ':');
    append_signature(mac, buf_str(out), out);
}

static bool signature_holds(const struct crypto_mac *mac, struct str text)
{
    if (text.len <= SIGNATURE_DIGITS || text.len > TICKET_BYTES_MAX)
        return false;
    size_t body_size = text.len - SIGNATURE_DIGITS;
    CLEANUP(buf_finish) struct buf expected;
    buf_init(&expected, SIGNATURE_DIGITS);
    append_signature(mac, str_slice(text, 0, body_size), &expected);
    return crypto_equal(buf_str(&expected), str_slice(text, body_size, text.len));
}

/* A number up to the separator; absent: `all`. */
static bool read_number(struct str *rest, char separator, uint64_t all, uint64_t *out)
{
    struct str text = str_split(rest, separator);
    *out = all;
    return text.len == 0 || str_to_u64(text, out);
}

static bool read_columns(struct str text, struct dataset_part *part)
{
    if (text.len == 0)
        return true;
    part->columns = NEW_ARRAY(size_t, text.len / 2 + 1);
    while (text.len > 0) {
        uint64_t column;
        if (!str_to_u64(str_split(&text, ','), &column))
            return false;
        part->columns[part->column_count++] = (size_t)column;
    }
    return true;
}

/* What stands behind the id. */
static bool read_part(struct str rest, struct dataset_part *part)
{
    uint64_t first;
    uint64_t end;
    uint64_t stride;
    struct str batches = str_split(&rest, ':');
    if (!read_number(&batches, '-', 0, &first) || !read_number(&batches, '/', SIZE_MAX, &end) ||
        !read_number(&batches, '/', 0, &stride) || !read_number(&rest, '+', 0, &part->from) ||
        !read_number(&rest, ':', UINT64_MAX, &part->limit))
        return false;
    part->first_batch = (size_t)first;
    part->end_batch = (size_t)end;
    part->stride = (size_t)stride;
    return read_columns(str_split(&rest, ':'), part);
}

enum status ticket_read(const struct crypto_mac *mac, struct str text, struct ticket *out_ticket,
                        struct error *error)
{
    if (!signature_holds(mac, text))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the ticket was not issued by this server, or was altered or cut");
    struct str rest = text;
    str_split(&rest, ':');
    struct str id = str_split(&rest, ':');
    CLEANUP(dataset_part_finish) struct dataset_part part = DATASET_PART_WHOLE;
    if (!read_part(rest, &part))
        return error_set(error, STATUS_INVALID_ARGUMENT, "the ticket's range is malformed");
    *out_ticket = (struct ticket){.dataset_id = id, .part = part};
    part = DATASET_PART_WHOLE;
    return STATUS_OK;
}

struct slice ticket_pack(struct str text)
{
    Sql__TicketStatementQuery message = SQL__TICKET_STATEMENT_QUERY__INIT;
    message.statement_handle = proto_binary(text);
    return proto_any_pack(&message);
}

enum status ticket_unpack(struct arena *arena, struct slice value, struct str *out_text,
                          struct error *error)
{
    Sql__TicketStatementQuery *message;
    TRY(proto_unpack(arena, &sql__ticket_statement_query__descriptor, value, &message, error));
    *out_text = proto_bytes(message->statement_handle);
    return STATUS_OK;
}
