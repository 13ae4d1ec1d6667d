/*
 * load.c — read all sources and settle every setting.
 *
 * The sources offer texts in order of precedence (source.h); then each row takes the texts of its
 * winner, or its default, through the same parser, so that a default is checked like any other value.
 * An address may also be given in parts (`HOST`, `PORT`): parts change the first address of a source of
 * lower precedence, or the default.
 *
 * Runs on: the thread that starts or reloads the process. Owns: all in the arena of the loaded value.
 * Not done here: what a setting does.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "settings/loaded.h"

#include "settings/address.h"
#include "settings/exposure.h"
#include "settings/source.h"
#include "settings/value.h"

struct loader {
    struct loaded *loaded;
    struct offers offers;
    const struct machine *machine;
    struct error *error;
};

#define DEFAULT_TEXT_MAX 4096
#define ALLOWED_TEXT_MAX 512

static enum status refuse_value(struct loader *loader, const struct setting *setting,
                                struct offer_value value)
{
    CLEANUP(buf_finish) struct buf allowed;
    buf_init(&allowed, ALLOWED_TEXT_MAX);
    setting_write_allowed(setting, &allowed);
    struct str shown = setting->secret ? STR("***") : str_slice(value.text, 0, 200);
    return error_set(loader->error, STATUS_INVALID_ARGUMENT,
                     "%s: '%.*s' (%.*s) is not allowed; must be %.*s", setting->name,
                     STR_ARGS(shown), STR_ARGS(value.origin), STR_ARGS(buf_str(&allowed)));
}

static void offer_default(struct loader *loader, const struct setting *setting)
{
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, DEFAULT_TEXT_MAX);
    if (setting->default_from)
        setting->default_from(loader->machine, &text);
    else if (setting->default_text)
        buf_append_text(&text, setting->default_text);
    struct offer_value value = {.text = buf_str(&text), .origin = STR("default"), .split = true};
    if (text.len > 0)
        offers_add(&loader->offers, setting, SETTING_WHOLE, SOURCE_DEFAULT, SOURCE_FIRST, value);
}

/* The part of an address as given by its own source, or NULL when a whole address outranks it. */
static const struct offer_value *winning_part(struct loader *loader, const struct setting *setting,
                                              enum setting_form form)
{
    const struct offer *part = offers_slot(&loader->offers, setting, form);
    const struct offer *whole = offers_slot(&loader->offers, setting, SETTING_WHOLE);
    if (part->count == 0 || (whole->count > 0 && part->source >= whole->source))
        return NULL;
    return &part->values[part->count - 1];
}

static enum status refuse_part(struct loader *loader, const struct setting *setting,
                               const struct offer_value *value, const char *allowed)
{
    return error_set(loader->error, STATUS_INVALID_ARGUMENT,
                     "%s: '%.*s' (%.*s) is not allowed; must be %s", setting->name,
                     STR_ARGS(str_slice(value->text, 0, 200)), STR_ARGS(value->origin), allowed);
}

/* `--http-port` beside `--http-addr` would have to lose silently. */
static enum status check_conflict(struct loader *loader, const struct setting *setting)
{
    const struct offer *whole = offers_slot(&loader->offers, setting, SETTING_WHOLE);
    for (enum setting_form form = SETTING_HOST; form <= SETTING_PORT; form++) {
        const struct offer *part = offers_slot(&loader->offers, setting, form);
        if (part->count > 0 && whole->count > 0 && part->source == SOURCE_FLAG &&
            whole->source == SOURCE_FLAG)
            return error_set(loader->error, STATUS_INVALID_ARGUMENT, "%s: give either %.*s or %.*s",
                             setting->name, STR_ARGS(whole->values[0].origin),
                             STR_ARGS(part->values[0].origin));
    }
    return STATUS_OK;
}

static struct str write_address(struct arena *arena, const struct address *address, struct str host,
                                struct str port)
{
    static const char *const schemes[] = {
        [ADDRESS_DEFAULT] = "", [ADDRESS_TCP] = "tcp://", [ADDRESS_TLS] = "tls://"};
    bool is_v6 = str_find(host, ':') >= 0;
    return arena_printf(arena, is_v6 ? "%s[%.*s]:%.*s%s%.*s" : "%s%.*s:%.*s%s%.*s",
                        schemes[address->scheme], STR_ARGS(host), STR_ARGS(port),
                        address->options.len > 0 ? "?" : "", STR_ARGS(address->options));
}

/* Replaces the whole by its first address with the parts put in. */
static enum status apply_parts(struct loader *loader, const struct setting *setting)
{
    TRY(check_conflict(loader, setting));
    const struct offer_value *host = winning_part(loader, setting, SETTING_HOST);
    const struct offer_value *port = winning_part(loader, setting, SETTING_PORT);
    if (!host && !port)
        return STATUS_OK;
    struct offer *whole = offers_slot(&loader->offers, setting, SETTING_WHOLE);
    if (whole->count == 0) /* no default: a port alone is one of this machine */
        offers_add(&loader->offers, setting, SETTING_WHOLE, SOURCE_DEFAULT, SOURCE_FIRST,
                   (struct offer_value){.text = STR("127.0.0.1:0"), .origin = STR("default")});
    struct str first = whole->values[0].text;
    struct address address;
    if (!address_parse(str_split(&first, ','), &address) || address.unix_socket)
        return refuse_value(loader, setting, whole->values[0]);
    if (host && !address_is_host(host->text))
        return refuse_part(loader, setting, host, "a host name or an IP address");
    if (port && !address_is_port(port->text))
        return refuse_part(loader, setting, port, "a port from 0 to 65535");
    struct arena *arena = loader->offers.arena;
    struct str host_text = host ? host->text : address.host;
    struct str port_text = port ? port->text : address.port;
    const struct offer_value *both[] = {host ? host : port, host && port ? port : NULL};
    struct str origin = both[0]->origin;
    if (both[1])
        origin = arena_printf(arena, "%.*s and %.*s", STR_ARGS(origin), STR_ARGS(both[1]->origin));
    whole->count = 1;
    whole->values[0] = (struct offer_value){
        .text = write_address(arena, &address, host_text, port_text),
        .origin = origin,
    };
    return STATUS_OK;
}

