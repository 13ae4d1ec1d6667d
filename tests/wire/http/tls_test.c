/*
 * Connections through TLS: OpenSSL as the client of a connection whose "socket" takes what the test says.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "certificates.h"
#include "peer.h"

#include "base/checked.h"
#include "base/memory.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

static struct certificates files;

struct secure {
    struct peer peer;
    struct tls_context *context;
    SSL_CTX *client_context;
    SSL *client;
    BIO *to_client;
    BIO *from_client;
    size_t chunk;   /* what the server reads at once; 0: all there is */
    struct buf got; /* plaintext that came */
};

static void secure_open(struct secure *secure, const struct http_limits *limits,
                        const char *protocols)
{
    *secure = (struct secure){0};
    peer_open(&secure->peer, limits, false);
    buf_init(&secure->got, (size_t)256 << 20);
    struct tls_pair pair = {certificates_path(&files, "server.pem"),
                            certificates_path(&files, "server.key")};
    struct tls_server_options options = {.pairs = &pair,
                                         .pair_count = 1,
                                         .client_ca_file = certificates_path(&files, "ca.pem"),
                                         .client_auth = TLS_CLIENT_AUTH_REQUEST};
    assert_int_equal(tls_context_create_server(&options, &secure->context, NULL), STATUS_OK);
    struct http_loop *home = &secure->peer.server->loops[0];
    home->tls_buffers = tls_buffers_create();
    struct tls_session *session = NULL;
    assert_int_equal(tls_session_create_server(secure->context, home->tls_buffers, &session, NULL),
                     STATUS_OK);
    http_connection_secure(secure->peer.connection, session);
    secure->client_context = SSL_CTX_new(TLS_client_method());
    secure->client = SSL_new(secure->client_context);
    secure->to_client = BIO_new(BIO_s_mem());
    secure->from_client = BIO_new(BIO_s_mem());
    SSL_set_bio(secure->client, secure->to_client, secure->from_client);
    SSL_set_connect_state(secure->client);
    if (protocols)
        assert_int_equal(SSL_set_alpn_protos(secure->client, (const unsigned char *)protocols,
                                             (unsigned)strlen(protocols)),
                         0);
}

static void secure_close(struct secure *secure)
{
    peer_close(&secure->peer);
    tls_context_unref(secure->context);
    SSL_free(secure->client);
    SSL_CTX_free(secure->client_context);
    buf_finish(&secure->got);
    ERR_clear_error();
}

static void take_sent(struct secure *secure)
{
    struct buf *sent = &secure->peer.sent;
    if (sent->len > 0)
        BIO_write(secure->to_client, sent->ptr, (int)sent->len);
    buf_clear(sent);
}

static void read_plain(struct secure *secure)
{
    char plain[16384];
    size_t size = 0;
    ERR_clear_error();
    while (SSL_read_ex(secure->client, plain, sizeof(plain), &size) == 1)
        buf_append(&secure->got, plain, size);
    ERR_clear_error();
}

/* Gives the server what the client wrote. */
static void deliver(struct secure *secure)
{
    uint8_t *bytes = NULL;
    long size = BIO_get_mem_data(secure->from_client, &bytes);
    CLEANUP(buf_finish) struct buf copy;
    buf_init(&copy, (size_t)64 << 20);
    if (size > 0)
        buf_append(&copy, bytes, (size_t)size);
    (void)BIO_reset(secure->from_client);
    size_t chunk = secure->chunk ? secure->chunk : copy.len;
    for (size_t at = 0; at < copy.len; at += chunk)
        peer_send(&secure->peer, copy.ptr + at, size_min(chunk, copy.len - at));
}

static void run(struct secure *secure)
{
    for (int i = 0; i < 4; i++) {
        deliver(secure);
        take_sent(secure);
        read_plain(secure);
    }
}

static bool shake(struct secure *secure)
{
    for (int i = 0; i < 4; i++) {
        ERR_clear_error();
        (void)SSL_do_handshake(secure->client);
        deliver(secure);
        take_sent(secure);
    }
    return SSL_is_init_finished(secure->client);
}

static void write_text(struct secure *secure, const char *text)
{
    assert_int_equal(SSL_write(secure->client, text, (int)strlen(text)), (int)strlen(text));
}

static bool has_got(const struct secure *secure, const char *text)
{
    return str_find_str(buf_str(&secure->got), str_of(text)) >= 0;
}

static bool was_told_goodbye(struct secure *secure)
{
    return (SSL_get_shutdown(secure->client) & SSL_RECEIVED_SHUTDOWN) != 0;
}

