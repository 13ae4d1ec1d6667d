/*
 * multipart_test.c — an upload that is taken apart as it comes: a door that answers with the name, size and
 * digest of each part, and a body larger than a server would want to hold.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "frames.h"

#include "base/checked.h"
#include "base/memory.h"
#include "http/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define UPLOAD_BYTES ((size_t)200 << 20)
#define RESIDENT_GROWTH_MAX ((size_t)4 << 20)
#define DIGEST_BEGIN UINT64_C(0xcbf29ce484222325)

/* --- the door ---------------------------------------------------------------------------------- */

struct upload {
    struct http_multipart *parser;
    struct buf answer;
    size_t size;
    uint64_t digest;
};

static uint64_t digest_of(uint64_t digest, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        digest = (digest ^ bytes[i]) * UINT64_C(0x100000001b3);
    return digest;
}

static enum status on_part(void *context, const struct http_part *part, struct error *error)
{
    struct upload *upload = context;
    upload->size = 0;
    upload->digest = DIGEST_BEGIN;
    buf_printf(&upload->answer, "%.*s ", STR_ARGS(part->name));
    return STATUS_OK;
}

static enum status on_part_bytes(void *context, const uint8_t *bytes, size_t size,
                                 struct error *error)
{
    struct upload *upload = context;
    upload->size += size;
    upload->digest = digest_of(upload->digest, bytes, size);
    return STATUS_OK;
}

static enum status on_part_end(void *context, struct error *error)
{
    struct upload *upload = context;
    buf_printf(&upload->answer, "%zu %016llx\n", upload->size, (unsigned long long)upload->digest);
    return STATUS_OK;
}

static void refuse(struct http_request *request, const struct error *error)
{
    unsigned status = error->status == STATUS_RESOURCE_EXHAUSTED ? 413 : error->code ? 415 : 400;
    http_respond_text(request, status, STR("text/plain"), str_of(error->message));
}

static void on_request(const struct http_handler *handler, struct http_request *request)
{
    struct upload *upload = NEW(struct upload);
    struct error error = ERROR_NONE;
    const struct http_multipart_handler parts = {upload, on_part, on_part_bytes, on_part_end};
    request->state = upload;
    buf_init(&upload->answer, 1 << 20);
    if (http_multipart_create(http_headers_get(&request->headers, STR("content-type")), &parts,
                              &http_multipart_limits_default, &upload->parser, &error) != STATUS_OK)
        refuse(request, &error);
}

static void on_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
    struct upload *upload = request->state;
    struct error error = ERROR_NONE;
    if (http_multipart_write(upload->parser, bytes, size, &error) != STATUS_OK)
        refuse(request, &error);
    http_consume(request, size);
}

static void on_body_end(struct http_request *request)
{
    struct upload *upload = request->state;
    struct error error = ERROR_NONE;
    if (http_multipart_end(upload->parser, &error) != STATUS_OK)
        refuse(request, &error);
    else
        http_respond_text(request, 200, STR("text/plain"), buf_str(&upload->answer));
}

static void on_writable(struct http_request *request)
{
}

static void on_close(struct http_request *request, enum http_close why)
{
    struct upload *upload = request->state;
    http_multipart_destroy(upload->parser);
    buf_finish(&upload->answer);
    free(upload);
}

static void open_door(struct peer *peer)
{
    peer_open(peer, NULL, false);
    peer->handler = (struct http_handler){
        .context = peer,
        .on_request = on_request,
        .on_body = on_body,
        .on_body_end = on_body_end,
        .on_writable = on_writable,
        .on_close = on_close,
    };
}

#define TYPE "Content-Type: multipart/form-data; boundary=xYz\r\n"
#define FORM                                                                                       \
    "--xYz\r\nContent-Disposition: form-data; name=a\r\n\r\nhello\r\n"                             \
    "--xYz\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n\r\n--xYz--\r\n"

static void expect_answer(struct peer *peer, const char *expected)
{
    struct str sent = buf_str(&peer->sent);
    if (str_find_str(sent, str_of(expected)) < 0)
        fail_msg("no '%s' in:\n%.*s", expected, STR_ARGS(sent));
    buf_clear(&peer->sent);
}

