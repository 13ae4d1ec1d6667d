/*
 * upload_csv_test.c — which line of a CSV body is told to be at fault.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "rest/upload.h"

static const char told_by_engine[] = "what the engine said";

/* Explains a body; the message, in `error`. */
static void explain(const char *text, size_t size, char delimiter, struct error *error)
{
    char path[] = "/tmp/upload_csv_test_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), size);
    assert_int_equal(close(fd), 0);
    struct rest_upload *upload = NEW(struct rest_upload);
    upload->files[0] = (struct upload_file){.path = path};
    upload->file_count = 1;
    *error = ERROR_NONE;
    error_set(error, STATUS_INVALID_ARGUMENT, "%s", told_by_engine);
    rest_upload_explain_csv(upload, delimiter, error);
    free(upload);
    assert_int_equal(unlink(path), 0);
}

static void expect(const char *text, const char *told)
{
    struct error error;
    explain(text, strlen(text), ',', &error);
    if (strcmp(error.message, told) != 0)
        fail_msg("'%s': %s, not %s", text, error.message, told);
}

static void the_first_odd_line_is_told(void **state)
{
    expect("a,b\n1,2\n3\n", "line 3 has 1 fields, and the first line has 2");
    expect("a,b\n1,2\n3,4,5", "line 3 has 3 fields, and the first line has 2");
    expect("a,b\r\n\"1\r\n1\",2\r\n3\r\n", "line 4 has 1 fields, and the first line has 2");
    expect("a,b\n\n\n1\n", "line 4 has 1 fields, and the first line has 2");
    expect("a,b\n\"x,y\",\"\"\"\",z\n", "line 2 has 3 fields, and the first line has 2");
    expect("a,b\n1,2\n3,\"x\n4,5\n", "line 3 begins a field in quotes that does not end");
}

static void what_has_no_fault_stays_as_the_engine_said_it(void **state)
{
    static const char *const texts[] = {
        "", "\n", "a", "a,b", "a,b\n1,2\n", "a,b\n\"1,\n,\",2\r\n\r\n", "\"a\"\"\",b\n1,2"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
        expect(texts[i], told_by_engine);
}

static void the_delimiter_counts(void **state)
{
    static const char text[] = "a;b\n1,2;3\n4\n";
    struct error error;
    explain(text, sizeof(text) - 1, ';', &error);
    assert_string_equal(error.message, "line 3 has 1 fields, and the first line has 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_odd_line_is_told),
        cmocka_unit_test(what_has_no_fault_stays_as_the_engine_said_it),
        cmocka_unit_test(the_delimiter_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
