/*
 * source_environment.c — settings from environment variables and from `.env`.
 *
 * Both give a list of names and values. Each row asks for its own variable first and then for its
 * aliases in the table's order. A variable that is set to nothing counts as not set, because that is how
 * compose files write "no value". Unknown names that begin with VOLLEY_ are warned about: they are most
 * likely misspelt.
 *
 * `.env` lines are NAME=VALUE, optionally after `export`. Single quotes keep everything, double quotes
 * know \n \r \t \" \\ and \$, an unquoted value ends at white space followed by '#'. Nothing is expanded.
 *
 * Runs on: the thread that starts the process. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/nearest.h"
#include "settings/source.h"

#include <ctype.h>
#include <unistd.h>

struct variable {
    struct str name;
    struct str value;
    size_t line; /* of the file; 0: the environment */
};

struct variables {
    struct arena *arena;
    struct variable *items;
    size_t count;
    size_t capacity;
};

static void variables_add(struct variables *variables, struct variable variable)
{
    if (variables->count == variables->capacity) {
        size_t capacity = variables->capacity ? 2 * variables->capacity : 64;
        struct variable *items = ARENA_NEW_ARRAY(variables->arena, struct variable, capacity);
        if (variables->count > 0)
            memcpy(items, variables->items, variables->count * sizeof(*items));
        variables->items = items;
        variables->capacity = capacity;
    }
    variables->items[variables->count++] = variable;
}

/* The last of that name, as a shell would have it; NULL when not set or empty. */
static const struct variable *variables_find(const struct variables *variables, struct str name)
{
    for (size_t i = variables->count; i > 0; i--) {
        const struct variable *variable = &variables->items[i - 1];
        if (str_equal(variable->name, name))
            return variable->value.len > 0 ? variable : NULL;
    }
    return NULL;
}

static void offer_variable(struct offers *offers, const struct variables *variables,
                           const struct setting *setting, enum setting_form form, struct str name)
{
    const struct variable *variable = variables_find(variables, name);
    if (!variable)
        return;
    struct offer_value value = {.text = variable->value, .split = true};
    if (variable->line > 0)
        value.origin =
            arena_printf(offers->arena, ".env line %zu, %.*s", variable->line, STR_ARGS(name));
    else
        value.origin = arena_printf(offers->arena, "environment %.*s", STR_ARGS(name));
    offers_add(offers, setting, form, variable->line > 0 ? SOURCE_DOTENV : SOURCE_ENVIRONMENT,
               SOURCE_FIRST, value);
}

static bool is_known(struct str name)
{
    for (const char *const *known = settings_environment_known; *known; known++) {
        if (str_equal(name, str_of(*known)))
            return true;
    }
    char text[SETTING_VARIABLE_SIZE];
    for (size_t i = 0; i < settings_table_count; i++) {
        if (str_equal(name, setting_variable(&settings_table[i], text)))
            return true;
    }
    return false;
}

static void warn_unknown(struct offers *offers, const struct variable *variable)
{
    struct nearest nearest;
    nearest_init(&nearest, variable->name);
    for (size_t i = 0; i < settings_table_count; i++) {
        char text[SETTING_VARIABLE_SIZE];
        nearest_offer(&nearest,
                      arena_copy(offers->arena, setting_variable(&settings_table[i], text)));
    }
    struct str where = STR("environment");
    if (variable->line > 0)
        where = arena_printf(offers->arena, ".env line %zu", variable->line);
    struct str hint = STR("");
    if (nearest.best.len > 0)
        hint = arena_printf(offers->arena, "; did you mean %.*s?", STR_ARGS(nearest.best));
    text_list_add(&offers->warnings, offers->arena,
                  arena_printf(offers->arena, "%.*s: unknown variable %.*s is ignored%.*s",
                               STR_ARGS(where), STR_ARGS(variable->name), STR_ARGS(hint)));
}

