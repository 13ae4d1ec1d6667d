/*
 * Sessions against OpenSSL's own clients and against each other, in memory.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "certificates.h"

#include "base/buf.h"
#include "base/checked.h"
#include "base/memory.h"
#include "tls/session_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#define PLAIN_BYTES ((size_t)1 << 16)

static struct certificates files;

static const char *path(const char *file)
{
    return certificates_path(&files, file);
}

/* --- a server session and OpenSSL as its client -------------------------------------------------- */

struct talk {
    struct tls_buffers *buffers;
    bool is_shared; /* the buffers are somebody else's */
    struct tls_session *server;
    SSL_CTX *client_context;
    SSL *client;
    BIO *to_client;
    BIO *from_client;
    size_t chunk; /* the server is fed so many bytes at a time; 0: all there are */
    struct buf received;
};

static struct tls_context *make_context(const char *ca, enum tls_client_auth client_auth)
{
    const struct tls_pair pairs[] = {{path("server.pem"), path("server.key")},
                                     {path("beta.pem"), path("beta.key")},
                                     {path("exact.pem"), path("exact.key")}};
    struct tls_server_options options = {.pairs = pairs,
                                         .pair_count = 3,
                                         .client_ca_file = ca ? path(ca) : NULL,
                                         .client_auth = client_auth};
    struct tls_context *context = NULL;
    struct error error = ERROR_NONE;
    if (tls_context_create_server(&options, &context, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return context;
}

static void talk_begin(struct talk *talk, struct tls_context *context)
{
    buf_init(&talk->received, (size_t)64 << 20);
    struct error error = ERROR_NONE;
    assert_int_equal(tls_session_create_server(context, talk->buffers, &talk->server, &error),
                     STATUS_OK);
    talk->client_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(talk->client_context, 0);
    talk->client = SSL_new(talk->client_context);
    talk->to_client = BIO_new(BIO_s_mem());
    talk->from_client = BIO_new(BIO_s_mem());
    SSL_set_bio(talk->client, talk->to_client, talk->from_client);
    SSL_set_connect_state(talk->client);
}

static void talk_open_with(struct talk *talk, struct tls_context *context)
{
    *talk = (struct talk){.buffers = tls_buffers_create()};
    talk_begin(talk, context);
}

static void talk_open_over(struct talk *talk, struct tls_buffers *shared)
{
    struct tls_context *context = make_context(NULL, TLS_CLIENT_AUTH_NONE);
    *talk = (struct talk){.buffers = shared, .is_shared = true};
    talk_begin(talk, context);
    tls_context_unref(context);
}

static void talk_open(struct talk *talk)
{
    struct tls_context *context = make_context(NULL, TLS_CLIENT_AUTH_NONE);
    talk_open_with(talk, context);
    tls_context_unref(context);
}

static void talk_close(struct talk *talk)
{
    tls_session_destroy(talk->server);
    if (!talk->is_shared)
        tls_buffers_destroy(talk->buffers);
    SSL_free(talk->client);
    SSL_CTX_free(talk->client_context);
    buf_finish(&talk->received);
    ERR_clear_error();
}

static void feed_server(struct talk *talk, const uint8_t *bytes, size_t size)
{
    static uint8_t plain[PLAIN_BYTES];
    tls_session_feed(talk->server, bytes, size);
    if (!tls_session_shake(talk->server))
        return;
    size_t got;
    while ((got = tls_session_read(talk->server, plain, sizeof(plain))) > 0)
        buf_append(&talk->received, plain, got);
}

/* Moves bytes both ways until neither side has any. */
static void pump(struct talk *talk)
{
    bool has_moved = true;
    while (has_moved) {
        has_moved = false;
        uint8_t *bytes = NULL;
        long size = BIO_get_mem_data(talk->from_client, &bytes);
        if (size > 0) {
            struct buf copy;
            buf_init(&copy, (size_t)64 << 20);
            buf_append(&copy, bytes, (size_t)size);
            (void)BIO_reset(talk->from_client);
            size_t chunk = talk->chunk ? talk->chunk : copy.len;
            for (size_t at = 0; at < copy.len; at += chunk)
                feed_server(talk, copy.ptr + at, size_min(chunk, copy.len - at));
            buf_finish(&copy);
            has_moved = true;
        }
        struct iovec pending = tls_session_pending(talk->server);
        if (pending.iov_len > 0) {
            BIO_write(talk->to_client, pending.iov_base, (int)pending.iov_len);
            tls_session_sent(talk->server, pending.iov_len);
            has_moved = true;
        }
    }
}

/* True when both sides have finished the handshake. */
static bool shake(struct talk *talk)
{
    for (int i = 0; i < 6; i++) {
        ERR_clear_error();
        (void)SSL_do_handshake(talk->client);
        pump(talk);
    }
    return SSL_is_init_finished(talk->client) && tls_session_is_open(talk->server);
}

static void offer(struct talk *talk, const char *protocols)
{
    if (protocols)
        assert_int_equal(SSL_set_alpn_protos(talk->client, (const unsigned char *)protocols,
                                             (unsigned)strlen(protocols)),
                         0);
}

static void client_reads(struct talk *talk, struct buf *out)
{
    char plain[4096];
    size_t got = 0;
    while (SSL_read_ex(talk->client, plain, sizeof(plain), &got) == 1)
        buf_append(out, plain, got);
    ERR_clear_error();
}

static void server_writes(struct talk *talk, const struct iovec *iovecs, size_t count,
                          size_t expected)
{
    assert_int_equal(tls_session_write(talk->server, iovecs, count), expected);
    pump(talk);
}

static bool has_reason(int reason)
{
    for (unsigned long code = ERR_get_error(); code != 0; code = ERR_get_error()) {
        if (ERR_GET_REASON(code) == reason)
            return true;
    }
    return false;
}

/* --- handshakes ---------------------------------------------------------------------------------- */

static void talks_both_ways(void **state)
{
    static const size_t chunks[] = {0, 1, 7};
    for (size_t i = 0; i < 3; i++) {
        struct talk talk;
        talk_open(&talk);
        talk.chunk = chunks[i];
        assert_true(shake(&talk));
        assert_string_equal(SSL_get_cipher(talk.client), "TLS_AES_128_GCM_SHA256");
        assert_int_equal(SSL_write(talk.client, "ping", 4), 4);
        pump(&talk);
        assert_true(str_equal(buf_str(&talk.received), STR("ping")));
        char text[] = "pong";
        struct iovec iovecs[] = {{text, 2}, {text, 0}, {text + 2, 2}};
        server_writes(&talk, iovecs, 3, 4);
        struct buf got;
        buf_init(&got, 100);
        client_reads(&talk, &got);
        assert_true(str_equal(buf_str(&got), STR("pong")));
        buf_finish(&got);
        assert_int_equal(tls_session_pending(talk.server).iov_len, 0);
        talk_close(&talk);
    }
}

static void chooses_the_protocol(void **state)
{
    static const struct {
        const char *offer;
        bool is_refused;
        enum tls_protocol protocol;
    } cases[] = {
        {"\x02h2", false, TLS_PROTOCOL_HTTP2},
        {"\x08grpc-exp\x02h2", false, TLS_PROTOCOL_HTTP2},
        {"\x08http/1.1\x02h2", false, TLS_PROTOCOL_HTTP2},
        {"\x08http/1.1", false, TLS_PROTOCOL_HTTP1},
        {"\x08http/1.0\x08http/1.1", false, TLS_PROTOCOL_HTTP1},
        {NULL, false, TLS_PROTOCOL_NONE},
        {"\x06spdy/3", true, TLS_PROTOCOL_NONE},
        {"\x01h", true, TLS_PROTOCOL_NONE},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct talk talk;
        talk_open(&talk);
        offer(&talk, cases[i].offer);
        bool is_open = shake(&talk);
        assert_int_equal(is_open, !cases[i].is_refused);
        if (is_open) {
            assert_int_equal(tls_session_protocol(talk.server), cases[i].protocol);
        } else {
            assert_int_equal(tls_session_failure(talk.server), TLS_FAILURE_HANDSHAKE);
            (void)SSL_do_handshake(talk.client);
            ERR_clear_error();
        }
        talk_close(&talk);
    }
}

static void no_common_protocol_is_told(void **state)
{
    struct talk talk;
    talk_open(&talk);
    offer(&talk, "\x06spdy/3");
    (void)SSL_do_handshake(talk.client);
    pump(&talk);
    ERR_clear_error();
    assert_int_equal(SSL_do_handshake(talk.client), -1);
    assert_true(has_reason(SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL));
    assert_non_null(strstr(tls_session_failure_text(talk.server), "no application protocol"));
    talk_close(&talk);
}

static void chooses_the_certificate(void **state)
{
    static const struct {
        const char *host;
        const char *name;
    } cases[] = {
        {NULL, "server"},
        {"localhost", "server"},
        {"alpha.test", "server"},
        {"beta.test", "beta"},
        {"BETA.test", "beta"},
        {"a.wild.test", "beta"},
        {"a.b.wild.test", "server"},
        {"exact.wild.test", "exact"},
        {"nobody.test", "server"},
        {"wild.test", "server"},
    };
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2 * ARRAY_COUNT(cases); i++) {
        struct talk talk;
        talk_open(&talk);
        SSL_set_max_proto_version(talk.client, versions[i % 2]);
        if (cases[i / 2].host)
            SSL_set_tlsext_host_name(talk.client, cases[i / 2].host);
        assert_true(shake(&talk));
        char name[64] = "";
        X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(talk.client)),
                                  NID_commonName, name, sizeof(name));
        assert_string_equal(name, cases[i / 2].name);
        talk_close(&talk);
    }
}

