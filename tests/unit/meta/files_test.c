/*
 * files_test.c — the registry of files: stretches are merged, pages and counts follow.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fixture.h"

#include "meta/files.h"

#define ALL_FROM STR("s3://b/")
#define ALL_TO STR("s3://b0")

static void fixture_destroy(struct fixture *fixture)
{
    void *state = fixture;
    assert_int_equal(fixture_tear_down(&state), 0);
}

static struct meta_file file(const char *path, const char *type, uint64_t size)
{
    return (struct meta_file){.path = str_of(path),
                              .type = str_of(type),
                              .etag = STR("\"e\""),
                              .size_bytes = size,
                              .modified_us = FIRST_US};
}

static struct meta_files_stretch replace(struct fixture *fixture, struct str from, struct str to,
                                         const struct meta_file *files, size_t count,
                                         int64_t now_us)
{
    struct meta_files_stretch stretch = {
        .from = from, .to = to, .files = files, .count = count, .now_us = now_us};
    if (meta_files_replace(fixture->meta, &stretch, &fixture->error) != STATUS_OK)
        fail_msg("%s", fixture->error.message);
    return stretch;
}

/* "path size registered;" of a page. */
static const char *list(struct fixture *fixture, struct meta_file_filter filter,
                        uint64_t *out_total)
{
    struct meta_file *files;
    size_t count;
    filter.limit = filter.limit > 0 ? filter.limit : 100;
    if (meta_files_list(fixture->meta, &filter, &fixture->arena, &files, &count, out_total,
                        &fixture->error) != STATUS_OK)
        fail_msg("%s", fixture->error.message);
    struct str text = STR("");
    for (size_t i = 0; i < count; i++)
        text = arena_printf(&fixture->arena, "%.*s%.*s %d %d;", STR_ARGS(text),
                            STR_ARGS(str_slice(files[i].path, 7, files[i].path.len)),
                            (int)files[i].size_bytes, (int)files[i].registered_us);
    return text.ptr;
}

static void a_stretch_is_what_it_was_told(void **state)
{
    struct fixture *fixture = fixture_create();
    fixture_open(fixture);
    uint64_t total;
    const struct meta_file first[] = {file("s3://b/a.csv", "csv", 1),
                                      file("s3://b/b.csv", "csv", 2),
                                      file("s3://b/d.parquet", "parquet", 3)};
    struct meta_files_stretch done = replace(fixture, ALL_FROM, ALL_TO, first, 3, 10);
    assert_true(done.added == 3 && done.changed == 0 && done.removed == 0);
    done = replace(fixture, ALL_FROM, ALL_TO, first, 3, 20);
    assert_true(done.added == 0 && done.changed == 0 && done.removed == 0);
    const struct meta_file second[] = {file("s3://b/b.csv", "csv", 5),
                                       file("s3://b/c", "unknown", 6)};
    done = replace(fixture, ALL_FROM, STR("s3://b/c"), second, 2, 30);
    assert_true(done.added == 1 && done.changed == 1 && done.removed == 1);
    assert_string_equal(list(fixture, (struct meta_file_filter){.limit = 10}, &total),
                        "b.csv 5 10;c 6 30;d.parquet 3 10;");
    assert_int_equal(total, 3);
    done = replace(fixture, STR("s3://b/c"), ALL_TO, NULL, 0, 40);
    assert_int_equal(done.removed, 1);
    fixture_reopen(fixture);
    assert_string_equal(list(fixture, (struct meta_file_filter){.limit = 10}, &total),
                        "b.csv 5 10;c 6 30;");
    fixture_destroy(fixture);
}

static void other_buckets_are_left_alone(void **state)
{
    struct fixture *fixture = fixture_create();
    fixture_open(fixture);
    uint64_t total;
    const struct meta_file other = file("s3://c/x", "unknown", 1);
    replace(fixture, STR("s3://c/"), STR("s3://c0"), &other, 1, 10);
    assert_int_equal(replace(fixture, ALL_FROM, ALL_TO, NULL, 0, 20).removed, 0);
    assert_string_equal(list(fixture, (struct meta_file_filter){.limit = 10}, &total), "x 1 10;");
    fixture_destroy(fixture);
}

