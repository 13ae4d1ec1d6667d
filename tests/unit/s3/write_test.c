/*
 * write_test.c — writing objects, in one request or in parts, and what fails of it.
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

static void small_objects_go_in_one_request(void **state)
{
    static const struct script_step steps[] = {{ETAG, 0, true}};
    struct fixture fixture;
    begin(&fixture, steps, 1);
    struct s3_put_options options = {
        .content_type = STR("a/b"), .content_encoding = STR("gzip"), .must_be_new = true};
    struct s3_object object;
    assert_int_equal(
        s3_put_bytes(fixture.s3, STR("a b"), STR("xyz"), &options, &object, &fixture.error),
        STATUS_OK);
    assert_string_equal(object.etag, "\"e1\"");
    assert_int_equal(object.size_bytes, 3);
    assert_true(script_server_saw(&fixture.server, 0, "PUT /bucket/a%20b HTTP/1.1\r\n"));
    assert_true(script_server_saw(&fixture.server, 0, "if-none-match: *\r\n"));
    assert_true(script_server_saw(&fixture.server, 0, "content-encoding: gzip\r\n"));
    assert_true(script_server_saw(&fixture.server, 0,
                                  "SignedHeaders=content-encoding;content-type;host;if-none-match;"
                                  "x-amz-content-sha256;x-amz-date,"));
    end(&fixture);
}

static enum status words_read(void *context, uint8_t *bytes, size_t size, size_t *out_size,
                              struct error *error)
{
    struct words *words = context;
    *out_size = size < words->rest.len ? size : words->rest.len;
    if (*out_size > 0)
        memcpy(bytes, words->rest.ptr, *out_size);
    words->rest = str_slice(words->rest, *out_size, words->rest.len);
    return STATUS_OK;
}

/* From a source that cannot be rewound: in parts of 4 bytes. */
static enum status put_parts(struct fixture *fixture, struct s3_object *object)
{
    struct words words = {STR("012345")};
    struct fetch_source source = {
        .size = FETCH_SIZE_UNKNOWN, .read = words_read, .context = &words};
    return s3_put(fixture->s3, STR("k"), &source, NULL, object, &fixture->error);
}

static void what_can_be_rewound_goes_in_one_request(void **state)
{
    static const struct script_step steps[] = {
        {CLOSE_HEAD("503 No") "content-length: 0\r\n\r\n", 0, true}, {ETAG, 0, true}};
    struct fixture fixture;
    begin(&fixture, steps, 2);
    static char bytes[100000];
    memset(bytes, 'b', sizeof(bytes));
    struct s3_object object;
    assert_int_equal(s3_put_bytes(fixture.s3, STR("k"), str_make(bytes, sizeof(bytes)), NULL,
                                  &object, &fixture.error),
                     STATUS_OK);
    assert_int_equal(object.size_bytes, sizeof(bytes));
    assert_true(script_server_saw(&fixture.server, 1, "UNSIGNED-PAYLOAD"));
    assert_true(script_server_saw(&fixture.server, 1, "PUT /bucket/k HTTP/1.1\r\n"));
    assert_true(script_server_request(&fixture.server, 1).len > sizeof(bytes));
    end(&fixture);
}

