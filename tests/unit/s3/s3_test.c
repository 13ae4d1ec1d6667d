/*
 * s3_test.c — a service that answers wrongly, in pieces, or not at all; and what cannot be a bucket.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "s3/s3.h"
#include "s3/s3_private.h"
#include "script_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLOSE_HEAD(status) "HTTP/1.1 " status "\r\nconnection: close\r\n"
#define CLOSE(status, body) CLOSE_HEAD(status) "\r\n" body
#define LIST(body)                                                                                 \
    CLOSE("200 OK", "<?xml version=\"1.0\"?>\n<ListBucketResult>" body "</ListBucketResult>")
#define FAULT(status, code)                                                                        \
    CLOSE(status, "<Error><Code>" code "</Code><Message>why</Message></Error>")
#define ETAG CLOSE_HEAD("200 OK") "etag: \"e1\"\r\ncontent-length: 0\r\n\r\n"
#define BEGUN                                                                                      \
    CLOSE("200 OK", "<InitiateMultipartUploadResult><UploadId>up&amp;1</UploadId></"               \
                    "InitiateMultipartUploadResult>")

struct fixture {
    struct script_server server;
    struct fetch_pool *fetch;
    struct s3 *s3;
    struct error error;
};

static void begin(struct fixture *fixture, const struct script_step *steps, size_t count)
{
    script_server_start(&fixture->server, steps, count);
    fixture->error = ERROR_NONE;
    fixture->fetch = NULL;
    fixture->s3 = NULL;
    struct fetch_pool_options pool_options = {
        .attempts_max = 2, .retry_delay_ms = 1, .retry_delay_max_ms = 1};
    assert_int_equal(fetch_pool_create(&pool_options, &fixture->fetch, &fixture->error), STATUS_OK);
    struct s3_options options = {.fetch = fixture->fetch,
                                 .bucket = STR("bucket"),
                                 .region = STR("us-east-1"),
                                 .endpoint = str_of(fixture->server.url),
                                 .credentials = {STR("key"), STR("secret"), STR_EMPTY},
                                 .part_bytes = 4};
    assert_int_equal(s3_create(&options, &fixture->s3, &fixture->error), STATUS_OK);
}

static void end(struct fixture *fixture)
{
    s3_destroy(fixture->s3);
    fetch_pool_destroy(fixture->fetch);
    script_server_stop(&fixture->server);
}

/* --- what can be a bucket -------------------------------------------------------------------------- */

static enum status create(struct s3_options options, struct s3 **out)
{
    struct error error = ERROR_NONE;
    if (!options.bucket.ptr)
        options.bucket = STR("my-bucket");
    if (!options.region.ptr)
        options.region = STR("eu-west-1");
    if (!options.credentials.access_key.ptr)
        options.credentials = (struct s3_credentials){STR("key"), STR("secret"), STR_EMPTY};
    return s3_create(&options, out, &error);
}

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

/* --- answers --------------------------------------------------------------------------------------- */

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

/* --- reading --------------------------------------------------------------------------------------- */

#define FIRST_HALF CLOSE_HEAD("200 OK") "etag: \"e1\"\r\ncontent-length: 10\r\n\r\n01234"
#define REST(range, etag, bytes, count)                                                            \
    CLOSE_HEAD("206 Partial")                                                                      \
    "etag: \"" etag "\"\r\ncontent-range: bytes " range "\r\ncontent-length: " count               \
    "\r\n\r\n" bytes

static enum status read_in_pieces(const struct script_step *steps, size_t count, struct buf *out,
                                  struct fixture *fixture)
{
    begin(fixture, steps, count);
    buf_init(out, 100);
    struct s3_object object;
    enum status status = s3_get_bytes(fixture->s3, STR("k"), NULL, out, &object, &fixture->error);
    if (status == STATUS_OK)
        assert_int_equal(object.size_bytes, 10);
    return status;
}

static void reading_goes_on_where_it_broke_off(void **state)
{
    static const struct script_step steps[] = {{FIRST_HALF, 0, true},
                                               {REST("5-9/10", "e1", "567", "5"), 0, true},
                                               {REST("8-9/10", "e1", "89", "2"), 0, true}};
    struct fixture fixture;
    CLEANUP(buf_finish) struct buf out;
    assert_int_equal(read_in_pieces(steps, 3, &out, &fixture), STATUS_OK);
    assert_string_equal((const char *)out.ptr, "0123456789");
    assert_false(script_server_saw(&fixture.server, 0, "range:"));
    assert_true(script_server_saw(&fixture.server, 1, "range: bytes=5-9\r\n"));
    assert_true(script_server_saw(&fixture.server, 1, "if-match: \"e1\"\r\n"));
    assert_true(script_server_saw(&fixture.server, 2, "range: bytes=8-9\r\n"));
    end(&fixture);
}