static void offer_variables(struct offers *offers, const struct variables *variables)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *setting = &settings_table[i];
        char name[SETTING_VARIABLE_SIZE];
        offer_variable(offers, variables, setting, SETTING_WHOLE, setting_variable(setting, name));
        for (const struct setting_alias *alias = setting->aliases; alias->name; alias++) {
            if (alias->name[0] != '-')
                offer_variable(offers, variables, setting, alias->form, str_of(alias->name));
        }
    }
    for (size_t i = 0; i < variables->count; i++) {
        const struct variable *variable = &variables->items[i];
        if (str_starts_with(variable->name, STR("VOLLEY_")) && !is_known(variable->name))
            warn_unknown(offers, variable);
    }
}

void source_read_environment(struct offers *offers, char *const *environment)
{
    struct variables variables = {.arena = offers->arena};
    for (char *const *entry = environment; entry && *entry; entry++) {
        struct str value = str_of(*entry);
        struct str name = str_split(&value, '=');
        variables_add(&variables, (struct variable){.name = name, .value = value});
    }
    offer_variables(offers, &variables);
}

static bool is_variable_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char byte = (unsigned char)name.ptr[i];
        if (!isalnum(byte) && byte != '_')
            return false;
    }
    return name.len > 0 && !isdigit((unsigned char)name.ptr[0]);
}

static char unescape(char byte)
{
    return byte == 'n' ? '\n' : byte == 'r' ? '\r' : byte == 't' ? '\t' : byte;
}

/* The rest of a line after a value may only be a comment. */
static bool is_comment(struct str rest)
{
    rest = str_trim(rest);
    return rest.len == 0 || rest.ptr[0] == '#';
}

static bool read_quoted(struct arena *arena, struct str text, struct str *out_value)
{
    char quote = text.ptr[0];
    char *value = (char *)arena_new(arena, text.len);
    size_t len = 0;
    for (size_t i = 1; i < text.len; i++) {
        if (text.ptr[i] == quote) {
            *out_value = str_make(value, len);
            return is_comment(str_slice(text, i + 1, text.len));
        }
        if (text.ptr[i] == '\\' && quote == '"' && i + 1 < text.len)
            value[len++] = unescape(text.ptr[++i]);
        else
            value[len++] = text.ptr[i];
    }
    return false;
}

static struct str without_comment(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        bool after_space = i == 0 || isspace((unsigned char)text.ptr[i - 1]);
        if (text.ptr[i] == '#' && after_space)
            return str_trim(str_slice(text, 0, i));
    }
    return text;
}

/* One line that is neither empty nor a comment. */
static bool read_line(struct arena *arena, struct str line, struct variable *out_variable)
{
    if (str_starts_with(line, STR("export ")))
        line = str_trim(str_slice(line, 7, line.len));
    if (str_find(line, '=') < 0)
        return false;
    struct str rest = line;
    out_variable->name = str_trim(str_split(&rest, '='));
    rest = str_trim(rest);
    if (!is_variable_name(out_variable->name))
        return false;
    if (rest.len > 0 && (rest.ptr[0] == '"' || rest.ptr[0] == '\''))
        return read_quoted(arena, rest, &out_variable->value);
    out_variable->value = without_comment(rest);
    return true;
}

enum status source_read_dotenv(struct offers *offers, const char *path, struct error *error)
{
    if (access(path, F_OK) != 0)
        return STATUS_OK;
    struct str text;
    TRY(source_read_file(offers->arena, path, &text, error));
    struct variables variables = {.arena = offers->arena};
    for (size_t number = 1; text.len > 0; number++) {
        struct str line = str_trim(str_split(&text, '\n'));
        if (is_comment(line))
            continue;
        struct variable variable = {.line = number};
        if (read_line(offers->arena, line, &variable))
            variables_add(&variables, variable);
        else
            text_list_add(
                &offers->warnings, offers->arena,
                arena_printf(offers->arena, ".env line %zu is not NAME=VALUE; ignored", number));
    }
    offer_variables(offers, &variables);
    return STATUS_OK;
}
