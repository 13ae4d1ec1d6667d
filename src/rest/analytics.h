/*
 * analytics.h — tables of /queries, /jobs, /history, /status and /examples, for routes.c.
 *
 * Private to rest. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "rest/job_view.h"

/* Jobs of one batch. */
#define REST_BATCH_MAX 20

/* The body of POST /queries. */
struct rest_job_request {
    struct str sql;
    struct str engine;
    int64_t priority;
    int64_t slots;
    int64_t seconds; /* it may run; 0: as the server has it */
};
/* Submits it: exchange->job. `batch_id` may be empty. */
MUST_CHECK enum status rest_job_request_submit(struct rest_exchange *exchange,
                                               const struct rest_job_request *request,
                                               struct str batch_id, struct error *error);

extern const struct rest_object rest_job_request_object;
extern const struct rest_object rest_job_batch_object;
extern const struct rest_object rest_validate_request_object;
extern const struct rest_object rest_jobs_parameters;
extern const struct rest_object rest_history_parameters;
extern const struct rest_object rest_job_result_parameters;
extern const struct rest_reply_form rest_job_submit_replies[];
extern const struct rest_reply_form rest_job_batch_replies[];
extern const struct rest_reply_form rest_validate_replies[];
extern const struct rest_reply_form rest_job_replies[];
extern const struct rest_reply_form rest_jobs_replies[];
extern const struct rest_reply_form rest_job_cancel_replies[];
extern const struct rest_reply_form rest_job_result_replies[];
extern const struct rest_reply_form rest_history_replies[];
extern const struct rest_reply_form rest_status_replies[];
extern const struct rest_reply_form rest_examples_replies[];

/* examples.c: a statement that runs as it stands on this server. */
struct rest_example {
    const char *name;
    const char *sql;
    const char *description;
};
const struct rest_example *rest_examples_of(const struct rest *rest, size_t *out_count);
