/*
 * credentials.c — what listening addresses speak TLS with, and reading it again.
 *
 * What an address does not say itself is taken from the server's settings. Files are read when an address
 * is bound, so that what is wrong ends the start, and again on request.
 *
 * Made and reloaded on the composition root's thread; slots are read on their loops, which get a new
 * context through an atomic pointer and need no lock. Owns contexts and copies of file names.
 * Leaves out: reading certificates (tls). SPDX-License-Identifier: Apache-2.0
 */
#include "http/credentials.h"

#include "base/memory.h"

#include <string.h>

#define WARNINGS_BYTES_MAX ((size_t)64 << 10)

/* --- what an address wants ------------------------------------------------------------------------ */

static bool has_options(const struct http_address_options *options)
{
    return options->client_auth.len > 0 || options->certificate_file.len > 0 ||
           options->key_file.len > 0 || options->ca_file.len > 0;
}

bool http_address_is_tls(const struct http_address *address,
                         const struct tls_server_options *defaults)
{
    if (address->is_unix || address->scheme == HTTP_SCHEME_TCP)
        return false;
    return address->scheme == HTTP_SCHEME_TLS || defaults->pair_count > 0 ||
           has_options(&address->options);
}

enum status http_address_check_plain(const struct http_address *address, struct error *error)
{
    if (!has_options(&address->options))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "an address without TLS takes no certificates; begin it with tls://");
}

static enum status read_client_auth(struct str text, enum tls_client_auth *out_client_auth,
                                    struct error *error)
{
    static const struct {
        struct str name;
        enum tls_client_auth value;
    } known[] = {
        {{"none", 4}, TLS_CLIENT_AUTH_NONE},
        {{"request", 7}, TLS_CLIENT_AUTH_REQUEST},
        {{"require", 7}, TLS_CLIENT_AUTH_REQUIRE},
    };
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        if (str_equal(known[i].name, text)) {
            *out_client_auth = known[i].value;
            return STATUS_OK;
        }
    }
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "client-auth: '%.*s' is not allowed; must be none, request or require",
                     STR_ARGS(str_slice(text, 0, 100)));
}

/* The files that an address names, copied, over those of the settings. */
static enum status apply_options(struct http_credentials *credentials,
                                 const struct http_address_options *options, struct error *error)
{
    struct tls_server_options *wanted = &credentials->options;
    if ((options->certificate_file.len > 0) != (options->key_file.len > 0))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "an address with cert= needs key= too, and the other way round");
    if (options->certificate_file.len > 0) {
        credentials->own_pair.certificate_file = str_copy(options->certificate_file);
        credentials->own_pair.key_file = str_copy(options->key_file);
        wanted->pairs = &credentials->own_pair;
        wanted->pair_count = 1;
    }
    if (options->ca_file.len > 0) {
        credentials->own_ca_file = str_copy(options->ca_file);
        wanted->client_ca_file = credentials->own_ca_file;
    }
    if (options->client_auth.len > 0)
        TRY(read_client_auth(options->client_auth, &wanted->client_auth, error));
    if (wanted->pair_count == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "TLS needs a certificate: give the settings tls-cert and tls-key, or "
                         "?cert=FILE&key=FILE at the end of the address");
    if (wanted->client_auth != TLS_CLIENT_AUTH_NONE && !wanted->client_ca_file)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "client certificates need the authorities that sign them: give the "
                         "setting tls-ca, or ca=FILE at the end of the address");
    return STATUS_OK;
}

/* --- life ---------------------------------------------------------------------------------------- */

static void publish(struct http_credentials *credentials, struct tls_context *context)
{
    for (size_t i = 0; i < credentials->slot_count; i++)
        tls_context_unref(atomic_exchange(&credentials->slots[i].next, tls_context_ref(context)));
}

static void log_lines(struct log *log, struct str lines)
{
    while (lines.len > 0)
        LOG(log, LOG_WARNING, "certificate", LOG_STR("warning", str_split(&lines, '\n')));
}

/* Reads the files and has the loops use what they hold. */
static enum status load(struct http_credentials *credentials, struct log *log, struct error *error)
{
    CLEANUP(buf_finish) struct buf warnings;
    buf_init(&warnings, WARNINGS_BYTES_MAX);
    struct tls_server_options options = credentials->options;
    options.warnings = &warnings;
    CLEANUP(tls_context_unref) struct tls_context *context = NULL;
    TRY(tls_context_create_server(&options, &context, error));
    log_lines(log, buf_str(&warnings));
    publish(credentials, context);
    return STATUS_OK;
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_same(const struct tls_server_options *a, const struct tls_server_options *b)
{
    if (a->pair_count != b->pair_count || a->client_auth != b->client_auth ||
        !is_same_text(a->client_ca_file, b->client_ca_file))
        return false;
    for (size_t i = 0; i < a->pair_count; i++) {
        if (!is_same_text(a->pairs[i].certificate_file, b->pairs[i].certificate_file) ||
            !is_same_text(a->pairs[i].key_file, b->pairs[i].key_file))
            return false;
    }
    return true;
}

enum status http_credentials_get(struct list *list, const struct http_address *address,
                                 const struct tls_server_options *defaults, size_t loop_count,
                                 struct log *log, struct http_credentials **out_credentials,
                                 struct error *error)
{
    CLEANUP(http_credentials_destroy)
    struct http_credentials *made = NEW(struct http_credentials);
    made->options = *defaults;
    TRY(apply_options(made, &address->options, error));
    LIST_FOR_EACH (known, list, struct http_credentials, link) {
        if (is_same(&known->options, &made->options)) {
            *out_credentials = known;
            return STATUS_OK;
        }
    }
    made->slots = NEW_ARRAY(struct http_tls_slot, loop_count);
    made->slot_count = loop_count;
    TRY(load(made, log, error));
    list_append(list, &made->link);
    *out_credentials = STEAL(made);
    return STATUS_OK;
}

void http_credentials_reload(struct http_credentials *credentials, struct log *log)
{
    struct error error = ERROR_NONE;
    if (load(credentials, log, &error) == STATUS_OK)
        LOG(log, LOG_INFO, "certificates reloaded",
            LOG_STR("certificate", str_of(credentials->options.pairs[0].certificate_file)));
    else
        LOG(log, LOG_ERROR, "certificates not reloaded", LOG_STR("error", str_of(error.message)));
}

void http_credentials_destroy(struct http_credentials *credentials)
{
    if (!credentials)
        return;
    list_remove(&credentials->link);
    for (size_t i = 0; i < credentials->slot_count; i++) {
        tls_context_unref(credentials->slots[i].current);
        tls_context_unref(atomic_load(&credentials->slots[i].next));
    }
    free(credentials->slots);
    free((char *)credentials->own_pair.certificate_file);
    free((char *)credentials->own_pair.key_file);
    free(credentials->own_ca_file);
    free(credentials);
}

struct tls_context *http_tls_slot_context(struct http_tls_slot *slot)
{
    if (atomic_load_explicit(&slot->next, memory_order_relaxed)) {
        tls_context_unref(slot->current);
        slot->current = atomic_exchange(&slot->next, NULL);
    }
    return slot->current;
}
