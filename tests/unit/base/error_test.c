/*
 * error_test.c — messages are cut on a character, codes and advice are reset, errno maps to statuses.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/error.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void set_fills_everything(void **state)
{
    struct error error = {.position = 7, .retry_after_ms = 5, .code = "OLD"};
    assert_int_equal(error_set(&error, STATUS_NOT_FOUND, "no table '%s'", "t"), STATUS_NOT_FOUND);
    assert_int_equal(error.status, STATUS_NOT_FOUND);
    assert_string_equal(error.message, "no table 't'");
    assert_null(error.code);
    assert_int_equal(error.position, -1);
    assert_int_equal(error.retry_after_ms, 0);
    error_set_code(&error, STATUS_NOT_FOUND, "TABLE_NOT_FOUND", "x");
    assert_string_equal(error.code, "TABLE_NOT_FOUND");
}

static void set_without_an_error_only_returns(void **state)
{
    assert_int_equal(error_set(NULL, STATUS_ABORTED, "x"), STATUS_ABORTED);
    assert_int_equal(error_set_errno(NULL, ENOENT, "x"), STATUS_NOT_FOUND);
}

static void the_old_message_may_be_part_of_the_new(void **state)
{
    struct error error = ERROR_NONE;
    error_set(&error, STATUS_INTERNAL, "inner");
    error_set(&error, STATUS_INTERNAL, "outer: %s", error.message);
    assert_string_equal(error.message, "outer: inner");
}

static void long_messages_are_cut_on_a_character(void **state)
{
    for (size_t shift = 0; shift < 4; shift++) {
        char text[4096] = "abc";
        size_t len = shift;
        while (len + 4 < sizeof(text)) {
            memcpy(text + len, "\xF0\x9F\x98\x80", 4);
            len += 4;
        }
        text[len] = '\0';
        struct error error = ERROR_NONE;
        error_set(&error, STATUS_INTERNAL, "%s", text);
        assert_true(str_is_utf8(str_of(error.message)));
        assert_in_range(strlen(error.message), ERROR_MESSAGE_MAX - 4, ERROR_MESSAGE_MAX - 1);
    }
}

static void errno_becomes_a_status(void **state)
{
    struct error error = ERROR_NONE;
    assert_int_equal(error_set_errno(&error, ENOENT, "cannot open '%s'", "f"), STATUS_NOT_FOUND);
    assert_string_equal(error.message, "cannot open 'f': No such file or directory");
    assert_int_equal(error_set_errno(&error, EACCES, "x"), STATUS_PERMISSION_DENIED);
    assert_int_equal(error_set_errno(&error, ENOSPC, "x"), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(error_set_errno(&error, EMFILE, "x"), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(error_set_errno(&error, EBADF, "x"), STATUS_INTERNAL);
}

static void statuses_have_grpc_names(void **state)
{
    assert_string_equal(status_name(STATUS_OK), "OK");
    assert_string_equal(status_name(STATUS_UNAUTHENTICATED), "UNAUTHENTICATED");
    assert_string_equal(status_name((enum status)99), "UNKNOWN");
    for (int status = 0; status < STATUS_COUNT; status++)
        assert_non_null(status_name((enum status)status));
}

static enum status fail_through_try(struct error *error)
{
    TRY(error_set(error, STATUS_ABORTED, "first"));
    return STATUS_OK;
}

static void try_passes_the_first_failure_on(void **state)
{
    struct error error = ERROR_NONE;
    assert_int_equal(fail_through_try(&error), STATUS_ABORTED);
    assert_string_equal(error.message, "first");
}

static void assert_logged(enum status status, const char *message, const char *expected)
{
    struct error error = ERROR_NONE;
    error_set(&error, status, "%s", message);
    size_t size = error_log_size(&error);
    if (size != strlen(expected) || memcmp(error.message, expected, size) != 0)
        fail_msg("'%.*s' would be logged of '%s'", (int)size, error.message, message);
}

static void logs_get_no_text_of_the_client(void **state)
{
    assert_logged(STATUS_INVALID_ARGUMENT,
                  "Conversion Error: Could not convert string 'secret' to INT32\n\nLINE 1: ..",
                  "Conversion Error");
    assert_logged(STATUS_INVALID_ARGUMENT, "statement 2 of 3: Invalid Input Error: secret",
                  "statement 2 of 3: Invalid Input Error");
    assert_logged(STATUS_RESOURCE_EXHAUSTED, "Out of Memory Error: secret", "Out of Memory Error");
    assert_logged(STATUS_PERMISSION_DENIED,
                  "COPY .. TO writes files of the server: rule 'copy-to'\n\nLINE 1: ..",
                  "COPY .. TO writes files of the server: rule 'copy-to'");
    assert_logged(STATUS_NOT_FOUND, "there is no dataset 'secret': it expired",
                  "there is no dataset");
    assert_logged(STATUS_INVALID_ARGUMENT,
                  "malformed JSON at line 1, column 9: ':' expected near '\"secret\"'",
                  "malformed JSON at line 1, column 9:");
    assert_logged(STATUS_INTERNAL, "cannot write '/var/x': no space",
                  "cannot write '/var/x': no space");
    assert_logged(
        STATUS_INVALID_ARGUMENT,
        "ClickHouse: Code: 62. DB::Exception: Syntax error: failed at position 8 (secret)",
        "ClickHouse: Code: 62. DB::Exception");
    assert_logged(STATUS_RESOURCE_EXHAUSTED,
                  "ClickHouse: Code: 241. DB::Exception: While executing secret",
                  "ClickHouse: Code: 241. DB::Exception");
    assert_logged(STATUS_CANCELLED, "", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_fills_everything),
        cmocka_unit_test(set_without_an_error_only_returns),
        cmocka_unit_test(the_old_message_may_be_part_of_the_new),
        cmocka_unit_test(long_messages_are_cut_on_a_character),
        cmocka_unit_test(logs_get_no_text_of_the_client),
        cmocka_unit_test(errno_becomes_a_status),
        cmocka_unit_test(statuses_have_grpc_names),
        cmocka_unit_test(try_passes_the_first_failure_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
