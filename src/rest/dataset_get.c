/*
 * dataset_get.c — GET and HEAD /v1/datasets/{path}: a dataset, or rows and columns of it, in any format.
 *
 * What is read is what the dataset has now; what is appended meanwhile is not in it. As an Arrow stream or
 * file the whole is bytes of known size, of which any range can be had. `Range: rows=a-b` is a range of
 * rows in whatever format; `offset`, `limit` and `columns` select what the range is of.
 *
 * Runs on a worker: rows before the first one are passed over, sizes are looked up.
 * Spec: RFC 9110 section 14. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/dataset.h"

#include "base/checked.h"
#include "base/memory.h"

static const char *const parameter_names[] = {"format", "int64", "columns",
                                              "offset", "limit", "facts"};

/* What of a dataset is asked for. */
struct selection {
    struct dataset_part part;
    bool is_whole;  /* all rows and columns */
    bool is_range;  /* of rows: 206 */
    uint64_t first; /* of the range, in what is selected */
    uint64_t total; /* rows that are selected */
};

static void selection_finish(struct selection *selection)
{
    dataset_part_finish(&selection->part);
}
CLEANUP_IN_PLACE(struct selection, selection_finish)

/* --- parameters -------------------------------------------------------------------------------- */

static enum status read_number(const struct rest_exchange *exchange, const char *name,
                               uint64_t *out, struct error *error)
{
    struct str text;
    if (!http_query_get(exchange->input, str_of(name), &text) || str_to_u64(text, out))
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "parameter %s takes a number of rows, not '%.*s'", name,
                          STR_ARGS(str_slice(text, 0, 64)));
}

static enum status read_facts(const struct rest_exchange *exchange, bool *out, struct error *error)
{
    struct str text = STR("false");
    (void)http_query_get(exchange->input, STR("facts"), &text);
    *out = str_equal(text, STR("true"));
    if (*out || str_equal(text, STR("false")))
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "parameter facts takes true or false, not '%.*s'",
                          STR_ARGS(str_slice(text, 0, 64)));
}

enum status rest_read_columns(const struct rest_exchange *exchange,
                              const struct arrow_schema *schema, struct dataset_part *part,
                              struct error *error)
{
    struct str text;
    if (!http_query_get(exchange->input, STR("columns"), &text))
        return STATUS_OK;
    struct str *names = ARENA_NEW_ARRAY(exchange->input->arena, struct str, text.len + 1);
    size_t count = 0;
    while (text.len > 0)
        TRY(http_percent_decode(exchange->input->arena, str_split(&text, ','), false,
                                &names[count++], error));
    enum status status = dataset_part_set_columns(part, schema, names, count, error);
    if (status != STATUS_OK)
        error->code = "VALIDATION_ERROR";
    return status;
}

static enum status read_selection(const struct rest_exchange *exchange,
                                  const struct arrow_schema *schema,
                                  const struct dataset_facts *facts, struct selection *selection,
                                  struct error *error)
{
    uint64_t rows = (uint64_t)facts->rows;
    uint64_t offset = 0;
    uint64_t limit = UINT64_MAX;
    struct dataset_part *part = &selection->part;
    *selection = (struct selection){.part = DATASET_PART_WHOLE};
    part->end_batch = facts->batches;
    TRY(read_number(exchange, "offset", &offset, error));
    TRY(read_number(exchange, "limit", &limit, error));
    TRY(rest_read_columns(exchange, schema, part, error));
    part->from = offset < rows ? offset : rows;
    selection->total = limit < rows - part->from ? limit : rows - part->from;
    selection->is_whole = !part->columns && selection->total == rows;
    if (selection->total < rows - part->from)
        part->limit = selection->total;
    return STATUS_OK;
}

/* --- rows -------------------------------------------------------------------------------------- */

/* "rows=a-b" as if it were of bytes: the same grammar. */
static enum http_range_kind parse_rows(struct arena *arena, struct str text, uint64_t total,
                                       struct http_range *out)
{
    struct str rest = str_trim(text);
    struct str unit = str_trim(str_split(&rest, '='));
    if (!str_equal_nocase(unit, STR("rows")))
        return HTTP_RANGE_NONE;
    return http_range_parse(arena_printf(arena, "bytes=%.*s", STR_ARGS(rest)), total, out);
}

static enum status set_range(struct rest_exchange *exchange, struct selection *selection,
                             struct error *error)
{
    const struct http_request *input = exchange->input;
    const struct http_content_head head = {.etag = exchange->reply.etag};
    struct str text = http_headers_get(&input->headers, STR("range"));
    struct http_range range;
    if (!str_equal(input->method, STR("GET")) || !http_content_range_applies(input, &head))
        return STATUS_OK;
    enum http_range_kind kind = parse_rows(&exchange->arena, text, selection->total, &range);
    if (kind == HTTP_RANGE_NONE)
        return STATUS_OK;
    unsigned long long total = selection->total;
    if (kind == HTTP_RANGE_UNSATISFIABLE) {
        rest_add_header(exchange, STR("content-range"),
                        arena_printf(&exchange->arena, "rows */%llu", total));
        return error_set_code(error, STATUS_OUT_OF_RANGE, "RANGE_NOT_SATISFIABLE",
                              "the range '%.*s' lies beyond the last of %llu rows",
                              STR_ARGS(str_slice(text, 0, 64)), total);
    }
    selection->is_range = true;
    selection->is_whole = false;
    selection->part.from += range.first;
    selection->part.limit = range.size;
    exchange->reply.http_status = 206;
    rest_add_header(exchange, STR("content-range"),
                    arena_printf(&exchange->arena, "rows %llu-%llu/%llu",
                                 (unsigned long long)range.first,
                                 (unsigned long long)(range.first + range.size - 1), total));
    return STATUS_OK;
}

