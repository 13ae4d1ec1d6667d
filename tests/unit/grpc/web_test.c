/*
 * Calls in other forms than gRPC's own: gRPC-Web, binary and text, and compressed messages.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call_fixture.h"

#include "compress/decoder.h"
#include "compress/encoder.h"
#include "grpc/base64.h"

/* --- gRPC-Web ----------------------------------------------------------------------------------- */

static struct fake_request *begin_web(struct fixture *fixture, const char *path, const char *type)
{
    struct fake_request *fake = begin(fixture, path);
    fake->request.version = HTTP_1_1;
    fake->request.authority = STR("localhost");
    fake_request_header(fake, "content-type", type);
    return fake;
}

static void test_binary(void **state)
{
    struct fixture *fixture = *state;
    struct fake_request *fake = begin_web(fixture, "/test.S/Unary", "application/grpc-web+proto");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\2hi");
    fake_request_end(fake);
    assert_string_equal(fixture->probe.messages, "hi|");
    assert_int_equal(fake->status, 200);
    assert_contains(&fake->head, "content-type: application/grpc-web+proto\n");
    assert_contains(&fake->head, "x-head: 1\n");
    assert_true(fake->ended);
    assert_int_equal(fake->trailers.len, 0);
    assert_body(fake, STR("\0\0\0\0\1r"
                          "\x80\0\0\0\x1bgrpc-status: 0\r\nx-tail: 2\r\n"));
}

static void test_trailers_only(void **state)
{
    struct fixture *fixture = *state;
    struct fake_request *fake = begin_web(fixture, "/test.S/Nope", "application/grpc-web");
    fake_request_header(fake, "origin", "http://app.example");
    open_call(fixture);
    assert_trailers_only(fixture, STATUS_UNIMPLEMENTED);
    assert_contains(&fake->head, "grpc-message: ");
    assert_contains(&fake->head, "access-control-allow-origin: http://app.example\n");
    assert_contains(&fake->head, "access-control-expose-headers: x-request-id, grpc-status");
    fake_request_end(fake);
}

static void test_failure_after_messages(void **state)
{
    struct fixture *fixture = *state;
    fixture->probe.responses = 2;
    fixture->probe.next_status = STATUS_DATA_LOSS;
    struct fake_request *fake = begin_web(fixture, "/test.S/Download", "application/grpc-web");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\0");
    fake_request_end(fake);
    struct str body = buf_str(&fake->body);
    assert_true(str_starts_with(body, STR("\0\0\0\0\1r\0\0\0\0\1r\x80\0\0")));
    assert_contains(&fake->body, "grpc-status: 15\r\n");
    assert_contains(&fake->body, "grpc-message: next failed\r\n");
    assert_contains(&fake->body, "x-tail: 2\r\n");
    assert_true(str_ends_with(body, STR("\r\n")));
}

/* The response as it was before base64; each write is padded by itself. */
static size_t decode(const struct buf *body, uint8_t *out, size_t size)
{
    struct base64_decoder decoder = {.held = 0};
    struct str text = buf_str(body);
    size_t len;
    assert_true(base64_decode(&decoder, &text, out, size, &len));
    assert_int_equal(text.len, 0);
    assert_false(base64_is_midway(&decoder));
    return len;
}

static void test_text(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *request; /* "\0\0\0\0\2hi" */
        bool good;
    } cases[] = {
        {"AAAAAAJoaQ==", true},
        {"AAAAAAJo"
         "aQ==",
         true},
        /* Padded in the middle: two writes. */
        {"AAAAAA==Amhp", true},
        {"AAAAAAJoaQ", false},
        {"AAAAAAJoaQ=", false},
        {"AAAAAAJoaQ==AAAA", false},
        {"AAAAAAJoaQ==A", false},
        {"not base64!!", false},
        {"", false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        for (size_t piece = 1; piece < 14; piece++) {
            fixture->probe.responses = 1;
            fixture->probe.messages[0] = 0;
            struct fake_request *fake =
                begin_web(fixture, "/test.S/Unary", "application/grpc-web-text");
            open_call(fixture);
            struct str text = str_of(cases[i].request);
            for (size_t at = 0; at < text.len && !fake->ended; at += piece) {
                struct str part = str_slice(text, at, at + piece);
                fake_request_body(fake, part.ptr, part.len);
            }
            if (!fake->ended)
                fake_request_end(fake);
            if (cases[i].good) {
                assert_string_equal(fixture->probe.messages, "hi|");
                uint8_t body[200];
                size_t len = decode(&fake->body, body, sizeof(body));
                struct str expected =
                    STR("\0\0\0\0\1r\x80\0\0\0\x1bgrpc-status: 0\r\nx-tail: 2\r\n");
                assert_true(str_equal(str_make(body, len), expected));
                assert_contains(&fake->head, "content-type: application/grpc-web-text\n");
                assert_int_equal(fake->consumed_bytes, text.len);
            } else {
                assert_true(fake->trailers_only);
                assert_string_equal(fixture->probe.messages, "");
            }
            close_call(fixture, HTTP_CLOSE_DONE);
        }
    }
}

