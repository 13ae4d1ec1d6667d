/*
 * upload_fit.c — has rows without types of their own fit the dataset that they are appended to.
 *
 * What CSV and JSON look like is a guess: a column of 1 and 2 may be meant as text, one without values has no
 * type at all. So the columns of the dataset decide, by name, and every value is cast. Where the guess is
 * right nothing is done.
 *
 * Runs on: a worker. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/upload.h"

#include "base/memory.h"

static bool has_column(const struct arrow_schema *schema, struct str name)
{
    for (size_t i = 0; i < schema->field_count; i++) {
        if (str_equal(schema->fields[i].name, name))
            return true;
    }
    return false;
}

static enum status check_names(const struct arrow_schema *dataset, const struct arrow_schema *body,
                               struct error *error)
{
    for (size_t i = 0; i < dataset->field_count; i++) {
        struct str name = dataset->fields[i].name;
        if (!has_column(body, name))
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "the dataset has a column '%.*s', and the body has none",
                             STR_ARGS(str_slice(name, 0, 128)));
    }
    for (size_t i = 0; i < body->field_count; i++) {
        struct str name = body->fields[i].name;
        if (!has_column(dataset, name))
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "the body has a column '%.*s', and the dataset has none",
                             STR_ARGS(str_slice(name, 0, 128)));
    }
    return STATUS_OK;
}

static enum status append_plain(struct rest_upload *upload, struct buf *sql, struct error *error)
{
    buf_append_text(sql, "SELECT * FROM ");
    return rest_upload_files_reader(upload, false, sql, error);
}

/* Values of more than one type came as JSON: a text among them has quotes of its own. */
static bool is_json_text(const struct arrow_schema *schema, struct str name)
{
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct arrow_field *field = &schema->fields[i];
        for (size_t j = 0; j < field->metadata_count && str_equal(field->name, name); j++) {
            if (str_equal(field->metadata[j].value, STR("arrow.json")))
                return true;
        }
    }
    return false;
}

static bool is_same(const struct arrow_schema *body, const struct arrow_schema *dataset)
{
    if (!arrow_schema_equal(body, dataset))
        return false;
    for (size_t i = 0; i < body->field_count; i++) {
        struct str name = body->fields[i].name;
        if (is_json_text(body, name) != is_json_text(dataset, name))
            return false;
    }
    return true;
}

/* The types are taken from the dataset's own columns. */
static enum status append_casts(struct rest_upload *upload, struct dataset *present,
                                const struct arrow_schema *body, struct buf *sql,
                                struct error *error)
{
    const struct arrow_schema *schema = dataset_schema(present);
    for (size_t i = 0; i < schema->field_count; i++) {
        struct str name = schema->fields[i].name;
        buf_append_text(sql, i > 0 ? ", cast_to_type(" : "SELECT cast_to_type(");
        engine_append_quoted(sql, name, '"');
        buf_append_text(sql, is_json_text(body, name) && !is_json_text(schema, name)
                                 ? " ->> '$', (SELECT "
                                 : ", (SELECT ");
        engine_append_quoted(sql, name, '"');
        buf_append_text(sql, " FROM batch(");
        engine_append_quoted(sql, dataset_id(present), '\'');
        buf_append_text(sql, ") LIMIT 0)) AS ");
        engine_append_quoted(sql, name, '"');
    }
    buf_append_text(sql, " FROM ");
    return rest_upload_files_reader(upload, true, sql, error);
}

enum status rest_upload_fit(struct rest_upload *upload, struct dataset *present, struct buf *sql,
                            struct error *error)
{
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    TRY(append_plain(upload, sql, error));
    if (!present)
        return STATUS_OK;
    CLEANUP(engine_session_unref)
    struct engine_session *session = engine_session_open(upload->exchange->rest->options.engine);
    TRY(engine_prepare_own(session, buf_str(sql), &statement, error));
    const struct arrow_schema *schema = engine_statement_schema(statement);
    if (is_same(schema, dataset_schema(present)))
        return STATUS_OK;
    TRY(check_names(dataset_schema(present), schema, error));
    buf_clear(sql);
    return append_casts(upload, present, schema, sql, error);
}
