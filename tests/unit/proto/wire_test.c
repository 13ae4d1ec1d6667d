/*
 * Protobuf's wire format by hand: varints, fields, malformed bytes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define READER(bytes) wire_reader_make(STR(bytes))

static void test_varint_round_trip(void **state)
{
    static const uint64_t values[] = {
        0, 1, 127, 128, 300, UINT32_MAX, UINT64_MAX, (uint64_t)INT64_MAX, 1ULL << 62, 1ULL << 63};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint8_t bytes[WIRE_VARINT_SIZE_MAX];
        size_t size = (size_t)(wire_write_varint(bytes, values[i]) - bytes);
        assert_int_equal(size, wire_varint_size(values[i]));
        struct wire_reader reader = wire_reader_make(str_make(bytes, size));
        uint64_t value;
        assert_true(wire_read_varint(&reader, &value));
        assert_true(value == values[i]);
        assert_ptr_equal(reader.at, reader.end);
    }
}

static void test_varint_rejects(void **state)
{
    uint64_t value;
    struct wire_reader cut = READER("\xff\xff");
    assert_false(wire_read_varint(&cut, &value));
    assert_true(cut.malformed);
    struct wire_reader eleven = READER("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01");
    assert_false(wire_read_varint(&eleven, &value));
    struct wire_reader too_large = READER("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
    assert_false(wire_read_varint(&too_large, &value));
    struct wire_reader empty = wire_reader_make(STR_EMPTY);
    assert_false(wire_read_varint(&empty, &value));
}

static void test_fields(void **state)
{
    struct wire_reader reader = READER("\x08\x96\x01" /* 1: varint 150 */
                                       "\x12\x03"
                                       "abc"                      /* 2: bytes */
                                       "\x19\x01\0\0\0\0\0\0\x80" /* 3: fixed64 */
                                       "\x25\x02\0\0\0"           /* 4: fixed32 */
                                       "\xc2\x3e\0");             /* 1000: bytes, empty */
    struct wire_field field;
    assert_true(wire_next(&reader, &field));
    assert_int_equal(field.number, 1);
    assert_int_equal(field.type, WIRE_VARINT);
    assert_int_equal(field.integer, 150);
    assert_true(wire_next(&reader, &field));
    assert_int_equal(field.number, 2);
    assert_true(str_equal(field.bytes, STR("abc")));
    assert_true(wire_next(&reader, &field));
    assert_int_equal(field.type, WIRE_FIXED64);
    assert_true(field.integer == 0x8000000000000001ULL);
    assert_true(wire_next(&reader, &field));
    assert_int_equal(field.type, WIRE_FIXED32);
    assert_int_equal(field.integer, 2);
    assert_true(wire_next(&reader, &field));
    assert_int_equal(field.number, 1000);
    assert_int_equal(field.bytes.len, 0);
    assert_false(wire_next(&reader, &field));
    assert_false(reader.malformed);
}

static void assert_malformed(struct str bytes)
{
    struct wire_reader reader = wire_reader_make(bytes);
    struct wire_field field;
    while (wire_next(&reader, &field))
        ;
    assert_true(reader.malformed);
    assert_false(wire_next(&reader, &field));
}

static void test_malformed(void **state)
{
    assert_malformed(STR("\x08")); /* no value */
    assert_malformed(STR("\x12\x04"
                         "abc")); /* longer than the message */
    assert_malformed(STR("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")); /* length 2^64 - 1 */
    assert_malformed(STR("\x19\x01\x02"));                                 /* cut fixed64 */
    assert_malformed(STR("\x25\x01\x02"));                                 /* cut fixed32 */
    assert_malformed(STR("\x00\x01"));                                     /* field number 0 */
    assert_malformed(STR("\x0b\x0c"));                                     /* a group */
    assert_malformed(STR("\x0f\x01"));                                     /* wire type 7 */
    assert_malformed(STR("\x80\x80\x80\x80\x10\x01"));                     /* field number 2^29 */
}

static void test_append(void **state)
{
    CLEANUP(slices_finish) struct slices out;
    slices_init(&out);
    wire_append_varint(&out, 1, 150);
    wire_append_bytes(&out, 2, STR("abc"));
    wire_append_bytes(&out, 3, STR_EMPTY);
    CLEANUP(slice_finish) struct slice joined = slices_join(&out);
    assert_int_equal(joined.len, 10);
    assert_memory_equal(joined.ptr,
                        "\x08\x96\x01\x12\x03"
                        "abc\x1a\0",
                        10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_varint_round_trip),
        cmocka_unit_test(test_varint_rejects),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_append),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