/* Several messages, their borders anywhere between the characters. */
static void test_text_of_many_messages(void **state)
{
    struct fixture *fixture = *state;
    uint8_t messages[300];
    size_t len = 0;
    for (uint8_t size = 0; size < 20; size++) {
        memcpy(messages + len, (uint8_t[]){0, 0, 0, 0, size}, 5);
        memset(messages + len + 5, 'a' + size, size);
        len += 5 + size;
    }
    struct base64_encoder encoder = {.held_len = 0};
    char text[BASE64_SIZE(sizeof(messages))];
    size_t text_len = base64_encode(&encoder, str_make(messages, len), text);
    text_len += base64_encode_end(&encoder, true, text + text_len);
    for (size_t piece = 1; piece < 40; piece++) {
        fixture->probe.responses = 1;
        fixture->probe.received = 0;
        struct fake_request *fake =
            begin_web(fixture, "/test.S/Upload", "application/grpc-web-text");
        open_call(fixture);
        for (size_t at = 0; at < text_len; at += piece)
            fake_request_body(fake, text + at, size_min(piece, text_len - at));
        fake_request_end(fake);
        assert_int_equal(fixture->probe.received, 20);
        assert_int_equal(fake->consumed_bytes, text_len);
        assert_true(fake->ended && !fake->trailers_only);
        close_call(fixture, HTTP_CLOSE_DONE);
    }
}

static void test_answer_in_the_form_that_was_asked_for(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *type;
        const char *accept;
        const char *expected;
    } cases[] = {
        {"application/grpc-web+proto", "application/grpc-web-text",
         "content-type: application/grpc-web-text\n"},
        {"application/grpc-web", "*/*", "content-type: application/grpc-web\n"},
        {"application/grpc-web", "application/grpc", "content-type: application/grpc-web\n"},
        {"application/grpc-web", "text/html, application/grpc-web+proto",
         "content-type: application/grpc-web\n"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        fixture->probe.responses = 1;
        struct fake_request *fake = begin_web(fixture, "/test.S/Unary", cases[i].type);
        fake_request_header(fake, "accept", cases[i].accept);
        open_call(fixture);
        SEND(fixture, "\0\0\0\0\0");
        fake_request_end(fake);
        assert_contains(&fake->head, cases[i].expected);
        assert_true(fake->ended);
        close_call(fixture, HTTP_CLOSE_DONE);
    }
}

static void test_large_text_goes_in_turns(void **state)
{
    struct fixture *fixture = *state;
    size_t size = 600000;
    char *large = memory_new(size);
    fixture->probe.response = str_make(large, size);
    struct fake_request *fake = begin_web(fixture, "/test.S/Unary", "application/grpc-web-text");
    open_call(fixture);
    SEND(fixture, "AAAAAAA=");
    fake_request_end(fake);
    int turns = 0;
    for (; !fake->ended; turns++)
        loop_run_once(fixture->loop, -1);
    assert_true(turns >= 2);
    uint8_t *body = memory_new(size + 100);
    size_t len = decode(&fake->body, body, size + 100);
    assert_int_equal(len, 5 + size + 5 + 27);
    free(body);
    free(large);
}

/* --- compressed messages -------------------------------------------------------------------------- */

/* `size` bytes of a pattern in a frame. */
static struct slice packed_frame(size_t size)
{
    CLEANUP(slices_finish) struct slices plain;
    CLEANUP(slices_finish) struct slices packed;
    slices_init(&plain);
    slices_init(&packed);
    char *bytes = memory_new(size + 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)('a' + i / 50 % 20);
    slices_append_copy(&plain, bytes, size);
    free(bytes);
    frame_reserve_prefix(&packed);
    assert_int_equal(compress_encode(COMPRESS_GZIP, 0, &plain, &packed, NULL), STATUS_OK);
    frame_fill_prefix(&packed, true);
    CLEANUP(slice_finish) struct slice joined = slices_join(&packed);
    return slice_copy(joined.ptr, joined.len);
}

