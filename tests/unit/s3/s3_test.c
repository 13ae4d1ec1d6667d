/*
 * s3_test.c — what can be a bucket, its keys and times, and what its answers mean.
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

static void what_cannot_be_one_is_refused(void **state)
{
    static const char *const buckets[] = {
        "ab", "a b c", "a/b", "a?b",
        "0123456789012345678901234567890123456789012345678901234567890123"};
    static const char *const endpoints[] = {
        "localhost:9000",  "ftp://host",          "http://",      "http://host/path", "http://a b",
        "http://u:p@host", "http://host:9000/?x", "https://h\r\n"};
    struct s3 *s3 = NULL;
    for (size_t i = 0; i < ARRAY_COUNT(buckets); i++)
        assert_int_equal(create((struct s3_options){.bucket = str_of(buckets[i])}, &s3),
                         STATUS_INVALID_ARGUMENT);
    for (size_t i = 0; i < ARRAY_COUNT(endpoints); i++)
        assert_int_equal(create((struct s3_options){.endpoint = str_of(endpoints[i])}, &s3),
                         STATUS_INVALID_ARGUMENT);
    assert_int_equal(create((struct s3_options){.region = STR("us east")}, &s3),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(
        create((struct s3_options){.credentials = {STR("key"), STR_EMPTY, STR_EMPTY}}, &s3),
        STATUS_INVALID_ARGUMENT);
    assert_int_equal(
        create((struct s3_options){.credentials = {STR("a\r\nb"), STR("c"), STR_EMPTY}}, &s3),
        STATUS_INVALID_ARGUMENT);
    assert_null(s3);
}

static void a_bucket_is_where_it_belongs(void **state)
{
    static const struct {
        const char *bucket, *endpoint;
        enum s3_addressing addressing;
        const char *base, *prefix;
    } rows[] = {
        {"my-bucket", "", S3_AUTO, "https://my-bucket.s3.eu-west-1.amazonaws.com", ""},
        {"my.bucket", "", S3_AUTO, "https://s3.eu-west-1.amazonaws.com", "/my.bucket"},
        {"my-bucket", "http://h:9000/", S3_AUTO, "http://h:9000", "/my-bucket"},
        {"my-bucket", "http://h:80", S3_AUTO, "http://h", "/my-bucket"},
        {"my-bucket", "https://h:443", S3_VIRTUAL_HOST, "https://my-bucket.h", ""},
        {"my-bucket", "", S3_PATH, "https://s3.eu-west-1.amazonaws.com", "/my-bucket"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct s3 *s3 = NULL;
        struct s3_options options = {.bucket = str_of(rows[i].bucket),
                                     .endpoint = str_of(rows[i].endpoint),
                                     .addressing = rows[i].addressing};
        assert_int_equal(create(options, &s3), STATUS_OK);
        assert_string_equal(s3->base, rows[i].base);
        assert_string_equal(s3->path_prefix, rows[i].prefix);
        s3_destroy(s3);
    }
}

static void keys_come_from_the_environment_or_the_file(void **state)
{
    char path[] = "/tmp/s3_test_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char text[] =
        "# keys\n[default]\naws_access_key_id = one\naws_secret_access_key=a\n"
        "[profile other]\naws_access_key_id = two\r\n"
        "aws_secret_access_key = b=c\naws_session_token = t\n[last]\n";
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    close(fd);
    struct s3 s3 = {.bucket = (char[]){"b"}, .endpoint = (char[]){"e"}};
    struct s3_credentials found;
    struct error error = ERROR_NONE;
    CLEANUP(buf_finish) struct buf secrets;
    buf_init(&secrets, S3_SECRETS_BYTES_MAX);
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    unsetenv("AWS_PROFILE");
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/file", 1);
    assert_int_equal(s3_credentials_find(&s3, &secrets, &found, &error), STATUS_UNAUTHENTICATED);
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    assert_int_equal(s3_credentials_find(&s3, &secrets, &found, &error), STATUS_OK);
    assert_true(str_equal(found.access_key, STR("one")) && found.session_token.len == 0);
    setenv("AWS_PROFILE", "other", 1);
    buf_clear(&secrets);
    assert_int_equal(s3_credentials_find(&s3, &secrets, &found, &error), STATUS_OK);
    assert_true(str_equal(found.access_key, STR("two")));
    assert_true(str_equal(found.secret_key, STR("b=c")));
    assert_true(str_equal(found.session_token, STR("t")));
    setenv("AWS_PROFILE", "last", 1);
    buf_clear(&secrets);
    assert_int_equal(s3_credentials_find(&s3, &secrets, &found, &error), STATUS_UNAUTHENTICATED);
    setenv("AWS_ACCESS_KEY_ID", "three", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "d", 1);
    assert_int_equal(s3_credentials_find(&s3, &secrets, &found, &error), STATUS_OK);
    assert_true(str_equal(found.access_key, STR("three")));
    unlink(path);
}

static void times_are_read(void **state)
{
    static const char *const wrong[] = {"",
                                        "2026-11-21",
                                        "2026-11-21T17:00:00",
                                        "2026-13-21T17:00:00Z",
                                        "2026-11-21T24:00:00Z",
                                        "2026-11-21 17:00:00Z",
                                        "2026-11-21T17:00:00.Z",
                                        "2026-11-21T17:00:00.12",
                                        "2026-11-21T17:00:00Zx"};
    int64_t us = 0;
    assert_true(s3_parse_time(STR("1970-01-02T00:00:01.25Z"), &us));
    assert_int_equal(us, INT64_C(86401250000));
    assert_true(s3_parse_time(STR("1970-01-01T00:00:00Z"), &us));
    assert_int_equal(us, 0);
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        assert_false(s3_parse_time(str_of(wrong[i]), &us));
}

static void errors_tell_what_the_service_said(void **state)
{
    static const struct {
        const char *answer;
        enum status status;
        const char *words;
    } rows[] = {
        {FAULT("404 No", "NoSuchBucket"), STATUS_NOT_FOUND, "NoSuchBucket: why (HTTP 404)"},
        {FAULT("403 No", "AccessDenied"), STATUS_PERMISSION_DENIED, "AccessDenied"},
        {FAULT("403 No", "SignatureDoesNotMatch"), STATUS_UNAUTHENTICATED, "SignatureDoesNotMatch"},
        {FAULT("400 No", "InvalidToken"), STATUS_UNAUTHENTICATED, "InvalidToken"},
        {FAULT("418 No", "Odd\n\tCode\x7f"), STATUS_INTERNAL, "Odd  Code"},
        {CLOSE("403 No", "<html><p>proxy</html>"), STATUS_PERMISSION_DENIED,
         "refuses it (HTTP 403)"},
        {CLOSE("404 No", ""), STATUS_NOT_FOUND, "no such object or bucket"},
        {CLOSE_HEAD("301 Moved") "x-amz-bucket-region: eu-west-3\r\n\r\n",
         STATUS_FAILED_PRECONDITION,
         "the bucket is in the region 'eu-west-3', set s3-region to it"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct script_step step = {rows[i].answer, 0, true};
        struct fixture fixture;
        begin(&fixture, &step, 1);
        CLEANUP(buf_finish) struct buf out;
        buf_init(&out, 100);
        assert_int_equal(s3_get_bytes(fixture.s3, STR("a/b"), NULL, &out, NULL, &fixture.error),
                         rows[i].status);
        print_message("%s\n", fixture.error.message);
        assert_non_null(strstr(fixture.error.message, rows[i].words));
        assert_non_null(
            strstr(fixture.error.message, "S3 cannot get 'a/b' in the bucket 'bucket'"));
        assert_non_null(strstr(fixture.error.message, fixture.server.url));
        assert_false(s3_seems_down(fixture.s3));
        end(&fixture);
    }
}

static void a_service_that_is_down_is_remembered(void **state)
{
    static const struct script_step steps[] = {{FAULT("503 No", "SlowDown"), 0, true},
                                               {FAULT("503 No", "SlowDown"), 0, true},
                                               {CLOSE("204 No", ""), 0, true}};
    struct fixture fixture;
    begin(&fixture, steps, 3);
    assert_int_equal(s3_delete(fixture.s3, STR("k"), NULL, &fixture.error), STATUS_UNAVAILABLE);
    assert_true(s3_seems_down(fixture.s3));
    assert_int_equal(s3_delete(fixture.s3, STR("k"), NULL, &fixture.error), STATUS_OK);
    assert_false(s3_seems_down(fixture.s3));
    end(&fixture);
}

static void a_wrong_clock_is_put_right(void **state)
{
    static const struct script_step steps[] = {
        {CLOSE_HEAD("403 No") "date: Fri, 24 May 2013 00:00:00 GMT\r\n\r\n"
                              "<Error><Code>RequestTimeTooSkewed</Code></Error>",
         0, true},
        {CLOSE("204 No", ""), 0, true}};
    struct fixture fixture;
    begin(&fixture, steps, 2);
    assert_int_equal(s3_delete(fixture.s3, STR("k"), NULL, &fixture.error), STATUS_OK);
    assert_false(script_server_saw(&fixture.server, 0, "x-amz-date: 20130524T"));
    assert_true(script_server_saw(&fixture.server, 1, "x-amz-date: 20130524T0000"));
    end(&fixture);
}

static void keys_and_times_of_urls_are_checked(void **state)
{
    static const struct script_step steps[] = {{ETAG, 0, true}};
    struct fixture fixture;
    begin(&fixture, steps, 1);
    char long_key[S3_KEY_BYTES_MAX + 1];
    memset(long_key, 'k', sizeof(long_key));
    const struct str keys[] = {STR_EMPTY, STR("\xff"), str_make("a\0b", 3),
                               str_make(long_key, sizeof(long_key))};
    CLEANUP(buf_finish) struct buf url;
    buf_init(&url, FETCH_URL_BYTES_MAX);
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
        assert_int_equal(
            s3_presign(fixture.s3, "GET", keys[i], 60, STR_EMPTY, &url, &fixture.error),
            STATUS_INVALID_ARGUMENT);
    assert_int_equal(s3_presign(fixture.s3, "GET", STR("k"), 0, STR_EMPTY, &url, &fixture.error),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(s3_presign(fixture.s3, "GET", STR("k"), S3_PRESIGN_SECONDS_MAX + 1, STR_EMPTY,
                                &url, &fixture.error),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(url.len, 0);
    assert_int_equal(atomic_load(&fixture.server.connections), 0);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_one_is_refused),
        cmocka_unit_test(a_bucket_is_where_it_belongs),
        cmocka_unit_test(keys_come_from_the_environment_or_the_file),
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(errors_tell_what_the_service_said),
        cmocka_unit_test(a_service_that_is_down_is_remembered),
        cmocka_unit_test(a_wrong_clock_is_put_right),
        cmocka_unit_test(keys_and_times_of_urls_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
