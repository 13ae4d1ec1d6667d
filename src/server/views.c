/*
 * views.c — snapshots of the sessions and the settings as record batches.
 * Runs on: the engine's threads. SPDX-License-Identifier: Apache-2.0
 */
#include "server/views.h"

#include "base/buf.h"
#include "base/memory.h"
#include "engine/table_rows.h"
#include "flight/option_table.h"

static const struct builder_limits limits = {.rows_max = 1 << 20, .bytes_max = (size_t)64 << 20};

/* --- volley.sessions ------------------------------------------------------------------------------ */

static const struct table_column session_columns[] = {
    {"id", ARROW_UTF8},
    {"kind", ARROW_UTF8},
    {"user", ARROW_UTF8},
    {"peer", ARROW_UTF8},
    {"created_at", ARROW_TIMESTAMP},
    {"used_at", ARROW_TIMESTAMP},
    {"prepared_statements", ARROW_INT},
    {"in_transaction", ARROW_BOOL},
    {"catalog", ARROW_UTF8},
    {"schema", ARROW_UTF8},
    {"time_zone", ARROW_UTF8},
    {"options", ARROW_UTF8}, /* name=value, one behind the other; NULL: none is set */
};

static void append_options(struct table_row *row, const struct option_set *options)
{
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, (size_t)64 << 10);
    for (size_t i = 0; i < option_count(); i++) {
        struct str value = option_set_value(options, i);
        if (value.len > 0)
            buf_printf(&text, "%s%s=%.*s", text.len > 0 ? ", " : "", option_name(i),
                       STR_ARGS(value));
    }
    table_row_text_or_null(row, buf_str(&text));
}

static void append_session(void *context, const struct session_facts *facts)
{
    struct table_row row = {.builder = context};
    table_row_text(&row, facts->id);
    table_row_text(&row, facts->kind);
    table_row_text(&row, facts->user);
    table_row_text(&row, facts->peer);
    table_row_integer(&row, facts->created_us);
    table_row_integer(&row, facts->used_us);
    table_row_integer(&row, (int64_t)facts->prepared);
    table_row_integer(&row, facts->in_transaction);
    table_row_text(&row, facts->settings[SESSION_CATALOG]);
    table_row_text(&row, facts->settings[SESSION_SCHEMA]);
    table_row_text(&row, facts->settings[SESSION_TIME_ZONE]);
    append_options(&row, facts->options);
}

static enum status sessions_snapshot(void *context, struct arrow_batch **out_batch,
                                     struct error *error)
{
    struct sessions *const *sessions = context;
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema =
        table_schema_create(session_columns, ARRAY_COUNT(session_columns));
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder = batch_builder_create(schema, NULL, &limits);
    if (*sessions)
        sessions_visit(*sessions, append_session, builder);
    *out_batch = batch_builder_seal(builder);
    return STATUS_OK;
}

struct engine_table views_sessions(struct sessions *const *sessions)
{
    return (struct engine_table){
        .name = "sessions",
        .schema = table_schema_create(session_columns, ARRAY_COUNT(session_columns)),
        .snapshot = sessions_snapshot,
        .context = (void *)sessions,
    };
}

/* --- volley.settings ------------------------------------------------------------------------------ */

static const struct table_column setting_columns[] = {
    {"name", ARROW_UTF8},          {"value", ARROW_UTF8}, {"origin", ARROW_UTF8},
    {"default_value", ARROW_UTF8}, {"type", ARROW_UTF8},  {"help", ARROW_UTF8},
};

static void append_setting(void *context, const struct settings_entry *entry)
{
    struct table_row row = {.builder = context};
    table_row_text(&row, entry->name);
    table_row_text(&row, entry->value);
    table_row_text(&row, entry->origin);
    table_row_text(&row, entry->default_value);
    table_row_text(&row, entry->type);
    table_row_text(&row, entry->help);
}

static enum status settings_snapshot(void *context, struct arrow_batch **out_batch,
                                     struct error *error)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema =
        table_schema_create(setting_columns, ARRAY_COUNT(setting_columns));
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder = batch_builder_create(schema, NULL, &limits);
    settings_visit(context, append_setting, builder);
    *out_batch = batch_builder_seal(builder);
    return STATUS_OK;
}

struct engine_table views_settings(const struct settings *settings)
{
    return (struct engine_table){
        .name = "settings",
        .schema = table_schema_create(setting_columns, ARRAY_COUNT(setting_columns)),
        .snapshot = settings_snapshot,
        .context = (void *)settings,
    };
}