static void parts_are_told_in_each_version(void **state)
{
    (void)state;
    struct peer peer;
    open_door(&peer);
    char text[1000];
    snprintf(text, sizeof(text),
             "POST / HTTP/1.1\r\nHost: a\r\n" TYPE "Content-Length: %zu\r\n\r\n%s", strlen(FORM),
             FORM);
    peer_send_text(&peer, text);
    expect_answer(&peer, "a 5 a430d84680aabd0b\nf 0 cbf29ce484222325\n");
    /* The same in chunks of one byte. */
    peer_send_text(&peer,
                   "POST / HTTP/1.1\r\nHost: a\r\n" TYPE "Transfer-Encoding: chunked\r\n\r\n");
    for (size_t i = 0; i < strlen(FORM); i++) {
        snprintf(text, sizeof(text), "1\r\n%c\r\n", FORM[i]);
        peer_send_text(&peer, text);
    }
    peer_send_text(&peer, "0\r\n\r\n");
    expect_answer(&peer, "a 5 a430d84680aabd0b\nf 0 cbf29ce484222325\n");
    peer_close(&peer);

    open_door(&peer);
    struct frames frames;
    frames_init(&frames);
    frames_add_preface(&frames);
    frames_add_request(&frames, 1, "POST", "/", "content-type: multipart/form-data; boundary=xYz\n",
                       false);
    frames_add(&frames, FRAME_DATA, 0, 1, FORM, 70);
    frames_add(&frames, FRAME_DATA, END_STREAM, 1, &FORM[70], strlen(FORM) - 70);
    frames_send(&frames, &peer);
    expect_answer(&peer, "a 5 a430d84680aabd0b\nf 0 cbf29ce484222325\n");
    frames_finish(&frames);
    peer_close(&peer);
}

static void faults_are_answered_before_the_body_is_over(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *body;
        const char *answer;
    } rows[] = {
        {TYPE, "--xYzz", "HTTP/1.1 400"},
        {TYPE, "--xYz\r\nnothing\r\n\r\n", "HTTP/1.1 400"},
        {"Content-Type: text/plain\r\n", "", "HTTP/1.1 415"},
        {"", "", "HTTP/1.1 415"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct peer peer;
        open_door(&peer);
        char text[1000];
        snprintf(text, sizeof(text),
                 "POST / HTTP/1.1\r\nHost: a\r\n%sContent-Length: 1000\r\n\r\n%s", rows[i].type,
                 rows[i].body);
        peer_send_text(&peer, text);
        expect_answer(&peer, rows[i].answer);
        peer_close(&peer);
    }
}

static size_t resident_bytes(void)
{
    unsigned long total = 0;
    unsigned long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &total, &resident), 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void a_large_upload_costs_no_memory(void **state)
{
    (void)state;
    static const char begin[] =
        "--xYz\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n";
    static const char end[] = "\r\n--xYz--\r\n";
    struct peer peer;
    open_door(&peer);
    char text[300];
    snprintf(text, sizeof(text),
             "POST / HTTP/1.1\r\nHost: a\r\n" TYPE "Content-Length: %zu\r\n\r\n",
             strlen(begin) + UPLOAD_BYTES + strlen(end));
    peer_send_text(&peer, text);
    peer_send_text(&peer, begin);
    static uint8_t piece[(size_t)64 << 10];
    for (size_t i = 0; i < sizeof(piece); i++)
        piece[i] = (uint8_t)(i * i >> 5);
    memcpy(piece + sizeof(piece) - 5, "\r\n--x", 5);
    uint64_t digest = DIGEST_BEGIN;
    size_t resident = 0;
    for (size_t sent = 0; sent < UPLOAD_BYTES; sent += sizeof(piece)) {
        peer_send(&peer, piece, sizeof(piece));
        digest = digest_of(digest, piece, sizeof(piece));
        if (sent == sizeof(piece))
            resident = resident_bytes();
    }
    assert_true(resident_bytes() < resident + RESIDENT_GROWTH_MAX);
    peer_send_text(&peer, end);
    snprintf(text, sizeof(text), "f %zu %016llx\n", UPLOAD_BYTES, (unsigned long long)digest);
    expect_answer(&peer, text);
    peer_close(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_told_in_each_version),
        cmocka_unit_test(faults_are_answered_before_the_body_is_over),
        cmocka_unit_test(a_large_upload_costs_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