static void versions_and_ciphers(void **state)
{
    static const struct {
        int version;
        const char *ciphers;
        bool is_good;
    } cases[] = {
        {TLS1_VERSION, "ALL:@SECLEVEL=0", false},
        {TLS1_1_VERSION, "ALL:@SECLEVEL=0", false},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", true},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", false},
        {TLS1_2_VERSION, "AES128-GCM-SHA256", false},
        {TLS1_2_VERSION, "DHE-RSA-AES128-GCM-SHA256", false},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-CCM8", false},
        {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", true},
        {TLS1_3_VERSION, "ALL", true},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct talk talk;
        talk_open(&talk);
        SSL_set_min_proto_version(talk.client, cases[i].version);
        SSL_set_max_proto_version(talk.client, cases[i].version);
        assert_int_equal(SSL_set_cipher_list(talk.client, cases[i].ciphers), 1);
        if (shake(&talk) != cases[i].is_good)
            fail_msg("case %zu: %s", i, tls_session_failure_text(talk.server));
        if (!cases[i].is_good)
            assert_int_equal(tls_session_failure(talk.server), TLS_FAILURE_HANDSHAKE);
        talk_close(&talk);
    }
}

static void strangers_are_recognised(void **state)
{
    static const char *const openings[] = {"GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n",
                                           "SSH-2.0-OpenSSH_9.2\r\n", "\x80\x2e\x01"};
    for (size_t i = 0; i < ARRAY_COUNT(openings); i++) {
        struct talk talk;
        talk_open(&talk);
        feed_server(&talk, (const uint8_t *)openings[i], strlen(openings[i]));
        assert_int_equal(tls_session_failure(talk.server), TLS_FAILURE_PLAINTEXT);
        assert_int_equal(tls_session_pending(talk.server).iov_len, 0);
        feed_server(&talk, (const uint8_t *)"more", 4);
        assert_false(tls_session_is_open(talk.server));
        talk_close(&talk);
    }
}