static void two_objects_are_never_mixed(void **state)
{
    static const struct script_step seconds[] = {
        {REST("5-9/10", "e2", "56789", "5"), 0, true},
        {REST("0-9/10", "e1", "0123456789", "10"), 0, true},
        {CLOSE_HEAD("200 OK") "etag: \"e1\"\r\ncontent-length: 10\r\n\r\n0123456789", 0, true},
        {REST("x-9/10", "e1", "56789", "5"), 0, true},
        {REST("5-9/10", "e1", "56789xx", "7"), 0, true},
    };
    for (size_t i = 0; i < ARRAY_COUNT(seconds); i++) {
        struct script_step steps[] = {{FIRST_HALF, 0, true}, seconds[i]};
        struct fixture fixture;
        CLEANUP(buf_finish) struct buf out;
        assert_int_equal(read_in_pieces(steps, 2, &out, &fixture), STATUS_DATA_LOSS);
        assert_string_equal((const char *)out.ptr, "01234");
        end(&fixture);
    }
}

static void what_changed_meanwhile_is_an_error(void **state)
{
    static const struct script_step steps[] = {{FIRST_HALF, 0, true},
                                               {FAULT("412 No", "PreconditionFailed"), 0, true}};
    struct fixture fixture;
    CLEANUP(buf_finish) struct buf out;
    assert_int_equal(read_in_pieces(steps, 2, &out, &fixture), STATUS_FAILED_PRECONDITION);
    end(&fixture);
}

static void breaks_without_bytes_are_counted(void **state)
{
    static const struct script_step steps[] = {{FIRST_HALF, 0, true}, {"", 0, true}, {"", 0, true},
                                               {"", 0, true},         {"", 0, true}, {"", 0, true},
                                               {"", 0, true},         {"", 0, true}, {"", 0, true}};
    struct fixture fixture;
    CLEANUP(buf_finish) struct buf out;
    assert_int_equal(read_in_pieces(steps, 9, &out, &fixture), STATUS_UNAVAILABLE);
    assert_true(atomic_load(&fixture.server.requests_seen) <= 9);
    end(&fixture);
}

static void a_buf_is_not_overrun(void **state)
{
    static const struct script_step steps[] = {
        {CLOSE_HEAD("200 OK") "etag: \"e1\"\r\ncontent-length: 10\r\n\r\n0123456789", 0, true}};
    struct fixture fixture;
    begin(&fixture, steps, 1);
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, 9);
    assert_int_equal(s3_get_bytes(fixture.s3, STR("k"), NULL, &out, NULL, &fixture.error),
                     STATUS_RESOURCE_EXHAUSTED);
    end(&fixture);
}

/* --- writing --------------------------------------------------------------------------------------- */

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

struct words {
    struct str rest;
};

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

/* --- lists ----------------------------------------------------------------------------------------- */

static enum status note(void *context, struct str key, const struct s3_object *object,
                        struct error *error)
{
    buf_printf(context, "%.*s %u %u %s;", STR_ARGS(key), (unsigned)object->size_bytes,
               (unsigned)(object->modified_us / 1000000), object->etag);
    return STATUS_OK;
}

#define CONTENTS(key)                                                                              \
    "<Contents><Key>" key "</Key><Size>5</Size><ETag>&quot;e&quot;</ETag>"                         \
    "<LastModified>1970-01-01T00:00:09.000Z</LastModified></Contents>"
#define MORE(token)                                                                                \
    "<IsTruncated>true</IsTruncated><NextContinuationToken>" token "</NextContinuationToken>"

static void pages_follow_each_other(void **state)
{
    static const struct script_step steps[] = {
        {LIST(CONTENTS("a%2Bb+c") MORE("t&amp;1") "<EncodingType>url</EncodingType>"), 0, true},
        {LIST(CONTENTS("d+e") "<IsTruncated>false</IsTruncated>"), 0, true}};
    struct fixture fixture;
    begin(&fixture, steps, 2);
    CLEANUP(buf_finish) struct buf seen;
    buf_init(&seen, 1000);
    struct s3_list_options options = {.prefix = STR("p/")};
    assert_int_equal(s3_list(fixture.s3, &options, note, &seen, &fixture.error), STATUS_OK);
    assert_string_equal((const char *)seen.ptr, "a+b c 5 9 \"e\";d+e 5 9 \"e\";");
    assert_true(script_server_saw(&fixture.server, 0,
                                  "GET /bucket?encoding-type=url&list-type=2&max-keys=1000&"
                                  "prefix=p%2F HTTP/1.1"));
    assert_true(script_server_saw(&fixture.server, 1, "continuation-token=t%261&"));
    end(&fixture);
}

