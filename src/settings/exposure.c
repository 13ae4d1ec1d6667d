/*
 * exposure.c — refuse addresses that anyone may reach and use, unless the operator says so.
 *
 * Whoever may connect may run SQL. So an address beyond this machine needs clients that prove who they
 * are by a certificate, or the operator's word that everybody is welcome. This is looked at when all
 * settings are known, for each address may have options of its own.
 *
 * Runs on: the thread that starts or reloads the process. Owns: nothing.
 * Not done here: reading certificates (tls), checking them (http).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "settings/exposure.h"

#include "settings/address.h"
#include "settings/table.h"
#include "settings/value.h"

/* Whether only clients with a certificate of a known authority get in. */
static bool has_authentication(const struct settings *settings, const struct address *address)
{
    bool is_tls = address->scheme == ADDRESS_TLS ||
                  (address->scheme == ADDRESS_DEFAULT &&
                   (settings->tls_cert.count > 0 || address->options.len > 0));
    bool is_required = address->client_auth.len > 0
                           ? str_equal(address->client_auth, STR("require"))
                           : settings->tls_client_auth == SETTINGS_CLIENT_AUTH_REQUIRE;
    return is_tls && is_required;
}

static enum status check_address(const struct loaded *loaded, const struct setting *setting,
                                 struct str text, struct error *error)
{
    struct address address;
    if (loaded->settings.allow_anonymous || !address_parse(text, &address) ||
        address_is_local(&address) || has_authentication(&loaded->settings, &address))
        return STATUS_OK;
    struct str origin = loaded->origins[setting - settings_table];
    return error_set(
        error, STATUS_INVALID_ARGUMENT,
        "%s: '%.*s' (%.*s) can be reached from other machines, which is refused without "
        "authentication; bind 127.0.0.1:%.*s or a Unix socket (unix:/PATH), or require client "
        "certificates (tls-client-auth=require with tls-ca, tls-cert and tls-key), or say "
        "--allow-anonymous: then anyone who reaches the address may run SQL",
        setting->name, STR_ARGS(text), STR_ARGS(origin), STR_ARGS(address.port));
}

static enum status check_pairs(const struct settings *settings, struct error *error)
{
    if (settings->tls_cert.count == settings->tls_key.count)
        return STATUS_OK;
    return error_set(
        error, STATUS_INVALID_ARGUMENT,
        "tls-key: each certificate of tls-cert needs its key, in the same order; there "
        "are %zu certificates and %zu keys",
        settings->tls_cert.count, settings->tls_key.count);
}

enum status exposure_check(const struct loaded *loaded, struct error *error)
{
    TRY(check_pairs(&loaded->settings, error));
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *setting = &settings_table[i];
        if (setting->type != SETTING_ADDRESS || !setting->list)
            continue;
        const struct settings_list *list =
            setting_list(setting, (struct settings *)(uintptr_t)&loaded->settings);
        for (size_t item = 0; item < list->count; item++)
            TRY(check_address(loaded, setting, list->items[item], error));
    }
    return STATUS_OK;
}