static void send_packed(struct fixture *fixture, size_t size)
{
    CLEANUP(slice_finish) struct slice frame = packed_frame(size);
    fake_request_body(fixture->fake, frame.ptr, frame.len);
}

static void test_compressed_request(void **state)
{
    struct fixture *fixture = *state;
    static const char *const paths[] = {"/test.S/Unary", "/test.S/BlockingUnary"};
    for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
        fixture->probe.messages[0] = 0;
        fixture->probe.responses = 1;
        fixture->probe.received = 0;
        begin(fixture, paths[i]);
        fake_request_header(fixture->fake, "grpc-encoding", "gzip");
        open_call(fixture);
        send_packed(fixture, 40);
        fake_request_end(fixture->fake);
        while (!fixture->fake->ended)
            loop_run_once(fixture->loop, -1);
        assert_int_equal(strlen(fixture->probe.messages), 41);
        assert_contains(&fixture->fake->trailers, "grpc-status: 0\n");
        close_call(fixture, HTTP_CLOSE_DONE);
    }
}

static void test_compressed_and_plain_requests_in_one_call(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "/test.S/Upload");
    fake_request_header(fixture->fake, "grpc-encoding", "gzip");
    open_call(fixture);
    send_packed(fixture, 10);
    SEND(fixture, "\0\0\0\0\1x");
    send_packed(fixture, 0);
    fake_request_end(fixture->fake);
    assert_int_equal(fixture->probe.received, 3);
    assert_ok(fixture);
}

static void test_compressed_request_over_the_limit(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "/test.S/Unary");
    fake_request_header(fixture->fake, "grpc-encoding", "gzip");
    open_call(fixture);
    send_packed(fixture, 51);
    assert_trailers_only(fixture, STATUS_RESOURCE_EXHAUSTED);
    assert_contains(&fixture->fake->head, "grpc-accept-encoding: identity,deflate,gzip\n");
    assert_int_equal(fixture->probe.received, 0);
    fake_request_end(fixture->fake);
}

static void test_damaged_compressed_request(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "/test.S/Exchange");
    fixture->probe.wait = true;
    fake_request_header(fixture->fake, "grpc-encoding", "gzip");
    open_call(fixture);
    SEND(fixture, "\1\0\0\0\x0cxxxxxxxx\1\0\0\0");
    assert_trailers_only(fixture, STATUS_INTERNAL);
    fake_request_end(fixture->fake);
}

/* Other calls of the loop have their turn while a large message is decompressed. */
static void test_large_compressed_request_goes_in_turns(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "/test.S/Upload");
    fake_request_header(fixture->fake, "grpc-encoding", "gzip");
    open_call(fixture);
    CLEANUP(slice_finish) struct slice frame = packed_frame((size_t)3 << 20);
    fake_request_body(fixture->fake, frame.ptr, frame.len);
    /* The next message comes meanwhile; its window stays closed. */
    SEND(fixture, "\0\0\0\0\1x");
    fake_request_end(fixture->fake);
    assert_int_equal(fixture->fake->consumed_bytes, frame.len);
    int turns = 0;
    for (; !fixture->fake->ended; turns++)
        loop_run_once(fixture->loop, -1);
    assert_true(turns >= (3 << 20) / 65536);
    assert_int_equal(fixture->probe.received, 2);
    assert_int_equal(fixture->fake->consumed_bytes, frame.len + 6);
    assert_ok(fixture);
}

/* What is in the first frame of the response. */
static size_t unpacked_len(const struct buf *body)
{
    size_t len = (size_t)body->ptr[1] << 24 | (size_t)body->ptr[2] << 16 |
                 (size_t)body->ptr[3] << 8 | body->ptr[4];
    CLEANUP(slices_finish) struct slices coded;
    CLEANUP(slices_finish) struct slices plain;
    slices_init(&coded);
    slices_init(&plain);
    slices_append_copy(&coded, body->ptr + 5, len);
    struct compress_limits limits = compress_limits_of((size_t)4 << 20);
    assert_int_equal(compress_decode(COMPRESS_GZIP, &limits, &coded, &plain, NULL), STATUS_OK);
    return plain.bytes;
}

