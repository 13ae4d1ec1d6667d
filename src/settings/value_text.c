/*
 * value_text.c — settings as text: values in canonical form and what a row allows, in words.
 *
 * What setting_write writes, setting_parse reads back to the same value.
 *
 * Runs on: any thread. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "settings/value.h"

#include "base/memory.h"

struct unit {
    const char *name;
    uint64_t factor;
};

/* The largest unit of which the number is a whole count. */
static void write_with_unit(uint64_t number, const struct unit *units, size_t unit_count,
                            struct buf *out)
{
    size_t best = 0;
    for (size_t i = 1; i < unit_count; i++) {
        if (number > 0 && number % units[i].factor == 0)
            best = i;
    }
    buf_append_u64(out, number / units[best].factor);
    buf_append_text(out, units[best].name);
}

static void write_duration(uint64_t number_ms, struct buf *out)
{
    static const struct unit units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
    };
    /* Whole seconds stay seconds up to ten minutes: 300s is how people write it. */
    bool seconds = number_ms % 1000 == 0 && number_ms <= 600000;
    if (seconds)
        buf_printf(out, "%llus", (unsigned long long)(number_ms / 1000));
    else
        write_with_unit(number_ms, units, ARRAY_COUNT(units), out);
}

/* Powers of 1024 only: a size of 1000 kB reads worse than its bytes. */
static void write_size(uint64_t size_bytes, struct buf *out)
{
    static const struct unit units[] = {
        {"", 1},
        {"KiB", UINT64_C(1) << 10},
        {"MiB", UINT64_C(1) << 20},
        {"GiB", UINT64_C(1) << 30},
        {"TiB", UINT64_C(1) << 40},
    };
    write_with_unit(size_bytes, units, ARRAY_COUNT(units), out);
}

static void write_choices(const struct setting *setting, struct buf *out)
{
    for (const struct setting_choice *choice = setting->choices; choice->name; choice++) {
        if (choice != setting->choices)
            buf_append_text(out, ", ");
        buf_append_text(out, choice->name);
    }
}

static void write_text_allowed(const struct setting *setting, struct buf *out)
{
    const char *words = setting->check ? setting->check(STR("")) : NULL;
    buf_append_text(out, words ? words : "a text that is not empty");
    if (setting->none)
        buf_printf(out, ", or %s", setting->none);
}

void setting_write_allowed(const struct setting *setting, struct buf *out)
{
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_PATH:
        write_text_allowed(setting, out);
        break;
    case SETTING_ADDRESS:
        buf_append_text(out, "HOST:PORT, [IPV6]:PORT or unix:/PATH, with a port from 0 to 65535; "
                             "before the first two tcp:// or tls://, behind them "
                             "?client-auth=none|request|require, cert=FILE&key=FILE and ca=FILE");
        break;
    case SETTING_INTEGER:
        buf_printf(out, "an integer from %llu to %llu", (unsigned long long)setting->min,
                   (unsigned long long)setting->max);
        break;
    case SETTING_SIZE:
        buf_append_text(out, "a size from ");
        write_size(setting->min, out);
        buf_append_text(out, " to ");
        write_size(setting->max, out);
        buf_append_text(out, ", such as 64MiB or 1GB (a bare number is bytes)");
        if (setting->whole)
            buf_append_text(out, ", or a percentage such as 50%");
        break;
    case SETTING_DURATION:
        buf_append_text(out, "a duration from ");
        write_duration(setting->min, out);
        buf_append_text(out, " to ");
        write_duration(setting->max, out);
        buf_append_text(out, ", such as 250ms, 5s, 10m or 1h (a bare number is seconds)");
        break;
    case SETTING_BOOLEAN:
        buf_append_text(out, "true or false");
        break;
    case SETTING_CHOICE:
        buf_append_text(out, "one of ");
        write_choices(setting, out);
        break;
    }
}

static const void *constant_field_of(const struct setting *setting, const struct settings *settings)
{
    return (const char *)settings + setting->offset;
}

static void write_list(const struct setting *setting, const struct settings_list *list,
                       struct buf *out)
{
    if (list->count == 0 && setting->none)
        buf_append_text(out, setting->none);
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            buf_append_text(out, ",");
        buf_append_str(out, list->items[i]);
    }
}

static void write_choice(const struct setting *setting, unsigned value, struct buf *out)
{
    for (const struct setting_choice *choice = setting->choices; choice->name; choice++) {
        if (choice->value == value) {
            buf_append_text(out, choice->name);
            return;
        }
    }
}

static void write_text(const struct setting *setting, struct str text, struct buf *out)
{
    if (text.len == 0 && setting->none)
        buf_append_text(out, setting->none);
    buf_append_str(out, text);
}

/* Zero below the least allowed value stands for "not set". */
static bool is_unset(const struct setting *setting, uint64_t number)
{
    return number == 0 && setting->min > 0;
}

void setting_write(const struct setting *setting, const struct settings *settings, struct buf *out)
{
    const void *field = constant_field_of(setting, settings);
    if (setting->list) {
        write_list(setting, (const struct settings_list *)field, out);
        return;
    }
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_PATH:
    case SETTING_ADDRESS:
        write_text(setting, *(const struct str *)field, out);
        break;
    case SETTING_INTEGER:
        if (!is_unset(setting, *(const uint64_t *)field))
            buf_append_u64(out, *(const uint64_t *)field);
        break;
    case SETTING_SIZE:
        write_size(*(const uint64_t *)field, out);
        break;
    case SETTING_DURATION:
        write_duration(*(const uint64_t *)field, out);
        break;
    case SETTING_BOOLEAN:
        buf_append_text(out, *(const bool *)field ? "true" : "false");
        break;
    case SETTING_CHOICE:
        write_choice(setting, *(const unsigned *)field, out);
        break;
    }
}
