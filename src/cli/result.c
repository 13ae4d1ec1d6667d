/*
 * result.c — the formats of results, and those of them that are row texts; and plans of EXPLAIN, which are
 * drawings.
 *
 * Runs on: the main thread. Owns: per result its writer and a reference to the schema.
 * Not done here: tables (result_table.c), Arrow (result_arrow.c), the texts of rows (arrow).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/result.h"

#include "arrow/column.h"
#include "arrow/row_writer.h"
#include "base/memory.h"
#include "cli/amount.h"
#include "cli/layout.h"

#include <unistd.h>

/* --- CSV, JSON, NDJSON ---------------------------------------------------------------------------- */

static enum status rows_begin(struct result *result, enum row_format format, struct error *error)
{
    struct row_writer *writer = row_writer_create(format, result->schema, false);
    result->state = writer;
    row_writer_begin(writer, &result->output->buf);
    return output_settle(result->output, error);
}

static enum status csv_begin(struct result *result, struct error *error)
{
    return rows_begin(result, ROW_CSV, error);
}

static enum status tsv_begin(struct result *result, struct error *error)
{
    return rows_begin(result, ROW_TSV, error);
}

static enum status json_begin(struct result *result, struct error *error)
{
    return rows_begin(result, ROW_JSON, error);
}

static enum status ndjson_begin(struct result *result, struct error *error)
{
    return rows_begin(result, ROW_NDJSON, error);
}

static enum status rows_batch(struct result *result, const struct arrow_batch *batch,
                              struct error *error)
{
    struct row_writer *writer = (struct row_writer *)result->state;
    int64_t row = 0;
    while (row < batch->rows) {
        row_writer_rows(writer, batch, &row, OUTPUT_TARGET_BYTES, &result->output->buf);
        TRY(output_settle(result->output, error));
    }
    return output_flush(result->output, error);
}

static enum status rows_end(struct result *result, struct error *error)
{
    row_writer_end((struct row_writer *)result->state, &result->output->buf);
    return output_flush(result->output, error);
}

static void rows_close(struct result *result)
{
    row_writer_destroy((struct row_writer *)result->state);
}

/* --- plans ------------------------------------------------------------------------------------------ */

static enum status plan_begin(struct result *result, struct error *error)
{
    return STATUS_OK;
}

/* The second column, line by line; lines are made harmless, their ends stay. */
static enum status plan_batch(struct result *result, const struct arrow_batch *batch,
                              struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct arrow_column *columns = arrow_columns_open(batch, &arena);
    for (int64_t row = 0; row < batch->rows; row++) {
        struct str text = str_trim(arrow_column_bytes(&columns[1], row));
        while (text.len > 0) {
            (void)layout_append(str_split(&text, '\n'), false, &result->output->buf);
            buf_append_byte(&result->output->buf, '\n');
        }
    }
    return output_settle(result->output, error);
}

static enum status plan_end(struct result *result, struct error *error)
{
    return output_flush(result->output, error);
}

static const struct result_format plan = {
    .name = "plan",
    .for_people = true,
    .begin = plan_begin,
    .batch = plan_batch,
    .end = plan_end,
};

const struct result_format *result_format_for(const struct result_format *format,
                                              const struct arrow_schema *schema)
{
    bool explained = schema->field_count == 2 && schema->fields[1].type == ARROW_UTF8 &&
                     str_equal(schema->fields[0].name, STR("explain_key")) &&
                     str_equal(schema->fields[1].name, STR("explain_value"));
    return format == &result_table && explained ? &plan : format;
}

/* --- the formats ----------------------------------------------------------------------------------- */

