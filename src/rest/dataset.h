/*
 * dataset.h — what the files of /v1/datasets share: names, versions, conditions, the object that answers
 * show.
 *
 * Private to rest. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "rest/rest_private.h"
#include "store/put.h"
#include "store/put_wishes.h"

/* What a URL names: one of the two. */
struct dataset_name {
    struct str id;
    struct str path; /* canonical */
};
/* Reads exchange->parameter. Texts are in the exchange's arena. INVALID_ARGUMENT, code VALIDATION_ERROR. */
MUST_CHECK enum status rest_dataset_name(struct rest_exchange *exchange,
                                         struct dataset_name *out_name, struct error *error);
/* The kept dataset that exchange->parameter names, one reference. */
MUST_CHECK enum status rest_dataset_find(struct rest_exchange *exchange,
                                         struct dataset **out_dataset, struct error *error);
/* Whether it is none of a client's business. */
bool rest_dataset_is_hidden(const struct dataset_facts *facts);
/* "/v1/datasets/..." of a dataset, in the arena. */
struct str rest_dataset_url(struct arena *arena, struct str id, struct str path);

/* The opaque part of the entity tag of a dataset as an Arrow stream: another one for other rows. */
struct str rest_dataset_version(struct arena *arena, struct str id, int64_t created_us,
                                size_t batches);
/* Of another form of it: the version, this and the form's name. */
#define REST_VERSION_FORM '+'

/* The If-Match and If-None-Match of a request that changes a dataset. */
struct rest_condition {
    struct put_condition condition;
    const struct http_request *input;
};
/* `input` stays as long as the condition is used. Returns NULL when the request has no condition. */
const struct put_condition *rest_condition_init(struct rest_condition *condition,
                                                const struct http_request *input);

/* {"id", "path", "rows", ...}; with its columns if `schema`. */
void rest_write_dataset(struct rest_exchange *exchange, struct json_writer *json,
                        const struct dataset_facts *facts, const struct arrow_schema *schema);
/* dataset_get.c: answers with what the request asks for of a dataset that is complete, in the reply's
 * format: all of it, or by `offset`, `limit`, `columns` and a range. */
MUST_CHECK enum status rest_dataset_answer(struct rest_exchange *exchange, struct dataset *dataset,
                                           const struct dataset_facts *facts, struct error *error);
/* dataset_get.c: the `columns` of the request. "a,b": the names one after the other; what holds a comma
 * itself is escaped once more ("a%252Cb"). */
MUST_CHECK enum status rest_read_columns(const struct rest_exchange *exchange,
                                         const struct arrow_schema *schema,
                                         struct dataset_part *part, struct error *error);
/* dataset_export.c: whether this server writes Parquet. */
MUST_CHECK enum status rest_export_check(const struct rest_exchange *exchange, struct error *error);
/* Has the engine write `rows` rows of a part as Parquet; they become the reply's source. */
MUST_CHECK enum status rest_export_begin(struct rest_exchange *exchange, struct dataset *dataset,
                                         const struct dataset_part *part, uint64_t rows,
                                         struct error *error);
