/*
 * ticket.h — signed tickets: which dataset, and which part of it.
 *
 * A ticket is text "v1:<dataset id>:<first batch>-<end batch>/<stride>:<from>+<limit>:<columns>:<32 hex
 * digits>"; an absent end, stride (with its '/'), limit or list of columns stands for all; the digits
 * are half of an HMAC-SHA-256 over what stands before them. Clients carry it in a TicketStatementQuery.
 *
 * Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "crypto/crypto.h"
#include "store/part_stream.h"

struct ticket {
    struct str dataset_id;
    struct dataset_part part;
};

/* Enough for ARROW_FIELDS_MAX columns. */
#define TICKET_BYTES_MAX ((size_t)64 << 10)

void ticket_write(const struct crypto_mac *mac, const struct ticket *ticket, struct buf *out);
/* The id of *out_ticket lies in `text`, its part is the caller's to finish. INVALID_ARGUMENT for a forged or
 * cut ticket; *out_ticket is then untouched. */
MUST_CHECK enum status ticket_read(const struct crypto_mac *mac, struct str text,
                                   struct ticket *out_ticket, struct error *error);

/* The bytes of a Ticket: the text in a TicketStatementQuery in an Any, as clients expect. */
struct slice ticket_pack(struct str text);
/* The text inside the bytes of a TicketStatementQuery. */
MUST_CHECK enum status ticket_unpack(struct arena *arena, struct slice value, struct str *out_text,
                                     struct error *error);
