/*
 * query_service.h — what the files of /query/... share, and their tables for routes.c.
 *
 * Private to rest. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "rest/fields.h"

/* The body {"sql"}. */
struct rest_sql_request {
    struct str sql;
};
extern const struct rest_object rest_sql_request_object;

extern const struct rest_object rest_submit_parameters;
extern const struct rest_object rest_download_parameters;
extern const struct rest_object rest_page_parameters;
extern const struct rest_reply_form rest_submit_replies[];
extern const struct rest_reply_form rest_query_status_replies[];
extern const struct rest_reply_form rest_system_queue_replies[];
extern const struct rest_reply_form rest_download_replies[];
extern const struct rest_reply_form rest_query_rows_replies[];
extern const struct rest_reply_form rest_query_schema_replies[];
extern const struct rest_reply_form rest_query_metadata_replies[];

/* True when it is in JSON form. */
bool rest_result_is_small(const struct job_facts *facts);
/* rest_job_find, whose failure says `text`. */
MUST_CHECK enum status rest_query_find(struct rest_exchange *exchange, const char *text,
                                       struct error *error);