static void test_compressed_response(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *encoding;
        const char *accepts;
        size_t size;
        bool compressed;
    } cases[] = {
        {"gzip", "identity, gzip", 1024, true},
        {"gzip", "gzip", 1 << 20, true},
        {"GZIP", "deflate,GZip", 5000, true},
        {"gzip", "identity,deflate,gzip", 1023, false},
        {"gzip", "identity,deflate,gzip", (1 << 20) + 1, false},
        {"gzip", "identity", 5000, false},
        {"gzip", "gzipx,xgzip", 5000, false},
        {"gzip", NULL, 5000, false},
        {"identity", "identity,gzip", 5000, false},
        {"zstd", "zstd", 5000, false},
        {NULL, "identity,gzip", 5000, false},
    };
    char *large = memory_new((1 << 20) + 1);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        fixture->probe.response = str_make(large, cases[i].size);
        fixture->probe.responses = 1;
        struct fake_request *fake = begin(fixture, "/test.S/Unary");
        if (cases[i].encoding)
            fake_request_header(fake, "grpc-encoding", cases[i].encoding);
        if (cases[i].accepts)
            fake_request_header(fake, "grpc-accept-encoding", cases[i].accepts);
        open_call(fixture);
        SEND(fixture, "\0\0\0\0\0");
        fake_request_end(fake);
        while (!fake->ended)
            loop_run_once(fixture->loop, -1);
        assert_contains(&fake->trailers, "grpc-status: 0\n");
        assert_int_equal(fake->body.ptr[0], cases[i].compressed);
        if (cases[i].compressed) {
            assert_contains(&fake->head, "grpc-encoding: gzip\n");
            assert_true(fake->body.len < cases[i].size / 10 + 100);
            assert_int_equal(unpacked_len(&fake->body), cases[i].size);
        } else {
            assert_int_equal(fake->body.len, 5 + cases[i].size);
        }
        close_call(fixture, HTTP_CLOSE_DONE);
    }
    free(large);
}

/* Each message by itself; the end comes after the last. */
static void test_compressed_download(void **state)
{
    struct fixture *fixture = *state;
    char *large = memory_new(300000);
    fixture->probe.response = str_make(large, 300000);
    fixture->probe.responses = 3;
    struct fake_request *fake = begin(fixture, "/test.S/Download");
    fake_request_header(fake, "grpc-encoding", "gzip");
    fake_request_header(fake, "grpc-accept-encoding", "gzip");
    open_call(fixture);
    SEND(fixture, "\0\0\0\0\0");
    fake_request_end(fake);
    int turns = 0;
    for (; !fake->ended; turns++) {
        loop_run_once(fixture->loop, -1);
        fake_request_read(fake);
    }
    assert_true(turns >= 3 * (300000 / 65536));
    size_t first = 5 + ((size_t)fake->body.ptr[3] << 8 | fake->body.ptr[4]);
    assert_int_equal(fake->body.len, 3 * first);
    assert_ok(fixture);
    free(large);
}

static void test_compressed_text(void **state)
{
    struct fixture *fixture = *state;
    char *large = memory_new(100000);
    fixture->probe.response = str_make(large, 100000);
    struct fake_request *fake = begin_web(fixture, "/test.S/Unary", "application/grpc-web-text");
    fake_request_header(fake, "grpc-encoding", "gzip");
    fake_request_header(fake, "grpc-accept-encoding", "gzip");
    open_call(fixture);
    SEND(fixture, "AAAAAAA=");
    fake_request_end(fake);
    while (!fake->ended)
        loop_run_once(fixture->loop, -1);
    uint8_t body[1000];
    size_t len = decode(&fake->body, body, sizeof(body));
    const struct buf plain = {.ptr = body, .len = len};
    assert_int_equal(body[0], 1);
    assert_int_equal(unpacked_len(&plain), 100000);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_binary),
        TEST(test_trailers_only),
        TEST(test_failure_after_messages),
        TEST(test_text),
        TEST(test_text_of_many_messages),
        TEST(test_answer_in_the_form_that_was_asked_for),
        TEST(test_large_text_goes_in_turns),
        TEST(test_compressed_request),
        TEST(test_compressed_and_plain_requests_in_one_call),
        TEST(test_compressed_request_over_the_limit),
        TEST(test_damaged_compressed_request),
        TEST_LARGE(test_large_compressed_request_goes_in_turns),
        TEST(test_compressed_response),
        TEST(test_compressed_download),
        TEST(test_compressed_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
