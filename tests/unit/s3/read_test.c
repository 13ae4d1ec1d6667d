/*
 * read_test.c — reading objects that break off, change or are too large.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "s3_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define FIRST_HALF CLOSE_HEAD("200 OK") "etag: \"e1\"\r\ncontent-length: 10\r\n\r\n01234"
#define REST(range, etag, bytes, count)                                                            \
    CLOSE_HEAD("206 Partial")                                                                      \
    "etag: \"" etag "\"\r\ncontent-range: bytes " range "\r\ncontent-length: " count               \
    "\r\n\r\n" bytes

static enum status read_in_pieces(const struct script_step *steps, size_t count, struct buf *out,
                                  struct fixture *fixture)
{
    begin(fixture, steps, count);
    buf_init(out, 100);
    struct s3_object object;
    enum status status = s3_get_bytes(fixture->s3, STR("k"), NULL, out, &object, &fixture->error);
    if (status == STATUS_OK)
        assert_int_equal(object.size_bytes, 10);
    return status;
}

static void reading_goes_on_where_it_broke_off(void **state)
{
    static const struct script_step steps[] = {{FIRST_HALF, 0, true},
                                               {REST("5-9/10", "e1", "567", "5"), 0, true},
                                               {REST("8-9/10", "e1", "89", "2"), 0, true}};
    struct fixture fixture;
    CLEANUP(buf_finish) struct buf out;
    assert_int_equal(read_in_pieces(steps, 3, &out, &fixture), STATUS_OK);
    assert_string_equal((const char *)out.ptr, "0123456789");
    assert_false(script_server_saw(&fixture.server, 0, "range:"));
    assert_true(script_server_saw(&fixture.server, 1, "range: bytes=5-9\r\n"));
    assert_true(script_server_saw(&fixture.server, 1, "if-match: \"e1\"\r\n"));
    assert_true(script_server_saw(&fixture.server, 2, "range: bytes=8-9\r\n"));
    end(&fixture);
}

static void two_objects_are_never_mixed(void **state)
{
    static const struct script_step seconds[] = {
        {REST("5-9/10", "e2", "56789", "5"), 0, true},
        {REST("0-9/10", "e1", "0123456789", "10"), 0, true},
        {CLOSE_HEAD("200 OK") "etag: \"e1\"\r\ncontent-length: 10\r\n\r\n0123456789", 0, true},
        {REST("x-9/10", "e1", "56789", "5"), 0, true},
        {REST("5-9/10", "e1", "56789xx", "7"), 0, true},
    };
    for (size_t i = 0; i < ARRAY_COUNT(seconds); i++) {
        struct script_step steps[] = {{FIRST_HALF, 0, true}, seconds[i]};
        struct fixture fixture;
        CLEANUP(buf_finish) struct buf out;
        assert_int_equal(read_in_pieces(steps, 2, &out, &fixture), STATUS_DATA_LOSS);
        assert_string_equal((const char *)out.ptr, "01234");
        end(&fixture);
    }
}

static void what_changed_meanwhile_is_an_error(void **state)
{
    static const struct script_step steps[] = {{FIRST_HALF, 0, true},
                                               {FAULT("412 No", "PreconditionFailed"), 0, true}};
    struct fixture fixture;
    CLEANUP(buf_finish) struct buf out;
    assert_int_equal(read_in_pieces(steps, 2, &out, &fixture), STATUS_FAILED_PRECONDITION);
    end(&fixture);
}

static void breaks_without_bytes_are_counted(void **state)
{
    static const struct script_step steps[] = {{FIRST_HALF, 0, true}, {"", 0, true}, {"", 0, true},
                                               {"", 0, true},         {"", 0, true}, {"", 0, true},
                                               {"", 0, true},         {"", 0, true}, {"", 0, true}};
    struct fixture fixture;
    CLEANUP(buf_finish) struct buf out;
    assert_int_equal(read_in_pieces(steps, 9, &out, &fixture), STATUS_UNAVAILABLE);
    assert_true(atomic_load(&fixture.server.requests_seen) <= 9);
    end(&fixture);
}

static void a_buf_is_not_overrun(void **state)
{
    static const struct script_step steps[] = {
        {CLOSE_HEAD("200 OK") "etag: \"e1\"\r\ncontent-length: 10\r\n\r\n0123456789", 0, true}};
    struct fixture fixture;
    begin(&fixture, steps, 1);
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, 9);
    assert_int_equal(s3_get_bytes(fixture.s3, STR("k"), NULL, &out, NULL, &fixture.error),
                     STATUS_RESOURCE_EXHAUSTED);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_goes_on_where_it_broke_off),
        cmocka_unit_test(two_objects_are_never_mixed),
        cmocka_unit_test(what_changed_meanwhile_is_an_error),
        cmocka_unit_test(breaks_without_bytes_are_counted),
        cmocka_unit_test(a_buf_is_not_overrun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
