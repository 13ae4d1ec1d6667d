/*
 * result_options.c — the tables of options.
 * Threads: any; no state. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/result_options.h"

#include "base/memory.h"
#include "engine/query.h"

#include <assert.h>

const char *const result_option_names[] = {"max-message-bytes", "dictionaries", "timestamp-unit",
                                           "row-limit", "views"};
const size_t result_option_count = ARRAY_COUNT(result_option_names);

const char *const session_option_names[ENGINE_SESSION_SETTING_COUNT] = {
    [SESSION_CATALOG] = "catalog",
    [SESSION_SCHEMA] = "schema",
    [SESSION_TIME_ZONE] = "time-zone",
};

static bool set_message_bytes(struct engine_result_options *options, struct str text)
{
    uint64_t bytes;
    if (!str_to_u64(text, &bytes) || bytes == 0)
        return false;
    options->message_bytes_max =
        bytes < RESULT_MESSAGE_BYTES_MAX ? (size_t)bytes : RESULT_MESSAGE_BYTES_MAX;
    return true;
}

static bool set_dictionaries(struct engine_result_options *options, struct str text)
{
    static const struct {
        const char *text;
        enum engine_dictionaries value;
    } known[] = {
        {"auto", ENGINE_DICTIONARIES_AUTO},
        {"zones", ENGINE_DICTIONARIES_AUTO},
        {"off", ENGINE_DICTIONARIES_OFF},
        {"on", ENGINE_DICTIONARIES_ON},
    };
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        if (str_equal(text, str_of(known[i].text))) {
            options->dictionaries = known[i].value;
            return true;
        }
    }
    return false;
}

static bool set_timestamp_unit(struct engine_result_options *options, struct str text)
{
    static const char *const units[] = {"s", "ms", "us", "ns"};
    for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
        if (str_equal(text, str_of(units[i]))) {
            options->timestamp_unit = (int)i + 1;
            return true;
        }
    }
    return false;
}

static bool set_views(struct engine_result_options *options, struct str text)
{
    options->views = str_equal(text, STR("on"));
    return options->views || str_equal(text, STR("off"));
}

static bool set_row_limit(struct engine_result_options *options, struct str text)
{
    /* The engine counts rows with a sign. */
    bool is_number = str_to_u64(text, &options->row_limit);
    if (options->row_limit > INT64_MAX)
        options->row_limit = INT64_MAX;
    return is_number;
}

static const struct {
    bool (*set)(struct engine_result_options *options, struct str text);
    const char *taken;
} rows[] = {
    {set_message_bytes, "a number of bytes above 0"},
    {set_dictionaries, "auto, on or off"},
    {set_timestamp_unit, "s, ms, us or ns"},
    {set_row_limit, "a number of rows, 0 for no limit"},
    {set_views, "on or off"},
};
static_assert(ARRAY_COUNT(rows) == ARRAY_COUNT(result_option_names), "one row for each name");

enum status result_option_set(struct engine_result_options *options, size_t index, struct str text,
                              struct error *error)
{
    if (rows[index].set(options, text))
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "option %s takes %s, not '%.*s'", result_option_names[index],
                          rows[index].taken, STR_ARGS(text));
}

/* --- how a statement runs ------------------------------------------------------------------------- */

#define PRIORITY_LAST 5
#define SLOTS_MAX 100000

const char *const run_option_names[] = {"timeout-ms", "priority", "slots"};
const size_t run_option_count = ARRAY_COUNT(run_option_names);

static bool set_timeout(struct run_options *options, struct str text)
{
    return str_to_u64(text, &options->timeout_ms) && options->timeout_ms > 0;
}

static bool read_bounded(struct str text, uint64_t value_max, unsigned *out)
{
    uint64_t value = 0;
    if (!str_to_u64(text, &value) || value == 0 || value > value_max)
        return false;
    *out = (unsigned)value;
    return true;
}

static bool set_priority(struct run_options *options, struct str text)
{
    return read_bounded(text, PRIORITY_LAST, &options->priority);
}

static bool set_slots(struct run_options *options, struct str text)
{
    return read_bounded(text, SLOTS_MAX, &options->slots);
}

static const struct {
    bool (*set)(struct run_options *options, struct str text);
    const char *taken;
} run_rows[] = {
    {set_timeout, "a number of milliseconds above 0"},
    {set_priority, "1 (first) to 5"},
    {set_slots, "a number of slots above 0"},
};
static_assert(ARRAY_COUNT(run_rows) == ARRAY_COUNT(run_option_names), "one row for each name");

enum status run_option_set(struct run_options *options, size_t index, struct str text,
                           struct error *error)
{
    if (run_rows[index].set(options, text))
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "option %s takes %s, not '%.*s'", run_option_names[index],
                          run_rows[index].taken, STR_ARGS(text));
}

/* --- reading ------------------------------------------------------------------------------------ */

enum status result_options_read(const struct option_source *source,
                                struct engine_result_options *options, struct error *error)
{
    for (size_t i = 0; i < result_option_count; i++) {
        struct str text = source->text(source->context, result_option_names[i]);
        if (text.len > 0)
            TRY(result_option_set(options, i, text, error));
    }
    return STATUS_OK;
}

enum status run_options_read(const struct option_source *source, struct query_spec *spec,
                             struct error *error)
{
    struct run_options options = {0};
    for (size_t i = 0; i < run_option_count; i++) {
        struct str text = source->text(source->context, run_option_names[i]);
        if (text.len > 0)
            TRY(run_option_set(&options, i, text, error));
    }
    spec->timeout_ms = options.timeout_ms;
    spec->priority = options.priority;
    spec->slots = options.slots;
    return STATUS_OK;
}