static void bodies_are_signed_where_others_could_change_them(void **state)
{
    static const struct {
        const char *endpoint;
        bool signs;
    } rows[] = {
        {"http://127.0.0.1:9000", false},
        {"http://localhost", false},
        {"http://[::1]:9000", false},
        {"http://localhost.example.org", true},
        {"http://minio:9000", true},
        {"https://minio:9000", false},
        {"", false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct s3 *s3 = NULL;
        assert_int_equal(create((struct s3_options){.endpoint = str_of(rows[i].endpoint)}, &s3),
                         STATUS_OK);
        assert_int_equal(s3->signs_bodies, rows[i].signs);
        s3_destroy(s3);
    }
}

static void large_objects_go_in_parts(void **state)
{
    static const struct script_step steps[] = {
        {BEGUN, 0, true},
        {ETAG, 0, true},
        {FAULT("500 No", "InternalError"), 0, true},
        {ETAG, 0, true},
        {CLOSE("200 OK", "<CompleteMultipartUploadResult><ETag>\"e-2\"</ETag>"
                         "</CompleteMultipartUploadResult>"),
         0, true}};
    struct fixture fixture;
    begin(&fixture, steps, 5);
    struct s3_object object;
    assert_int_equal(put_parts(&fixture, &object), STATUS_OK);
    assert_string_equal(object.etag, "\"e-2\"");
    assert_int_equal(object.size_bytes, 6);
    assert_true(script_server_saw(&fixture.server, 0, "POST /bucket/k?uploads= HTTP/1.1\r\n"));
    assert_true(script_server_saw(&fixture.server, 1, "?partNumber=1&uploadId=up%261 "));
    assert_true(script_server_saw(&fixture.server, 1, "\r\n\r\n0123"));
    assert_true(script_server_saw(&fixture.server, 3, "?partNumber=2&uploadId=up%261 "));
    assert_true(script_server_saw(&fixture.server, 3, "\r\n\r\n45"));
    assert_true(script_server_saw(&fixture.server, 4,
                                  "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"
                                  "\"e1\"</ETag></Part><Part><PartNumber>2</PartNumber>"));
    end(&fixture);
}

static void an_upload_that_fails_is_aborted(void **state)
{
    static const struct script_step gone = {CLOSE("204 No", ""), 0, true};
    static const struct script_step endings[] = {
        {FAULT("403 No", "AccessDenied"), 0, true},
        {CLOSE_HEAD("200 OK") "content-length: 0\r\n\r\n", 0, true},
    };
    for (size_t i = 0; i < ARRAY_COUNT(endings); i++) {
        struct script_step steps[] = {{BEGUN, 0, true}, endings[i], gone};
        struct fixture fixture;
        begin(&fixture, steps, 3);
        assert_int_not_equal(put_parts(&fixture, NULL), STATUS_OK);
        assert_true(
            script_server_saw(&fixture.server, 2, "DELETE /bucket/k?uploadId=up%261 HTTP/1.1\r\n"));
        end(&fixture);
    }
}

static void a_completion_may_fail_with_200(void **state)
{
    static const struct script_step steps[] = {{BEGUN, 0, true},
                                               {ETAG, 0, true},
                                               {ETAG, 0, true},
                                               {FAULT("200 OK", "InternalError"), 0, true},
                                               {CLOSE("204 No", ""), 0, true}};
    struct fixture fixture;
    begin(&fixture, steps, 5);
    assert_int_equal(put_parts(&fixture, NULL), STATUS_UNAVAILABLE);
    assert_true(script_server_saw(&fixture.server, 4, "DELETE "));
    end(&fixture);
}

static void a_completion_whose_answer_was_lost_counts(void **state)
{
    static const struct script_step steps[] = {
        {BEGUN, 0, true},
        {ETAG, 0, true},
        {ETAG, 0, true},
        {"", 0, true},
        {FAULT("404 No", "NoSuchUpload"), 0, true},
        {CLOSE_HEAD("200 OK") "etag: \"e-2\"\r\ncontent-length: 6\r\n\r\n", 0, true}};
    struct fixture fixture;
    begin(&fixture, steps, 6);
    struct s3_object object;
    assert_int_equal(put_parts(&fixture, &object), STATUS_OK);
    assert_string_equal(object.etag, "\"e-2\"");
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_objects_go_in_one_request),
        cmocka_unit_test(what_can_be_rewound_goes_in_one_request),
        cmocka_unit_test(bodies_are_signed_where_others_could_change_them),
        cmocka_unit_test(large_objects_go_in_parts),
        cmocka_unit_test(an_upload_that_fails_is_aborted),
        cmocka_unit_test(a_completion_may_fail_with_200),
        cmocka_unit_test(a_completion_whose_answer_was_lost_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
