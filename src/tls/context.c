/*
 * context.c — the settings of TLS for all connections of one kind.
 *
 * One SSL_CTX holds them; a server's certificate is chosen per connection when the client has named a
 * host. Session tickets are sealed with keys of the context, so that a new context, which may trust
 * other clients, resumes nothing of the old one. The server keeps no session cache.
 *
 * Created on the composition root's thread or a client's; used by sessions on any. Owns certificates and
 * the SSL_CTX. Leaves out: connections (session.c), when files are read again.
 * Spec: RFC 8446, RFC 7301, RFC 9113 section 9.2. SPDX-License-Identifier: Apache-2.0
 */
#include "tls/context_private.h"

#include "base/memory.h"
#include "tls/failure.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#define CIPHERS_TLS_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define CIPHERS_TLS_1_2                                                                            \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                   \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
/* Bytes of a peer's certificates that are read. */
#define CHAIN_BYTES_MAX (64 << 10)
/* A client certificate is looked at again at least this often. */
#define TICKET_SECONDS 3600
#define KEY_UPDATES_MAX_DEFAULT 32
#define TICKETS_PER_CONNECTION 1

static const unsigned char session_id_context[] = "volley";

/* --- both sides --------------------------------------------------------------------------------- */

static enum status failed(struct error *error)
{
    char reason[TLS_FAILURE_TEXT_SIZE];
    tls_failure_text(reason);
    return error_set(error, STATUS_INTERNAL, "TLS cannot be set up: %s", reason);
}

