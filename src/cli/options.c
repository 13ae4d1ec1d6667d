/*
 * options.c — read the flags of a command by its table.
 *
 * Runs on: the main thread. Owns: nothing; texts point into the arguments.
 * Not done here: settings of the server (settings).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/options.h"

#include "base/buf.h"
#include "base/nearest.h"
#include "http/url.h"
#include "settings/flags.h"
#include "settings/value.h"

#define ALLOWED_TEXT_MAX 512

static const struct option *find_option(const struct option *options, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(name, str_of(options[i].name)) ||
            (options[i].letter && str_equal(name, str_of(options[i].letter))))
            return &options[i];
    }
    return NULL;
}

static enum status refuse_unknown(const struct option *options, size_t count,
                                  const struct flag *flag, struct error *error)
{
    struct nearest nearest;
    nearest_init(&nearest, flag->name);
    for (size_t i = 0; i < count; i++)
        nearest_offer(&nearest, str_of(options[i].name));
    nearest_offer(&nearest, STR("help"));
    if (nearest.best.len == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT, "unknown flag %.*s; --help lists all",
                         STR_ARGS(flag->text));
    return error_set(error, STATUS_INVALID_ARGUMENT, "unknown flag %.*s; did you mean --%.*s?",
                     STR_ARGS(flag->text), STR_ARGS(nearest.best));
}

/* Numbers and durations are read like settings of that type. */
static enum status read_number(const struct option *option, const struct flag *flag,
                               struct error *error)
{
    const struct setting setting = {
        .name = option->name,
        .type = option->kind == OPTION_NUMBER ? SETTING_INTEGER : SETTING_DURATION,
        .min = option->min,
        .max = option->max,
    };
    struct setting_value value;
    if (setting_parse(&setting, flag->value, NULL, &value)) {
        *(uint64_t *)option->target = value.number;
        return STATUS_OK;
    }
    CLEANUP(buf_finish) struct buf allowed;
    buf_init(&allowed, ALLOWED_TEXT_MAX);
    setting_write_allowed(&setting, &allowed);
    return error_set(error, STATUS_INVALID_ARGUMENT, "%.*s: '%.*s' is not allowed; must be %.*s",
                     STR_ARGS(flag->text), STR_ARGS(flag->value), STR_ARGS(buf_str(&allowed)));
}

static enum status read_choice(const struct option *option, const struct flag *flag,
                               struct error *error)
{
    CLEANUP(buf_finish) struct buf names;
    buf_init(&names, ALLOWED_TEXT_MAX);
    for (unsigned i = 0; option->choices[i]; i++) {
        if (str_equal_nocase(flag->value, str_of(option->choices[i]))) {
            *(unsigned *)option->target = i;
            return STATUS_OK;
        }
        buf_printf(&names, "%s%s", i > 0 ? ", " : "", option->choices[i]);
    }
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "%.*s: '%.*s' is not allowed; must be one of %.*s", STR_ARGS(flag->text),
                     STR_ARGS(flag->value), STR_ARGS(buf_str(&names)));
}

static enum status add_to_list(const struct option *option, const struct flag *flag,
                               struct error *error)
{
    struct positionals *list = (struct positionals *)option->target;
    if (list->count == list->capacity)
        return error_set(error, STATUS_INVALID_ARGUMENT, "%.*s may be given %zu times",
                         STR_ARGS(flag->text), list->capacity);
    list->items[list->count++] = flag->value.ptr;
    return STATUS_OK;
}

static enum status read_option(const struct option *option, struct flags *flags, struct flag *flag,
                               struct error *error)
{
    if (option->kind == OPTION_SWITCH) {
        if (flag->has_value)
            return error_set(error, STATUS_INVALID_ARGUMENT, "%.*s takes no value",
                             STR_ARGS(flag->text));
        *(bool *)option->target = true;
        return STATUS_OK;
    }
    TRY(flags_value(flags, flag, error));
    if (option->kind == OPTION_CHOICE)
        return read_choice(option, flag, error);
    if (option->kind == OPTION_LIST)
        return add_to_list(option, flag, error);
    if (option->kind == OPTION_SERVER) {
        ((struct server_options *)option->target)->url = flag->value;
        return STATUS_OK;
    }
    if (option->kind != OPTION_TEXT)
        return read_number(option, flag, error);
    *(struct str *)option->target = flag->value;
    return STATUS_OK;
}

static enum status add_positional(struct positionals *positionals, const struct flag *word,
                                  struct error *error)
{
    if (positionals->count == positionals->capacity)
        return error_set(error, STATUS_INVALID_ARGUMENT, "unexpected argument '%.*s'",
                         STR_ARGS(word->text));
    positionals->items[positionals->count++] = word->text.ptr;
    return STATUS_OK;
}

enum status options_read(const struct option *options, size_t option_count, char *const *arguments,
                         size_t count, struct positionals *positionals, struct error *error)
{
    struct flags flags = {.arguments = arguments, .count = count};
    struct flag flag;
    while (flags_next(&flags, &flag)) {
        if (flag.name.len == 0) {
            TRY(add_positional(positionals, &flag, error));
            continue;
        }
        const struct option *option = find_option(options, option_count, flag.name);
        if (!option)
            return refuse_unknown(options, option_count, &flag, error);
        TRY(read_option(option, &flags, &flag, error));
    }
    for (size_t i = 0; i < option_count; i++) {
        if (options[i].kind == OPTION_SERVER)
            TRY(server_options_resolve((struct server_options *)options[i].target, options[i].arena,
                                       error));
    }
    return STATUS_OK;
}

static bool is_switch(struct str word, struct str name)
{
    if (!str_starts_with(word, STR("-")))
        return false;
    word = str_slice(word, str_starts_with(word, STR("--")) ? 2 : 1, word.len);
    return str_equal(word, name);
}

char **options_without(struct arena *arena, char *const *arguments, size_t *count, const char *name,
                       bool *out_given)
{
    char **kept = ARENA_NEW_ARRAY(arena, char *, *count + 1);
    size_t kept_count = 0;
    bool is_flag_possible = true;
    *out_given = false;
    for (size_t i = 0; i < *count; i++) {
        bool is_ours = is_flag_possible && is_switch(str_of(arguments[i]), str_of(name));
        *out_given = *out_given || is_ours;
        is_flag_possible = is_flag_possible && !str_equal(str_of(arguments[i]), STR("--"));
        if (!is_ours)
            kept[kept_count++] = arguments[i];
    }
    *count = kept_count;
    return kept;
}

struct str options_server_url(const struct server_options *options)
{
    return options->url.len > 0 ? options->url : STR("grpc://127.0.0.1:50052");
}

/* Arguments end with a NUL, and so do texts that end where their argument does. */
static const char *file_name(struct str text)
{
    return text.len > 0 ? text.ptr : NULL;
}

enum status options_tls(const struct server_options *options, struct tls_context **out_context,
                        struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct http_url url;
    *out_context = NULL;
    TRY(http_url_parse(&arena, options_server_url(options), &url, error));
    if (!url.is_tls)
        return STATUS_OK;
    const struct tls_client_options tls = {
        .ca_file = file_name(options->ca_file),
        .pair = {.certificate_file = file_name(options->certificate_file),
                 .key_file = file_name(options->key_file)},
        .is_insecure = options->is_insecure,
    };
    return tls_context_create_client(&tls, out_context, error);
}
