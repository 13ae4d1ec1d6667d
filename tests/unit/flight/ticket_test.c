/*
 * ticket_test.c — signed tickets: round trip, forgery, cuts.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flight/ticket.h"

#define ID "0b0e7a4e-6f0f-4b8e-9a3e-5a6d2f1c7e11"

static int make_mac(void **state)
{
    *state = crypto_mac_create(STR("a key of this test"));
    return 0;
}

static int destroy_mac(void **state)
{
    crypto_mac_destroy(*state);
    return 0;
}

static void write_ticket(struct crypto_mac *mac, size_t first_batch, struct buf *out)
{
    struct ticket ticket = {.dataset_id = STR(ID), .part = DATASET_PART_WHOLE};
    ticket.part.first_batch = first_batch;
    buf_init(out, TICKET_BYTES_MAX);
    ticket_write(mac, &ticket, out);
    assert_false(out->failed);
}

static void reads_back_what_was_written(void **state)
{
    CLEANUP(buf_finish) struct buf text;
    write_ticket(*state, 17, &text);
    struct ticket ticket;
    struct error error = ERROR_NONE;
    assert_int_equal(ticket_read(*state, buf_str(&text), &ticket, &error), STATUS_OK);
    assert_true(str_equal(ticket.dataset_id, STR(ID)));
    assert_int_equal(ticket.part.first_batch, 17);
    assert_true(ticket.part.end_batch == SIZE_MAX);
    assert_int_equal(ticket.part.from, 0);
    assert_true(ticket.part.limit == UINT64_MAX);
    assert_null(ticket.part.columns);
}

static void carries_a_part(void **state)
{
    size_t columns[] = {3, 0, 12};
    const struct ticket written = {
        .dataset_id = STR("caller.named-1"),
        .part = {.columns = columns,
                 .column_count = 3,
                 .first_batch = 4,
                 .end_batch = 9,
                 .stride = 5,
                 .from = 1000,
                 .limit = 0},
    };
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, TICKET_BYTES_MAX);
    ticket_write(*state, &written, &text);
    struct ticket ticket;
    struct error error = ERROR_NONE;
    assert_int_equal(ticket_read(*state, buf_str(&text), &ticket, &error), STATUS_OK);
    CLEANUP(dataset_part_finish) struct dataset_part part = ticket.part;
    assert_true(str_equal(ticket.dataset_id, STR("caller.named-1")));
    assert_int_equal(part.first_batch, 4);
    assert_int_equal(part.end_batch, 9);
    assert_int_equal(part.stride, 5);
    assert_int_equal(part.from, 1000);
    assert_int_equal(part.limit, 0);
    assert_int_equal(part.column_count, 3);
    assert_memory_equal(part.columns, columns, sizeof(columns));
}

static void refuses_every_changed_byte(void **state)
{
    CLEANUP(buf_finish) struct buf text;
    write_ticket(*state, 0, &text);
    for (size_t i = 0; i < text.len; i++) {
        struct ticket ticket = {.part = {.first_batch = 99}};
        struct error error = ERROR_NONE;
        text.ptr[i] ^= 1;
        assert_int_equal(ticket_read(*state, buf_str(&text), &ticket, &error),
                         STATUS_INVALID_ARGUMENT);
        assert_int_equal(ticket.part.first_batch, 99);
        text.ptr[i] ^= 1;
    }
}

static void refuses_every_cut(void **state)
{
    CLEANUP(buf_finish) struct buf text;
    write_ticket(*state, 0, &text);
    for (size_t size = 0; size < text.len; size++) {
        struct ticket ticket;
        assert_int_equal(ticket_read(*state, str_slice(buf_str(&text), 0, size), &ticket, NULL),
                         STATUS_INVALID_ARGUMENT);
    }
}

static void refuses_another_key(void **state)
{
    CLEANUP(buf_finish) struct buf text;
    CLEANUP(crypto_mac_destroy) struct crypto_mac *other = crypto_mac_create(STR("another key"));
    write_ticket(other, 0, &text);
    struct ticket ticket;
    assert_int_equal(ticket_read(*state, buf_str(&text), &ticket, NULL), STATUS_INVALID_ARGUMENT);
}

static void travels_in_an_any(void **state)
{
    CLEANUP(slice_finish) struct slice packed = ticket_pack(STR("v1:text"));
    assert_true(str_find_str(slice_str(packed),
                             STR("arrow.flight.protocol.sql.TicketStatementQuery")) >= 0);
    assert_true(str_find_str(slice_str(packed), STR("v1:text")) >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back_what_was_written), cmocka_unit_test(carries_a_part),
        cmocka_unit_test(refuses_every_changed_byte),  cmocka_unit_test(refuses_every_cut),
        cmocka_unit_test(refuses_another_key),         cmocka_unit_test(travels_in_an_any),
    };
    return cmocka_run_group_tests(tests, make_mac, destroy_mac);
}
