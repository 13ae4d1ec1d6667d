/*
 * Results in every format, through a pipe: alignment, NULL, Markdown, widths that stay, broken pipes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/result.h"

#include "arrow/builder.h"
#include "base/memory.h"
#include "cli/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define TEXT_MAX ((size_t)4 << 20)

static struct arrow_schema *make_schema(const char *first, const char *second)
{
    struct arrow_schema *schema = arrow_schema_create(2);
    arrow_field_init(schema, &schema->fields[0], str_of(first), ARROW_INT);
    schema->fields[0].bit_width = 64;
    schema->fields[0].is_signed = true;
    arrow_field_init(schema, &schema->fields[1], str_of(second), ARROW_UTF8);
    arrow_schema_seal(schema, NULL);
    return schema;
}

static void append_row(struct batch_builder *builder, int64_t number, const char *text)
{
    builder_append_integer(batch_builder_column(builder, 0), number);
    if (text)
        builder_append_bytes(batch_builder_column(builder, 1), str_of(text));
    else
        builder_append_null(batch_builder_column(builder, 1));
}

static struct batch_builder *make_builder(struct arrow_schema *schema)
{
    const struct builder_limits limits = {.rows_max = 100000, .bytes_max = 16 << 20};
    return batch_builder_create(schema, NULL, &limits);
}

/* Writes the batches into a temporary file and returns its text; free() releases it. */
static char *render(unsigned format, bool footer, struct arrow_schema *schema,
                    struct arrow_batch *const *batches, size_t count)
{
    char path[] = "/tmp/result-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)unlink(path);
    CLEANUP(output_finish) struct output output;
    output_init(&output, fd);
    CLEANUP(result_close) struct result result = {0};
    struct error error = ERROR_NONE;
    const struct result_format *chosen = result_format_for(result_format_at(format), schema);
    assert_int_equal(result_begin(&result, chosen, &output, schema, footer, &error), STATUS_OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(result_batch(&result, batches[i], &error), STATUS_OK);
    assert_int_equal(result_end(&result, &error), STATUS_OK);
    char *text = (char *)memory_new(TEXT_MAX);
    assert_true(pread(fd, text, TEXT_MAX - 1, 0) >= 0);
    (void)close(fd);
    return text;
}

static unsigned format_named(const char *name)
{
    unsigned index = 0;
    while (!str_equal(str_of(result_format_names[index]), str_of(name)))
        index++;
    assert_string_equal(result_format_at(index)->name, name);
    return index;
}

static void check(const char *format, bool footer, const char *expected)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema("id", "name");
    CLEANUP(batch_builder_destroy) struct batch_builder *builder = make_builder(schema);
    append_row(builder, 1, "Ada");
    append_row(builder, -200, NULL);
    CLEANUP(arrow_batch_unref) struct arrow_batch *first = batch_builder_seal(builder);
    append_row(builder, 3, "\xe6\x97\xa5|\x1b");
    CLEANUP(arrow_batch_unref) struct arrow_batch *second = batch_builder_seal(builder);
    struct arrow_batch *const batches[] = {first, second};
    char *text = render(format_named(format), footer, schema, batches, 2);
    assert_string_equal(text, expected);
    free(text);
}

static void test_formats(void **state)
{
    check("table", false,
          "   id | name\n"
          "------+---------\n"
          "    1 | Ada\n"
          " -200 | NULL\n"
          "    3 | \xe6\x97\xa5|\\x1b\n");
    check("table", true,
          "   id | name\n"
          "------+---------\n"
          "    1 | Ada\n"
          " -200 | NULL\n"
          "    3 | \xe6\x97\xa5|\\x1b\n"
          "(3 rows)\n");
    check("markdown", false,
          "|   id | name     |\n"
          "| ---: | -------- |\n"
          "|    1 | Ada      |\n"
          "| -200 | NULL     |\n"
          "|    3 | \xe6\x97\xa5\\|\\x1b |\n");
    check("csv", true, "id,name\r\n1,Ada\r\n-200,\r\n3,\xe6\x97\xa5|\x1b\r\n");
    check("ndjson", false,
          "{\"id\":1,\"name\":\"Ada\"}\n{\"id\":-200,\"name\":null}\n"
          "{\"id\":3,\"name\":\"\xe6\x97\xa5|\\u001b\"}\n");
}

static void test_no_rows(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema("a", "b");
    char *text = render(format_named("table"), true, schema, NULL, 0);
    assert_string_equal(text, " a | b\n---+---\n(0 rows)\n");
    free(text);
    text = render(format_named("json"), false, schema, NULL, 0);
    assert_true(str_ends_with(str_of(text), STR("\"data\":[],\"rows\":0}\n")));
    free(text);
}

/* The first 1000 rows set the widths; a wider value later pushes its own line only. */
static void test_widths_stay(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema("i", "s");
    CLEANUP(batch_builder_destroy) struct batch_builder *builder = make_builder(schema);
    for (int64_t i = 0; i < 1002; i++)
        append_row(builder, i == 1000 ? 1000000 : i % 10, "x");
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = batch_builder_seal(builder);
    struct arrow_batch *const batches[] = {batch};
    char *text = render(format_named("table"), false, schema, batches, 1);
    assert_non_null(strstr(text, "\n 9 | x\n 1000000 | x\n 1 | x\n"));
    free(text);
}

static void test_plans_are_drawings(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(2);
    arrow_field_init(schema, &schema->fields[0], STR("explain_key"), ARROW_UTF8);
    arrow_field_init(schema, &schema->fields[1], STR("explain_value"), ARROW_UTF8);
    arrow_schema_seal(schema, NULL);
    CLEANUP(batch_builder_destroy) struct batch_builder *builder = make_builder(schema);
    builder_append_bytes(batch_builder_column(builder, 0), STR("physical_plan"));
    builder_append_bytes(batch_builder_column(builder, 1), STR("a\n  b\x1b\n"));
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = batch_builder_seal(builder);
    struct arrow_batch *const batches[] = {batch};
    char *text = render(format_named("table"), true, schema, batches, 1);
    assert_string_equal(text, "a\n  b\\x1b\n");
    free(text);
    text = render(format_named("csv"), false, schema, batches, 1);
    assert_true(str_starts_with(str_of(text), STR("explain_key,explain_value")));
    free(text);
}

static void test_broken_pipe(void **state)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    (void)close(fds[0]);
    (void)signal(SIGPIPE, SIG_IGN);
    CLEANUP(output_finish) struct output output;
    output_init(&output, fds[1]);
    buf_append_text(&output.buf, "x");
    struct error error = ERROR_NONE;
    assert_int_equal(output_flush(&output, &error), STATUS_CANCELLED);
    assert_true(output.broken);
    (void)close(fds[1]);
}

static void test_full_disk(void **state)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    CLEANUP(output_finish) struct output output;
    output_init(&output, fd);
    buf_append_text(&output.buf, "x");
    struct error error = ERROR_NONE;
    assert_int_equal(output_flush(&output, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_false(output.broken);
    assert_non_null(strstr(error.message, "cannot write the output"));
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),     cmocka_unit_test(test_no_rows),
        cmocka_unit_test(test_widths_stay), cmocka_unit_test(test_plans_are_drawings),
        cmocka_unit_test(test_broken_pipe), cmocka_unit_test(test_full_disk),
    };
    layout_prepare();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    layout_finish();
    return failed;
}