static enum status open_rows(struct rest_exchange *exchange, struct dataset *dataset,
                             struct selection *selection, struct error *error)
{
    struct rest_reply *reply = &exchange->reply;
    reply->part = NEW(struct part_stream);
    TRY(part_stream_open(reply->part, dataset, &selection->part, 0, NULL, NULL, error));
    return part_stream_skip(reply->part, error);
}

/* --- the answer -------------------------------------------------------------------------------- */

static void describe(struct rest_exchange *exchange, const struct dataset_facts *facts)
{
    struct rest_reply *reply = &exchange->reply;
    struct arena *arena = &exchange->arena;
    struct str version = rest_dataset_version(arena, facts->id, facts->created_us, facts->batches);
    bool has_form = reply->format != REST_ARROW || reply->integers_as_text;
    reply->etag = !has_form ? version
                            : arena_printf(arena, "%.*s%c%s%s", STR_ARGS(version),
                                           REST_VERSION_FORM, rest_format_name(reply->format),
                                           reply->integers_as_text ? "-string" : "");
    reply->content_type = rest_format_media_type(reply->format);
    rest_add_header(exchange, STR("vary"), STR("accept"));
    rest_add_header(exchange, STR("volley-dataset-id"), arena_copy(arena, facts->id));
    rest_add_header(exchange, STR("volley-rows"), arena_number(arena, (uint64_t)facts->rows));
}

static void answer_facts(struct rest_exchange *exchange, struct dataset *dataset,
                         const struct dataset_facts *facts)
{
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    rest_write_dataset(exchange, &json, facts, dataset_schema(dataset));
}

static bool is_arrow(enum rest_format format)
{
    return format == REST_ARROW || format == REST_ARROW_FILE;
}

/* All of it, as bytes of known size. False when it has to go as rows: its dictionaries change on the way. */
static enum status open_bytes(struct rest_exchange *exchange, struct dataset *dataset,
                              size_t batches, bool *out_is_open, struct error *error)
{
    struct dataset_reader *reader;
    *out_is_open = false;
    TRY(dataset_reader_open(dataset, 0, NULL, NULL, &reader, error));
    enum status status = rest_batches_source(dataset, reader, batches, exchange->reply.format,
                                             &exchange->reply.source, error);
    *out_is_open = status == STATUS_OK;
    return status == STATUS_UNIMPLEMENTED ? STATUS_OK : status;
}

/* The engine is not asked for what the client has, nor for a head, which so lacks the length. */
static enum status open_parquet(struct rest_exchange *exchange, struct dataset *dataset,
                                struct selection *selection, struct error *error)
{
    struct rest_reply *reply = &exchange->reply;
    const struct http_content_head head = {.etag = reply->etag};
    uint64_t rows = selection->is_range ? selection->part.limit : selection->total;
    TRY(rest_export_check(exchange, error));
    if (str_equal(exchange->input->method, STR("HEAD"))) {
        rest_add_header(exchange, STR("accept-ranges"), STR("rows"));
        return open_rows(exchange, dataset, selection, error);
    }
    reply->range_units = "rows";
    reply->source_status = reply->http_status;
    if (http_content_check(exchange->input, &head) == 200)
        return rest_export_begin(exchange, dataset, &selection->part, rows, error);
    struct slices nothing;
    slices_init(&nothing);
    reply->source = http_source_slices(&nothing);
    return STATUS_OK;
}

enum status rest_dataset_answer(struct rest_exchange *exchange, struct dataset *dataset,
                                const struct dataset_facts *facts, struct error *error)
{
    CLEANUP(selection_finish) struct selection selection = {0};
    exchange->reply.integers_as_text &= !is_arrow(exchange->reply.format);
    TRY(read_selection(exchange, dataset_schema(dataset), facts, &selection, error));
    describe(exchange, facts);
    TRY(set_range(exchange, &selection, error));
    if (selection.is_whole && is_arrow(exchange->reply.format)) {
        bool is_open;
        TRY(open_bytes(exchange, dataset, facts->batches, &is_open, error));
        if (is_open) {
            exchange->reply.range_units = "bytes, rows";
            return STATUS_OK;
        }
    }
    if (exchange->reply.format == REST_PARQUET)
        return open_parquet(exchange, dataset, &selection, error);
    rest_add_header(exchange, STR("accept-ranges"), STR("rows"));
    return open_rows(exchange, dataset, &selection, error);
}

enum status rest_dataset_get(struct rest_exchange *exchange, struct error *error)
{
    struct rest_reply *reply = &exchange->reply;
    struct dataset_facts facts;
    TRY(rest_check_parameters(exchange->input, parameter_names, ARRAY_COUNT(parameter_names),
                              error));
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    TRY(rest_dataset_find(exchange, &dataset, error));
    dataset_facts(dataset, &facts);
    bool wants_facts;
    struct str format;
    TRY(read_facts(exchange, &wants_facts, error));
    /* Facts are JSON whatever the client accepts, but what it spells wrong is told. */
    if (!wants_facts || http_query_get(exchange->input, STR("format"), &format))
        TRY(rest_negotiate_dataset(exchange, &reply->format, error));
    TRY(rest_read_int64(exchange, error));
    if (wants_facts) {
        answer_facts(exchange, dataset, &facts);
        return STATUS_OK;
    }
    return rest_dataset_answer(exchange, dataset, &facts, error);
}