/* --- requests ------------------------------------------------------------------------------------ */

static void answers_http1(void **state)
{
    static const char *const offers[] = {"\x08http/1.1", NULL};
    for (size_t i = 0; i < 2; i++) {
        struct secure secure;
        secure_open(&secure, NULL, offers[i]);
        assert_true(shake(&secure));
        write_text(&secure, "GET /wait HTTP/1.1\r\nhost: a\r\n\r\n");
        run(&secure);
        assert_true(str_equal(secure.peer.last->scheme, STR("https")));
        assert_int_equal(secure.peer.last->peer_certificate.len, 0);
        peer_answer(&secure.peer);
        run(&secure);
        assert_true(has_got(&secure, "HTTP/1.1 200 OK\r\n"));
        assert_true(has_got(&secure, "late"));
        assert_true(peer_is_open(&secure.peer));
        secure_close(&secure);
    }
}

static void knows_the_client(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x08http/1.1");
    const char *certificate = certificates_path(&files, "client.pem");
    const char *key = certificates_path(&files, "client.key");
    assert_int_equal(SSL_use_certificate_file(secure.client, certificate, SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_use_PrivateKey_file(secure.client, key, SSL_FILETYPE_PEM), 1);
    assert_true(shake(&secure));
    write_text(&secure, "GET /wait HTTP/1.1\r\nhost: a\r\n\r\n");
    run(&secure);
    assert_true(str_equal(secure.peer.last->peer_certificate, STR("CN=ada,O=Engines & Co")));
    secure_close(&secure);
}

static void sends_settings_before_the_preface(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x08grpc-exp\x02h2");
    assert_true(shake(&secure));
    run(&secure);
    assert_true(secure.got.len >= 9);
    assert_int_equal(secure.got.ptr[3], 4); /* SETTINGS */
    assert_int_equal(secure.got.ptr[4], 0);
    write_text(&secure, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_int_equal(SSL_write(secure.client, "\0\0\0\4\0\0\0\0\0", 9), 9);
    buf_clear(&secure.got);
    run(&secure);
    assert_true(secure.got.len >= 9);
    assert_int_equal(secure.got.ptr[3], 4);
    assert_int_equal(secure.got.ptr[4], 1); /* ACK */
    secure_close(&secure);
}

static void http2_needs_alpn(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, NULL);
    assert_true(shake(&secure));
    write_text(&secure, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    run(&secure);
    assert_true(has_got(&secure, "HTTP/1.1 "));
    assert_false(has_got(&secure, "HTTP/1.1 200"));
    secure_close(&secure);
}

/* --- partial reads and writes -------------------------------------------------------------------- */

#define BODY_BYTES ((size_t)100000)

static void survives_any_cut(void **state)
{
    static const struct {
        size_t read;
        size_t write;
    } cases[] = {{1, SIZE_MAX}, {0, 1}, {7, 5}, {0, 16406}, {0, 16405}, {4096, 4096}};
    char *body = memory_new(BODY_BYTES);
    random_bytes(body, BODY_BYTES);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct secure secure;
        secure_open(&secure, NULL, "\x08http/1.1");
        assert_true(shake(&secure));
        secure.chunk = cases[i].read;
        write_text(&secure, "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n");
        assert_int_equal(SSL_write(secure.client, body, (int)BODY_BYTES), (int)BODY_BYTES);
        if (cases[i].write != SIZE_MAX)
            secure.peer.take_max = cases[i].write;
        deliver(&secure);
        while (peer_is_open(&secure.peer) && secure.peer.connection->wire.blocked)
            peer_take(&secure.peer, cases[i].write);
        run(&secure);
        /* The body comes in chunks; what is between them is their sizes. */
        size_t at = 0;
        struct str rest = buf_str(&secure.got);
        rest = str_slice(rest, (size_t)str_find_str(rest, STR("\r\n\r\n")) + 4, rest.len);
        while (at < BODY_BYTES) {
            size_t size = strtoul(rest.ptr, NULL, 16);
            assert_true(size > 0 && at + size <= BODY_BYTES);
            rest = str_slice(rest, (size_t)str_find(rest, '\n') + 1, rest.len);
            assert_memory_equal(rest.ptr, body + at, size);
            rest = str_slice(rest, size + 2, rest.len);
            at += size;
        }
        secure_close(&secure);
    }
    free(body);
}

static void a_response_has_left_when_its_ciphertext_has(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x08http/1.1");
    assert_true(shake(&secure));
    struct http_output *output = &secure.peer.connection->wire.output;
    uint64_t before = http_output_sent(output);
    write_text(&secure, "GET /text HTTP/1.1\r\nhost: a\r\n\r\n");
    secure.peer.take_max = 10;
    deliver(&secure);
    assert_int_equal(secure.peer.sent.len, 10);
    assert_int_equal(http_output_sent(output), before);
    assert_true(output->bytes > 0);
    PEER_EXPECT_EVENTS(&secure.peer, "request GET /text");
    peer_take(&secure.peer, SIZE_MAX);
    assert_int_equal(output->bytes, 0);
    PEER_EXPECT_EVENTS(&secure.peer, "close done");
    run(&secure);
    assert_true(has_got(&secure, "hello"));
    secure_close(&secure);
}

static void bulk_is_intact(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x08http/1.1");
    assert_true(shake(&secure));
    write_text(&secure, "GET /big HTTP/1.0\r\n\r\n");
    secure.peer.take_max = 300000;
    deliver(&secure);
    while (peer_is_open(&secure.peer)) {
        take_sent(&secure);
        read_plain(&secure);
        if (peer_is_open(&secure.peer))
            peer_take(&secure.peer, 300001);
    }
    take_sent(&secure);
    read_plain(&secure);
    ptrdiff_t head = str_find_str(buf_str(&secure.got), STR("\r\n\r\n"));
    assert_int_equal(secure.got.len, (size_t)head + 4 + PEER_BIG_BYTES);
    for (size_t i = (size_t)head + 4; i < secure.got.len; i++)
        assert_true(secure.got.ptr[i] == 'x');
    assert_true(was_told_goodbye(&secure));
    secure_close(&secure);
}

/* A batch of ciphertext may take a slow reader longer than a stall: each byte that it takes counts. */
static void a_slow_reader_is_no_stalled_one(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x08http/1.1");
    assert_true(shake(&secure));
    write_text(&secure, "GET /big HTTP/1.1\r\nhost: a\r\n\r\n");
    secure.peer.take_max = 1000;
    deliver(&secure);
    struct http_connection *connection = secure.peer.connection;
    uint64_t sent = http_output_sent(&connection->wire.output);
    /* As if all that was long ago. */
    connection->wire.progress_ns = 1;
    connection->waiting_since_ns = 1;
    peer_take(&secure.peer, 1000);
    loop_run_once(secure.peer.loop, 0);
    assert_true(peer_is_open(&secure.peer));
    assert_int_equal(http_output_sent(&connection->wire.output), sent);
    connection->wire.progress_ns = 1;
    peer_take(&secure.peer, 0);
    http_connection_arm_all(connection);
    loop_run_once(secure.peer.loop, 0);
    assert_false(peer_is_open(&secure.peer));
    assert_int_equal(peer_strikes(&secure.peer, "write_stall"), 1);
    secure_close(&secure);
}

/* --- ends ---------------------------------------------------------------------------------------- */

static void says_goodbye(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x08http/1.1");
    assert_true(shake(&secure));
    write_text(&secure, "GET /text HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    run(&secure);
    assert_true(has_got(&secure, "hello"));
    assert_true(was_told_goodbye(&secure));
    assert_false(peer_is_open(&secure.peer));
    secure_close(&secure);
}

/* A client must not take a response that broke off for a complete one. */
static void an_abort_is_no_goodbye(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x08http/1.1");
    assert_true(shake(&secure));
    write_text(&secure, "GET /abort HTTP/1.0\r\n\r\n");
    run(&secure);
    assert_false(peer_is_open(&secure.peer));
    assert_false(was_told_goodbye(&secure));
    secure_close(&secure);
}

static void a_goodbye_ends_the_input(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x08http/1.1");
    assert_true(shake(&secure));
    write_text(&secure, "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc");
    (void)SSL_shutdown(secure.client);
    run(&secure);
    PEER_EXPECT_EVENTS(&secure.peer, "request POST /echo; body 3; close disconnected");
    assert_false(peer_is_open(&secure.peer));
    secure_close(&secure);
}

/* What waits when a client breaks the session can never be encrypted: it is not waited for. */
static void a_broken_session_drops_what_waits(void **state)
{
    static const uint8_t forged[5 + 32] = {0x17, 3, 3, 0, 32};
    struct secure secure;
    secure_open(&secure, NULL, "\x08http/1.1");
    assert_true(shake(&secure));
    write_text(&secure, "GET /big HTTP/1.1\r\nhost: a\r\n\r\n");
    secure.peer.take_max = 1000;
    deliver(&secure);
    assert_true(secure.peer.connection->wire.blocked);
    peer_send(&secure.peer, forged, sizeof(forged));
    peer_take(&secure.peer, SIZE_MAX);
    assert_false(peer_is_open(&secure.peer));
    PEER_EXPECT_EVENTS(&secure.peer, "request GET /big; end; close disconnected");
    assert_true(peer_serves_neighbour(&secure.peer));
    secure_close(&secure);
}

/* --- what is no TLS, or too much of it ----------------------------------------------------------- */

static void plain_bytes_are_refused(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, NULL);
    peer_send_text(&secure.peer, "GET /text HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_false(peer_is_open(&secure.peer));
    assert_int_equal(secure.peer.sent.len, 0);
    PEER_EXPECT_EVENTS(&secure.peer, "");
    secure_close(&secure);
}

static void a_hello_on_a_plain_address_is_refused(void **state)
{
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send(&peer, "\x16\x03\x01\x02\x00\x01", 6);
    assert_false(peer_is_open(&peer));
    assert_int_equal(peer.sent.len, 0);
    peer_close(&peer);
}

static void a_failed_handshake_is_told(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x06spdy/3");
    (void)SSL_do_handshake(secure.client);
    deliver(&secure);
    take_sent(&secure);
    assert_false(peer_is_open(&secure.peer));
    ERR_clear_error();
    assert_int_equal(SSL_do_handshake(secure.client), -1);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
    assert_true(peer_serves_neighbour(&secure.peer));
    secure_close(&secure);
}

static void new_keys_without_end_are_struck(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x08http/1.1");
    assert_true(shake(&secure));
    for (int i = 0; i < 100; i++) {
        assert_int_equal(SSL_key_update(secure.client, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(secure.client), 1);
    }
    deliver(&secure);
    assert_false(peer_is_open(&secure.peer));
    assert_int_equal(peer_strikes(&secure.peer, "renegotiation"), 1);
    assert_true(peer_serves_neighbour(&secure.peer));
    secure_close(&secure);
}

/* The client sends the first byte of its hello and nothing more. */
static void handshakes_end_in_time(void **state)
{
    struct http_limits limits = http_limits_default;
    limits.handshake_timeout_ms = 1;
    struct secure secure;
    secure_open(&secure, &limits, NULL);
    (void)SSL_do_handshake(secure.client);
    uint8_t first = 0x16;
    peer_send(&secure.peer, &first, 1);
    while (peer_is_open(&secure.peer))
        loop_run_once(secure.peer.loop, 1000);
    assert_int_equal(peer_strikes(&secure.peer, "handshake_timeout"), 1);
    assert_int_equal(peer_strikes(&secure.peer, "header_timeout"), 0);
    assert_true(peer_serves_neighbour(&secure.peer));
    secure_close(&secure);
}

/* Once it is over, the head has its own time. */
static void heads_have_their_own_time(void **state)
{
    struct http_limits limits = http_limits_default;
    limits.handshake_timeout_ms = 1000000;
    limits.header_timeout_ms = 1;
    struct secure secure;
    secure_open(&secure, &limits, "\x08http/1.1");
    assert_true(shake(&secure));
    write_text(&secure, "GET / HT");
    deliver(&secure);
    while (peer_is_open(&secure.peer))
        loop_run_once(secure.peer.loop, 1000);
    assert_int_equal(peer_strikes(&secure.peer, "handshake_timeout"), 0);
    secure_close(&secure);
}

static int set_up(void **state)
{
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
        cmocka_unit_test(answers_http1),
        cmocka_unit_test(knows_the_client),
        cmocka_unit_test(sends_settings_before_the_preface),
        cmocka_unit_test(http2_needs_alpn),
        cmocka_unit_test(survives_any_cut),
        cmocka_unit_test(a_response_has_left_when_its_ciphertext_has),
        cmocka_unit_test(bulk_is_intact),
        cmocka_unit_test(a_slow_reader_is_no_stalled_one),
        cmocka_unit_test(says_goodbye),
        cmocka_unit_test(an_abort_is_no_goodbye),
        cmocka_unit_test(a_goodbye_ends_the_input),
        cmocka_unit_test(a_broken_session_drops_what_waits),
        cmocka_unit_test(plain_bytes_are_refused),
        cmocka_unit_test(a_hello_on_a_plain_address_is_refused),
        cmocka_unit_test(a_failed_handshake_is_told),
        cmocka_unit_test(new_keys_without_end_are_struck),
        cmocka_unit_test(handshakes_end_in_time),
        cmocka_unit_test(heads_have_their_own_time),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
