/*
 * ticket.c — writing and checking signed tickets.
 *
 * Half of the digest (128 bits) is enough against forgery and keeps the ticket short. The signature is
 * compared in constant time. Threads: any; no state. SPDX-License-Identifier: Apache-2.0
 */
#include "flight/ticket.h"

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
    buf_printf(out, "v1:%.*s:", STR_ARGS(ticket->dataset_id));
    buf_append_u64(out, ticket->first_batch);
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

enum status ticket_read(const struct crypto_mac *mac, struct str text, struct ticket *out_ticket,
                        struct error *error)
{
    if (!signature_holds(mac, text))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the ticket was not issued by this server, or was altered or cut");
    struct str rest = text;
    struct ticket ticket;
    str_split(&rest, ':');
    ticket.dataset_id = str_split(&rest, ':');
    if (!str_to_u64(str_split(&rest, ':'), &ticket.first_batch))
        return error_set(error, STATUS_INVALID_ARGUMENT, "the ticket's range is malformed");
    *out_ticket = ticket;
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
