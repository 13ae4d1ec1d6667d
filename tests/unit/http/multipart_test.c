/*
 * multipart_test.c — form bodies cut at every byte, forms that browsers send, and faults.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/multipart.h"

#include "base/buf.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define FORM_TYPE "multipart/form-data; boundary=xYz"

/* What the parser told, as text: "[name|filename|type]bytes;" */
static enum status note_part(void *context, const struct http_part *part, struct error *error)
{
    buf_printf(context, "[%.*s|%.*s|%.*s]", STR_ARGS(part->name),
               part->filename.ptr ? (int)part->filename.len : 1,
               part->filename.ptr ? part->filename.ptr : "-", STR_ARGS(part->content_type));
    return STATUS_OK;
}

static enum status note_bytes(void *context, const uint8_t *bytes, size_t size, struct error *error)
{
    assert_true(size > 0);
    buf_append(context, bytes, size);
    return STATUS_OK;
}

static enum status note_end(void *context, struct error *error)
{
    buf_append_text(context, ";");
    return STATUS_OK;
}

static enum status parse_pieces(struct str body, size_t first, size_t piece,
                                const struct http_multipart_limits *limits, struct buf *notes,
                                struct error *error)
{
    const struct http_multipart_handler handler = {notes, note_part, note_bytes, note_end};
    CLEANUP(http_multipart_destroy) struct http_multipart *parser = NULL;
    TRY(http_multipart_create(STR(FORM_TYPE), &handler, limits, &parser, error));
    for (size_t at = 0, size = first; at < body.len; at += size, size = piece) {
        size = size < body.len - at ? size : body.len - at;
        TRY(http_multipart_write(parser, (const uint8_t *)body.ptr + at, size, error));
    }
    return http_multipart_end(parser, error);
}

static void expect_notes_of(struct str body, const char *expected)
{
    CLEANUP(buf_finish) struct buf notes;
    buf_init(&notes, 1 << 20);
    for (size_t first = 0; first <= body.len; first++) {
        buf_clear(&notes);
        assert_int_equal(
            parse_pieces(body, first, body.len, &http_multipart_limits_default, &notes, NULL),
            STATUS_OK);
        assert_int_equal(notes.len, strlen(expected));
        assert_memory_equal(notes.ptr, expected, notes.len);
    }
    for (size_t piece = 1; piece < 5; piece++) {
        buf_clear(&notes);
        assert_int_equal(
            parse_pieces(body, piece, piece, &http_multipart_limits_default, &notes, NULL),
            STATUS_OK);
        assert_int_equal(notes.len, strlen(expected));
        assert_memory_equal(notes.ptr, expected, notes.len);
    }
}

static void expect_notes(const char *body, const char *expected)
{
    expect_notes_of(str_of(body), expected);
}

#define PART(disposition, content)                                                                 \
    "--xYz\r\nContent-Disposition: form-data; " disposition "\r\n\r\n" content "\r\n"
#define END "--xYz--\r\n"

static void parts_come_out_however_they_are_cut(void **state)
{
    (void)state;
    expect_notes(PART("name=\"sql\"", "SELECT 1") END, "[sql|-|]SELECT 1;");
    expect_notes(PART("name=a", "1") PART("name=b", "2") END, "[a|-|]1;[b|-|]2;");
    expect_notes(PART("name=a", "") PART("name=b", "") END, "[a|-|];[b|-|];");
    expect_notes(END, "");
    expect_notes("--xYz--", "");
    expect_notes("preamble\r\n" PART("name=a", "1") END "epilogue", "[a|-|]1;");
    expect_notes("\r\n" PART("name=a", "1") END, "[a|-|]1;");
    expect_notes("--xYz \t \r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--xYz--",
                 "[a|-|]1;");
    /* A part without content may share its header's last line end with the boundary. */
    expect_notes("--xYz\r\nContent-Disposition: form-data; name=a\r\n\r\n--xYz--", "[a|-|];");
}

