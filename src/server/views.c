/*
 * views.c — snapshots of the sessions and the settings as record batches.
 * Runs on: the engine's threads. SPDX-License-Identifier: Apache-2.0
 */
#include "server/views.h"

#include "arrow/builder.h"
#include "base/buf.h"
#include "base/memory.h"
#include "flight/option_table.h"

static const struct builder_limits limits = {.rows_max = 1 << 20, .bytes_max = (size_t)64 << 20};

struct view_column {
    const char *name;
    enum arrow_type type; /* INT: int64; TIMESTAMP: microseconds in UTC */
};

static struct arrow_schema *make_schema(const struct view_column *columns, size_t count)
{
    struct arrow_schema *schema = arrow_schema_create(count);
    for (size_t i = 0; i < count; i++) {
        struct arrow_field *field = &schema->fields[i];
        arrow_field_init(schema, field, str_of(columns[i].name), columns[i].type);
        field->bit_width = 64;
        field->is_signed = true;
        field->unit = ARROW_MICROSECOND;
        if (columns[i].type == ARROW_TIMESTAMP)
            field->timezone = STR("UTC");
    }
    arrow_schema_seal(schema, NULL);
    return schema;
}

static void append_text(struct batch_builder *builder, size_t column, struct str text)
{
    builder_append_bytes(batch_builder_column(builder, column), text);
}

static void append_integer(struct batch_builder *builder, size_t column, int64_t value)
{
    builder_append_integer(batch_builder_column(builder, column), value);
}

/* --- volley.sessions ------------------------------------------------------------------------------ */

static const struct view_column session_columns[] = {
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

static void append_options(struct batch_builder *builder, size_t column,
                           const struct option_set *options)
{
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, (size_t)64 << 10);
    for (size_t i = 0; i < option_count(); i++) {
        struct str value = option_set_value(options, i);
        if (value.len > 0)
            buf_printf(&text, "%s%s=%.*s", text.len > 0 ? ", " : "", option_name(i),
                       STR_ARGS(value));
    }
    if (text.len > 0)
        append_text(builder, column, buf_str(&text));
    else
        builder_append_null(batch_builder_column(builder, column));
}

static void append_session(void *context, const struct session_facts *facts)
{
    struct batch_builder *builder = context;
    append_text(builder, 0, facts->id);
    append_text(builder, 1, facts->kind);
    append_text(builder, 2, facts->user);
    append_text(builder, 3, facts->peer);
    append_integer(builder, 4, facts->created_us);
    append_integer(builder, 5, facts->used_us);
    append_integer(builder, 6, (int64_t)facts->prepared);
    append_integer(builder, 7, facts->in_transaction);
    append_text(builder, 8, facts->settings[SESSION_CATALOG]);
    append_text(builder, 9, facts->settings[SESSION_SCHEMA]);
    append_text(builder, 10, facts->settings[SESSION_TIME_ZONE]);
    append_options(builder, 11, facts->options);
}

static enum status sessions_snapshot(void *context, struct arrow_batch **out_batch,
                                     struct error *error)
{
    struct sessions *const *sessions = context;
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = make_schema(session_columns, ARRAY_COUNT(session_columns));
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
        .schema = make_schema(session_columns, ARRAY_COUNT(session_columns)),
        .snapshot = sessions_snapshot,
        .context = (void *)sessions,
    };
}

/* --- volley.settings ------------------------------------------------------------------------------ */

static const struct view_column setting_columns[] = {
    {"name", ARROW_UTF8},          {"value", ARROW_UTF8}, {"origin", ARROW_UTF8},
    {"default_value", ARROW_UTF8}, {"type", ARROW_UTF8},  {"help", ARROW_UTF8},
};

static void append_setting(void *context, const struct settings_entry *entry)
{
    struct batch_builder *builder = context;
    append_text(builder, 0, entry->name);
    append_text(builder, 1, entry->value);
    append_text(builder, 2, entry->origin);
    append_text(builder, 3, entry->default_value);
    append_text(builder, 4, entry->type);
    append_text(builder, 5, entry->help);
}

static enum status settings_snapshot(void *context, struct arrow_batch **out_batch,
                                     struct error *error)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = make_schema(setting_columns, ARRAY_COUNT(setting_columns));
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
        .schema = make_schema(setting_columns, ARRAY_COUNT(setting_columns)),
        .snapshot = settings_snapshot,
        .context = (void *)settings,
    };
}
