/*
 * files.h — tables of /files/registry and /files/discovery, for routes.c. Private to rest.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "rest/fields.h"

extern const struct rest_object rest_files_parameters;
extern const struct rest_reply_form rest_files_replies[];
extern const struct rest_reply_form rest_files_count_replies[];
extern const struct rest_reply_form rest_files_scan_replies[];
extern const struct rest_reply_form rest_files_status_replies[];
