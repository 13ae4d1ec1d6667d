/*
 * certificates.c — see certificates.h. SPDX-License-Identifier: Apache-2.0
 */
#include "certificates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define DAY_SECONDS (24 * 60 * 60)

struct signer {
    X509 *certificate;
    EVP_PKEY *key;
};

struct wish {
    const char *name; /* CN */
    const char *organisation;
    const char *alternatives; /* subjectAltName; NULL: none */
    const struct signer *by;  /* NULL: itself */
    bool is_authority;
    bool is_rsa;
    int days; /* until it ends, from now */
};

static const char *const files[] = {
    "ca.pem",      "other_ca.pem",  "server.pem",   "server.key",   "beta.pem",
    "beta.key",    "exact.pem",     "exact.key",    "chain.pem",    "chain.key",
    "expired.pem", "expired.key",   "client.pem",   "client.key",   "junk.pem",
    "swap.pem",    "encrypted.key", "stranger.pem", "stranger.key", "swap.key",
};

const char *certificates_path(struct certificates *certificates, const char *file)
{
    char *path = certificates->paths[certificates->next_path++ % 8];
    char text[sizeof(certificates->paths[0])];
    (void)snprintf(text, sizeof(text), "%s/%s", certificates->folder, file);
    memcpy(path, text, sizeof(text));
    return path;
}

static void add_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static void set_name(X509 *certificate, const struct wish *wish)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    if (wish->organisation)
        X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
                                   (const unsigned char *)wish->organisation, -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)wish->name, -1, -1,
                               0);
}

static struct signer make(const struct wish *wish)
{
    static long serial = 1000;
    struct signer made = {.certificate = X509_new(),
                          .key = wish->is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256")};
    assert_non_null(made.certificate);
    assert_non_null(made.key);
    X509 *certificate = made.certificate;
    X509 *issuer = wish->by ? wish->by->certificate : certificate;
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -400L * DAY_SECONDS);
    X509_gmtime_adj(X509_getm_notAfter(certificate), (long)wish->days * DAY_SECONDS);
    X509_set_pubkey(certificate, made.key);
    set_name(certificate, wish);
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    add_extension(certificate, issuer, NID_basic_constraints,
                  wish->is_authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (wish->alternatives)
        add_extension(certificate, issuer, NID_subject_alt_name, wish->alternatives);
    EVP_PKEY *signing = wish->by ? wish->by->key : made.key;
    assert_true(X509_sign(certificate, signing, EVP_sha256()) > 0);
    return made;
}

static void release(struct signer *signer)
{
    X509_free(signer->certificate);
    EVP_PKEY_free(signer->key);
}

static FILE *open_file(struct certificates *certificates, const char *name, const char *suffix)
{
    char file[64];
    (void)snprintf(file, sizeof(file), "%s%s", name, suffix);
    FILE *stream = fopen(certificates_path(certificates, file), "w");
    assert_non_null(stream);
    return stream;
}

static void write_certificates(struct certificates *certificates, const char *name,
                               const struct signer *signer, const struct signer *between)
{
    FILE *stream = open_file(certificates, name, ".pem");
    assert_int_equal(PEM_write_X509(stream, signer->certificate), 1);
    if (between)
        assert_int_equal(PEM_write_X509(stream, between->certificate), 1);
    (void)fclose(stream);
}

static void write_key(struct certificates *certificates, const char *name,
                      const struct signer *signer, const char *passphrase)
{
    FILE *stream = open_file(certificates, name, ".key");
    assert_int_equal(
        PEM_write_PKCS8PrivateKey(stream, signer->key, passphrase ? EVP_aes_128_cbc() : NULL,
                                  passphrase, passphrase ? (int)strlen(passphrase) : 0, NULL, NULL),
        1);
    (void)fclose(stream);
}

static void make_pair(struct certificates *certificates, const char *file, struct wish wish,
                      const struct signer *between)
{
    struct signer made = make(&wish);
    write_certificates(certificates, file, &made, between);
    write_key(certificates, file, &made, NULL);
    if (strcmp(file, "server") == 0)
        write_key(certificates, "encrypted", &made, "secret");
    release(&made);
}

void certificates_make(struct certificates *certificates)
{
    *certificates = (struct certificates){.folder = "/tmp/volley-tls-XXXXXX"};
    assert_non_null(mkdtemp(certificates->folder));
    struct signer ca = make(&(struct wish){.name = "ca", .is_authority = true, .days = 30});
    struct signer other = make(&(struct wish){.name = "other", .is_authority = true, .days = 30});
    struct signer between =
        make(&(struct wish){.name = "between", .is_authority = true, .days = 30, .by = &ca});
    write_certificates(certificates, "ca", &ca, NULL);
    write_certificates(certificates, "other_ca", &other, NULL);
    static const char local[] = "DNS:localhost,IP:127.0.0.1,IP:::1";
    make_pair(certificates, "server",
              (struct wish){"server", NULL, "DNS:localhost,IP:127.0.0.1,IP:::1,DNS:alpha.test", &ca,
                            .days = 30},
              NULL);
    make_pair(certificates, "beta",
              (struct wish){"beta", NULL, "DNS:beta.test,DNS:*.wild.test", &ca, .is_rsa = true,
                            .days = 30},
              NULL);
    make_pair(certificates, "exact",
              (struct wish){"exact", NULL, "DNS:exact.wild.test", &ca, .days = 30}, NULL);
    make_pair(certificates, "expired", (struct wish){"expired", NULL, local, &ca, .days = -1},
              NULL);
    make_pair(certificates, "chain", (struct wish){"chain", NULL, local, &between, .days = 30},
              &between);
    make_pair(certificates, "client", (struct wish){"ada", "Engines & Co", NULL, &ca, .days = 30},
              NULL);
    make_pair(certificates, "stranger", (struct wish){"mallory", NULL, NULL, &other, .days = 30},
              NULL);
    FILE *junk = open_file(certificates, "junk", ".pem");
    (void)fputs("not a certificate\n", junk);
    (void)fclose(junk);
    release(&ca);
    release(&other);
    release(&between);
}

void certificates_remove(struct certificates *certificates)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        (void)unlink(certificates_path(certificates, files[i]));
    assert_int_equal(rmdir(certificates->folder), 0);
}

void certificates_replace(struct certificates *certificates, const char *file, const char *by)
{
    FILE *from = fopen(certificates_path(certificates, by), "r");
    FILE *to = fopen(certificates_path(certificates, file), "w");
    assert_non_null(from);
    assert_non_null(to);
    char block[4096];
    size_t size;
    while ((size = fread(block, 1, sizeof(block), from)) > 0)
        assert_int_equal(fwrite(block, 1, size, to), size);
    (void)fclose(from);
    (void)fclose(to);
}
