/*
 * jobs_v1.h — tables of /v1/jobs for routes.c, and what its files share.
 *
 * Private to rest. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "rest/job_view.h"

extern const struct rest_object rest_v1_submit_parameters;
extern const struct rest_object rest_v1_submit_body;
extern const struct rest_object rest_v1_list_parameters;
extern const struct rest_object rest_v1_job_parameters;
extern const struct rest_object rest_v1_result_parameters;
extern const struct rest_reply_form rest_v1_submit_replies[];
extern const struct rest_reply_form rest_v1_list_replies[];
extern const struct rest_reply_form rest_v1_job_replies[];
extern const struct rest_reply_form rest_v1_cancel_replies[];
extern const struct rest_reply_form rest_v1_result_replies[];
extern const struct rest_reply_form rest_v1_events_replies[];

/* The object of GET /v1/jobs/{id}. Any thread. */
void rest_write_v1_job(struct json_writer *json, const struct job_facts *facts);
/* Answers with exchange->job: 200 when it is over, else 202 and when to ask again. */
enum status rest_v1_job_answer(struct rest_exchange *exchange, struct error *error);
