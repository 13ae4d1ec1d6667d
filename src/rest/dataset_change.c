/*
 * dataset_change.c — DELETE /v1/datasets/{path}, and PATCH, which says how long it is kept from now on.
 *
 * Runs on a worker: files may have to be written. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/dataset.h"

#include "base/memory.h"

enum status rest_dataset_delete(struct rest_exchange *exchange, struct error *error)
{
    struct rest_condition condition;
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    TRY(rest_check_parameters(exchange->input, NULL, 0, error));
    TRY(rest_dataset_find(exchange, &dataset, error));
    TRY(dataset_drop_if(dataset, rest_condition_init(&condition, exchange->input), error));
    exchange->reply.http_status = 204;
    return STATUS_OK;
}

static enum status read_ttl(const struct json_value *object, uint64_t *out_ttl_ms,
                            struct error *error)
{
    static const char *const known[] = {"ttl", NULL};
    struct put_wishes wishes = {0};
    struct str text = STR_EMPTY;
    double seconds = 0;
    if (!json_value_is_object(object))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the body must be an object such as {\"ttl\": \"1h\"}");
    TRY(json_check_keys(object, known, error));
    CLEANUP(buf_finish) struct buf number;
    buf_init(&number, 64);
    if (!json_value_text(json_member(object, "ttl"), &text)) {
        TRY(json_member_double(object, "ttl", true, &seconds, NULL, error));
        buf_append_double(&number, seconds);
        text = buf_str(&number);
    }
    TRY(put_wish_set(&wishes, PUT_WISH_TTL, text, error));
    *out_ttl_ms = wishes.ttl_ms;
    return STATUS_OK;
}

static enum status read_change(const struct rest_exchange *exchange, uint64_t *out_ttl_ms,
                               struct error *error)
{
    CLEANUP(json_document_destroy) struct json_document *document = NULL;
    enum status status =
        json_parse(buf_str(&exchange->body), REST_BODY_BYTES_MAX, &document, error);
    if (status == STATUS_OK)
        status = read_ttl(json_root(document), out_ttl_ms, error);
    if (status == STATUS_INVALID_ARGUMENT)
        error->code = "VALIDATION_ERROR";
    return status;
}

enum status rest_dataset_change(struct rest_exchange *exchange, struct error *error)
{
    struct json_writer json;
    struct dataset_facts facts;
    uint64_t ttl_ms = 0;
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    TRY(rest_check_parameters(exchange->input, NULL, 0, error));
    TRY(read_change(exchange, &ttl_ms, error));
    TRY(rest_dataset_find(exchange, &dataset, error));
    TRY(dataset_renew(dataset, ttl_ms, error));
    dataset_facts(dataset, &facts);
    json_writer_init(&json, &exchange->reply.text);
    rest_write_dataset(exchange, &json, &facts, dataset_schema(dataset));
    return STATUS_OK;
}
