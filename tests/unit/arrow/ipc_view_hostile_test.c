/*
 * ipc_view_hostile_test.c — views of text and bytes: where they lead, and what stands there.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arrow/column.h"
#include "column_case.h"
#include "sample.h"

#define REFUSED STATUS_INVALID_ARGUMENT

static struct arrow_view short_view(const char *text)
{
    struct arrow_view view = {.size = (int32_t)strlen(text)};
    memcpy(view.inlined, text, strlen(text));
    return view;
}

static struct arrow_view long_view(const char *prefix, int32_t size, int32_t buffer, int32_t offset)
{
    struct arrow_view view = {.size = size, .buffer = buffer, .offset = offset};
    memcpy(view.prefix, prefix, ARROW_VIEW_PREFIX);
    return view;
}

static enum status decode_views(enum arrow_type type, const struct arrow_view *views, int64_t count,
                                struct str bytes, struct str validity, int64_t null_count)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("v"), type, NULL);
    const struct arrow_node node = {count, null_count};
    const struct str buffers[] = {validity, str_make(views, (size_t)count * sizeof(*views)), bytes};
    return case_decode_column(schema, count, &node, buffers);
}

static enum status decode_view(struct arrow_view view, struct str bytes)
{
    enum status text = decode_views(ARROW_UTF8_VIEW, &view, 1, bytes, STR_EMPTY, 0);
    assert_int_equal(decode_views(ARROW_BINARY_VIEW, &view, 1, bytes, STR_EMPTY, 0), text);
    /* Below a null anything may stand; it is taken away. */
    assert_int_equal(decode_views(ARROW_UTF8_VIEW, &view, 1, bytes, STR("\x00"), 1), STATUS_OK);
    return text;
}

static void views_stay_inside(void **state)
{
    static const struct str bytes = STR("abcdefghijklmnopqrst"); /* 20 */
    assert_int_equal(decode_view(short_view(""), bytes), STATUS_OK);
    assert_int_equal(decode_view(short_view("abcdefghijkl"), STR_EMPTY), STATUS_OK);
    assert_int_equal(decode_view(long_view("abcd", 13, 0, 0), bytes), STATUS_OK);
    assert_int_equal(decode_view(long_view("hijk", 13, 0, 7), bytes), STATUS_OK);
    assert_int_equal(decode_view(long_view("abcd", 20, 0, 0), bytes), STATUS_OK);
    assert_int_equal(decode_view(long_view("abcd", 21, 0, 0), bytes), REFUSED);
    assert_int_equal(decode_view(long_view("hijk", 14, 0, 7), bytes), REFUSED);
    assert_int_equal(decode_view(long_view("abcd", 13, 0, -1), bytes), REFUSED);
    assert_int_equal(decode_view(long_view("abcd", 13, 0, INT32_MAX), bytes), REFUSED);
    assert_int_equal(decode_view(long_view("abcd", 13, 0, INT32_MIN), bytes), REFUSED);
    assert_int_equal(decode_view(long_view("abcd", INT32_MAX, 0, 1), bytes), REFUSED);
    assert_int_equal(decode_view(long_view("abcd", 13, 1, 0), bytes), REFUSED);
    assert_int_equal(decode_view(long_view("abcd", 13, -1, 0), bytes), REFUSED);
    assert_int_equal(decode_view(long_view("abcd", 13, INT32_MAX, 0), bytes), REFUSED);
    assert_int_equal(decode_view(long_view("abcd", 13, 0, 0), STR_EMPTY), REFUSED);
    assert_int_equal(decode_view(long_view("abcX", 13, 0, 0), bytes), REFUSED);
    assert_int_equal(decode_view((struct arrow_view){.size = -1}, bytes), REFUSED);
    assert_int_equal(decode_view((struct arrow_view){.size = INT32_MIN}, bytes), REFUSED);
}

static void short_views_have_zeros_behind_their_value(void **state)
{
    for (size_t size = 0; size <= ARROW_VIEW_INLINE_MAX; size++) {
        struct arrow_view view = short_view("abcdefghijkl");
        view.size = (int32_t)size;
        memset(view.inlined + size, 0, ARROW_VIEW_INLINE_MAX - size);
        assert_int_equal(decode_view(view, STR_EMPTY), STATUS_OK);
        for (size_t i = size; i < ARROW_VIEW_INLINE_MAX; i++) {
            view.inlined[i] = 1;
            assert_int_equal(decode_view(view, STR_EMPTY), REFUSED);
            view.inlined[i] = 0;
        }
    }
}

