/*
 * content_test.c — ranges, conditions, and sources; answers as a whole are in tests/wire/http.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/content.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void ranges_are_cut_to_the_size(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t size;
        uint64_t first;
        uint64_t length;
    } rows[] = {
        {"bytes=0-0", 100, 0, 1},
        {"bytes=0-99", 100, 0, 100},
        {"bytes=0-100", 100, 0, 100},
        {"bytes=10-19", 100, 10, 10},
        {"bytes=99-", 100, 99, 1},
        {"bytes=0-", 100, 0, 100},
        {"bytes=-1", 100, 99, 1},
        {"bytes=-100", 100, 0, 100},
        {"bytes=-1000", 100, 0, 100},
        {"Bytes = 5-6 ", 100, 5, 2},
        {"bytes=50-99999999999999999999999999", 100, 50, 50},
        {"bytes=-99999999999999999999999999", 100, 0, 100},
        {"bytes=18446744073709551614-18446744073709551615", UINT64_MAX, UINT64_MAX - 1, 1},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct http_range range;
        assert_int_equal(http_range_parse(str_of(rows[i].text), rows[i].size, &range),
                         HTTP_RANGE_PART);
        assert_int_equal(range.first, rows[i].first);
        assert_int_equal(range.size, rows[i].length);
    }
}

static void ranges_past_the_end_cannot_be_had(void **state)
{
    (void)state;
    static const char *const texts[] = {"bytes=100-", "bytes=100-200", "bytes=-0",
                                        "bytes=99999999999999999999999999-"};
    struct http_range range;
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
        assert_int_equal(http_range_parse(str_of(texts[i]), 100, &range), HTTP_RANGE_UNSATISFIABLE);
    assert_int_equal(http_range_parse(STR("bytes=0-"), 0, &range), HTTP_RANGE_UNSATISFIABLE);
    assert_int_equal(http_range_parse(STR("bytes=-5"), 0, &range), HTTP_RANGE_UNSATISFIABLE);
}

static void what_is_no_single_range_of_bytes_is_passed_over(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",           "bytes",      "bytes=",        "bytes=-",       "bytes=5",
        "bytes=6-5",  "bytes=a-b",  "bytes=0-1,3-4", "bytes=0-1, -1", "rows=0-5",
        "bytes=+1-2", "bytes=1--2", "bytes=0x1-2",   "bytes=1 -2",    "bytes=1- 2",
        "bytes 0-1",  "bytes==0-1",
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct http_range range;
        assert_int_equal(http_range_parse(str_of(texts[i]), 100, &range), HTTP_RANGE_NONE);
    }
}

/* --- conditions -------------------------------------------------------------------------------- */

#define MODIFIED INT64_C(784111777) /* Sun, 06 Nov 1994 08:49:37 GMT */

static unsigned check(const char *name, const char *value, const char *name2, const char *value2)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct http_header items[] = {{str_of(name), str_of(value)},
                                        {str_of(name2), str_of(value2)}};
    const struct http_request request = {
        .method = STR("GET"), .arena = &arena, .headers = {items, 2}};
    const struct http_content_head head = {.etag = STR("tag"), .modified_seconds = MODIFIED};
    return http_content_check(&request, &head);
}

static void conditions_are_those_of_the_rfc(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *value;
        unsigned status;
    } rows[] = {
        {"if-none-match", "\"tag\"", 304},
        {"if-none-match", "W/\"tag\"", 304},
        {"if-none-match", "\"a\", \"b\" ,W/\"tag\"", 304},
        {"if-none-match", "*", 304},
        {"if-none-match", "\"a\"", 200},
        {"if-none-match", "tag", 200},
        {"if-none-match", "", 200},
        {"if-none-match", "\"tag", 200},
        {"if-match", "\"tag\"", 200},
        {"if-match", "\"a\", \"tag\"", 200},
        {"if-match", "*", 200},
        {"if-match", "W/\"tag\"", 412},
        {"if-match", "\"a\"", 412},
        {"if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT", 304},
        {"if-modified-since", "Sun, 06 Nov 1994 08:49:38 GMT", 304},
        {"if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT", 200},
        {"if-modified-since", "yesterday", 200},
        {"if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT", 200},
        {"if-unmodified-since", "Sun, 06 Nov 1994 08:49:36 GMT", 412},
        {"if-unmodified-since", "never", 200},
        {"accept", "*/*", 200},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        assert_int_equal(check(rows[i].name, rows[i].value, "x", ""), rows[i].status);
}

static void tags_go_before_dates(void **state)
{
    (void)state;
    static const char early[] = "Sun, 06 Nov 1994 08:49:36 GMT";
    static const char late[] = "Sun, 06 Nov 1994 08:49:38 GMT";
    assert_int_equal(check("if-none-match", "\"other\"", "if-modified-since", late), 200);
    assert_int_equal(check("if-none-match", "\"tag\"", "if-modified-since", early), 304);
    assert_int_equal(check("if-match", "\"tag\"", "if-unmodified-since", early), 200);
    assert_int_equal(check("if-match", "\"other\"", "if-none-match", "\"tag\""), 412);
    assert_int_equal(check("if-none-match", "\"a\"", "if-none-match", "\"tag\""), 304);
}

/* --- sources ----------------------------------------------------------------------------------- */

static void expect_bytes(const struct http_source *source, uint64_t offset, size_t size_max,
                         const char *expected)
{
    CLEANUP(slices_finish) struct slices out;
    slices_init(&out);
    enum status status = STATUS_UNAVAILABLE;
    while (status == STATUS_UNAVAILABLE)
        status = source->read(source->context, offset, size_max, &out, NULL);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(out.bytes, strlen(expected));
    CLEANUP(slice_finish) struct slice joined = slices_join(&out);
    assert_memory_equal(joined.ptr, expected, joined.len);
}

static void slices_are_read_from_any_offset(void **state)
{
    (void)state;
    CLEANUP(slices_finish) struct slices bytes;
    slices_init(&bytes);
    slices_append(&bytes, slice_of_str(STR("one, ")));
    slices_append(&bytes, slice_copy("two, ", 5));
    slices_append(&bytes, slice_of_str(STR("three")));
    const struct http_source source = http_source_slices(&bytes);
    assert_int_equal(source.size, 15);
    assert_int_equal(bytes.bytes, 0);
    expect_bytes(&source, 1, 3, "ne,");
    expect_bytes(&source, 4, 8, " two, th");
    expect_bytes(&source, 14, 100, "e");
    source.release(source.context);
}

static void files_are_read_from_any_offset(void **state)
{
    (void)state;
    char path[] = "/tmp/content_test_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write(fd, "one, two, three", 15), 15);
    const struct http_source source = http_source_file(fd, 20);
    expect_bytes(&source, 0, 100, "one, two, three");
    expect_bytes(&source, 5, 3, "two");
    /* It was shortened since its size was looked at. */
    CLEANUP(slices_finish) struct slices out;
    slices_init(&out);
    struct error error = ERROR_NONE;
    assert_int_equal(source.read(source.context, 15, 5, &out, &error), STATUS_DATA_LOSS);
    assert_non_null(strstr(error.message, "ends at byte 15"));
    source.release(source.context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_cut_to_the_size),
        cmocka_unit_test(ranges_past_the_end_cannot_be_had),
        cmocka_unit_test(what_is_no_single_range_of_bytes_is_passed_over),
        cmocka_unit_test(conditions_are_those_of_the_rfc),
        cmocka_unit_test(tags_go_before_dates),
        cmocka_unit_test(slices_are_read_from_any_offset),
        cmocka_unit_test(files_are_read_from_any_offset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
