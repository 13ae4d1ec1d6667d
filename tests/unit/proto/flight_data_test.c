/*
 * FlightData: exact bytes out, parts by reference in, hostile bytes refused.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/flight_data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_write_layout(void **state)
{
    struct buffer *body_buffer = buffer_create_copy("BODYbody", 8);
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    slices_append(&body, slice_make(body_buffer->data, 4, buffer_ref(body_buffer)));
    slices_append(&body, slice_make(body_buffer->data + 4, 4, body_buffer));
    CLEANUP(slices_finish) struct slices out;
    slices_init(&out);
    struct error error = ERROR_NONE;
    assert_int_equal(flight_data_write(&out, STR("head"), STR("meta"), &body, &error), STATUS_OK);
    assert_int_equal(body.bytes, 0);
    CLEANUP(slice_finish) struct slice joined = slices_join(&out);
    static const char expected[] = "\x12\x04"
                                   "head"
                                   "\x1a\x04"
                                   "meta"
                                   "\xc2\x3e\x08"
                                   "BODYbody";
    assert_int_equal(joined.len, sizeof(expected) - 1);
    assert_memory_equal(joined.ptr, expected, sizeof(expected) - 1);
    /* The body itself was not copied. */
    struct slice *last = slices_at(&out, out.count - 1);
    assert_ptr_equal(last->ptr, body_buffer->data + 4);
}

static void test_write_leaves_empty_parts_out(void **state)
{
    CLEANUP(slices_finish) struct slices out;
    slices_init(&out);
    assert_int_equal(flight_data_write(&out, STR("h"), STR_EMPTY, NULL, NULL), STATUS_OK);
    CLEANUP(slice_finish) struct slice joined = slices_join(&out);
    assert_int_equal(joined.len, 3);
    assert_memory_equal(joined.ptr, "\x12\x01h", 3);
}

static void test_write_refuses_2_gib(void **state)
{
    static const uint8_t block[1 << 20];
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    for (int i = 0; i < 2048; i++)
        slices_append(&body, slice_make(block, sizeof(block), NULL));
    CLEANUP(slices_finish) struct slices out;
    slices_init(&out);
    struct error error = ERROR_NONE;
    assert_int_equal(flight_data_write(&out, STR("h"), STR_EMPTY, &body, &error),
                     STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(out.bytes, 0);
}

static struct slice message_of(const char *bytes, size_t len)
{
    struct buffer *buffer = buffer_create_copy(bytes, len);
    return slice_make(buffer->data, len, buffer);
}
#define MESSAGE(bytes) message_of("" bytes, sizeof(bytes) - 1)

static void test_parse_any_order(void **state)
{
    CLEANUP(slice_finish)
    struct slice message = MESSAGE("\xc2\x3e\x04"
                                   "body"
                                   "\x78\x05"  /* an unknown field */
                                   "\x1a\x00"  /* app_metadata, empty */
                                   "\x12\x01x" /* data_header, overwritten by the next */
                                   "\x12\x04"
                                   "head"
                                   "\x0a\x02\x08\x01" /* flight_descriptor */);
    CLEANUP(flight_data_finish) struct flight_data parsed = {.has_descriptor = false};
    struct error error = ERROR_NONE;
    assert_int_equal(flight_data_parse(message, &parsed, &error), STATUS_OK);
    assert_true(str_equal(slice_str(parsed.data_body), STR("body")));
    assert_true(str_equal(slice_str(parsed.data_header), STR("head")));
    assert_true(str_equal(slice_str(parsed.flight_descriptor), STR("\x08\x01")));
    assert_true(parsed.has_descriptor);
    assert_true(parsed.has_app_metadata);
    assert_int_equal(parsed.app_metadata.len, 0);
    assert_ptr_equal(parsed.data_body.owner, message.owner);
    /* The parts keep the message alive. */
    slice_finish(&message);
    assert_memory_equal(parsed.data_body.ptr, "body", 4);
}

static void test_parse_empty(void **state)
{
    CLEANUP(flight_data_finish) struct flight_data parsed = {.has_descriptor = true};
    assert_int_equal(flight_data_parse(SLICE_EMPTY, &parsed, NULL), STATUS_OK);
    assert_false(parsed.has_descriptor);
    assert_int_equal(parsed.data_header.len, 0);
}

static void assert_refused(struct slice message)
{
    CLEANUP(slice_finish) struct slice owned = message;
    struct flight_data parsed;
    struct error error = ERROR_NONE;
    assert_int_equal(flight_data_parse(owned, &parsed, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "FlightData"));
}

static void test_parse_refuses(void **state)
{
    assert_refused(MESSAGE("\x12\x05"
                           "head"));
    assert_refused(MESSAGE("\x10\x05")); /* data_header as a varint */
    assert_refused(MESSAGE("\xc2\x3e")); /* no length */
    assert_refused(MESSAGE("\xc2\x3e\xff\xff\xff\xff\x0f"));
    assert_refused(MESSAGE("\xff"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_layout),
        cmocka_unit_test(test_write_leaves_empty_parts_out),
        cmocka_unit_test(test_write_refuses_2_gib),
        cmocka_unit_test(test_parse_any_order),
        cmocka_unit_test(test_parse_empty),
        cmocka_unit_test(test_parse_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