static void broken_hellos_fail(void **state)
{
    static const uint8_t hello[] = {0x16, 3, 1, 0, 5, 1, 0xff, 0xff, 0xff, 0};
    struct talk talk;
    talk_open(&talk);
    talk.chunk = 1;
    for (size_t i = 0; i < sizeof(hello); i++)
        feed_server(&talk, hello + i, 1);
    assert_int_equal(tls_session_failure(talk.server), TLS_FAILURE_HANDSHAKE);
    assert_true(tls_session_failure_text(talk.server)[0] != '\0');
    talk_close(&talk);
}

/* --- client certificates ------------------------------------------------------------------------- */

static void show(struct talk *talk, const char *certificate, const char *key)
{
    assert_int_equal(SSL_use_certificate_file(talk->client, path(certificate), SSL_FILETYPE_PEM),
                     1);
    assert_int_equal(SSL_use_PrivateKey_file(talk->client, path(key), SSL_FILETYPE_PEM), 1);
}

static void client_certificates(void **state)
{
    static const struct {
        enum tls_client_auth client_auth;
        const char *certificate; /* NULL: none */
        const char *key;
        const char *subject; /* NULL: refused; "": accepted without */
    } cases[] = {
        {TLS_CLIENT_AUTH_REQUIRE, "client.pem", "client.key", "CN=ada,O=Engines & Co"},
        {TLS_CLIENT_AUTH_REQUIRE, "stranger.pem", "stranger.key", NULL},
        {TLS_CLIENT_AUTH_REQUIRE, NULL, NULL, NULL},
        {TLS_CLIENT_AUTH_REQUIRE, "expired.pem", "expired.key", NULL},
        {TLS_CLIENT_AUTH_REQUEST, "client.pem", "client.key", "CN=ada,O=Engines & Co"},
        {TLS_CLIENT_AUTH_REQUEST, "stranger.pem", "stranger.key", NULL},
        {TLS_CLIENT_AUTH_REQUEST, NULL, NULL, ""},
        {TLS_CLIENT_AUTH_NONE, "client.pem", "client.key", ""},
    };
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2 * ARRAY_COUNT(cases); i++) {
        struct tls_context *context = make_context("ca.pem", cases[i / 2].client_auth);
        struct talk talk;
        talk_open_with(&talk, context);
        tls_context_unref(context);
        SSL_set_max_proto_version(talk.client, versions[i % 2]);
        if (cases[i / 2].certificate)
            show(&talk, cases[i / 2].certificate, cases[i / 2].key);
        (void)shake(&talk);
        const char *subject = cases[i / 2].subject;
        assert_int_equal(tls_session_is_open(talk.server), subject != NULL);
        char *got = tls_session_is_open(talk.server) ? tls_session_peer_subject(talk.server) : NULL;
        if (subject && subject[0])
            assert_string_equal(got, subject);
        else
            assert_null(got);
        free(got);
        talk_close(&talk);
    }
}

