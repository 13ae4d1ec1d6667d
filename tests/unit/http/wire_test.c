/*
 * wire_test.c — wires with TLS on real sockets, OpenSSL at the other end. SPDX-License-Identifier: Apache-2.0
 */
#include "certificates.h"

#include "base/buf.h"
#include "base/memory.h"
#include "base/random.h"
#include "http/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#define BULK_BYTES ((size_t)300000)

static struct certificates files;

struct ends {
    struct loop *loop;
    struct http_wire wire;
    struct tls_context *context;
    struct tls_buffers *buffers;
    struct buf received;
    bool has_ended;
    bool is_secured;
    bool has_failed;
    SSL_CTX *client_context;
    SSL *client;
    int client_fd;
    uint8_t read_buffer[1024];
};

static struct ends *ends_of(struct http_wire *wire)
{
    return CONTAINER_OF(wire, struct ends, wire);
}

static void on_input(struct http_wire *wire, const uint8_t *bytes, size_t size)
{
    buf_append(&ends_of(wire)->received, bytes, size);
}

static void on_input_end(struct http_wire *wire)
{
    ends_of(wire)->has_ended = true;
}

static void on_flush(struct http_wire *wire)
{
    http_wire_send(wire);
    http_wire_update(wire);
}

static void on_secured(struct http_wire *wire)
{
    ends_of(wire)->is_secured = true;
}

static void on_tls_failure(struct http_wire *wire)
{
    ends_of(wire)->has_failed = true;
}

static const struct http_wire_owner owner = {
    .on_input = on_input,
    .on_input_end = on_input_end,
    .on_flush = on_flush,
    .on_secured = on_secured,
    .on_tls_failure = on_tls_failure,
};

static void ends_open(struct ends *ends)
{
    *ends = (struct ends){0};
    buf_init(&ends->received, (size_t)16 << 20);
    assert_int_equal(loop_create(&ends->loop, NULL), STATUS_OK);
    struct tls_pair pair = {certificates_path(&files, "server.pem"),
                            certificates_path(&files, "server.key")};
    struct tls_server_options options = {.pairs = &pair, .pair_count = 1};
    assert_int_equal(tls_context_create_server(&options, &ends->context, NULL), STATUS_OK);
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    int smallest = 1;
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof(int)), 0);
    assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof(int)), 0);
    assert_int_equal(http_wire_init(&ends->wire, ends->loop, fds[0], &owner, NULL), STATUS_OK);
    ends->wire.read_buffer = ends->read_buffer;
    ends->wire.read_buffer_bytes = sizeof(ends->read_buffer);
    ends->buffers = tls_buffers_create();
    struct tls_session *session = NULL;
    assert_int_equal(tls_session_create_server(ends->context, ends->buffers, &session, NULL),
                     STATUS_OK);
    http_wire_secure(&ends->wire, session, ends->buffers);
    ends->client_fd = fds[1];
    ends->client_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(ends->client_context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    ends->client = SSL_new(ends->client_context);
    SSL_set_fd(ends->client, ends->client_fd);
    SSL_set_connect_state(ends->client);
}

static void ends_close(struct ends *ends)
{
    http_wire_finish(&ends->wire);
    SSL_free(ends->client);
    SSL_CTX_free(ends->client_context);
    if (ends->client_fd >= 0)
        (void)close(ends->client_fd);
    tls_buffers_destroy(ends->buffers);
    tls_context_unref(ends->context);
    buf_finish(&ends->received);
    loop_destroy(ends->loop);
    ERR_clear_error();
}

static void ends_shake(struct ends *ends)
{
    while (!ends->is_secured || !SSL_is_init_finished(ends->client)) {
        ERR_clear_error();
        (void)SSL_do_handshake(ends->client);
        loop_run_once(ends->loop, 0);
        assert_false(ends->wire.broken || ends->has_failed);
    }
    assert_false(http_wire_is_shaking(&ends->wire));
}

