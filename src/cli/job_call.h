/*
 * job_call.h — one call of /v1/jobs, and jobs as rows of a result.
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/command.h"
#include "cli/http_dataset.h"
#include "cli/job_options.h"
#include "cli/result.h"
#include "json/reader.h"

/* Of a page of jobs, whose statements are told whole. */
#define JOB_ANSWER_BYTES_MAX ((size_t)64 << 20)

/* What can stand in a path as it is. */
bool job_is_id(struct str id);
/* "/v1/jobs/ID" and a query, in the arena. */
struct str job_path(struct arena *arena, struct str id, const char *query);
/* Sends a request with a JSON body (empty: none) and reads the JSON that answers it. A refusal is an error
 * with the server's sentence. */
MUST_CHECK enum status job_call(struct http_exchange *exchange, struct str method, struct str path,
                                struct str idempotency_key, struct str body,
                                struct json_document **out_document, struct error *error);

/* One row for each job, a value of the server's JSON, in the order of `jobs`. */
MUST_CHECK enum status job_print(const struct json_value *const *jobs, size_t count,
                                 const struct server_options *server,
                                 const struct result_format *format, struct output *output,
                                 struct error *error);
/* job_show.c: the answer to a word that prints rows; `context` is its struct job_options. */
enum exit_code job_show(const void *context, struct output *output);