static void content_that_looks_like_a_boundary_is_content(void **state)
{
    (void)state;
    static const char *const contents[] = {
        "\r",         "\n",           "\r\n",          "\r\n\r\n",      "\r\n-",
        "\r\n--",     "\r\n--x",      "\r\n--xY",      "\r\n--xyz",     "--xYz",
        "\r--xYz",    "\n--xYz",      "\r\r\n--xY",    "\r\n\r\n--xY",  "-",
        "--",         "x--xYz--",     "\r\n-\r\n--xY", "\r\n--\r\n--x", "\r\r\r\n",
        "-xYz\r\n-x", "\r\n --xYz--", "--x\r\n-",
    };
    for (size_t i = 0; i < ARRAY_COUNT(contents); i++) {
        char body[300];
        char expected[300];
        /* What follows the header at once must not be taken for a boundary either. */
        if (strncmp(contents[i], "--xYz", 5) == 0)
            continue;
        snprintf(body, sizeof(body), PART("name=a", "%s") END, contents[i]);
        snprintf(expected, sizeof(expected), "[a|-|]%s;", contents[i]);
        expect_notes(body, expected);
    }
    expect_notes(PART("name=a", "a--xYz\r\n--xY") END, "[a|-|]a--xYz\r\n--xY;");
    static const char zeros[] = PART("name=a", "\0\0\r\n--\0") END;
    CLEANUP(buf_finish) struct buf notes;
    buf_init(&notes, 1000);
    assert_int_equal(parse_pieces(str_make(zeros, sizeof(zeros) - 1), 1, 1,
                                  &http_multipart_limits_default, &notes, NULL),
                     STATUS_OK);
    assert_int_equal(notes.len, 6 + 7 + 1);
}