static void the_smallest_buffers_lose_nothing(void **state)
{
    struct ends ends;
    ends_open(&ends);
    ends_shake(&ends);
    uint8_t *sent = memory_new(BULK_BYTES);
    uint8_t *back = memory_new(BULK_BYTES);
    random_bytes(sent, BULK_BYTES);
    struct buffer *block = buffer_create_copy(sent, BULK_BYTES);
    struct slices slices;
    slices_init(&slices);
    slices_append(&slices, slice_make(block->data, BULK_BYTES, block));
    http_output_take(&ends.wire.output, &slices, BULK_BYTES);
    http_wire_touch(&ends.wire);
    size_t written = 0;
    size_t read = 0;
    while (written < BULK_BYTES || read < BULK_BYTES || ends.received.len < BULK_BYTES) {
        size_t size = 0;
        ERR_clear_error();
        if (written < BULK_BYTES &&
            SSL_write_ex(ends.client, sent + written, BULK_BYTES - written, &size) == 1)
            written += size;
        loop_run_once(ends.loop, 0);
        if (read < BULK_BYTES &&
            SSL_read_ex(ends.client, back + read, BULK_BYTES - read, &size) == 1)
            read += size;
        assert_false(ends.wire.broken || ends.has_failed);
    }
    assert_memory_equal(back, sent, BULK_BYTES);
    assert_memory_equal(ends.received.ptr, sent, BULK_BYTES);
    assert_int_equal(ends.wire.output.bytes, 0);
    slices_finish(&slices);
    free(sent);
    free(back);
    ends_close(&ends);
}

static void run_until_ended(struct ends *ends)
{
    while (!ends->has_ended)
        loop_run_once(ends->loop, 1000);
}

static void a_cut_is_not_a_goodbye(void **state)
{
    for (int says_goodbye = 0; says_goodbye < 2; says_goodbye++) {
        struct ends ends;
        ends_open(&ends);
        ends_shake(&ends);
        assert_int_equal(SSL_write(ends.client, "abc", 3), 3);
        if (says_goodbye)
            (void)SSL_shutdown(ends.client);
        (void)close(ends.client_fd);
        ends.client_fd = -1;
        run_until_ended(&ends);
        assert_int_equal(ends.received.len, 3);
        assert_int_equal(ends.wire.truncated, !says_goodbye);
        ends_close(&ends);
    }
}

static void shutting_says_goodbye_first(void **state)
{
    struct ends ends;
    ends_open(&ends);
    ends_shake(&ends);
    http_output_copy_str(&ends.wire.output, STR("last"));
    http_wire_send(&ends.wire);
    http_wire_shut(&ends.wire);
    char got[16];
    assert_int_equal(SSL_read(ends.client, got, sizeof(got)), 4);
    assert_int_equal(SSL_read(ends.client, got, sizeof(got)), 0);
    assert_int_equal(SSL_get_error(ends.client, 0), SSL_ERROR_ZERO_RETURN);
    assert_int_equal(read(ends.client_fd, got, sizeof(got)), 0);
    /* The client may still send. */
    assert_int_equal(SSL_write(ends.client, "more", 4), 4);
    (void)SSL_shutdown(ends.client);
    run_until_ended(&ends);
    assert_int_equal(ends.received.len, 4);
    assert_false(ends.wire.truncated);
    ends_close(&ends);
}

static void an_abrupt_end_has_no_goodbye(void **state)
{
    struct ends ends;
    ends_open(&ends);
    ends_shake(&ends);
    ends.wire.abrupt = true;
    http_wire_finish(&ends.wire);
    char got[16];
    assert_true(SSL_read(ends.client, got, sizeof(got)) <= 0);
    assert_int_equal(SSL_get_shutdown(ends.client) & SSL_RECEIVED_SHUTDOWN, 0);
    ends_close(&ends);
}

/* What follows a failure is read and dropped, so that the alert is not lost to a reset. */
static void the_alert_leaves_after_a_failure(void **state)
{
    struct ends ends;
    ends_open(&ends);
    assert_int_equal(write(ends.client_fd, "\x16\x03\x01\x00\x04\x02\x00\x00\x00", 9), 9);
    while (!ends.has_failed)
        loop_run_once(ends.loop, 1000);
    uint8_t alert[64];
    ssize_t size = -1;
    while (size < 0) {
        loop_run_once(ends.loop, 0);
        size = read(ends.client_fd, alert, sizeof(alert));
    }
    assert_true(size >= 7);
    assert_int_equal(alert[0], 0x15);
    assert_int_equal(write(ends.client_fd, "GET /", 5), 5);
    loop_run_once(ends.loop, 1000);
    assert_int_equal(ends.received.len, 0);
    assert_false(ends.wire.broken);
    ends_close(&ends);
}

static int set_up(void **state)
{
    (void)signal(SIGPIPE, SIG_IGN);
    certificates_make(&files);
    return 0;
}

static int tear_down(void **state)
{
    certificates_remove(&files);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_buffers_lose_nothing),
        cmocka_unit_test(a_cut_is_not_a_goodbye),
        cmocka_unit_test(shutting_says_goodbye_first),
        cmocka_unit_test(an_abrupt_end_has_no_goodbye),
        cmocka_unit_test(the_alert_leaves_after_a_failure),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