static void refused_certificates_are_named(void **state)
{
    struct tls_context *context = make_context("ca.pem", TLS_CLIENT_AUTH_REQUIRE);
    struct talk talk;
    talk_open_with(&talk, context);
    tls_context_unref(context);
    show(&talk, "stranger.pem", "stranger.key");
    (void)shake(&talk);
    const char *text = tls_session_failure_text(talk.server);
    if (!strstr(text, "certificate verify failed") || !strstr(text, "issuer"))
        fail_msg("%s", text);
    talk_close(&talk);
}

/* --- resumption ---------------------------------------------------------------------------------- */

static int keep_session(SSL *client, SSL_SESSION *session)
{
    SSL_SESSION **kept = SSL_get_app_data(client);
    SSL_SESSION_free(*kept);
    *kept = session;
    return 1;
}

/* A handshake that begins with `*kept` and leaves the next ticket there. */
static bool resumes(struct tls_context *context, int version, SSL_SESSION **kept,
                    char **out_subject)
{
    struct talk talk;
    talk_open_with(&talk, context);
    SSL_CTX_set_session_cache_mode(talk.client_context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(talk.client_context, keep_session);
    SSL_set_app_data(talk.client, kept);
    SSL_set_max_proto_version(talk.client, version);
    show(&talk, "client.pem", "client.key");
    if (*kept)
        assert_int_equal(SSL_set_session(talk.client, *kept), 1);
    assert_true(shake(&talk));
    char byte;
    (void)SSL_read(talk.client, &byte, 1);
    bool is_resumed = tls_session_is_resumed(talk.server);
    assert_int_equal(SSL_session_reused(talk.client), is_resumed);
    *out_subject = tls_session_peer_subject(talk.server);
    SSL_shutdown(talk.client);
    talk_close(&talk);
    return is_resumed;
}

static void tickets_resume_with_the_identity(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        struct tls_context *context = make_context("ca.pem", TLS_CLIENT_AUTH_REQUIRE);
        SSL_SESSION *kept = NULL;
        char *subject = NULL;
        assert_false(resumes(context, versions[i], &kept, &subject));
        assert_non_null(kept);
        free(subject);
        assert_true(resumes(context, versions[i], &kept, &subject));
        assert_string_equal(subject, "CN=ada,O=Engines & Co");
        free(subject);
        struct tls_context *newer = make_context("ca.pem", TLS_CLIENT_AUTH_REQUIRE);
        assert_false(resumes(newer, versions[i], &kept, &subject));
        free(subject);
        tls_context_unref(newer);
        tls_context_unref(context);
        SSL_SESSION_free(kept);
    }
}

