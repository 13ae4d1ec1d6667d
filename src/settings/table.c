/*
 * table.c — the settings: every name, type, default, bound and help line stands here once.
 *
 * Flags, environment variables, YAML keys, validation, `--help`, `volley config show` and
 * docs/settings.md all read this table. To add a setting, add a field to struct settings and a row here.
 * Rows are in the order in which people see them, grouped by section; they stand in rows_*.inc, a file for
 * each group, and the array is one: a row's place in it is its number.
 *
 * Runs on: any thread; constant. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "settings/table.h"

#include "base/log.h"
#include "base/memory.h"

#include <ctype.h>
#include <stdio.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)
#define SECOND_MS UINT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

static uint64_t machine_memory(const struct machine *machine)
{
    return machine->memory_bytes;
}

static void default_cores(const struct machine *machine, struct buf *out)
{
    buf_append_u64(out, machine->cores);
}

static void default_twice_cores(const struct machine *machine, struct buf *out)
{
    buf_append_u64(out, 2 * machine->cores);
}

/* systemd may give several folders, separated by colons; the first is the unit's main one. */
static void default_data_dir(const struct machine *machine, struct buf *out)
{
    struct str directories = machine->state_directory;
    if (directories.len > 0) {
        buf_append_str(out, str_split(&directories, ':'));
    } else if (machine->state_home.len > 0) {
        buf_append_str(out, machine->state_home);
        buf_append_text(out, "/volley");
    } else if (machine->home.len > 0) {
        buf_append_str(out, machine->home);
        buf_append_text(out, "/.local/state/volley");
    } else {
        buf_append_text(out, "none");
    }
}

static const char *check_location(struct str value)
{
    bool known =
        str_starts_with(value, STR("grpc://")) || str_starts_with(value, STR("grpc+tcp://")) ||
        str_starts_with(value, STR("grpc+tls://")) || str_starts_with(value, STR("grpc+unix://")) ||
        str_equal(value, STR("arrow-flight-reuse-connection://?"));
    return known ? NULL
                 : "a Flight location such as grpc://host:50052, grpc+tls://host:50052 or "
                   "arrow-flight-reuse-connection://?";
}

static const char *check_origin(struct str value)
{
    bool valid = str_equal(value, STR("*")) || str_starts_with(value, STR("http://")) ||
                 str_starts_with(value, STR("https://"));
    return valid ? NULL : "origins such as https://example.org, separated by commas, or *";
}

static const char *check_rule(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        char byte = value.ptr[i];
        if (!islower((unsigned char)byte) && !isdigit((unsigned char)byte) && byte != '-')
            return "names of statement rules, as the message of a refused statement gives them";
    }
    return value.len > 0 ? NULL : "names of statement rules";
}

static const struct setting_choice client_auths[] = {
    {"none", SETTINGS_CLIENT_AUTH_NONE},       {"request", SETTINGS_CLIENT_AUTH_REQUEST},
    {"require", SETTINGS_CLIENT_AUTH_REQUIRE}, {"false", SETTINGS_CLIENT_AUTH_NONE},
    {"true", SETTINGS_CLIENT_AUTH_REQUIRE},    {NULL, 0},
};

static const struct setting_choice registry_syncs[] = {
    {"normal", SETTINGS_REGISTRY_SYNC_NORMAL},
    {"full", SETTINGS_REGISTRY_SYNC_FULL},
    {NULL, 0},
};

static const struct setting_choice result_stores[] = {
    {"auto", SETTINGS_RESULT_STORE_AUTO},
    {"memory", SETTINGS_RESULT_STORE_MEMORY},
    {"disk", SETTINGS_RESULT_STORE_DISK},
    {"s3", SETTINGS_RESULT_STORE_S3},
    {NULL, 0},
};

static const struct setting_choice restarts[] = {
    {"rerun", SETTINGS_RESTART_JOBS_RERUN},
    {"fail", SETTINGS_RESTART_JOBS_FAIL},
    {NULL, 0},
};

static const char *check_endpoint(struct str value)
{
    bool is_url = str_starts_with(value, STR("http://")) || str_starts_with(value, STR("https://"));
    return is_url ? NULL : "a URL such as http://localhost:9000 or https://s3.example.org";
}

static const struct setting_choice s3_addressings[] = {
    {"auto", SETTINGS_S3_AUTO},
    {"path", SETTINGS_S3_PATH},
    {"virtual-host", SETTINGS_S3_VIRTUAL_HOST},
    {NULL, 0},
};

