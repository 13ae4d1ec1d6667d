/*
 * route_tables.h — what routes take and answer with whose handlers read their input themselves (fields.h).
 * Private to rest. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "rest/fields.h"

extern const struct rest_object rest_query_parameters;
extern const struct rest_object rest_query_body;
extern const struct rest_object rest_result_parameters;
extern const struct rest_object rest_datasets_parameters;
extern const struct rest_object rest_dataset_get_parameters;
extern const struct rest_object rest_dataset_put_parameters;
extern const struct rest_object rest_dataset_change_body;
extern const struct rest_object rest_table_parameters;

extern const struct rest_reply_form rest_root_replies[];
extern const struct rest_reply_form rest_health_replies[];
extern const struct rest_reply_form rest_ready_replies[];
extern const struct rest_reply_form rest_metrics_replies[];
extern const struct rest_reply_form rest_rows_replies[];
extern const struct rest_reply_form rest_queries_replies[];
extern const struct rest_reply_form rest_queries_events_replies[];
extern const struct rest_reply_form rest_query_stop_replies[];
extern const struct rest_reply_form rest_result_replies[];
extern const struct rest_reply_form rest_datasets_replies[];
extern const struct rest_reply_form rest_dataset_get_replies[];
extern const struct rest_reply_form rest_dataset_put_replies[];
extern const struct rest_reply_form rest_dataset_change_replies[];
extern const struct rest_reply_form rest_dataset_delete_replies[];
extern const struct rest_reply_form rest_table_replies[];

/* Bodies that hold rows. */
extern const char rest_dataset_body_types[];
extern const char rest_query_body_types[];
