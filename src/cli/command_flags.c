/*
 * command_flags.c — all flags of a command as one list, for completion and man pages.
 *
 * Settings (settings/table.h) become flags of the same shape as those of the table of commands.
 *
 * Runs on: any thread. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command_flags.h"

#include "base/buf.h"
#include "base/memory.h"
#include "settings/table.h"

#define CHOICES_MAX 16
#define NAME_MAX_BYTES 128

struct visitor {
    void (*visit)(void *context, const struct command_flag *flag);
    void *context;
};

static void visit_all(const struct command_flag *flags, const struct visitor *visitor)
{
    for (const struct command_flag *flag = flags; flag && flag->name; flag++)
        visitor->visit(visitor->context, flag);
}

static bool is_on(const struct setting *setting)
{
    return setting->type == SETTING_BOOLEAN && setting->default_text &&
           str_equal(str_of(setting->default_text), STR("true"));
}

static void visit_negation(const struct setting *setting, const struct visitor *visitor)
{
    CLEANUP(buf_finish) struct buf name;
    CLEANUP(buf_finish) struct buf help;
    buf_init(&name, NAME_MAX_BYTES);
    buf_init(&help, NAME_MAX_BYTES);
    buf_printf(&name, "no-%s", setting->name);
    buf_printf(&help, "switch --%s off", setting->name);
    visitor->visit(visitor->context, &(struct command_flag){.name = (const char *)name.ptr,
                                                            .help = (const char *)help.ptr});
}

static void visit_setting(const struct setting *setting, const struct visitor *visitor)
{
    const char *choices[CHOICES_MAX + 1] = {NULL};
    for (size_t i = 0; setting->choices && setting->choices[i].name && i < CHOICES_MAX; i++)
        choices[i] = setting->choices[i].name;
    const char *fallback = setting->default_help ? setting->default_help : setting->default_text;
    bool is_switch = setting->type == SETTING_BOOLEAN;
    const struct command_flag flag = {
        .name = setting->name,
        .value = is_switch ? NULL : setting->unit,
        .help = setting->help,
        .choices = setting->choices ? choices : NULL,
        .fallback = !is_switch       ? fallback
                    : is_on(setting) ? "on"
                                     : NULL,
    };
    visitor->visit(visitor->context, &flag);
    if (is_on(setting))
        visit_negation(setting, visitor);
}

void command_visit_flags(const struct command *command,
                         void (*visit)(void *context, const struct command_flag *flag),
                         void *context)
{
    const struct visitor visitor = {visit, context};
    visit_all(command->flags, &visitor);
    if (command->takes_server)
        visit_all(commands_server_flags, &visitor);
    for (size_t i = 0; command->takes_settings && i < settings_table_count; i++)
        visit_setting(&settings_table[i], &visitor);
}

enum command_value command_value_of(const struct command_flag *flag)
{
    if (!flag->value)
        return COMMAND_NO_VALUE;
    struct str value = str_of(flag->value);
    if (flag->choices)
        return COMMAND_CHOICE;
    if (str_equal(value, STR("FILE")) || str_equal(value, STR("PATH")))
        return COMMAND_FILE;
    if (str_equal(str_of(flag->name), STR("server")))
        return COMMAND_SERVER;
    return str_equal(value, STR("DIR")) ? COMMAND_FOLDER : COMMAND_TEXT;
}