static void lists_that_cannot_be_are_errors(void **state)
{
    static const struct script_step lists[] = {
        {CLOSE("200 OK", "<ListBucketResult>"), 0, true},
        {CLOSE("200 OK", "{}"), 0, true},
        {LIST("<Contents><Key>a</Key><Size>-5</Size></Contents>"), 0, true},
        {LIST("<Contents><Size>5</Size></Contents>"), 0, true},
        {LIST("<EncodingType>url</EncodingType>" CONTENTS("a%2")), 0, true},
        {LIST("<EncodingType>url</EncodingType>" CONTENTS("a%FF")), 0, true},
        {LIST("<EncodingType>url</EncodingType>" CONTENTS("a%00")), 0, true},
        {LIST("<IsTruncated>true</IsTruncated>"), 0, true},
    };
    for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
        struct fixture fixture;
        begin(&fixture, &lists[i], 1);
        CLEANUP(buf_finish) struct buf seen;
        buf_init(&seen, 1000);
        struct s3_list_options options = {.page_size = 10};
        assert_int_not_equal(s3_list(fixture.s3, &options, note, &seen, &fixture.error), STATUS_OK);
        print_message("%s\n", fixture.error.message);
        end(&fixture);
    }
}

static void a_list_does_not_go_round(void **state)
{
    static const struct script_step steps[] = {{LIST(CONTENTS("a") MORE("t")), 0, true},
                                               {LIST(CONTENTS("b") MORE("t")), 0, true}};
    struct fixture fixture;
    begin(&fixture, steps, 2);
    CLEANUP(buf_finish) struct buf seen;
    buf_init(&seen, 1000);
    struct s3_list_options options = {.page_size = 1};
    assert_int_equal(s3_list(fixture.s3, &options, note, &seen, &fixture.error), STATUS_INTERNAL);
    end(&fixture);
}

/* Two tokens that alternate are new each time. */
static void list_for_ever(const char *contents, uint64_t pages_max, uint64_t pages)
{
    static const char *const tokens[] = {"t", "u"};
    char answers[2][512];
    struct script_step steps[SCRIPT_STEPS_MAX];
    for (size_t i = 0; i < 2; i++)
        snprintf(answers[i], sizeof(answers[i]),
                 LIST("%s<IsTruncated>true</IsTruncated>"
                      "<NextContinuationToken>%s</NextContinuationToken>"),
                 contents, tokens[i]);
    for (size_t i = 0; i < SCRIPT_STEPS_MAX; i++)
        steps[i] = (struct script_step){answers[i % 2], 0, true};
    struct fixture fixture;
    begin(&fixture, steps, SCRIPT_STEPS_MAX);
    CLEANUP(buf_finish) struct buf seen;
    buf_init(&seen, 10000);
    struct s3_list_options options = {.pages_max = pages_max};
    assert_int_equal(s3_list(fixture.s3, &options, note, &seen, &fixture.error), STATUS_INTERNAL);
    assert_int_equal(atomic_load(&fixture.server.requests_seen), pages);
    end(&fixture);
}

static void a_list_does_not_go_on_for_ever(void **state)
{
    list_for_ever("", 0, 100);
    list_for_ever(CONTENTS("a"), 7, 7);
}

static void a_list_ends_where_it_is_to(void **state)
{
    static const struct script_step steps[] = {
        {LIST(CONTENTS("a") CONTENTS("b") CONTENTS("c") MORE("t")), 0, true}};
    struct fixture fixture;
    begin(&fixture, steps, 1);
    CLEANUP(buf_finish) struct buf seen;
    buf_init(&seen, 1000);
    struct s3_list_options options = {.count_max = 2};
    assert_int_equal(s3_list(fixture.s3, &options, note, &seen, &fixture.error), STATUS_OK);
    assert_string_equal((const char *)seen.ptr, "a 5 9 \"e\";b 5 9 \"e\";");
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
        cmocka_unit_test(reading_goes_on_where_it_broke_off),
        cmocka_unit_test(two_objects_are_never_mixed),
        cmocka_unit_test(what_changed_meanwhile_is_an_error),
        cmocka_unit_test(breaks_without_bytes_are_counted),
        cmocka_unit_test(a_buf_is_not_overrun),
        cmocka_unit_test(small_objects_go_in_one_request),
        cmocka_unit_test(what_can_be_rewound_goes_in_one_request),
        cmocka_unit_test(bodies_are_signed_where_others_could_change_them),
        cmocka_unit_test(large_objects_go_in_parts),
        cmocka_unit_test(an_upload_that_fails_is_aborted),
        cmocka_unit_test(a_completion_may_fail_with_200),
        cmocka_unit_test(a_completion_whose_answer_was_lost_counts),
        cmocka_unit_test(pages_follow_each_other),
        cmocka_unit_test(lists_that_cannot_be_are_errors),
        cmocka_unit_test(a_list_does_not_go_round),
        cmocka_unit_test(a_list_does_not_go_on_for_ever),
        cmocka_unit_test(a_list_ends_where_it_is_to),
        cmocka_unit_test(keys_and_times_of_urls_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