static void early_data_is_not_taken(void **state)
{
    struct tls_context *context = make_context("ca.pem", TLS_CLIENT_AUTH_REQUEST);
    SSL_SESSION *kept = NULL;
    char *subject = NULL;
    assert_false(resumes(context, TLS1_3_VERSION, &kept, &subject));
    free(subject);
    assert_int_equal(SSL_SESSION_get_max_early_data(kept), 0);
    SSL_SESSION_free(kept);
    tls_context_unref(context);
}

/* --- abuse --------------------------------------------------------------------------------------- */

static void ask_for_keys(struct talk *talk, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(SSL_key_update(talk->client, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(talk->client), 1);
    }
}

static void new_keys_now_and_then_are_fine(void **state)
{
    struct talk talk;
    struct buf got;
    buf_init(&got, 100);
    talk_open(&talk);
    assert_true(shake(&talk));
    for (unsigned i = 0; i < 10; i++) {
        ask_for_keys(&talk, 1);
        assert_int_equal(SSL_write(talk.client, "x", 1), 1);
        pump(&talk);
        char text[] = "y";
        struct iovec iovec = {text, 1};
        server_writes(&talk, &iovec, 1, 1);
        client_reads(&talk, &got);
        assert_int_equal(got.len, i + 1);
    }
    buf_finish(&got);
    assert_int_equal(talk.received.len, 10);
    assert_int_equal(tls_session_failure(talk.server), TLS_FAILURE_NONE);
    talk_close(&talk);
}

static void a_flood_of_new_keys_ends_the_session(void **state)
{
    static const size_t chunks[] = {0, 100};
    for (size_t i = 0; i < 2; i++) {
        struct talk talk;
        talk_open(&talk);
        talk.chunk = chunks[i];
        assert_true(shake(&talk));
        ask_for_keys(&talk, 500);
        assert_int_equal(SSL_write(talk.client, "late", 4), 4);
        pump(&talk);
        assert_int_equal(tls_session_failure(talk.server), TLS_FAILURE_BUDGET);
        assert_int_equal(talk.received.len, 0);
        talk_close(&talk);
    }
}

static void a_new_handshake_ends_the_session(void **state)
{
    struct talk talk;
    talk_open(&talk);
    SSL_set_max_proto_version(talk.client, TLS1_2_VERSION);
    assert_true(shake(&talk));
    assert_int_equal(SSL_renegotiate(talk.client), 1);
    (void)SSL_do_handshake(talk.client);
    pump(&talk);
    assert_int_equal(tls_session_failure(talk.server), TLS_FAILURE_BUDGET);
    ERR_clear_error();
    (void)SSL_do_handshake(talk.client);
    assert_true(has_reason(SSL_R_NO_RENEGOTIATION));
    talk_close(&talk);
}

static void a_changed_record_ends_the_session(void **state)
{
    struct talk talk;
    talk_open(&talk);
    assert_true(shake(&talk));
    assert_int_equal(SSL_write(talk.client, "secret", 6), 6);
    uint8_t *bytes = NULL;
    long size = BIO_get_mem_data(talk.from_client, &bytes);
    bytes[size - 3] ^= 1;
    pump(&talk);
    assert_int_equal(tls_session_failure(talk.server), TLS_FAILURE_RECORD);
    assert_int_equal(talk.received.len, 0);
    char byte;
    assert_true(SSL_read(talk.client, &byte, 1) <= 0);
    assert_true(has_reason(SSL_R_SSLV3_ALERT_BAD_RECORD_MAC));
    talk_close(&talk);
}

/* --- closing ------------------------------------------------------------------------------------- */

