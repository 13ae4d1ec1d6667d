/*
 * job_view.h — what the routes of the two older services share when they tell of a job and of its rows.
 *
 * Private to rest. Threads: a worker, as jobs and results may be read from disk, but for what says "any".
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "rest/dataset.h"
#include "rest/fields.h"

/* Rows of a result inside a JSON object, unless the client says how many. */
#define REST_ROWS_DEFAULT 10000
#define REST_ROWS_DEFAULT_TEXT "10000"

/* Finds the job that exchange->parameter names: exchange->job. NOT_FOUND, code JOB_NOT_FOUND. */
MUST_CHECK enum status rest_job_find(struct rest_exchange *exchange, struct error *error);
/* Hands in a job for the exchange: exchange->job. */
MUST_CHECK enum status rest_job_submit(struct rest_exchange *exchange, const struct job_spec *spec,
                                       struct error *error);

/* The names of a state in the vocabulary of /query ("pending", "ready", "error") and in that of /jobs. Any
 * thread. */
const char *rest_query_state_name(enum job_state state);
const char *rest_job_state_name(enum job_state state);
/* The words of /jobs?status=, NULL-ended, and the states that each stands for (a bit each). */
extern const char *const rest_job_state_words[];
extern const unsigned rest_job_state_masks[];

/* The object of GET /jobs/{id}. Any thread. */
void rest_write_job(struct json_writer *json, const struct job_facts *facts);
/* The same with the member "source" of GET /jobs. */
void rest_write_listed_job(struct json_writer *json, const struct job_facts *facts);
extern const struct rest_object rest_job_object;
extern const struct rest_object rest_job_list_object;
/* The members "error" and "error_code", which are null while there is none. */
void rest_write_job_error(struct json_writer *json, const struct error *error);
extern const struct rest_object rest_columns_object;

/* Seconds between two times; null while one of them is 0. */
void rest_write_seconds(struct json_writer *json, const char *key, int64_t from_us, int64_t to_us);

/* Rows of a result as a list in a JSON object: `before` is the text of the object up to the list, `after`
 * what follows; both end up in the exchange's arena. */
MUST_CHECK enum status rest_rows_answer(struct rest_exchange *exchange, struct dataset *dataset,
                                        uint64_t offset, uint64_t limit, struct buf *before,
                                        struct str after, struct error *error);
/* [{"name","type"}] of the columns: names as the objects of rows have them, types as pyarrow spells them.
 * Any thread. */
void rest_write_columns(struct json_writer *json, struct arrow_schema *schema);
/* Whether the client says in which form it wants rows: by ?format=, or by a type in Accept that is one of
 * ours. */
bool rest_has_format_wish(const struct rest_exchange *exchange);
