/*
 * session.c — OpenSSL between two memories.
 *
 * A BIO of our own takes ciphertext straight from the caller's read buffer and appends what OpenSSL
 * writes to a block, so that a batch of records leaves in one system call. OpenSSL frees its own buffers
 * between records (SSL_MODE_RELEASE_BUFFERS).
 *
 * A peer may make us work without sending a byte of payload: by asking for new keys (TLS 1.3) or a new
 * handshake (TLS 1.2, refused with an alert). Both are counted.
 *
 * Runs on the connection's loop. Owns the SSL object and the block that waits. Leaves out: output
 * (session_output.c), sockets, deadlines. Spec: RFC 8446 section 4.6.3; RFC 5246 section 7.2.2.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/session_private.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"
#include "tls/context_private.h"
#include "tls/failure.h"

#include <arpa/inet.h>
#include <assert.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>

/* A peer may ask for new keys so often, and once more for each megabyte it sent; for a new handshake
 * never: a client that asks would not go on without one. */
#define KEY_UPDATE_BYTES ((uint64_t)1 << 20)
/* First bytes of a TLS connection; no message of HTTP begins with one of them. */
#define ALERT_RECORD 0x15
#define HANDSHAKE_RECORD 0x16
#define SUBJECT_BYTES_MAX 4096

/* --- the BIO ------------------------------------------------------------------------------------ */

static int bio_read(BIO *bio, char *out, size_t wanted, size_t *out_size)
{
    struct tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (session->input_bytes == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    size_t size = size_min(wanted, session->input_bytes);
    memcpy(out, session->input, size);
    session->input += size;
    session->input_bytes -= size;
    *out_size = size;
    return 1;
}

struct tls_block *tls_session_block(struct tls_session *session)
{
    if (!session->block)
        session->block = tls_buffers_take(session->buffers);
    return session->block;
}

static int bio_write(BIO *bio, const char *bytes, size_t size, size_t *out_size)
{
    struct tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    struct tls_block *block = tls_session_block(session);
    *out_size = size;
    if (session->records.is_on)
        return tls_records_write(&session->records, session->buffers, block, (const uint8_t *)bytes,
                                 size);
    if (size > sizeof(block->bytes) - block->used)
        return 0;
    memcpy(block->bytes + block->used, bytes, size);
    block->used += size;
    return 1;
}

/* The commands about encryption below OpenSSL have names in its source and numbers in openssl/bio.h. */
static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    enum { SET_KEY = 72, SET_RECORD_TYPE = 74, CLEAR_RECORD_TYPE = 75 };
    struct tls_session *session = BIO_get_data(bio);
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case SET_KEY: /* number: of what is sent, not of what comes */
        return number && tls_records_take(&session->records, session->buffers, pointer);
    case BIO_CTRL_GET_KTLS_SEND:
        return session->records.is_on;
    case SET_RECORD_TYPE:
        session->records.type = (uint8_t)number;
        return 0;
    case CLEAR_RECORD_TYPE:
        session->records.type = 0;
        return 0;
    default:
        return 0;
    }
}

BIO_METHOD *tls_session_create_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "volley");
    if (method && BIO_meth_set_read_ex(method, bio_read) == 1 &&
        BIO_meth_set_write_ex(method, bio_write) == 1 &&
        BIO_meth_set_ctrl(method, bio_control) == 1)
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* --- failures and budgets ----------------------------------------------------------------------- */

static void fail(struct tls_session *session, enum tls_failure failure, const char *text)
{
    if (session->failure != TLS_FAILURE_NONE)
        return;
    session->failure = failure;
    session->failure_text = str_copy(str_of(text));
    session->is_open = false;
    session->input_bytes = 0;
}

