/*
 * catalog.h — tables of /v1/catalog, /explorer, /schemas, /v1/system and /v1/files, for routes.c.
 * Private to rest. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "rest/own_rows.h"

extern const struct rest_object rest_catalog_parameters;
extern const struct rest_object rest_explorer_parameters;
extern const struct rest_object rest_system_parameters;
extern const struct rest_object rest_local_files_parameters;
extern const struct rest_reply_form rest_catalog_replies[];
extern const struct rest_reply_form rest_explorer_replies[];
extern const struct rest_reply_form rest_explorer_dataset_replies[];
extern const struct rest_reply_form rest_system_replies[];
extern const struct rest_reply_form rest_local_files_replies[];

/* Appends the definition `relations(catalog, schema, name, type, rows, comment, columns)` of all tables and
 * views, for a WITH. */
void rest_append_relations(struct buf *sql);
/* Appends a condition on one of its columns, unless the text is empty. */
void rest_append_condition(struct buf *sql, const char *column, struct str text);