static void goodbyes(void **state)
{
    struct talk talk;
    talk_open(&talk);
    assert_true(shake(&talk));
    assert_int_equal(SSL_write(talk.client, "last", 4), 4);
    assert_int_equal(SSL_shutdown(talk.client), 0);
    assert_false(tls_session_is_ended(talk.server));
    pump(&talk);
    assert_true(str_equal(buf_str(&talk.received), STR("last")));
    assert_true(tls_session_is_ended(talk.server));
    /* The other direction is still open. */
    char text[] = "answer";
    struct iovec iovec = {text, 6};
    assert_int_equal(tls_session_write(talk.server, &iovec, 1), 6);
    tls_session_shut(talk.server);
    pump(&talk);
    struct buf got;
    buf_init(&got, 100);
    client_reads(&talk, &got);
    assert_true(str_equal(buf_str(&got), STR("answer")));
    assert_int_equal(SSL_get_shutdown(talk.client), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    buf_finish(&got);
    talk_close(&talk);
}

static void nothing_to_say_before_the_handshake(void **state)
{
    struct talk talk;
    talk_open(&talk);
    tls_session_shut(talk.server);
    assert_int_equal(tls_session_pending(talk.server).iov_len, 0);
    talk_close(&talk);
}

/* --- bulk ---------------------------------------------------------------------------------------- */

#define BULK_BYTES ((size_t)3 << 20)

static uint8_t bulk_byte(size_t at)
{
    return (uint8_t)(at * 31 + at / 997);
}

/* Iovecs of odd sizes over one block, among them empty ones. */
static size_t cut(uint8_t *block, struct iovec *iovecs, size_t count_max)
{
    static const size_t sizes[] = {9, 16384, 1, 0, 70000, 5, 16383, 16385, 300000, 2};
    size_t at = 0;
    size_t count = 0;
    while (at < BULK_BYTES && count < count_max) {
        size_t size = size_min(sizes[count % ARRAY_COUNT(sizes)], BULK_BYTES - at);
        iovecs[count++] = (struct iovec){block + at, size};
        at += size;
    }
    return count;
}

static void drop(struct iovec *iovecs, size_t count, size_t size)
{
    for (size_t i = 0; i < count && size > 0; i++) {
        size_t part = size_min(size, iovecs[i].iov_len);
        iovecs[i].iov_base = (uint8_t *)iovecs[i].iov_base + part;
        iovecs[i].iov_len -= part;
        size -= part;
    }
}

static size_t count_full_records(struct iovec pending)
{
    const uint8_t *bytes = pending.iov_base;
    size_t full = 0;
    for (size_t at = 0; at < pending.iov_len;) {
        size_t length = (size_t)bytes[at + 3] << 8 | bytes[at + 4];
        full += length == TLS_RECORD_BYTES + 17;
        at += 5 + length;
    }
    return full;
}

static void bulk_is_intact_and_in_full_records(void **state)
{
    uint8_t *block = memory_new(BULK_BYTES);
    for (size_t i = 0; i < BULK_BYTES; i++)
        block[i] = bulk_byte(i);
    struct iovec iovecs[256];
    size_t count = cut(block, iovecs, ARRAY_COUNT(iovecs));
    struct talk talk;
    talk_open(&talk);
    assert_true(shake(&talk));
    struct buf got;
    buf_init(&got, BULK_BYTES);
    for (size_t left = BULK_BYTES; left > 0;) {
        size_t taken = tls_session_write(talk.server, iovecs, count);
        assert_int_equal(taken, size_min(left, TLS_BATCH_BYTES));
        assert_int_equal(count_full_records(tls_session_pending(talk.server)),
                         taken / TLS_RECORD_BYTES);
        drop(iovecs, count, taken);
        left -= taken;
        pump(&talk);
        client_reads(&talk, &got);
    }
    assert_int_equal(got.len, BULK_BYTES);
    assert_memory_equal(got.ptr, block, BULK_BYTES);
    buf_finish(&got);
    talk_close(&talk);
    free(block);
}

/* Sends the block and compares what the client gets. */
static void send_block(struct talk *talk, uint8_t *block, size_t size)
{
    struct buf got;
    buf_init(&got, size);
    struct iovec iovec = {block, size};
    while (iovec.iov_len > 0) {
        drop(&iovec, 1, tls_session_write(talk->server, &iovec, 1));
        pump(talk);
        client_reads(talk, &got);
    }
    assert_int_equal(got.len, size);
    assert_memory_equal(got.ptr, block, size);
    buf_finish(&got);
}

/* Records of several sessions, versions and ciphers by turns, on one loop. */
static void sessions_of_one_loop_keep_their_keys(void **state)
{
    static const struct {
        int version;
        const char *cipher;
    } cases[] = {
        {TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"},
        {TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384"},
        {TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256"},
        {TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"},
    };
    struct tls_buffers *shared = tls_buffers_create();
    struct talk talks[ARRAY_COUNT(cases)];
    uint8_t *block = memory_new(BULK_BYTES);
    for (size_t i = 0; i < BULK_BYTES; i++)
        block[i] = bulk_byte(i);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        talk_open_over(&talks[i], shared);
        SSL_set_max_proto_version(talks[i].client, cases[i].version);
        if (cases[i].version == TLS1_3_VERSION)
            assert_int_equal(SSL_set_ciphersuites(talks[i].client, cases[i].cipher), 1);
        assert_true(shake(&talks[i]));
        assert_string_equal(SSL_get_cipher(talks[i].client), cases[i].cipher);
        assert_int_equal(talks[i].server->records.is_on, cases[i].version == TLS1_3_VERSION);
    }
    for (size_t round = 0; round < 6; round++) {
        for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
            send_block(&talks[i], block, round % 2 ? 300000 + i : 1 + i);
        if (round == 3)
            ask_for_keys(&talks[1], 1);
    }
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        talk_close(&talks[i]);
    tls_buffers_destroy(shared);
    free(block);
}

static void bulk_arrives_intact(void **state)
{
    uint8_t *block = memory_new(BULK_BYTES);
    for (size_t i = 0; i < BULK_BYTES; i++)
        block[i] = bulk_byte(i);
    static const size_t chunks[] = {0, 1000, 65536};
    for (size_t i = 0; i < ARRAY_COUNT(chunks); i++) {
        struct talk talk;
        talk_open(&talk);
        assert_true(shake(&talk));
        talk.chunk = chunks[i];
        assert_int_equal(SSL_write(talk.client, block, (int)BULK_BYTES), (int)BULK_BYTES);
        pump(&talk);
        assert_int_equal(talk.received.len, BULK_BYTES);
        assert_memory_equal(talk.received.ptr, block, BULK_BYTES);
        talk_close(&talk);
    }
    free(block);
}

/* Ciphertext goes piece by piece; an idle session holds nothing. */
static void partial_sends_keep_the_rest(void **state)
{
    struct talk talk;
    talk_open(&talk);
    assert_true(shake(&talk));
    size_t free_blocks = talk.buffers->free_count;
    char text[] = "hello";
    struct iovec iovec = {text, 5};
    assert_int_equal(tls_session_write(talk.server, &iovec, 1), 5);
    assert_true(talk.buffers->free_count < free_blocks || free_blocks == 0);
    while (tls_session_pending(talk.server).iov_len > 0) {
        struct iovec pending = tls_session_pending(talk.server);
        BIO_write(talk.to_client, pending.iov_base, 1);
        tls_session_sent(talk.server, 1);
    }
    assert_int_equal(talk.buffers->free_count, size_max(free_blocks, 1));
    struct buf got;
    buf_init(&got, 100);
    client_reads(&talk, &got);
    assert_true(str_equal(buf_str(&got), STR("hello")));
    buf_finish(&got);
    talk_close(&talk);
}

/* --- sharing a loop ------------------------------------------------------------------------------- */

static void handshakes_have_a_share_of_a_round(void **state)
{
    struct talk talk;
    talk_open(&talk);
    struct tls_buffers *buffers = talk.buffers;
    assert_true(tls_buffers_may_shake(buffers, 1));
    assert_true(shake(&talk));
    assert_true(buffers->shaken_ns > 0);
    buffers->shaken_ns += UINT64_C(1000000);
    assert_false(tls_buffers_may_shake(buffers, 1));
    assert_true(tls_buffers_may_shake(buffers, 2));
    assert_true(tls_buffers_may_shake(buffers, 2));
    talk_close(&talk);
}

static void few_blocks_are_kept(void **state)
{
    struct tls_buffers *buffers = tls_buffers_create();
    struct tls_block *blocks[10];
    for (size_t i = 0; i < ARRAY_COUNT(blocks); i++)
        blocks[i] = tls_buffers_take(buffers);
    for (size_t i = 0; i < ARRAY_COUNT(blocks); i++)
        tls_buffers_give(buffers, blocks[i]);
    assert_int_equal(buffers->free_count, 4);
    tls_buffers_destroy(buffers);
}

/* --- our own client ------------------------------------------------------------------------------ */

static void move(struct tls_session *from, struct tls_session *to)
{
    uint8_t plain[100];
    struct iovec pending = tls_session_pending(from);
    if (pending.iov_len == 0)
        return;
    tls_session_feed(to, pending.iov_base, pending.iov_len);
    if (tls_session_shake(to))
        (void)tls_session_read(to, plain, sizeof(plain));
    tls_session_sent(from, pending.iov_len);
}

static void clients_check_the_server(void **state)
{
    static const struct {
        const char *ca; /* NULL: insecure */
        const char *host;
        const char *failure; /* NULL: none */
    } cases[] = {
        {"ca.pem", "localhost", NULL},
        {"ca.pem", "127.0.0.1", NULL},
        {"ca.pem", "::1", NULL},
        {"ca.pem", "beta.test", NULL},
        {"ca.pem", "elsewhere.test", "hostname mismatch"},
        {"ca.pem", "127.0.0.2", "IP address mismatch"},
        {"other_ca.pem", "localhost", "unable to get local issuer certificate"},
        {NULL, "elsewhere.test", NULL},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct tls_client_options options = {.ca_file = cases[i].ca ? path(cases[i].ca) : NULL,
                                             .is_insecure = !cases[i].ca};
        struct error error = ERROR_NONE;
        struct tls_context *client_context = NULL;
        assert_int_equal(tls_context_create_client(&options, &client_context, &error), STATUS_OK);
        struct tls_context *server_context = make_context(NULL, TLS_CLIENT_AUTH_NONE);
        struct tls_buffers *buffers = tls_buffers_create();
        struct tls_session *client = NULL;
        struct tls_session *server = NULL;
        assert_int_equal(tls_session_create_server(server_context, buffers, &server, &error),
                         STATUS_OK);
        assert_int_equal(tls_session_create_client(client_context, buffers, cases[i].host,
                                                   TLS_PROTOCOL_HTTP2, &client, &error),
                         STATUS_OK);
        for (int round = 0; round < 4; round++) {
            move(client, server);
            move(server, client);
        }
        assert_int_equal(tls_session_is_open(client), cases[i].failure == NULL);
        if (cases[i].failure && !strstr(tls_session_failure_text(client), cases[i].failure))
            fail_msg("case %zu: %s", i, tls_session_failure_text(client));
        if (!cases[i].failure)
            assert_int_equal(tls_session_protocol(client), TLS_PROTOCOL_HTTP2);
        tls_session_destroy(client);
        tls_session_destroy(server);
        tls_buffers_destroy(buffers);
        tls_context_unref(client_context);
        tls_context_unref(server_context);
    }
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
        cmocka_unit_test(talks_both_ways),
        cmocka_unit_test(chooses_the_protocol),
        cmocka_unit_test(no_common_protocol_is_told),
        cmocka_unit_test(chooses_the_certificate),
        cmocka_unit_test(versions_and_ciphers),
        cmocka_unit_test(strangers_are_recognised),
        cmocka_unit_test(broken_hellos_fail),
        cmocka_unit_test(client_certificates),
        cmocka_unit_test(refused_certificates_are_named),
        cmocka_unit_test(tickets_resume_with_the_identity),
        cmocka_unit_test(early_data_is_not_taken),
        cmocka_unit_test(new_keys_now_and_then_are_fine),
        cmocka_unit_test(a_flood_of_new_keys_ends_the_session),
        cmocka_unit_test(a_new_handshake_ends_the_session),
        cmocka_unit_test(a_changed_record_ends_the_session),
        cmocka_unit_test(goodbyes),
        cmocka_unit_test(nothing_to_say_before_the_handshake),
        cmocka_unit_test(bulk_is_intact_and_in_full_records),
        cmocka_unit_test(sessions_of_one_loop_keep_their_keys),
        cmocka_unit_test(bulk_arrives_intact),
        cmocka_unit_test(partial_sends_keep_the_rest),
        cmocka_unit_test(handshakes_have_a_share_of_a_round),
        cmocka_unit_test(few_blocks_are_kept),
        cmocka_unit_test(clients_check_the_server),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