static void pages_are_filtered(void **state)
{
    struct fixture *fixture = fixture_create();
    fixture->options.path = STR_EMPTY;
    fixture_open(fixture);
    const struct meta_file files[] = {
        file("s3://b/a/1.csv", "csv", 1), file("s3://b/a/2.csv", "csv", 2),
        file("s3://b/b/1.csv", "csv", 3), file("s3://b/b/2.json", "json", 4)};
    replace(fixture, ALL_FROM, ALL_TO, files, 4, 1);
    uint64_t total;
    assert_string_equal(
        list(fixture, (struct meta_file_filter){.pattern = STR("s3://b/a/*")}, &total),
        "a/1.csv 1 1;a/2.csv 2 1;");
    assert_string_equal(
        list(fixture, (struct meta_file_filter){.pattern = STR("*/[1-1].?sv")}, &total),
        "a/1.csv 1 1;b/1.csv 3 1;");
    assert_string_equal(list(fixture, (struct meta_file_filter){.type = STR("json")}, &total),
                        "b/2.json 4 1;");
    assert_string_equal(
        list(fixture, (struct meta_file_filter){.pattern = STR("*/b/1*"), .type = STR("csv")},
             &total),
        "b/1.csv 3 1;");
    assert_string_equal(list(fixture, (struct meta_file_filter){.limit = 2, .offset = 1}, &total),
                        "a/2.csv 2 1;b/1.csv 3 1;");
    assert_int_equal(total, 4);
    assert_string_equal(list(fixture, (struct meta_file_filter){.offset = UINT64_MAX}, &total), "");
    assert_string_equal(
        list(fixture, (struct meta_file_filter){.pattern = STR("' OR 1=1 --")}, &total), "");
    fixture_destroy(fixture);
}

static void patterns_and_pages_are_bounded(void **state)
{
    struct fixture *fixture = fixture_create();
    fixture_open(fixture);
    char pattern[META_FILE_PATTERN_BYTES_MAX + 1];
    memset(pattern, '?', sizeof(pattern));
    const struct meta_file_filter filters[] = {
        {.limit = 0},
        {.limit = META_FILES_MAX + 1},
        {.limit = 1, .pattern = str_make(pattern, sizeof(pattern))},
        {.limit = 1, .pattern = STR("*a*a*a*a*a*a*a*a*")}};
    struct meta_file *files;
    size_t count;
    uint64_t total;
    for (size_t i = 0; i < ARRAY_COUNT(filters); i++)
        assert_int_equal(meta_files_list(fixture->meta, &filters[i], &fixture->arena, &files,
                                         &count, &total, &fixture->error),
                         STATUS_INVALID_ARGUMENT);
    struct meta_files_stretch stretch = {.count = META_FILES_MAX + 1};
    assert_int_equal(meta_files_replace(fixture->meta, &stretch, &fixture->error),
                     STATUS_INVALID_ARGUMENT);
    fixture_destroy(fixture);
}

static void files_are_counted_by_type(void **state)
{
    struct fixture *fixture = fixture_create();
    fixture_open(fixture);
    const struct meta_file files[] = {file("s3://b/1.csv", "csv", 1),
                                      file("s3://b/2.csv", "csv", 2),
                                      file("s3://b/3.avro", "avro", 3)};
    replace(fixture, ALL_FROM, ALL_TO, files, 3, 1);
    struct meta_file_type *types;
    size_t count;
    uint64_t total;
    assert_int_equal(
        meta_files_count(fixture->meta, &fixture->arena, &types, &count, &total, &fixture->error),
        STATUS_OK);
    assert_int_equal(count, 2);
    assert_int_equal(total, 3);
    assert_true(str_equal(types[0].type, STR("avro")) && types[0].files == 1);
    assert_true(str_equal(types[1].type, STR("csv")) && types[1].files == 2);
    fixture_destroy(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stretch_is_what_it_was_told),
        cmocka_unit_test(other_buckets_are_left_alone),
        cmocka_unit_test(pages_are_filtered),
        cmocka_unit_test(patterns_and_pages_are_bounded),
        cmocka_unit_test(files_are_counted_by_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
