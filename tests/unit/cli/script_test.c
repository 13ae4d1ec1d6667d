/*
 * Statements out of text: quotes, comments, dollar quotes, and any way to cut the text into pieces.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/script.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define STATEMENTS_MAX 8

struct script_case {
    const char *text;
    const char *statements[STATEMENTS_MAX]; /* ends with NULL */
};

static const struct script_case cases[] = {
    {"", {NULL}},
    {" ; ;; \n", {NULL}},
    {"-- only a comment", {NULL}},
    {"/* a ; b */ ;", {NULL}},
    {"SELECT 1", {"SELECT 1"}},
    {"SELECT 1;", {"SELECT 1"}},
    {" a ; b\n;c ", {"a", "b", "c"}},
    {"SELECT ';'; b", {"SELECT ';'", "b"}},
    {"SELECT 'it''s;'; b", {"SELECT 'it''s;'", "b"}},
    {"SELECT '\\'; b", {"SELECT '\\'", "b"}},
    {"SELECT E'\\';'; b", {"SELECT E'\\';'", "b"}},
    {"SELECT e'\\\\'; b", {"SELECT e'\\\\'", "b"}},
    {"SELECT table'\\'; b", {"SELECT table'\\'", "b"}},
    {"E'\\';'", {"E'\\';'"}},
    {"SELECT \"a;\"\"b\"; b", {"SELECT \"a;\"\"b\"", "b"}},
    {"SELECT 1 -- ; no\n+ 1; b", {"SELECT 1 -- ; no\n+ 1", "b"}},
    {"SELECT 1 /* ; /* ; */ ; */ + 1; b", {"SELECT 1 /* ; /* ; */ ; */ + 1", "b"}},
    {"-- note\n/* more */ SELECT 1; -- end", {"SELECT 1"}},
    {"SELECT $$a;b$$; b", {"SELECT $$a;b$$", "b"}},
    {"SELECT $t1$a;$$;$t$;$t1$; b", {"SELECT $t1$a;$$;$t$;$t1$", "b"}},
    {"SELECT $1; b", {"SELECT $1", "b"}},
    {"SELECT a$b$; c$b$", {"SELECT a$b$", "c$b$"}},
    {"SELECT $a b; c$", {"SELECT $a b", "c$"}},
    {"SELECT 1 - -2 / 3; b", {"SELECT 1 - -2 / 3", "b"}},
    {"SELECT 1 */ 2; b", {"SELECT 1 */ 2", "b"}},
    {"SELECT 'open; b", {"SELECT 'open; b"}},
    {"SELECT /* open; b", {"SELECT /* open; b"}},
    {"SELECT $x$ open; $x", {"SELECT $x$ open; $x"}},
    {"SELECT E'open\\", {"SELECT E'open\\"}},
    {"SELECT -", {"SELECT -"}},
    {"$", {"$"}},
    {"SELECT 'Z\xc3\xbcrich;'; \xc3\xa4", {"SELECT 'Z\xc3\xbcrich;'", "\xc3\xa4"}},
};

/* Feeds the text in pieces of `piece` bytes and checks what comes out. */
static void check(const struct script_case *script_case, size_t piece)
{
    CLEANUP(script_finish) struct script script;
    script_init(&script);
    struct str rest = str_of(script_case->text);
    struct error error = ERROR_NONE;
    size_t count = 0;
    for (;;) {
        struct str part = str_slice(rest, 0, piece);
        rest = str_slice(rest, part.len, rest.len);
        assert_int_equal(script_feed(&script, part, &error), STATUS_OK);
        struct str statement;
        while (script_next(&script, part.len == 0, &statement)) {
            const char *expected = script_case->statements[count++];
            if (!expected || !str_equal(statement, str_of(expected)))
                fail_msg("'%s' in pieces of %zu: '%.*s'", script_case->text, piece,
                         STR_ARGS(statement));
        }
        if (part.len == 0)
            break;
    }
    if (script_case->statements[count])
        fail_msg("'%s' in pieces of %zu: %zu statements", script_case->text, piece, count);
}

static void test_statements(void **state)
{
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        for (size_t piece = 1; piece <= 12; piece++)
            check(&cases[i], piece);
        check(&cases[i], 1000);
    }
}

static void test_long_statement_is_refused(void **state)
{
    CLEANUP(script_finish) struct script script;
    script_init(&script);
    char bytes[1 << 16];
    memset(bytes, 'x', sizeof(bytes));
    struct error error = ERROR_NONE;
    struct str statement;
    size_t fed = 0;
    while (script_feed(&script, str_make(bytes, sizeof(bytes)), &error) == STATUS_OK) {
        fed += sizeof(bytes);
        assert_false(script_next(&script, false, &statement));
        assert_true(fed <= 2 * SCRIPT_STATEMENT_BYTES_MAX);
    }
    assert_int_equal(error.status, STATUS_RESOURCE_EXHAUSTED);
    assert_true(fed >= SCRIPT_STATEMENT_BYTES_MAX);
}

/* Text that was cut off does not count against the limit. */
static void test_long_scripts_are_fine(void **state)
{
    CLEANUP(script_finish) struct script script;
    script_init(&script);
    char bytes[1 << 16];
    memset(bytes, 'x', sizeof(bytes));
    bytes[sizeof(bytes) - 1] = ';';
    struct error error = ERROR_NONE;
    struct str statement;
    for (size_t i = 0; i < 400; i++) {
        assert_int_equal(script_feed(&script, str_make(bytes, sizeof(bytes)), &error), STATUS_OK);
        assert_true(script_next(&script, false, &statement));
        assert_int_equal(statement.len, sizeof(bytes) - 1);
        assert_false(script_next(&script, false, &statement));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_long_statement_is_refused),
        cmocka_unit_test(test_long_scripts_are_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
