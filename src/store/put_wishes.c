/*
 * put_wishes.c — reads mode, durability and time to live from text.
 *
 * One table: a name, how it is set from text, and what is taken in words for the error.
 *
 * Runs on: any thread. Owns: nothing. Leaves out: JSON, headers and parameters (the doors).
 * Source: contracts section 6. SPDX-License-Identifier: Apache-2.0
 */
#include "store/put_wishes.h"

#include "base/memory.h"

#include <assert.h>

#define TTL_SECONDS_MAX (10 * 366 * 24 * 3600.0)

bool put_ttl_parse(struct str text, uint64_t *out_ttl_ms)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"", 1}};
    for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
        struct str unit = str_of(units[i].unit);
        if (!str_ends_with(text, unit))
            continue;
        double number;
        if (!str_to_double(str_slice(text, 0, text.len - unit.len), &number))
            return false;
        double seconds = number * units[i].seconds;
        if (!(seconds >= 0.001 && seconds <= TTL_SECONDS_MAX))
            return false;
        *out_ttl_ms = (uint64_t)(seconds * 1000 + 0.5);
        return true;
    }
    return false;
}

static bool set_mode(struct put_wishes *wishes, struct str text)
{
    static const char *const modes[] = {[PUT_UPSERT] = "upsert",
                                        [PUT_CREATE] = "create",
                                        [PUT_APPEND] = "append",
                                        [PUT_REPLACE] = "replace"};
    for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
        if (!str_equal(text, str_of(modes[i])))
            continue;
        wishes->mode = (enum put_mode)i;
        wishes->has_mode = true;
        return true;
    }
    return false;
}

static bool set_durability(struct put_wishes *wishes, struct str text)
{
    for (int each = DATASET_IN_MEMORY; each <= DATASET_ON_DISK; each++) {
        if (!str_equal(text, str_of(dataset_durability_name((enum dataset_durability)each))))
            continue;
        wishes->durability = (enum dataset_durability)each;
        wishes->has_durability = true;
        return true;
    }
    return false;
}

static bool set_ttl(struct put_wishes *wishes, struct str text)
{
    return put_ttl_parse(text, &wishes->ttl_ms);
}

const char *const put_wish_names[PUT_WISH_COUNT] = {"mode", "durability", "ttl"};
static const struct {
    bool (*set)(struct put_wishes *wishes, struct str text);
    const char *taken;
} rows[PUT_WISH_COUNT] = {
    {set_mode, "create, append, replace or upsert (which creates or appends)"},
    {set_durability, "memory, process or disk"},
    {set_ttl, "a time such as 10m or 1h, or a number of seconds, up to ten years"},
};

enum status put_wish_set(struct put_wishes *wishes, size_t index, struct str text,
                         struct error *error)
{
    assert(index < PUT_WISH_COUNT);
    if (rows[index].set(wishes, text))
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "option %s takes %s, not '%.*s'", put_wish_names[index],
                          rows[index].taken, STR_ARGS(str_slice(text, 0, 64)));
}

enum dataset_durability put_wishes_durability(const struct put_wishes *wishes, bool has_path)
{
    if (wishes->has_durability)
        return wishes->durability;
    return has_path ? DATASET_IN_MEMORY : DATASET_IN_PROCESS;
}