void tls_session_fail(struct tls_session *session)
{
    char reason[TLS_FAILURE_TEXT_SIZE];
    char text[2 * TLS_FAILURE_TEXT_SIZE];
    tls_failure_text(reason);
    long verified = SSL_get_verify_result(session->handle);
    bool was_asked = SSL_get_verify_mode(session->handle) != SSL_VERIFY_NONE;
    if (verified == X509_V_OK || !was_asked)
        (void)snprintf(text, sizeof(text), "%s", reason);
    else
        (void)snprintf(text, sizeof(text), "%s: %s", reason,
                       X509_verify_cert_error_string(verified));
    fail(session, session->is_open ? TLS_FAILURE_RECORD : TLS_FAILURE_HANDSHAKE, text);
}

static bool is_over_budget(const struct tls_session *session)
{
    return session->key_updates >
               session->context->key_updates_max + session->plain_bytes / KEY_UPDATE_BYTES ||
           session->has_renegotiated;
}

/* A peer over its budget gets no more of its input processed: each of these messages is dear. */
static void on_message(int is_write, int version, int type, const void *bytes, size_t size,
                       SSL *handle, void *argument)
{
    struct tls_session *session = argument;
    const uint8_t *message = bytes;
    if (!is_write && type == SSL3_RT_HANDSHAKE && size > 0 && message[0] == SSL3_MT_KEY_UPDATE)
        session->key_updates++;
    if (is_write && type == SSL3_RT_ALERT && size > 1 && message[1] == SSL_AD_NO_RENEGOTIATION)
        session->has_renegotiated = true;
    if (is_over_budget(session))
        session->input_bytes = 0;
}

void tls_session_watch(SSL_CTX *handle)
{
    SSL_CTX_set_msg_callback(handle, on_message);
}

/* --- life --------------------------------------------------------------------------------------- */

static enum status create(struct tls_context *context, struct tls_buffers *buffers,
                          struct tls_session **out_session, struct error *error)
{
    struct tls_session *session = NEW(struct tls_session);
    ERR_clear_error();
    session->handle = SSL_new(context->handle);
    BIO *bio = BIO_new(context->method);
    if (!session->handle || !bio) {
        SSL_free(session->handle);
        BIO_free(bio);
        free(session);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "no memory for a TLS session");
    }
    session->context = tls_context_ref(context);
    session->buffers = buffers;
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    SSL_set_bio(session->handle, bio, bio);
    SSL_set_msg_callback_arg(session->handle, session);
    *out_session = session;
    return STATUS_OK;
}

enum status tls_session_create_server(struct tls_context *context, struct tls_buffers *buffers,
                                      struct tls_session **out_session, struct error *error)
{
    assert(context->is_server);
    TRY(create(context, buffers, out_session, error));
    SSL_set_accept_state((*out_session)->handle);
    return STATUS_OK;
}

static bool is_ip_address(const char *host)
{
    struct in6_addr address;
    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static bool expect_host(SSL *handle, const char *host)
{
    if (is_ip_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(handle), host) == 1;
    return SSL_set_tlsext_host_name(handle, host) == 1 && SSL_set1_host(handle, host) == 1;
}

static bool offer(SSL *handle, enum tls_protocol wanted)
{
    static const struct str offers[] = {
        [TLS_PROTOCOL_NONE] = {NULL, 0},
        [TLS_PROTOCOL_HTTP1] = {"\x08http/1.1", 9},
        [TLS_PROTOCOL_HTTP2] = {"\x02h2", 3},
    };
    struct str text = offers[wanted];
    return text.len == 0 ||
           SSL_set_alpn_protos(handle, (const unsigned char *)text.ptr, (unsigned)text.len) == 0;
}

enum status tls_session_create_client(struct tls_context *context, struct tls_buffers *buffers,
                                      const char *host, enum tls_protocol wanted,
                                      struct tls_session **out_session, struct error *error)
{
    assert(!context->is_server);
    CLEANUP(tls_session_destroy) struct tls_session *session = NULL;
    TRY(create(context, buffers, &session, error));
    if (!expect_host(session->handle, host) || !offer(session->handle, wanted)) {
        ERR_clear_error();
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "'%.100s' cannot be the name of a TLS server", host);
    }
    SSL_set_connect_state(session->handle);
    (void)tls_session_shake(session);
    *out_session = STEAL(session);
    return STATUS_OK;
}

