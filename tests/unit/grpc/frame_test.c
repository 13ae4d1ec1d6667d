/*
 * gRPC's framing: pieces of any size in, whole messages out, limits and flags.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"

#define MESSAGE_BYTES_MAX 1000

static int set_up(void **state)
{
    static struct frame_reader reader;
    frame_reader_init(&reader, MESSAGE_BYTES_MAX, STR_EMPTY);
    *state = &reader;
    return 0;
}

static int tear_down(void **state)
{
    frame_reader_finish(*state);
    return 0;
}

/* Feeds all of `bytes`, expecting one message that ends with them. */
static struct slice read_whole(struct frame_reader *reader, struct str bytes)
{
    struct slice message = SLICE_EMPTY;
    bool complete = false;
    assert_int_equal(frame_reader_read(reader, &bytes, &message, &complete, NULL), STATUS_OK);
    assert_true(complete);
    assert_int_equal(bytes.len, 0);
    return message;
}

static void test_whole_message(void **state)
{
    CLEANUP(slice_finish)
    struct slice message = read_whole(*state, STR("\0\0\0\0\5hello"));
    assert_true(str_equal(slice_str(message), STR("hello")));
    assert_int_equal((uintptr_t)message.ptr % BUFFER_ALIGNMENT, 0);
    assert_int_equal(message.owner->size, 5);
    assert_false(frame_reader_is_midway(*state));
}

static void test_empty_message(void **state)
{
    struct slice message = read_whole(*state, STR("\0\0\0\0\0"));
    assert_int_equal(message.len, 0);
    assert_null(message.owner);
    assert_false(frame_reader_is_midway(*state));
}

static void test_byte_by_byte(void **state)
{
    struct str all = STR("\0\0\0\0\5hello");
    for (size_t i = 0; i + 1 < all.len; i++) {
        struct str byte = str_slice(all, i, i + 1);
        struct slice message;
        bool complete = true;
        assert_int_equal(frame_reader_read(*state, &byte, &message, &complete, NULL), STATUS_OK);
        assert_false(complete);
        assert_int_equal(byte.len, 0);
        assert_true(frame_reader_is_midway(*state));
    }
    CLEANUP(slice_finish)
    struct slice message = read_whole(*state, str_slice(all, all.len - 1, all.len));
    assert_true(str_equal(slice_str(message), STR("hello")));
}

static void test_many_in_one_piece(void **state)
{
    struct str bytes = STR("\0\0\0\0\1a\0\0\0\0\0\0\0\0\0\1b\0\0");
    static const char *const expected[] = {"a", "", "b"};
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
        bool complete = false;
        assert_int_equal(frame_reader_read(*state, &bytes, &message, &complete, NULL), STATUS_OK);
        assert_true(complete);
        assert_true(str_equal(slice_str(message), str_of(expected[i])));
    }
    assert_int_equal(bytes.len, 2);
}

static enum status read_status(struct frame_reader *reader, struct str bytes, struct error *error)
{
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    bool complete = false;
    return frame_reader_read(reader, &bytes, &message, &complete, error);
}

static void test_limit(void **state)
{
    struct frame_reader *reader = *state;
    struct error error = ERROR_NONE;
    /* 1000 is allowed, 1001 is refused with the prefix alone and without memory. */
    assert_int_equal(read_status(reader, STR("\0\0\0\3\xe8"), &error), STATUS_OK);
    frame_reader_finish(reader);
    assert_int_equal(read_status(reader, STR("\0\0\0\3\xe9"), &error), STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(error.message, "1001"));
    assert_null(reader->message);
    frame_reader_finish(reader);
    assert_int_equal(read_status(reader, STR("\0\xff\xff\xff\xff"), &error),
                     STATUS_RESOURCE_EXHAUSTED);
}

static void test_flags(void **state)
{
    struct frame_reader *reader = *state;
    assert_int_equal(read_status(reader, STR("\1\0\0\0\0"), NULL), STATUS_INTERNAL);
    frame_reader_init(reader, MESSAGE_BYTES_MAX, STR("identity"));
    assert_int_equal(read_status(reader, STR("\1\0\0\0\0"), NULL), STATUS_INTERNAL);
    frame_reader_init(reader, MESSAGE_BYTES_MAX, STR("gzip"));
    assert_int_equal(read_status(reader, STR("\1\0\0\0\0"), NULL), STATUS_UNIMPLEMENTED);
    frame_reader_init(reader, MESSAGE_BYTES_MAX, STR("gzip"));
    assert_int_equal(read_status(reader, STR("\0\0\0\0\0"), NULL), STATUS_OK);
    frame_reader_init(reader, MESSAGE_BYTES_MAX, STR("gzip"));
    assert_int_equal(read_status(reader, STR("\2\0\0\0\0"), NULL), STATUS_INTERNAL);
    frame_reader_init(reader, MESSAGE_BYTES_MAX, STR("gzip"));
    assert_int_equal(read_status(reader, STR("\xff\0\0\0\0"), NULL), STATUS_INTERNAL);
}