static void names_are_read_as_browsers_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        const char *expected;
    } rows[] = {
        {"form-data; name=\"a b\"", "[a b|-|]"},
        {"form-data;name=a", "[a|-|]"},
        {"FORM-DATA ; NAME = \"a\" ", "[a|-|]"},
        {"form-data; name=\"\"", "[|-|]"},
        {"form-data; name=\"a\\\"b\"", "[a\"b|-|]"},
        {"form-data; name=\"a%22b\"", "[a%22b|-|]"},
        {"form-data; name=f; filename=\"x.csv\"", "[f|x.csv|]"},
        {"form-data; name=f; filename=\"\"", "[f||]"},
        {"form-data; name=f; filename=\"a;b=c\"", "[f|a;b=c|]"},
        {"form-data; name=f; filename=\"C:\\dir\\x.csv\"", "[f|x.csv|]"},
        {"form-data; name=f; filename=\"../../etc/passwd\"", "[f|passwd|]"},
        {"form-data; name=f; filename=\"gr\xc3\xb6\xc3\x9f.csv\"", "[f|gr\xc3\xb6\xc3\x9f.csv|]"},
        {"form-data; name=f; filename*=UTF-8''gr%C3%B6%C3%9F.csv", "[f|gr\xc3\xb6\xc3\x9f.csv|]"},
        {"form-data; name=f; filename=plain; filename*=utf-8'en'better%2etxt", "[f|better.txt|]"},
        {"form-data; name=f; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "[f|passwd|]"},
        {"form-data; size=3; name=f", "[f|-|]"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char body[300];
        char expected[300];
        snprintf(body, sizeof(body), "--xYz\r\nContent-Disposition: %s\r\n\r\n1\r\n" END,
                 rows[i].header);
        snprintf(expected, sizeof(expected), "%s1;", rows[i].expected);
        expect_notes(body, expected);
    }
    expect_notes("--xYz\r\ncontent-type:text/csv; charset=utf-8 \r\nX-Other: 1\r\n"
                 "content-disposition:form-data;name=f\r\nContent-Transfer-Encoding: binary\r\n"
                 "\r\n1\r\n" END,
                 "[f|-|text/csv; charset=utf-8]1;");
}

static void expect_fault(const char *body, const char *message)
{
    CLEANUP(buf_finish) struct buf notes;
    buf_init(&notes, 1 << 20);
    struct str text = str_of(body);
    for (size_t piece = 1; piece <= text.len; piece += text.len > 1 ? text.len - 1 : 1) {
        struct error error = ERROR_NONE;
        assert_int_equal(
            parse_pieces(text, piece, piece, &http_multipart_limits_default, &notes, &error),
            STATUS_INVALID_ARGUMENT);
        if (!strstr(error.message, message))
            fail_msg("'%s' does not tell '%s'", error.message, message);
    }
}

#define HEADER(lines) "--xYz\r\n" lines "\r\n\r\n1\r\n" END

static void faults_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *message;
    } rows[] = {
        {"SELECT 1", "no boundary"},
        {"--xYz", "before the last boundary"},
        {"--xYz\r\n", "before the last boundary"},
        {"--xYz-", "before the last boundary"},
        {PART("name=a", "1"), "before the last boundary"},
        {PART("name=a", "1") "--xYz-", "before the last boundary"},
        {"--xYzz\r\n", "does not end with it"},
        {"--xYz\n", "does not end with it"},
        {"--xYz\rx", "does not end with it"},
        {"--xYz-x", "does not end with it"},
        {"--xYz --\r\n", "does not end with it"},
        {PART("name=a", "1\r\n--xYzz"), "does not end with it"},
        {"--xYz\r\n\r\n1\r\n" END, "needs the header content-disposition"},
        {HEADER("Content-Type: text/plain"), "needs the header content-disposition"},
        {HEADER("Content-Disposition: attachment; name=a"), "needs the header"},
        {HEADER("Content-Disposition: form-data"), "has no name"},
        {HEADER("Content-Disposition: form-data; filename=a"), "has no name"},
        {HEADER("Content-Disposition: form-data; name=a; name=b"), "'name' comes twice"},
        {HEADER("Content-Disposition: form-data; name=a; filename=x; filename=y"), "comes twice"},
        {HEADER("Content-Disposition: form-data; name=\"a"), "no closing quote"},
        {HEADER("Content-Disposition: form-data; name"), "name=value"},
        {HEADER("Content-Disposition: form-data; name=a b"), "separated by ';'"},
        {HEADER("Content-Disposition: form-data; name=a; =b"), "name=value"},
        {HEADER("Content-Disposition: form-data; name=a; filename*=x"), "filename*"},
        {HEADER("Content-Disposition: form-data; name=a; filename*=latin1''x"), "filename*"},
        {HEADER("Content-Disposition: form-data; name=a; filename*=UTF-8''%zz"), "percent"},
        {HEADER("Content-Disposition: form-data; name=a; filename*=UTF-8''%0a"), "control"},
        {HEADER("Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b"),
         "comes twice in one part"},
        {HEADER("Content-Disposition: form-data;\r\n name=a"), "folded"},
        {HEADER("Content-Disposition form-data; name=a"), "no 'name:'"},
        {HEADER(": form-data; name=a"), "no 'name:'"},
        {HEADER("Content-Disposition : form-data; name=a"), "no name may have"},
        {HEADER("Content-Disposition: form-data; name=\"a\x01\""), "control"},
        {"--xYz\r\nContent-Disposition: form-data; name=a\n\n1\r\n" END, "CR LF"},
        {"--xYz\r\nContent-Disposition: form-data; name=a\rb\r\n\r\n1\r\n" END, "CR LF"},
        {HEADER("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64"),
         "send the bytes as they are"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        expect_fault(rows[i].body, rows[i].message);
}

static void limits_hold(void **state)
{
    (void)state;
    const struct http_multipart_limits limits = {
        .parts_max = 2, .header_bytes_max = 100, .outside_bytes_max = 10};
    CLEANUP(buf_finish) struct buf notes;
    buf_init(&notes, 1 << 20);
    static const struct {
        const char *body;
        enum status status;
    } rows[] = {
        {PART("name=a", "1") PART("name=b", "2") END, STATUS_OK},
        {PART("name=a", "1") PART("name=b", "2") PART("name=c", "3") END,
         STATUS_RESOURCE_EXHAUSTED},
        {PART("name=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "1") END,
         STATUS_OK},
        {PART("name=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "1") END,
         STATUS_RESOURCE_EXHAUSTED},
        {"12345678\r\n" PART("name=a", "1") "--xYz--\r\n", STATUS_OK},
        {"12345678901\r\n" PART("name=a", "1") END, STATUS_RESOURCE_EXHAUSTED},
        {PART("name=a", "1") "--xYz--1234567890", STATUS_OK},
        {PART("name=a", "1") "--xYz--12345678901", STATUS_RESOURCE_EXHAUSTED},
        {"--xYz                                                                \r\n",
         STATUS_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_int_equal(parse_pieces(str_of(rows[i].body), 1, 7, &limits, &notes, NULL),
                         rows[i].status);
    }
}

static enum status refuse_bytes(void *context, const uint8_t *bytes, size_t size,
                                struct error *error)
{
    return error_set(error, STATUS_PERMISSION_DENIED, "no");
}

static void an_error_of_the_handler_ends_it(void **state)
{
    (void)state;
    CLEANUP(buf_finish) struct buf notes;
    buf_init(&notes, 1000);
    const struct http_multipart_handler handler = {&notes, note_part, refuse_bytes, note_end};
    CLEANUP(http_multipart_destroy) struct http_multipart *parser = NULL;
    assert_int_equal(http_multipart_create(STR(FORM_TYPE), &handler, &http_multipart_limits_default,
                                           &parser, NULL),
                     STATUS_OK);
    struct str body = STR(PART("name=a", "1") END);
    assert_int_equal(http_multipart_write(parser, (const uint8_t *)body.ptr, body.len, NULL),
                     STATUS_PERMISSION_DENIED);
}

static void content_types_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        bool good;
    } rows[] = {
        {"multipart/form-data; boundary=a", true},
        {"Multipart/Form-Data;charset=utf-8; Boundary=\"a b\"", true},
        {"multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW", true},
        {"multipart/form-data; boundary="
         "1234567890123456789012345678901234567890123456789012345678901234567890",
         true},
        {"multipart/form-data; boundary="
         "12345678901234567890123456789012345678901234567890123456789012345678901",
         false},
        {"multipart/form-data; boundary=\"a \"", false},
        {"multipart/form-data; boundary=\"a\r\nb\"", false},
        {"multipart/form-data; boundary=\"a@b\"", false},
        {"multipart/form-data; boundary=", false},
        {"multipart/form-data; boundary=\"\"", false},
        {"multipart/form-data; boundary=a; boundary=b", false},
        {"multipart/form-data", false},
        {"multipart/mixed; boundary=a", false},
        {"application/json", false},
        {"", false},
    };
    const struct http_multipart_handler handler = {NULL, note_part, note_bytes, note_end};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        CLEANUP(http_multipart_destroy) struct http_multipart *parser = NULL;
        struct error error = ERROR_NONE;
        enum status status = http_multipart_create(str_of(rows[i].type), &handler,
                                                   &http_multipart_limits_default, &parser, &error);
        assert_int_equal(status, rows[i].good ? STATUS_OK : STATUS_INVALID_ARGUMENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_come_out_however_they_are_cut),
        cmocka_unit_test(content_that_looks_like_a_boundary_is_content),
        cmocka_unit_test(names_are_read_as_browsers_write_them),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(an_error_of_the_handler_ends_it),
        cmocka_unit_test(content_types_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