static enum status set_up(struct tls_context *context, const SSL_METHOD *method,
                          struct error *error)
{
    ERR_clear_error();
    context->method = tls_session_create_method();
    context->handle = SSL_CTX_new(method);
    SSL_CTX *handle = context->handle;
    if (!context->method || !handle || SSL_CTX_set_min_proto_version(handle, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(handle, CIPHERS_TLS_1_3) != 1 ||
        SSL_CTX_set_cipher_list(handle, CIPHERS_TLS_1_2) != 1)
        return failed(error);
    SSL_CTX_set_options(handle, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                    SSL_OP_ENABLE_KTLS); /* records.c is the kernel */
    SSL_CTX_set_mode(handle, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(handle, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(handle, CHAIN_BYTES_MAX);
    SSL_CTX_set_verify_depth(handle, TLS_CHAIN_MAX - 1);
    tls_session_watch(handle);
    return STATUS_OK;
}

static enum status use_certificate(SSL_CTX *handle, const struct tls_pair *pair,
                                   const struct tls_certificate *certificate, struct error *error)
{
    if (SSL_CTX_use_cert_and_key(handle, certificate->leaf, certificate->key, certificate->chain,
                                 1) == 1)
        return STATUS_OK;
    return tls_failure_of_file("certificate file", pair->certificate_file, error);
}

static struct tls_context *create(bool is_server)
{
    struct tls_context *context = NEW(struct tls_context);
    atomic_init(&context->references, 1);
    context->is_server = is_server;
    context->key_updates_max = KEY_UPDATES_MAX_DEFAULT;
    return context;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    return context;
}

void tls_context_unref(struct tls_context *context)
{
    if (!context || atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) > 1)
        return;
    SSL_CTX_free(context->handle);
    BIO_meth_free(context->method);
    for (size_t i = 0; i < context->certificate_count; i++)
        tls_certificate_finish(&context->certificates[i]);
    free(context->certificates);
    free(context);
}

/* --- server ------------------------------------------------------------------------------------- */

/* The client's hello has been read. */
static int on_certificate_wanted(SSL *handle, void *argument)
{
    const struct tls_context *context = argument;
    const char *host = SSL_get_servername(handle, TLSEXT_NAMETYPE_host_name);
    if (!host)
        return 1;
    return tls_certificate_choose(context, handle, host) ? 1 : 0;
}

static bool is_offered(const unsigned char *offers, unsigned offers_bytes, struct str protocol)
{
    for (unsigned at = 0; at < offers_bytes; at += 1U + offers[at]) {
        if (at + 1U + offers[at] > offers_bytes)
            return false;
        if (str_equal(str_make(offers + at + 1, offers[at]), protocol))
            return true;
    }
    return false;
}

static int on_protocols_offered(SSL *handle, const unsigned char **out, unsigned char *out_bytes,
                                const unsigned char *offers, unsigned offers_bytes, void *argument)
{
    static const struct str wanted[] = {{"h2", 2}, {"http/1.1", 8}};
    for (size_t i = 0; i < ARRAY_COUNT(wanted); i++) {
        if (!is_offered(offers, offers_bytes, wanted[i]))
            continue;
        *out = (const unsigned char *)wanted[i].ptr;
        *out_bytes = (unsigned char)wanted[i].len;
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void free_context(SSL_CTX **handle)
{
    SSL_CTX_free(*handle);
}

/* Reads a pair and tries it, so that one that OpenSSL refuses is not found when a client wants it. */
static enum status load_pair(struct tls_context *context, const struct tls_pair *pair,
                             struct buf *warnings, struct error *error)
{
    struct tls_certificate *certificate = &context->certificates[context->certificate_count];
    TRY(tls_certificate_load(pair, certificate, warnings, error));
    context->certificate_count++;
    __attribute__((cleanup(free_context))) SSL_CTX *trial = SSL_CTX_new(TLS_server_method());
    if (!trial)
        return failed(error);
    return use_certificate(trial, pair, certificate, error);
}

static enum status load_pairs(struct tls_context *context, const struct tls_server_options *options,
                              struct error *error)
{
    if (options->pair_count == 0 || options->pair_count > TLS_PAIRS_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "TLS needs 1 to %d pairs of certificate and key, not %zu", TLS_PAIRS_MAX,
                         options->pair_count);
    context->certificates = NEW_ARRAY(struct tls_certificate, options->pair_count);
    for (size_t i = 0; i < options->pair_count; i++)
        TRY(load_pair(context, &options->pairs[i], options->warnings, error));
    return use_certificate(context->handle, &options->pairs[0], &context->certificates[0], error);
}

static enum status ask_for_clients(struct tls_context *context,
                                   const struct tls_server_options *options, struct error *error)
{
    if (options->client_auth == TLS_CLIENT_AUTH_NONE)
        return STATUS_OK;
    if (!options->client_ca_file)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "client certificates cannot be checked without a file of the authorities "
                         "that sign them");
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(options->client_ca_file);
    if (!names)
        return tls_failure_of_file("authorities file", options->client_ca_file, error);
    SSL_CTX_set_client_CA_list(context->handle, names);
    if (SSL_CTX_load_verify_file(context->handle, options->client_ca_file) != 1)
        return tls_failure_of_file("authorities file", options->client_ca_file, error);
    int mode = SSL_VERIFY_PEER;
    if (options->client_auth == TLS_CLIENT_AUTH_REQUIRE)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(context->handle, mode, NULL);
    return STATUS_OK;
}

enum status tls_context_create_server(const struct tls_server_options *options,
                                      struct tls_context **out_context, struct error *error)
{
    CLEANUP(tls_context_unref) struct tls_context *context = create(true);
    TRY(set_up(context, TLS_server_method(), error));
    TRY(load_pairs(context, options, error));
    TRY(ask_for_clients(context, options, error));
    SSL_CTX *handle = context->handle;
    if (SSL_CTX_set_session_id_context(handle, session_id_context,
                                       sizeof(session_id_context) - 1) != 1 ||
        SSL_CTX_set_num_tickets(handle, TICKETS_PER_CONNECTION) != 1)
        return failed(error);
    if (options->key_updates_max > 0)
        context->key_updates_max = options->key_updates_max;
    SSL_CTX_set_timeout(handle, TICKET_SECONDS);
    SSL_CTX_set_cert_cb(handle, on_certificate_wanted, context);
    SSL_CTX_set_alpn_select_cb(handle, on_protocols_offered, NULL);
    *out_context = STEAL(context);
    return STATUS_OK;
}

/* --- client ------------------------------------------------------------------------------------- */

static enum status trust(struct tls_context *context, const struct tls_client_options *options,
                         struct error *error)
{
    if (options->is_insecure) {
        SSL_CTX_set_verify(context->handle, SSL_VERIFY_NONE, NULL);
        return STATUS_OK;
    }
    SSL_CTX_set_verify(context->handle, SSL_VERIFY_PEER, NULL);
    if (options->ca_file) {
        if (SSL_CTX_load_verify_file(context->handle, options->ca_file) != 1)
            return tls_failure_of_file("authorities file", options->ca_file, error);
    } else if (SSL_CTX_set_default_verify_paths(context->handle) != 1) {
        return failed(error);
    }
    return STATUS_OK;
}

enum status tls_context_create_client(const struct tls_client_options *options,
                                      struct tls_context **out_context, struct error *error)
{
    CLEANUP(tls_context_unref) struct tls_context *context = create(false);
    TRY(set_up(context, TLS_client_method(), error));
    TRY(trust(context, options, error));
    if (options->pair.certificate_file) {
        context->certificates = NEW_ARRAY(struct tls_certificate, 1);
        TRY(tls_certificate_load(&options->pair, &context->certificates[0], NULL, error));
        context->certificate_count = 1;
        TRY(use_certificate(context->handle, &options->pair, &context->certificates[0], error));
    }
    *out_context = STEAL(context);
    return STATUS_OK;
}