void tls_session_destroy(struct tls_session *session)
{
    if (!session)
        return;
    SSL_free(session->handle);
    tls_records_stop(&session->records, session->buffers);
    tls_buffers_give(session->buffers, session->block);
    tls_context_unref(session->context);
    free(session->failure_text);
    free(session);
}

/* --- input -------------------------------------------------------------------------------------- */

void tls_session_feed(struct tls_session *session, const uint8_t *bytes, size_t size)
{
    if (session->failure != TLS_FAILURE_NONE || size == 0)
        return;
    session->input = bytes;
    session->input_bytes = size;
    if (session->is_begun)
        return;
    session->is_begun = true;
    if (bytes[0] != HANDSHAKE_RECORD && bytes[0] != ALERT_RECORD)
        fail(session, TLS_FAILURE_PLAINTEXT, "the peer does not speak TLS");
}

bool tls_session_shake(struct tls_session *session)
{
    if (session->is_open || session->failure != TLS_FAILURE_NONE)
        return session->is_open;
    uint64_t start_ns = clock_now_ns();
    ERR_clear_error();
    int result = SSL_do_handshake(session->handle);
    session->buffers->shaken_ns += clock_now_ns() - start_ns;
    if (result == 1) {
        session->is_open = true;
        return true;
    }
    if (SSL_get_error(session->handle, result) != SSL_ERROR_WANT_READ)
        tls_session_fail(session);
    return false;
}

static void note_read_failure(struct tls_session *session)
{
    switch (SSL_get_error(session->handle, 0)) {
    case SSL_ERROR_WANT_READ:
        break;
    case SSL_ERROR_ZERO_RETURN:
        session->is_ended = true;
        session->input_bytes = 0;
        break;
    default:
        tls_session_fail(session);
    }
}

size_t tls_session_read(struct tls_session *session, uint8_t *out, size_t capacity)
{
    size_t filled = 0;
    while (session->is_open && !session->is_ended && filled < capacity) {
        size_t size = 0;
        ERR_clear_error();
        if (SSL_read_ex(session->handle, out + filled, capacity - filled, &size) != 1) {
            note_read_failure(session);
            if (is_over_budget(session))
                fail(session, TLS_FAILURE_BUDGET,
                     "the peer asks for new keys again and again, or for a new handshake");
            break;
        }
        filled += size;
        session->plain_bytes += size;
    }
    return filled;
}

/* --- facts -------------------------------------------------------------------------------------- */

bool tls_session_is_open(const struct tls_session *session)
{
    return session->is_open;
}

bool tls_session_is_ended(const struct tls_session *session)
{
    return session->is_ended;
}

enum tls_failure tls_session_failure(const struct tls_session *session)
{
    return session->failure;
}

const char *tls_session_failure_text(const struct tls_session *session)
{
    return session->failure_text ? session->failure_text : "";
}

enum tls_protocol tls_session_protocol(const struct tls_session *session)
{
    const unsigned char *name = NULL;
    unsigned size = 0;
    SSL_get0_alpn_selected(session->handle, &name, &size);
    struct str chosen = str_make(name, size);
    if (str_equal(chosen, STR("h2")))
        return TLS_PROTOCOL_HTTP2;
    return size > 0 ? TLS_PROTOCOL_HTTP1 : TLS_PROTOCOL_NONE;
}

bool tls_session_is_resumed(const struct tls_session *session)
{
    return SSL_session_reused(session->handle) == 1;
}

char *tls_session_peer_subject(const struct tls_session *session)
{
    X509 *certificate = SSL_get0_peer_certificate(session->handle);
    if (!certificate || SSL_get_verify_result(session->handle) != X509_V_OK)
        return NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    if (!bio)
        return NULL;
    char *subject = NULL;
    const char *text = NULL;
    int length = X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0,
                                    XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    long size = BIO_get_mem_data(bio, &text);
    if (length >= 0 && size > 0)
        subject = memory_copy_text(text, size_min((size_t)size, SUBJECT_BYTES_MAX));
    BIO_free(bio);
    return subject;
}
