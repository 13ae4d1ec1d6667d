/*
 * value.c — the types of settings: reading and bounds.
 *
 * Numbers with units are an amount and a unit word: `1.5h`, `64 MiB`. Amounts may have a fraction as
 * long as the result is a whole number of the field's unit (fractions of a millisecond or a byte are
 * refused), and all arithmetic is checked. A size may be a percentage of what the row names.
 *
 * Runs on: any thread. Owns: nothing; text values point into what was parsed.
 * Not done here: which source a value comes from (load.c), writing (value_text.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "settings/value.h"

#include "base/checked.h"
#include "base/memory.h"
#include "settings/address.h"

#include <ctype.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit duration_units[] = {
    {"", 1000},     {"ms", 1},      {"s", 1000},     {"m", 60000},
    {"min", 60000}, {"h", 3600000}, {"d", 86400000},
};

static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"kB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"TB", 1000000000000},
    {"KiB", UINT64_C(1) << 10},
    {"MiB", UINT64_C(1) << 20},
    {"GiB", UINT64_C(1) << 30},
    {"TiB", UINT64_C(1) << 40},
};

#define FRACTION_DIGITS_MAX 9

/* "1.25" as 125 / 100. */
struct amount {
    uint64_t digits;
    uint64_t divisor;
};

/* Takes the leading number off *text. */
static bool take_amount(struct str *text, struct amount *out_amount)
{
    struct amount amount = {.divisor = 1};
    size_t at = 0;
    size_t digits = 0;
    bool fraction = false;
    for (; at < text->len; at++) {
        char byte = text->ptr[at];
        if (byte == '.' && !fraction && digits > 0) {
            fraction = true;
            continue;
        }
        if (!isdigit((unsigned char)byte))
            break;
        if (!checked_mul(amount.digits, UINT64_C(10), &amount.digits) ||
            !checked_add(amount.digits, (uint64_t)(byte - '0'), &amount.digits))
            return false;
        if (fraction && !checked_mul(amount.divisor, UINT64_C(10), &amount.divisor))
            return false;
        digits++;
    }
    *text = str_trim(str_slice(*text, at, text->len));
    *out_amount = amount;
    return digits > 0;
}

static bool scale(struct amount amount, uint64_t factor, uint64_t *out)
{
    uint64_t product = 0;
    if (!checked_mul(amount.digits, factor, &product) || product % amount.divisor != 0)
        return false;
    *out = product / amount.divisor;
    return true;
}

static bool parse_with_unit(struct str text, const struct unit *units, size_t unit_count,
                            uint64_t *out)
{
    struct amount amount;
    if (!take_amount(&text, &amount))
        return false;
    for (size_t i = 0; i < unit_count; i++) {
        if (str_equal_nocase(text, str_of(units[i].name)))
            return scale(amount, units[i].factor, out);
    }
    return false;
}

static bool parse_percentage(struct str text, uint64_t whole, uint64_t *out)
{
    struct amount amount;
    if (!take_amount(&text, &amount) || !str_equal(text, STR("%")))
        return false;
    unsigned __int128 part = (unsigned __int128)whole * amount.digits / amount.divisor / 100;
    *out = (uint64_t)part;
    return amount.digits <= 100 * amount.divisor;
}

static bool parse_size(const struct setting *setting, struct str text,
                       const struct machine *machine, uint64_t *out)
{
    if (setting->whole && str_ends_with(text, STR("%"))) {
        if (!parse_percentage(text, setting->whole(machine), out))
            return false;
        /* A small machine's share may lie below the bound, and is still what was asked for. */
        *out = *out < setting->min ? setting->min : *out;
        return true;
    }
    return parse_with_unit(text, size_units, ARRAY_COUNT(size_units), out);
}

static bool parse_boolean(struct str text, uint64_t *out)
{
    static const struct setting_choice words[] = {
        {"true", 1}, {"yes", 1}, {"on", 1}, {"1", 1}, {"false", 0}, {"no", 0}, {"off", 0}, {"0", 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (str_equal_nocase(text, str_of(words[i].name))) {
            *out = words[i].value;
            return true;
        }
    }
    return false;
}

static bool parse_choice(const struct setting *setting, struct str text, uint64_t *out)
{
    for (const struct setting_choice *choice = setting->choices; choice->name; choice++) {
        if (str_equal_nocase(text, str_of(choice->name))) {
            *out = choice->value;
            return true;
        }
    }
    return false;
}

/* C programs take these texts as NUL-terminated, so a NUL inside would cut them. */
static bool parse_text(const struct setting *setting, struct str text)
{
    if (text.len == 0 || str_find(text, '\0') >= 0)
        return false;
    return !setting->check || !setting->check(text);
}

static bool in_range(const struct setting *setting, uint64_t number)
{
    return number >= setting->min && number <= setting->max;
}

bool setting_parse(const struct setting *setting, struct str text, const struct machine *machine,
                   struct setting_value *out_value)
{
    struct setting_value value = {.text = str_trim(text)};
    struct address address;
    bool valid = false;
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_PATH:
        valid = parse_text(setting, value.text);
        break;
    case SETTING_ADDRESS:
        valid = address_parse(value.text, &address);
        break;
    case SETTING_INTEGER:
        valid = str_to_u64(value.text, &value.number) && in_range(setting, value.number);
        break;
    case SETTING_SIZE:
        valid = parse_size(setting, value.text, machine, &value.number) &&
                in_range(setting, value.number);
        break;
    case SETTING_DURATION:
        valid = parse_with_unit(value.text, duration_units, ARRAY_COUNT(duration_units),
                                &value.number) &&
                in_range(setting, value.number);
        break;
    case SETTING_BOOLEAN:
        valid = parse_boolean(value.text, &value.number);
        break;
    case SETTING_CHOICE:
        valid = parse_choice(setting, value.text, &value.number);
        break;
    }
    if (valid)
        *out_value = value;
    return valid;
}

static void *field_of(const struct setting *setting, struct settings *settings)
{
    return (char *)settings + setting->offset;
}

struct settings_list *setting_list(const struct setting *setting, struct settings *settings)
{
    return (struct settings_list *)field_of(setting, settings);
}

void setting_store(const struct setting *setting, struct settings *settings,
                   struct setting_value value)
{
    void *field = field_of(setting, settings);
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_PATH:
    case SETTING_ADDRESS:
        *(struct str *)field = value.text;
        break;
    case SETTING_INTEGER:
    case SETTING_SIZE:
    case SETTING_DURATION:
        *(uint64_t *)field = value.number;
        break;
    case SETTING_BOOLEAN:
        *(bool *)field = value.number != 0;
        break;
    case SETTING_CHOICE:
        *(unsigned *)field = (unsigned)value.number;
        break;
    }
}
