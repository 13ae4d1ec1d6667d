/*
 * certificate.c — pairs of certificate and key: reading them, and which one a host name means.
 *
 * A pair is read completely before it is used, so that what is wrong is found at start or reload and
 * told with the file's name. A passphrase is never asked for: a server has nobody to ask. The name that
 * a client asks for (SNI) is compared with the names in the certificates as a client compares them;
 * exact names go before wildcards, earlier pairs before later ones, and of several kinds of key each
 * is offered.
 *
 * Loading runs on the composition root's thread, choosing on the connection's. Owns what it read.
 * Leaves out: trust in a peer's certificates (context.c). Spec: RFC 7468, RFC 6066 section 3, RFC 9525.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/context_private.h"

#include "base/memory.h"
#include "tls/failure.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <time.h>

/* --- reading ------------------------------------------------------------------------------------ */

static void free_bio(BIO **bio)
{
    BIO_free(*bio);
}

/* Called where a passphrase would be asked for. */
static int refuse_passphrase(char *buffer, int size, int is_writing, void *asked)
{
    *(bool *)asked = true;
    return -1;
}

static bool is_end_of_file(void)
{
    unsigned long code = ERR_peek_last_error();
    bool is_end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
    if (is_end)
        ERR_clear_error();
    return is_end;
}

static enum status read_chain(BIO *bio, const char *file, struct tls_certificate *certificate,
                              struct error *error)
{
    certificate->chain = sk_X509_new_null();
    for (;;) {
        X509 *next = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (!next && is_end_of_file())
            return STATUS_OK;
        if (!next)
            return tls_failure_of_file("certificate file", file, error);
        if (sk_X509_num(certificate->chain) + 1 >= TLS_CHAIN_MAX) {
            X509_free(next);
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "certificate file %s: more than %d certificates", file, TLS_CHAIN_MAX);
        }
        (void)sk_X509_push(certificate->chain, next);
    }
}

static enum status read_certificates(const char *file, struct tls_certificate *certificate,
                                     struct error *error)
{
    __attribute__((cleanup(free_bio))) BIO *bio = BIO_new_file(file, "re");
    if (!bio)
        return tls_failure_of_file("certificate file", file, error);
    certificate->leaf = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    if (!certificate->leaf && is_end_of_file())
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "certificate file %s: no certificate in PEM form "
                         "(-----BEGIN CERTIFICATE-----)",
                         file);
    if (!certificate->leaf)
        return tls_failure_of_file("certificate file", file, error);
    return read_chain(bio, file, certificate, error);
}

static enum status read_key(const char *file, struct tls_certificate *certificate,
                            struct error *error)
{
    __attribute__((cleanup(free_bio))) BIO *bio = BIO_new_file(file, "re");
    if (!bio)
        return tls_failure_of_file("key file", file, error);
    bool asked = false;
    certificate->key = PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, &asked);
    if (certificate->key)
        return STATUS_OK;
    if (asked) {
        ERR_clear_error();
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "key file %s: the key is encrypted; must be one without a passphrase",
                         file);
    }
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "key file %s: no private key in PEM form (-----BEGIN PRIVATE KEY-----)", file);
}

static void warn_of_time(const struct tls_certificate *certificate, const char *file,
                         struct buf *warnings)
{
    const ASN1_TIME *end = X509_get0_notAfter(certificate->leaf);
    struct tm tm = {0};
    char day[16] = "?";
    if (ASN1_TIME_to_tm(end, &tm) == 1)
        (void)strftime(day, sizeof(day), "%Y-%m-%d", &tm);
    if (X509_cmp_current_time(end) < 0)
        buf_printf(warnings, "certificate file %s: the certificate expired on %s\n", file, day);
    else if (X509_cmp_current_time(X509_get0_notBefore(certificate->leaf)) > 0)
        buf_printf(warnings, "certificate file %s: the certificate is not valid yet\n", file);
}

static enum status load(const struct tls_pair *pair, struct tls_certificate *certificate,
                        struct error *error)
{
    TRY(read_certificates(pair->certificate_file, certificate, error));
    TRY(read_key(pair->key_file, certificate, error));
    if (X509_check_private_key(certificate->leaf, certificate->key) == 1)
        return STATUS_OK;
    ERR_clear_error();
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "key file %s: the key does not belong to the certificate in %s",
                     pair->key_file, pair->certificate_file);
}

enum status tls_certificate_load(const struct tls_pair *pair,
                                 struct tls_certificate *out_certificate, struct buf *warnings,
                                 struct error *error)
{
    struct tls_certificate certificate = {0};
    ERR_clear_error();
    enum status status = load(pair, &certificate, error);
    if (status != STATUS_OK) {
        ERR_clear_error();
        tls_certificate_finish(&certificate);
        return status;
    }
    if (warnings)
        warn_of_time(&certificate, pair->certificate_file, warnings);
    *out_certificate = certificate;
    return STATUS_OK;
}

void tls_certificate_finish(struct tls_certificate *certificate)
{
    X509_free(certificate->leaf);
    sk_X509_pop_free(certificate->chain, X509_free);
    EVP_PKEY_free(certificate->key);
    *certificate = (struct tls_certificate){0};
}

/* --- choosing ----------------------------------------------------------------------------------- */

static bool is_for(const struct tls_certificate *certificate, const char *host, unsigned flags)
{
    return X509_check_host(certificate->leaf, host, 0, flags, NULL) == 1;
}

/* Offers all pairs for `host`, the last first: a later use of the same kind of key replaces it. */
static bool offer(const struct tls_context *context, SSL *handle, const char *host, unsigned flags,
                  bool *out_found)
{
    for (size_t i = context->certificate_count; i > 0; i--) {
        const struct tls_certificate *certificate = &context->certificates[i - 1];
        if (!is_for(certificate, host, flags))
            continue;
        if (!*out_found)
            SSL_certs_clear(handle);
        *out_found = true;
        if (SSL_use_cert_and_key(handle, certificate->leaf, certificate->key, certificate->chain,
                                 1) != 1)
            return false;
    }
    return true;
}

bool tls_certificate_choose(const struct tls_context *context, SSL *handle, const char *host)
{
    bool is_found = false;
    if (!offer(context, handle, host, X509_CHECK_FLAG_NO_WILDCARDS, &is_found))
        return false;
    return is_found || offer(context, handle, host, 0, &is_found);
}
