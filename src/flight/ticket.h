/*
 * ticket.h — signed tickets: which dataset, from which batch on.
 *
 * A ticket is text "v1:<dataset id>:<first batch>:<32 hex digits>"; the digits are half of an
 * HMAC-SHA-256 over what stands before them. Clients carry it in a TicketStatementQuery.
 *
 * Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "crypto/crypto.h"

struct ticket {
    struct str dataset_id;
    uint64_t first_batch;
};

#define TICKET_BYTES_MAX 128

void ticket_write(const struct crypto_mac *mac, const struct ticket *ticket, struct buf *out);
/* Texts of *out_ticket lie in `text`. INVALID_ARGUMENT for a forged or cut ticket. */
MUST_CHECK enum status ticket_read(const struct crypto_mac *mac, struct str text,
                                   struct ticket *out_ticket, struct error *error);

/* The bytes of a Ticket: the text in a TicketStatementQuery in an Any, as clients expect. */
struct slice ticket_pack(struct str text);
/* The text inside the bytes of a TicketStatementQuery. */
MUST_CHECK enum status ticket_unpack(struct arena *arena, struct slice value, struct str *out_text,
                                     struct error *error);