static const struct result_format csv = {
    .name = "csv",
    .begin = csv_begin,
    .batch = rows_batch,
    .end = rows_end,
    .close = rows_close,
};
static const struct result_format tsv = {
    .name = "tsv",
    .begin = tsv_begin,
    .batch = rows_batch,
    .end = rows_end,
    .close = rows_close,
};
static const struct result_format json = {
    .name = "json",
    .begin = json_begin,
    .batch = rows_batch,
    .end = rows_end,
    .close = rows_close,
};
static const struct result_format ndjson = {
    .name = "ndjson",
    .begin = ndjson_begin,
    .batch = rows_batch,
    .end = rows_end,
    .close = rows_close,
};
const char *const result_format_names[] = {
    [RESULT_TABLE] = "table",
    [RESULT_CSV] = "csv",
    [RESULT_TSV] = "tsv",
    [RESULT_JSON] = "json",
    [RESULT_NDJSON] = "ndjson",
    [RESULT_ARROW] = "arrow",
    [RESULT_ARROW_FILE] = "arrow-file",
    [RESULT_PARQUET] = "parquet",
    [RESULT_MARKDOWN] = "markdown",
    [RESULT_FORMAT_COUNT] = NULL,
};
static const struct result_format *const formats[RESULT_FORMAT_COUNT] = {
    [RESULT_TABLE] = &result_table,
    [RESULT_CSV] = &csv,
    [RESULT_TSV] = &tsv,
    [RESULT_JSON] = &json,
    [RESULT_NDJSON] = &ndjson,
    [RESULT_ARROW] = &result_arrow,
    [RESULT_ARROW_FILE] = &result_arrow_file,
    [RESULT_PARQUET] = &result_parquet,
    [RESULT_MARKDOWN] = &result_markdown,
};

const struct result_format *result_format_at(unsigned index)
{
    return formats[index];
}

unsigned result_format_of_file(struct str name, unsigned otherwise)
{
    static const struct {
        const char *suffix;
        unsigned format;
    } suffixes[] = {
        {".arrow", RESULT_ARROW_FILE}, {".feather", RESULT_ARROW_FILE},
        {".arrows", RESULT_ARROW},     {".csv", RESULT_CSV},
        {".tsv", RESULT_TSV},          {".json", RESULT_JSON},
        {".ndjson", RESULT_NDJSON},    {".jsonl", RESULT_NDJSON},
        {".md", RESULT_MARKDOWN},      {".txt", RESULT_TABLE},
        {".parquet", RESULT_PARQUET},  {".pq", RESULT_PARQUET},
    };
    for (size_t i = 0; i < ARRAY_COUNT(suffixes); i++) {
        if (str_ends_with(name, str_of(suffixes[i].suffix)))
            return suffixes[i].format;
    }
    return otherwise;
}

enum status result_begin(struct result *result, const struct result_format *format,
                         struct output *output, struct arrow_schema *schema, bool footer,
                         struct error *error)
{
    *result = (struct result){
        .format = format,
        .output = output,
        .schema = arrow_schema_ref(schema),
        .footer = footer,
        .shows_types = result->shows_types,
        .is_coloured = result->is_coloured,
        .server = result->server,
        .interrupt = result->interrupt,
    };
    /* Formats for people make their texts harmless themselves, and have colours of their own. */
    output->shows_controls = !format->for_people && !format->binary && isatty(output->fd);
    enum status status = format->begin(result, error);
    if (status != STATUS_OK)
        result_close(result);
    return status;
}

enum status result_resume(struct result *result, const struct result_format *format,
                          struct output *output, struct arrow_schema *schema, struct str written,
                          uint64_t *out_bytes, uint64_t *out_rows, struct error *error)
{
    *result = (struct result){
        .format = format,
        .output = output,
        .schema = arrow_schema_ref(schema),
    };
    enum status status = format->resume
                             ? format->resume(result, written, out_bytes, out_rows, error)
                             : error_set(error, STATUS_INVALID_ARGUMENT,
                                         "%s cannot be taken up again", format->name);
    if (status != STATUS_OK)
        result_close(result);
    else
        result->rows = *out_rows;
    return status;
}

enum status result_batch(struct result *result, const struct arrow_batch *batch,
                         struct error *error)
{
    result->rows += (uint64_t)batch->rows;
    return result->format->batch(result, batch, error);
}

void result_write_footer(struct result *result)
{
    char all[AMOUNT_TEXT_SIZE];
    char shown[AMOUNT_TEXT_SIZE];
    uint64_t rows = result->rows + result->rows_hidden;
    if (!result->footer)
        return;
    buf_printf(&result->output->buf, "(%s row%s", amount_of_count(rows, all), rows == 1 ? "" : "s");
    if (result->rows_hidden > 0)
        buf_printf(&result->output->buf, ", %s shown", amount_of_count(result->rows, shown));
    buf_append_text(&result->output->buf, ")\n");
}

enum status result_end(struct result *result, struct error *error)
{
    return result->format->end(result, error);
}

void result_close(struct result *result)
{
    if (result->state && result->format->close)
        result->format->close(result);
    result->state = NULL;
    if (result->output)
        result->output->shows_controls = false;
    if (result->schema)
        arrow_schema_unref(STEAL(result->schema));
}