static const struct setting_choice log_levels[] = {
    {"debug", LOG_DEBUG},
    {"info", LOG_INFO},
    {"warning", LOG_WARNING},
    {"error", LOG_ERROR},
    {"warn", LOG_WARNING},
    {"critical", LOG_ERROR},
    {NULL, 0},
};

static const struct setting_choice log_formats[] = {
    {"auto", SETTINGS_LOG_AUTO},
    {"text", SETTINGS_LOG_TEXT},
    {"json", SETTINGS_LOG_JSON},
    {NULL, 0},
};

#define FIELD(member) .offset = offsetof(struct settings, member)

/* The transport's limits; one line each, as they differ in little. */
#define LIMIT(setting_type, setting_unit, setting_name, field, fallback, low, high, text)          \
    .section = "Limits", .name = (setting_name), .type = (setting_type),                           \
    .offset = offsetof(struct settings, limits.field), .default_text = (fallback), .min = (low),   \
    .max = (high), .unit = (setting_unit), .help = (text)
#define LIMIT_COUNT(...)                                                                           \
    {                                                                                              \
        LIMIT(SETTING_INTEGER, "N", __VA_ARGS__)                                                   \
    }
#define LIMIT_TIME(...)                                                                            \
    {                                                                                              \
        LIMIT(SETTING_DURATION, "TIME", __VA_ARGS__)                                               \
    }
#define LIMIT_SIZE(...)                                                                            \
    {                                                                                              \
        LIMIT(SETTING_SIZE, "SIZE", __VA_ARGS__)                                                   \
    }
#define LIMIT_SHARE(...)                                                                           \
    {                                                                                              \
        LIMIT(SETTING_SIZE, "SIZE", __VA_ARGS__), .whole = machine_memory                          \
    }

const struct setting settings_table[] = {
/* clang-format off */
#include "settings/rows_addresses.inc"
#include "settings/rows_data.inc"
#include "settings/rows_queries.inc"
#include "settings/rows_jobs.inc"
#include "settings/rows_resources.inc"
#include "settings/rows_process.inc"
    /* clang-format on */
};
const size_t settings_table_count = ARRAY_COUNT(settings_table);

const struct setting_yaml_key settings_yaml_keys[] = {
    {"flight.address", "flight-addr", SETTING_WHOLE},
    {"flight.tls.cert_file", "tls-cert", SETTING_WHOLE},
    {"flight.tls.key_file", "tls-key", SETTING_WHOLE},
    {"monitoring.log_level", "log-level", SETTING_WHOLE},
    {"monitoring.metrics_port", "metrics-addr", SETTING_PORT},
};
const size_t settings_yaml_key_count = ARRAY_COUNT(settings_yaml_keys);

const char *const settings_yaml_foreign[] = {"data_generation", "processing", "output", NULL};

const char *const settings_environment_known[] = {"VOLLEY_SERVER", NULL};

static bool same_name(const char *name, struct str wanted)
{
    for (size_t i = 0; i < wanted.len; i++) {
        char byte = wanted.ptr[i] == '_' ? '-' : wanted.ptr[i];
        if (name[i] == '\0' || name[i] != byte)
            return false;
    }
    return name[wanted.len] == '\0';
}

const struct setting *setting_find(struct str name)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        if (same_name(settings_table[i].name, name))
            return &settings_table[i];
    }
    return NULL;
}

struct str setting_variable(const struct setting *setting, char out[SETTING_VARIABLE_SIZE])
{
    int length = snprintf(out, SETTING_VARIABLE_SIZE, "VOLLEY_%s", setting->name);
    for (int i = 0; i < length; i++)
        out[i] = out[i] == '-' ? '_' : (char)toupper((unsigned char)out[i]);
    return str_make(out, (size_t)length);
}

const char *setting_type_name(const struct setting *setting)
{
    static const char *const names[] = {
        [SETTING_TEXT] = "text",       [SETTING_PATH] = "path",     [SETTING_ADDRESS] = "address",
        [SETTING_INTEGER] = "integer", [SETTING_SIZE] = "size",     [SETTING_DURATION] = "duration",
        [SETTING_BOOLEAN] = "boolean", [SETTING_CHOICE] = "choice",
    };
    return names[setting->type];
}
