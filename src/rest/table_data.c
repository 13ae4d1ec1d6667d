/*
 * table_data.c — POST /tables/{name}/data: rows in, into a table of the database, all of them or none.
 *
 * Columns are found by their names, or by position in CSV without a header. Arrow rows wait in a dataset that
 * nobody sees until one INSERT takes them; other formats are read by that INSERT itself.
 *
 * begin runs on the loop, the rest on a worker. Owns: nothing. Contracts section 4.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/upload.h"

#include "base/memory.h"
#include "base/random.h"

/* catalog.schema.table */
#define NAME_PARTS_MAX 3
#define SQL_BYTES_MAX ((size_t)1 << 20)
/* Of the rows that wait. */
#define WAIT_TTL_MS (UINT64_C(24) * 3600 * 1000)

static const char *const parameter_names[] = {"format", "header", "delimiter"};

static enum status quote_table(struct rest_exchange *exchange, struct str *out, struct error *error)
{
    struct str rest = exchange->parameter;
    CLEANUP(buf_finish) struct buf name;
    buf_init(&name, SQL_BYTES_MAX);
    size_t parts = 0;
    bool has_more = true;
    while (has_more) {
        has_more = str_find(rest, '.') >= 0;
        struct str part = str_split(&rest, '.');
        if (part.len == 0 || ++parts > NAME_PARTS_MAX || !str_is_utf8(part) ||
            str_find(part, '\0') >= 0)
            return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                                  "'%.*s' names no table; a name is table or schema.table",
                                  STR_ARGS(str_slice(exchange->parameter, 0, 128)));
        buf_append_text(&name, parts > 1 ? "." : "");
        engine_append_quoted(&name, part, '"');
    }
    *out = arena_copy(&exchange->arena, buf_str(&name));
    return STATUS_OK;
}

enum status rest_table_begin(struct rest_exchange *exchange, struct error *error)
{
    char id[RANDOM_UUID_SIZE];
    struct str table;
    exchange->looked_at = "query";
    TRY(rest_check_parameters(exchange->input, parameter_names, ARRAY_COUNT(parameter_names),
                              error));
    exchange->looked_at = "path.name";
    TRY(quote_table(exchange, &table, error));
    exchange->looked_at = NULL;
    TRY(rest_upload_begin(exchange, error));
    random_uuid(id);
    exchange->upload->table = table;
    exchange->upload->options = (struct put_options){
        .id = arena_printf(&exchange->arena, ".table-%s", id),
        .mode = PUT_CREATE,
        .ttl_ms = WAIT_TTL_MS,
        .durability = DATASET_IN_MEMORY,
    };
    return STATUS_OK;
}

/* The query is over. */
static enum status answer(struct rest_exchange *exchange, bool *out_is_done, struct error *error)
{
    const struct rest_upload *upload = exchange->upload;
    struct query *query = rest_run_query(exchange->run_of_own);
    struct json_writer json;
    int64_t rows = 0;
    TRY(rest_upload_engine_fault(upload, query_outcome(query, &rows, error), error));
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "table");
    json_write_text(&json, exchange->parameter);
    json_write_key(&json, "format");
    json_write_text(&json, str_of(rest_format_name(upload->file_count > 0 ? upload->file_format
                                                                          : upload->format)));
    json_write_key(&json, "records_inserted");
    json_write_integer(&json, rows);
    json_write_end_object(&json);
    exchange->rows = rows;
    *out_is_done = true;
    return STATUS_OK;
}

/* Makes the rows that came as Arrow a dataset that the statement finds. */
static enum status append_batches(struct rest_upload *upload, struct buf *sql, struct error *error)
{
    struct put_result result;
    TRY(put_commit(upload->put, &result, error));
    upload->is_committed = true;
    TRY(store_find(upload->exchange->rest->options.store, result.id, &upload->waiting, error));
    buf_append_text(sql, "batch(");
    engine_append_quoted(sql, result.id, '\'');
    buf_append_byte(sql, ')');
    return STATUS_OK;
}

enum status rest_table_data(struct rest_exchange *exchange, struct error *error)
{
    struct rest_upload *upload = exchange->upload;
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    TRY(rest_upload_end(upload, error));
    bool has_names = upload->file_count == 0 || upload->file_format != REST_CSV ||
                     !str_equal(rest_upload_csv_header(exchange->input), STR("false"));
    buf_printf(&sql, "INSERT INTO %.*s %sSELECT * FROM ", STR_ARGS(upload->table),
               has_names ? "BY NAME " : "");
    TRY(upload->file_count > 0 ? rest_upload_files_reader(upload, true, &sql, error)
                               : append_batches(upload, &sql, error));
    TRY(buf_check(&sql, "the statement", error));
    struct str shown = arena_printf(&exchange->arena, "-- put %s into table %.*s",
                                    rest_format_name(upload->format), STR_ARGS(upload->table));
    exchange->resume = answer;
    return rest_upload_engine_fault(
        upload, rest_run_prepare(exchange, buf_str(&sql), shown, false, error), error);
}
