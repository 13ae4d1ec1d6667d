/*
 * Help and documentation hold every setting, its names, bounds and default.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include "settings/table.h"

/* Words with one space between them, wherever the lines were broken. */
static void join_lines(struct buf *text)
{
    size_t kept = 0;
    for (size_t i = 0; i < text->len; i++) {
        uint8_t byte = text->ptr[i] == '\n' ? ' ' : text->ptr[i];
        if (byte != ' ' || kept == 0 || text->ptr[kept - 1] != ' ')
            text->ptr[kept++] = byte;
    }
    text->len = kept;
    text->ptr[kept] = 0;
}

static void test_help(void **state)
{
    CLEANUP(buf_finish) struct buf help;
    buf_init(&help, 1 << 20);
    settings_write_help(&help);
    assert_false(help.failed);
    join_lines(&help);
    for (size_t i = 0; i < settings_table_count; i++) {
        char flag[64];
        (void)snprintf(flag, sizeof(flag), " --%s ", settings_table[i].name);
        assert_non_null(strstr((const char *)help.ptr, flag));
        assert_non_null(strstr((const char *)help.ptr, settings_table[i].help));
    }
    assert_non_null(strstr((const char *)help.ptr, "[2 x cores]"));
}

static void test_docs(void **state)
{
    CLEANUP(buf_finish) struct buf docs;
    buf_init(&docs, 1 << 20);
    settings_write_docs(&docs);
    assert_false(docs.failed);
    const char *text = (const char *)docs.ptr;
    assert_non_null(strstr(text, "\n### query-slots\n"));
    assert_non_null(strstr(text, "- Allowed: an integer from 1 to 1024\n- Default: `8`\n"
                                 "- Names: `--query-slots`, `VOLLEY_QUERY_SLOTS`, `MAX_SLOTS`\n"));
    assert_non_null(strstr(text, "`PORT` (port)"));
    assert_non_null(strstr(text, "in YAML also `flight.address`"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_docs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
