/*
 * dataset.c — names, versions and conditions of datasets over HTTP.
 *
 * /v1/datasets/a/b%2Fc is the path ["a", "b/c"]; a UUID alone and batch/<id> are ids. The version of a
 * dataset is its entity tag: id, birth and number of batches, since rows are only ever added in batches.
 * Conditions of requests that change something are checked by the store in the moment of the change
 * (store/put.h), so that of two clients who read the same version one is refused.
 *
 * Runs on: any thread. Owns: nothing. Spec: RFC 9110 section 13. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/dataset.h"

#include "base/clock.h"
#include "base/memory.h"
#include "engine/dataset_find.h"
#include "http/content.h"
#include "store/name.h"

#define DATASETS_URL "/v1/datasets/"

/* --- names ------------------------------------------------------------------------------------- */

static enum status not_valid(enum status status, struct error *error)
{
    if (status == STATUS_INVALID_ARGUMENT && error && !error->code)
        error->code = "VALIDATION_ERROR";
    return status;
}

static enum status read_name(struct arena *arena, struct str text, struct dataset_name *out,
                             struct error *error)
{
    struct str elements[DATASET_PATH_ELEMENTS_MAX];
    size_t count = 0;
    struct str rest = text;
    bool has_more = true;
    while (has_more) {
        if (count == DATASET_PATH_ELEMENTS_MAX)
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "a dataset's path has at most %d elements", DATASET_PATH_ELEMENTS_MAX);
        has_more = str_find(rest, '/') >= 0;
        TRY(http_percent_decode(arena, str_split(&rest, '/'), false, &elements[count++], error));
    }
    *out = (struct dataset_name){0};
    bool is_batch = count == 2 && str_equal(elements[0], STR("batch"));
    if (!is_batch && !(count == 1 && dataset_id_is_uuid(elements[0])))
        return dataset_path_join(arena, elements, count, &out->path, error);
    out->id = elements[count - 1];
    return dataset_id_check(out->id, error);
}

enum status rest_dataset_name(struct rest_exchange *exchange, struct dataset_name *out_name,
                              struct error *error)
{
    return not_valid(read_name(&exchange->arena, exchange->parameter, out_name, error), error);
}

bool rest_dataset_is_hidden(const struct dataset_facts *facts)
{
    return !facts->is_kept || dataset_id_is_private(facts->id);
}

enum status rest_dataset_find(struct rest_exchange *exchange, struct dataset **out_dataset,
                              struct error *error)
{
    struct store *store = exchange->rest->options.store;
    struct dataset_name name;
    struct dataset_facts facts;
    TRY(rest_dataset_name(exchange, &name, error));
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    struct str text = name.id.len > 0 ? name.id : name.path;
    enum status status = name.id.len > 0 ? store_find(store, name.id, &dataset, error)
                                         : store_find_name(store, name.path, &dataset, error);
    if (status == STATUS_OK)
        dataset_facts(dataset, &facts);
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && rest_dataset_is_hidden(&facts))) {
        (void)error_set(error, STATUS_NOT_FOUND, "dataset '%.*s' expired or never existed",
                        STR_ARGS(str_slice(text, 0, 256)));
        if (error && name.id.len == 0)
            dataset_suggest(store, name.path, error);
        return STATUS_NOT_FOUND;
    }
    TRY(status);
    *out_dataset = STEAL(dataset);
    return STATUS_OK;
}

static bool is_plain(unsigned char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') || (byte != '\0' && strchr("-._~/%", byte));
}

/* The escapes of the canonical text are those of a URL. */
struct str rest_dataset_url(struct arena *arena, struct str id, struct str path)
{
    if (path.len == 0)
        return arena_printf(arena, DATASETS_URL "%s%.*s", dataset_id_is_uuid(id) ? "" : "batch/",
                            STR_ARGS(id));
    CLEANUP(buf_finish) struct buf url;
    buf_init(&url, sizeof(DATASETS_URL) + 3 * (size_t)DATASET_PATH_BYTES_MAX);
    buf_append_text(&url, DATASETS_URL);
    for (size_t i = 0; i < path.len; i++) {
        unsigned char byte = (unsigned char)path.ptr[i];
        if (is_plain(byte))
            buf_append_byte(&url, byte);
        else
            buf_printf(&url, "%%%02X", byte);
    }
    return arena_copy(arena, buf_str(&url));
}

/* --- versions ---------------------------------------------------------------------------------- */