static void test_large_message_grows(void **state)
{
    /* 20 MiB announced: memory comes with the bytes, and the end is one exact buffer. */
    const size_t size = (size_t)20 << 20;
    CLEANUP(frame_reader_finish) struct frame_reader reader;
    frame_reader_init(&reader, size, STR_EMPTY);
    assert_int_equal(read_status(&reader, STR("\0\1\x40\0\0"), NULL), STATUS_OK);
    assert_null(reader.message);
    static char piece[1 << 16];
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    for (size_t at = 0; at < size; at += sizeof(piece)) {
        memset(piece, (int)(at >> 16), sizeof(piece));
        struct str bytes = str_make(piece, sizeof(piece));
        bool complete;
        assert_int_equal(frame_reader_read(&reader, &bytes, &message, &complete, NULL), STATUS_OK);
        assert_int_equal(complete, at + sizeof(piece) == size);
        if (at == 0)
            assert_true(reader.message->size < size);
    }
    assert_int_equal(message.len, size);
    assert_int_equal(message.owner->size, size);
    for (size_t at = 0; at < size; at += sizeof(piece))
        assert_int_equal(message.ptr[at], (uint8_t)(at >> 16));
}

static void test_bytes_in_their_place(void **state)
{
    const size_t size = (size_t)9 << 20;
    CLEANUP(frame_reader_finish) struct frame_reader reader;
    frame_reader_init(&reader, size, STR_EMPTY);
    reader.aligned_offset = 13;
    uint8_t *place = NULL;
    assert_int_equal(frame_reader_place(&reader, &place), 0);
    assert_int_equal(read_status(&reader, STR("\0\0\x90"), NULL), STATUS_OK);
    assert_int_equal(frame_reader_place(&reader, &place), 0);
    assert_int_equal(read_status(&reader, STR("\0\0"), NULL), STATUS_OK);
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    size_t filled = 0;
    for (unsigned round = 0; filled < size; round++) {
        /* Never beyond the message, and not all of it at once. */
        size_t room = frame_reader_place(&reader, &place);
        assert_in_range(room, 1, size_min(size - filled, (size_t)5 << 20));
        memset(place, (int)round + 1, room);
        /* Every other piece comes from elsewhere. */
        static uint8_t elsewhere[1000];
        memset(elsewhere, 'e', sizeof(elsewhere));
        bool is_placed = round % 2 == 0;
        size_t part = is_placed ? size_min(room, 1 << 20) : size_min(room, sizeof(elsewhere));
        struct str bytes = str_make(is_placed ? place : elsewhere, part);
        bool complete;
        assert_int_equal(frame_reader_read(&reader, &bytes, &message, &complete, NULL), STATUS_OK);
        assert_int_equal(bytes.len, 0);
        filled += part;
        assert_int_equal(complete, filled == size);
    }
    assert_int_equal(message.len, size);
    assert_int_equal(((uintptr_t)message.ptr + 13) % BUFFER_ALIGNMENT, 0);
    assert_int_equal(message.ptr[0], 1);
    assert_int_equal(message.ptr[((size_t)1 << 20) - 1], 1);
    assert_int_equal(message.ptr[(size_t)1 << 20], 'e');
    assert_int_equal(message.ptr[((size_t)1 << 20) + 1000], 3);
    assert_int_equal(frame_reader_place(&reader, &place), 0);
}

static void test_write_prefix(void **state)
{
    uint8_t prefix[FRAME_PREFIX_BYTES];
    frame_write_prefix(prefix, 0x12345678);
    assert_memory_equal(prefix, "\0\x12\x34\x56\x78", FRAME_PREFIX_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_byte_by_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_in_one_piece, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flags, set_up, tear_down),
        cmocka_unit_test(test_large_message_grows),
        cmocka_unit_test(test_bytes_in_their_place),
        cmocka_unit_test(test_write_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