static enum status decode_text_view(struct arrow_view view, struct str bytes)
{
    return decode_views(ARROW_UTF8_VIEW, &view, 1, bytes, STR_EMPTY, 0);
}

static void views_of_text_are_utf8(void **state)
{
    static const struct str mixed = STR("abcd\xC3\xA4"
                                        "efghijklmn\xE2\x82\xAC");
    assert_int_equal(decode_text_view(short_view("\xC3\xA4"), STR_EMPTY), STATUS_OK);
    assert_int_equal(decode_text_view(short_view("\xC3"), STR_EMPTY), REFUSED);
    assert_int_equal(decode_text_view(short_view("abcdefghijk\xFF"), STR_EMPTY), REFUSED);
    assert_int_equal(decode_text_view(long_view("abcd", 19, 0, 0), mixed), STATUS_OK);
    assert_int_equal(decode_text_view(long_view("abcd", 16, 0, 0), mixed), STATUS_OK);
    /* Ends and begins inside of a character. */
    assert_int_equal(decode_text_view(long_view("abcd", 17, 0, 0), mixed), REFUSED);
    assert_int_equal(decode_text_view(long_view("\xA4"
                                                "efg",
                                                13, 0, 5),
                                      mixed),
                     REFUSED);
    /* Bytes that nobody refers to may be anything, but not those in a value. */
    static const struct str gaps = STR("\xFF\xFF"
                                       "abcdefghijklm"
                                       "\xFF"
                                       "nopqrstuvwxyz");
    struct arrow_view views[] = {long_view("abcd", 13, 0, 2), long_view("nopq", 13, 0, 16)};
    assert_int_equal(decode_views(ARROW_UTF8_VIEW, views, 2, gaps, STR_EMPTY, 0), STATUS_OK);
    assert_int_equal(decode_text_view(long_view("cdef", 13, 0, 4), gaps), REFUSED);
    assert_int_equal(decode_views(ARROW_BINARY_VIEW, views, 2, gaps, STR_EMPTY, 0), STATUS_OK);
}

/* A million views of the same bytes, which are not all UTF-8: each would have to be looked at. */
static void work_on_overlapping_views_is_bounded(void **state)
{
    enum { VIEWS = 1000 };
    static char bytes[10000];
    static struct arrow_view views[VIEWS];
    memset(bytes, 'a', sizeof(bytes));
    for (size_t i = 0; i < VIEWS; i++)
        views[i] = long_view("aaaa", sizeof(bytes) - 1, 0, 0);
    assert_int_equal(decode_views(ARROW_UTF8_VIEW, views, VIEWS, CASE_BYTES(bytes), STR_EMPTY, 0),
                     STATUS_OK);
    bytes[sizeof(bytes) - 1] = '\xFF';
    assert_int_equal(decode_views(ARROW_UTF8_VIEW, views, 9, CASE_BYTES(bytes), STR_EMPTY, 0),
                     STATUS_OK);
    assert_int_equal(decode_views(ARROW_UTF8_VIEW, views, VIEWS, CASE_BYTES(bytes), STR_EMPTY, 0),
                     REFUSED);
}

static void variadic_counts_are_checked(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("v"), ARROW_UTF8_VIEW, NULL);
    size_t at = case_variadic_at(schema);
    CASE_PATCHES(schema, at, -1, 0, 2, 3, INT64_MAX, INT64_MIN, INT64_C(1) << 32);
    /* Another number of counts than of view columns. */
    CASE_PATCHES(schema, at - 8, 0, INT64_C(2) << 32);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *plain = sample_schema_of(STR("v"), ARROW_UTF8, NULL);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(plain, 3, 1);
    CLEANUP(case_close) struct column_case it = case_open(batch);
    it.schema = schema; /* whose batches have counts */
    assert_int_equal(case_decode(&it), REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_stay_inside),
        cmocka_unit_test(short_views_have_zeros_behind_their_value),
        cmocka_unit_test(views_of_text_are_utf8),
        cmocka_unit_test(work_on_overlapping_views_is_bounded),
        cmocka_unit_test(variadic_counts_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
