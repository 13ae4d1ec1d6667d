/*
 * session_identity_test.c — who the client is: certificates, and tickets that resume with them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "session_support.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_certificates),
        cmocka_unit_test(refused_certificates_are_named),
        cmocka_unit_test(tickets_resume_with_the_identity),
        cmocka_unit_test(early_data_is_not_taken),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