struct str rest_dataset_version(struct arena *arena, struct str id, int64_t created_us,
                                size_t batches)
{
    return arena_printf(arena, "%.*s-%llx-%zu", STR_ARGS(id), (unsigned long long)created_us,
                        batches);
}

/* The request as it would be about the version alone, whatever form of it the client has seen. */
static void cut_forms(struct arena *arena, struct str *tags)
{
    char *text = (char *)arena_copy(arena, *tags).ptr;
    size_t size = 0;
    bool in_form = false;
    for (size_t i = 0; i < tags->len; i++) {
        in_form = text[i] == REST_VERSION_FORM || (in_form && text[i] != '"');
        if (!in_form)
            text[size++] = text[i];
    }
    *tags = str_make(text, size);
}

static enum status check(const struct put_condition *base, const struct dataset_facts *present,
                         struct error *error)
{
    const struct rest_condition *condition = CONTAINER_OF(base, struct rest_condition, condition);
    const struct http_headers *headers = &condition->input->headers;
    if (!present && !http_headers_get(headers, STR("if-match")).ptr)
        return STATUS_OK;
    if (!present)
        return error_set_code(error, STATUS_FAILED_PRECONDITION, "PRECONDITION_FAILED",
                              "there is no dataset of that name, and If-Match asks for one");
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct http_request request = *condition->input;
    request.arena = &arena;
    const struct http_content_head head = {
        .etag = rest_dataset_version(&arena, present->id, present->created_us, present->batches),
    };
    if (http_content_check(&request, &head) == 200)
        return STATUS_OK;
    return error_set_code(
        error, STATUS_FAILED_PRECONDITION, "PRECONDITION_FAILED",
        "the dataset there is now has the tag \"%.*s\", and the request's conditions "
        "ask for something else",
        STR_ARGS(head.etag));
}

const struct put_condition *rest_condition_init(struct rest_condition *condition,
                                                const struct http_request *input)
{
    const struct http_headers *headers = &input->headers;
    *condition = (struct rest_condition){.condition = {.check = check}, .input = input};
    struct http_header *items = (struct http_header *)headers->items;
    bool has_condition = false;
    for (size_t i = 0; i < headers->count; i++) {
        if (!str_equal(items[i].name, STR("if-match")) &&
            !str_equal(items[i].name, STR("if-none-match")))
            continue;
        cut_forms(input->arena, &items[i].value);
        has_condition = true;
    }
    return has_condition ? &condition->condition : NULL;
}

/* --- options and objects ----------------------------------------------------------------------- */

static void write_columns(struct json_writer *json, const struct arrow_schema *schema)
{
    json_write_key(json, "columns");
    json_write_begin_array(json);
    for (size_t i = 0; i < schema->field_count; i++) {
        CLEANUP(buf_finish) struct buf type;
        buf_init(&type, REST_REPLY_BYTES_MAX);
        arrow_field_type_text(&schema->fields[i], &type);
        json_write_begin_object(json);
        json_write_key(json, "name");
        json_write_text(json, schema->fields[i].name);
        json_write_key(json, "type");
        json_write_text(json, buf_str(&type));
        json_write_key(json, "nullable");
        json_write_bool(json, schema->fields[i].nullable);
        json_write_end_object(json);
    }
    json_write_end_array(json);
}

void rest_write_dataset(struct rest_exchange *exchange, struct json_writer *json,
                        const struct dataset_facts *facts, const struct arrow_schema *schema)
{
    struct arena *arena = &exchange->arena;
    json_write_begin_object(json);
    json_write_key(json, "id");
    json_write_text(json, facts->id);
    json_write_text_or_null(json, "path", facts->path);
    json_write_key(json, "url");
    json_write_text(json, rest_dataset_url(arena, facts->id, facts->path));
    json_write_key(json, "rows");
    json_write_integer(json, facts->rows);
    json_write_key(json, "batches");
    json_write_unsigned(json, facts->batches);
    json_write_key(json, "bytes");
    json_write_unsigned(json, facts->bytes);
    json_write_key(json, "durability");
    json_write_text(json, str_of(dataset_durability_name(facts->durability)));
    json_write_time_or_null(json, "created_at", facts->created_us);
    json_write_time_or_null(json, "expires_at", facts->expires_us);
    json_write_key(json, "ttl_seconds");
    json_write_double(json, (double)facts->ttl_ms / 1000);
    json_write_key(json, "etag");
    json_write_text(json,
                    rest_dataset_version(arena, facts->id, facts->created_us, facts->batches));
    if (schema)
        write_columns(json, schema);
    json_write_end_object(json);
}