static bool is_none(const struct setting *setting, const struct offer *offer)
{
    return setting->none && offer->count == 1 &&
           str_equal_nocase(str_trim(offer->values[0].text), str_of(setting->none));
}

static enum status add_item(struct loader *loader, const struct setting *setting,
                            struct offer_value item, struct text_list *list)
{
    struct setting_value parsed;
    if (!setting_parse(setting, item.text, loader->machine, &parsed))
        return refuse_value(loader, setting, item);
    text_list_add(list, loader->offers.arena, parsed.text);
    return STATUS_OK;
}

static enum status settle_list(struct loader *loader, const struct setting *setting,
                               const struct offer *offer)
{
    struct text_list list = {0};
    for (size_t i = 0; i < offer->count && !is_none(setting, offer); i++) {
        struct offer_value item = offer->values[i];
        struct str rest = item.text;
        do {
            item.text = offer->values[i].split ? str_split(&rest, ',') : rest;
            TRY(add_item(loader, setting, item, &list));
        } while (offer->values[i].split && rest.len > 0);
    }
    *setting_list(setting, &loader->loaded->settings) =
        (struct settings_list){.items = list.items, .count = list.count};
    return STATUS_OK;
}

static enum status settle_single(struct loader *loader, const struct setting *setting,
                                 const struct offer *offer)
{
    struct setting_value value = {0};
    struct offer_value given = offer->values[offer->count - 1];
    if (!is_none(setting, offer) && !setting_parse(setting, given.text, loader->machine, &value))
        return refuse_value(loader, setting, given);
    value.text = arena_copy(loader->offers.arena, value.text);
    setting_store(setting, &loader->loaded->settings, value);
    return STATUS_OK;
}

static enum status settle(struct loader *loader, const struct setting *setting)
{
    offer_default(loader, setting);
    if (setting->type == SETTING_ADDRESS)
        TRY(apply_parts(loader, setting));
    const struct offer *offer = offers_slot(&loader->offers, setting, SETTING_WHOLE);
    struct str *origin = &loader->loaded->origins[setting - settings_table];
    *origin = STR("default");
    if (offer->count == 0)
        return STATUS_OK;
    *origin = offer->values[0].origin;
    return setting->list ? settle_list(loader, setting, offer)
                         : settle_single(loader, setting, offer);
}

static enum status read_config_file(struct loader *loader)
{
    const struct setting *setting = setting_find(STR("config"));
    const struct offer *offer = offers_slot(&loader->offers, setting, SETTING_WHOLE);
    if (offer->count == 0)
        return STATUS_OK;
    struct offer_value value = offer->values[offer->count - 1];
    return source_read_yaml(&loader->offers, value.text, value.origin, loader->error);
}

static enum status read_sources(struct loader *loader, const struct settings_input *input)
{
    struct offers *offers = &loader->offers;
    TRY(source_read_flags(offers, input->arguments, input->argument_count, loader->error));
    source_read_environment(offers, input->environment);
    if (input->dotenv_path)
        TRY(source_read_dotenv(offers, input->dotenv_path, loader->error));
    return read_config_file(loader);
}

static enum status load(struct loader *loader, const struct settings_input *input)
{
    TRY(read_sources(loader, input));
    for (size_t i = 0; i < settings_table_count; i++)
        TRY(settle(loader, &settings_table[i]));
    struct settings *settings = &loader->loaded->settings;
    TRY(exposure_check(loader->loaded, loader->error));
    settings->files =
        (struct settings_list){loader->offers.files.items, loader->offers.files.count};
    settings->warnings =
        (struct settings_list){loader->offers.warnings.items, loader->offers.warnings.count};
    return STATUS_OK;
}

enum status settings_load(const struct settings_input *input, const struct settings **out_settings,
                          struct error *error)
{
    struct machine measured;
    if (!input->machine)
        machine_read("", input->environment, &measured);
    struct loaded *loaded = NEW(struct loaded);
    arena_init(&loaded->arena);
    loaded->origins = ARENA_NEW_ARRAY(&loaded->arena, struct str, settings_table_count);
    CLEANUP(settings_destroy) const struct settings *settings = &loaded->settings;
    struct loader loader = {
        .loaded = loaded,
        .machine = input->machine ? input->machine : &measured,
        .error = error,
    };
    offers_init(&loader.offers, &loaded->arena);
    TRY(load(&loader, input));
    *out_settings = STEAL(settings);
    return STATUS_OK;
}

void settings_destroy(const struct settings *settings)
{
    if (!settings)
        return;
    struct loaded *loaded = loaded_of(settings);
    arena_finish(&loaded->arena);
    free(loaded);
}
