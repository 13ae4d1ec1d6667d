/*
 * Contexts: pairs of files that go together and those that do not.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "certificates.h"

#include "tls/context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct certificates files;

static const char *path(const char *file)
{
    return certificates_path(&files, file);
}

static enum status create(const char *certificate, const char *key, const char *ca,
                          enum tls_client_auth client_auth, struct buf *warnings,
                          struct error *error)
{
    struct tls_pair pair = {path(certificate), path(key)};
    struct tls_server_options options = {.pairs = &pair,
                                         .pair_count = 1,
                                         .client_ca_file = ca ? path(ca) : NULL,
                                         .client_auth = client_auth,
                                         .warnings = warnings};
    CLEANUP(tls_context_unref) struct tls_context *context = NULL;
    return tls_context_create_server(&options, &context, error);
}

static void takes_good_pairs(void **state)
{
    static const char *const names[] = {"server", "beta", "chain"};
    struct error error = ERROR_NONE;
    for (size_t i = 0; i < 3; i++) {
        char certificate[32];
        char key[32];
        (void)snprintf(certificate, sizeof(certificate), "%s.pem", names[i]);
        (void)snprintf(key, sizeof(key), "%s.key", names[i]);
        assert_int_equal(create(certificate, key, "ca.pem", TLS_CLIENT_AUTH_REQUIRE, NULL, &error),
                         STATUS_OK);
    }
}

static void names_the_file_and_the_reason(void **state)
{
    static const struct {
        const char *certificate;
        const char *key;
        const char *ca;
        const char *about;
        const char *reason;
    } cases[] = {
        {"none.pem", "server.key", NULL, "certificate file", "No such file"},
        {"server.pem", "none.key", NULL, "key file", "No such file"},
        {"junk.pem", "server.key", NULL, "junk.pem", "no certificate in PEM form"},
        {"server.key", "server.key", NULL, "server.key", "no certificate in PEM form"},
        {"server.pem", "junk.pem", NULL, "junk.pem", "no private key in PEM form"},
        {"server.pem", "server.pem", NULL, "server.pem", "no private key in PEM form"},
        {"server.pem", "exact.key", NULL, "exact.key", "does not belong to the certificate in"},
        {"server.pem", "beta.key", NULL, "beta.key", "does not belong to the certificate in"},
        {"server.pem", "encrypted.key", NULL, "encrypted.key", "without a passphrase"},
        {"server.pem", "server.key", "none.pem", "authorities file", "No such file"},
        {"server.pem", "server.key", "junk.pem", "authorities file", "junk.pem"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error error = ERROR_NONE;
        assert_int_equal(create(cases[i].certificate, cases[i].key, cases[i].ca,
                                cases[i].ca ? TLS_CLIENT_AUTH_REQUIRE : TLS_CLIENT_AUTH_NONE, NULL,
                                &error),
                         STATUS_INVALID_ARGUMENT);
        if (!strstr(error.message, cases[i].about) || !strstr(error.message, cases[i].reason))
            fail_msg("case %zu: %s", i, error.message);
    }
}

static void client_certificates_need_authorities(void **state)
{
    struct error error = ERROR_NONE;
    assert_int_equal(
        create("server.pem", "server.key", NULL, TLS_CLIENT_AUTH_REQUEST, NULL, &error),
        STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "authorities"));
}

static void an_expired_certificate_is_a_warning(void **state)
{
    CLEANUP(buf_finish) struct buf warnings;
    buf_init(&warnings, 4096);
    struct error error = ERROR_NONE;
    assert_int_equal(
        create("expired.pem", "expired.key", NULL, TLS_CLIENT_AUTH_NONE, &warnings, &error),
        STATUS_OK);
    assert_true(
        str_find_str(buf_str(&warnings), STR("expired.pem: the certificate expired on 20")) > 0);
    buf_clear(&warnings);
    assert_int_equal(
        create("server.pem", "server.key", NULL, TLS_CLIENT_AUTH_NONE, &warnings, &error),
        STATUS_OK);
    assert_int_equal(buf_str(&warnings).len, 0);
}

static void refuses_too_long_a_chain(void **state)
{
    FILE *to = fopen(path("swap.pem"), "w");
    char text[8192];
    FILE *from = fopen(path("server.pem"), "r");
    size_t size = fread(text, 1, sizeof(text), from);
    (void)fclose(from);
    for (int i = 0; i < TLS_CHAIN_MAX + 1; i++)
        assert_int_equal(fwrite(text, 1, size, to), size);
    (void)fclose(to);
    struct error error = ERROR_NONE;
    assert_int_equal(create("swap.pem", "server.key", NULL, TLS_CLIENT_AUTH_NONE, NULL, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "more than 10 certificates"));
}

static void clients_have_files_too(void **state)
{
    struct error error = ERROR_NONE;
    struct tls_context *context = NULL;
    struct tls_client_options good = {.ca_file = path("ca.pem"),
                                      .pair = {path("client.pem"), path("client.key")}};
    assert_int_equal(tls_context_create_client(&good, &context, &error), STATUS_OK);
    tls_context_unref(context);
    struct tls_client_options no_ca = {.ca_file = path("none.pem")};
    assert_int_equal(tls_context_create_client(&no_ca, &context, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "none.pem"));
    struct tls_client_options wrong = {.ca_file = path("ca.pem"),
                                       .pair = {path("client.pem"), path("server.key")}};
    assert_int_equal(tls_context_create_client(&wrong, &context, &error), STATUS_INVALID_ARGUMENT);
    struct tls_client_options system = {0};
    assert_int_equal(tls_context_create_client(&system, &context, &error), STATUS_OK);
    tls_context_unref(context);
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
        cmocka_unit_test(takes_good_pairs),
        cmocka_unit_test(names_the_file_and_the_reason),
        cmocka_unit_test(client_certificates_need_authorities),
        cmocka_unit_test(an_expired_certificate_is_a_warning),
        cmocka_unit_test(refuses_too_long_a_chain),
        cmocka_unit_test(clients_have_files_too),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
