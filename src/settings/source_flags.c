/*
 * source_flags.c — settings from the command line.
 *
 * A setting's flag is `--` and its name, or one of its aliases. Booleans need no value and may be
 * written `--no-NAME`; flags of lists may be repeated; of other settings the last flag counts. What is
 * no flag is a file to serve.
 *
 * Runs on: the thread that starts the process. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "base/nearest.h"
#include "settings/flags.h"
#include "settings/source.h"

struct target {
    const struct setting *setting;
    enum setting_form form;
    bool negated;
};

/* Looks for an alias "--name". */
static bool find_alias(struct str name, struct target *out_target)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *setting = &settings_table[i];
        for (const struct setting_alias *alias = setting->aliases; alias->name; alias++) {
            struct str text = str_of(alias->name);
            if (!str_starts_with(text, STR("--")) || !str_equal(str_slice(text, 2, text.len), name))
                continue;
            *out_target = (struct target){.setting = setting, .form = alias->form};
            return true;
        }
    }
    return false;
}

static bool find_target(struct str name, struct target *out_target)
{
    const struct setting *setting = setting_find(name);
    if (setting) {
        *out_target = (struct target){.setting = setting};
        return true;
    }
    if (find_alias(name, out_target))
        return true;
    if (!str_starts_with(name, STR("no-")))
        return false;
    setting = setting_find(str_slice(name, 3, name.len));
    *out_target = (struct target){.setting = setting, .negated = true};
    return setting && setting->type == SETTING_BOOLEAN;
}

/* Those that are no settings, and are read before these flags by the commands that have them. */
static void offer_others(struct nearest *nearest)
{
    static const char *const others[] = {"help", "version", "print-config", "origin"};
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        if (!str_equal(nearest->wanted, str_of(others[i]))) /* not where it was refused */
            nearest_offer(nearest, str_of(others[i]));
    }
}

static enum status refuse_unknown(const struct flag *flag, struct error *error)
{
    struct nearest nearest;
    nearest_init(&nearest, flag->name);
    for (size_t i = 0; i < settings_table_count; i++) {
        nearest_offer(&nearest, str_of(settings_table[i].name));
        for (const struct setting_alias *alias = settings_table[i].aliases; alias->name; alias++) {
            struct str text = str_of(alias->name);
            if (str_starts_with(text, STR("--")))
                nearest_offer(&nearest, str_slice(text, 2, text.len));
        }
    }
    offer_others(&nearest);
    if (nearest.best.len == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "unknown flag %.*s; volley serve --help lists all", STR_ARGS(flag->text));
    return error_set(error, STATUS_INVALID_ARGUMENT, "unknown flag %.*s; did you mean --%.*s?",
                     STR_ARGS(flag->text), STR_ARGS(nearest.best));
}

static enum status read_value(struct flags *flags, const struct target *target, struct flag *flag,
                              struct error *error)
{
    if (target->negated && flag->has_value)
        return error_set(error, STATUS_INVALID_ARGUMENT, "flag %.*s takes no value",
                         STR_ARGS(flag->text));
    if (target->setting->type != SETTING_BOOLEAN)
        return flags_value(flags, flag, error);
    if (!flag->has_value)
        flag->value = target->negated ? STR("false") : STR("true");
    return STATUS_OK;
}

static enum status read_flag(struct offers *offers, struct flags *flags, struct flag *flag,
                             struct error *error)
{
    struct target target;
    if (!find_target(flag->name, &target))
        return refuse_unknown(flag, error);
    TRY(read_value(flags, &target, flag, error));
    struct offer_value value = {
        .text = flag->value,
        .origin = arena_printf(offers->arena, "flag %.*s", STR_ARGS(flag->text)),
        .split = true,
    };
    bool append = target.setting->list && target.form == SETTING_WHOLE;
    offers_add(offers, target.setting, target.form, SOURCE_FLAG,
               append ? SOURCE_APPEND : SOURCE_LAST, value);
    return STATUS_OK;
}

enum status source_read_flags(struct offers *offers, char *const *arguments, size_t count,
                              struct error *error)
{
    struct flags flags = {.arguments = arguments, .count = count};
    struct flag flag;
    while (flags_next(&flags, &flag)) {
        if (flag.name.len == 0)
            text_list_add(&offers->files, offers->arena, flag.text);
        else
            TRY(read_flag(offers, &flags, &flag, error));
    }
    return STATUS_OK;
}
