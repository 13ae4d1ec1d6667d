/*
 * option_table.c — the tables of options, one behind the other: the engine session's, those of results, those
 * of a call, and the wishes of puts.
 * Threads: any; no state. SPDX-License-Identifier: Apache-2.0
 */
#include "flight/option_table.h"

#include "base/memory.h"
#include "engine/result_options.h"
#include "store/put_wishes.h"
#include "store/store.h"

#include <ctype.h>

/* --- options of a call ---------------------------------------------------------------------------- */

enum status option_read_endpoints(struct str text, size_t *out_count, struct error *error)
{
    uint64_t count = 1;
    if (text.len > 0 && (!str_to_u64(text, &count) || count < 1 || count > DATASET_STRIPES_MAX))
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "option parallel-endpoints takes a number from 1 to %d, not '%.*s'",
                              DATASET_STRIPES_MAX, STR_ARGS(text));
    *out_count = (size_t)count;
    return STATUS_OK;
}

enum status option_read_compression(struct str text, enum compression_option *out,
                                    struct error *error)
{
    static const char *const names[] = {"none", "lz4", "zstd"};
    *out = COMPRESSION_OPTION_NONE;
    if (text.len == 0)
        return STATUS_OK;
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        *out = (enum compression_option)i;
        if (str_equal_nocase(text, str_of(names[i])))
            return STATUS_OK;
    }
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "option compression takes lz4, zstd or none, not '%.*s'", STR_ARGS(text));
}

/* The default is the first of the two values. */
static enum status read_choice(const char *option, const char *const values[2], struct str text,
                               bool *out_is_second, struct error *error)
{
    *out_is_second = str_equal_nocase(text, str_of(values[1]));
    if (*out_is_second || text.len == 0 || str_equal_nocase(text, str_of(values[0])))
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "option %s takes %s or %s, not '%.*s'", option, values[0], values[1],
                          STR_ARGS(text));
}

enum status option_read_engine(struct str text, bool *out_is_remote, struct error *error)
{
    static const char *const values[] = {"duckdb", "clickhouse"};
    return read_choice("engine", values, text, out_is_remote, error);
}

enum status option_read_ingest_order(struct str text, bool *out_keeps_order, struct error *error)
{
    static const char *const values[] = {"any", "kept"};
    return read_choice("ingest-order", values, text, out_keeps_order, error);
}

enum status option_read_ingest_match(struct str text, bool *out_by_position, struct error *error)
{
    static const char *const values[] = {"name", "position"};
    return read_choice("ingest-match", values, text, out_by_position, error);
}

static enum status check_ingest_order(struct str value, struct error *error)
{
    bool keeps_order;
    return option_read_ingest_order(value, &keeps_order, error);
}

static enum status check_ingest_match(struct str value, struct error *error)
{
    bool by_position;
    return option_read_ingest_match(value, &by_position, error);
}

static enum status check_engine(struct str value, struct error *error)
{
    bool is_remote;
    return option_read_engine(value, &is_remote, error);
}

static enum status check_endpoints(struct str value, struct error *error)
{
    size_t count;
    return option_read_endpoints(value, &count, error);
}

static enum status check_compression(struct str value, struct error *error)
{
    enum compression_option compression;
    return option_read_compression(value, &compression, error);
}

static const struct {
    const char *name;
    enum status (*check)(struct str value, struct error *error);
} call_options[] = {
    {"compression", check_compression},      {"engine", check_engine},
    {"ingest-match", check_ingest_match},    {"ingest-order", check_ingest_order},
    {"parallel-endpoints", check_endpoints},
};

/* --- all of them ---------------------------------------------------------------------------------- */

/* What clients send beside our own names. */
static const struct {
    const char *alias;
    enum engine_session_setting setting;
} aliases[] = {{"timezone", SESSION_TIME_ZONE}, {"db-schema", SESSION_SCHEMA}};

size_t option_count(void)
{
    return ENGINE_SESSION_SETTING_COUNT + result_option_count + run_option_count +
           ARRAY_COUNT(call_options) + PUT_WISH_COUNT;
}

const char *option_name(size_t option)
{
    if (option < ENGINE_SESSION_SETTING_COUNT)
        return session_option_names[option];
    option -= ENGINE_SESSION_SETTING_COUNT;
    if (option < result_option_count)
        return result_option_names[option];
    option -= result_option_count;
    if (option < run_option_count)
        return run_option_names[option];
    option -= run_option_count;
    if (option < ARRAY_COUNT(call_options))
        return call_options[option].name;
    option -= ARRAY_COUNT(call_options);
    return option < PUT_WISH_COUNT ? put_wish_names[option] : NULL;
}

static bool is_named(struct str name, struct str as)
{
    if (name.len != as.len)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char byte = name.ptr[i] == '_' ? '-' : (char)tolower((unsigned char)name.ptr[i]);
        if (byte != as.ptr[i])
            return false;
    }
    return true;
}

bool option_find(struct str name, size_t *out_option)
{
    for (size_t i = 0; i < option_count(); i++) {
        *out_option = i;
        if (is_named(name, str_of(option_name(i))))
            return true;
    }
    for (size_t i = 0; i < ARRAY_COUNT(aliases); i++) {
        *out_option = aliases[i].setting;
        if (is_named(name, str_of(aliases[i].alias)))
            return true;
    }
    return false;
}

enum status option_check(size_t option, struct str value, struct error *error)
{
    option -= ENGINE_SESSION_SETTING_COUNT;
    if (option < result_option_count) {
        struct engine_result_options unused = {0};
        return result_option_set(&unused, option, value, error);
    }
    option -= result_option_count;
    if (option < run_option_count) {
        struct run_options unused = {0};
        return run_option_set(&unused, option, value, error);
    }
    option -= run_option_count;
    if (option < ARRAY_COUNT(call_options))
        return call_options[option].check(value, error);
    struct put_wishes unused = {0};
    return put_wish_set(&unused, option - ARRAY_COUNT(call_options), value, error);
}
