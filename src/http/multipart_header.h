/*
 * multipart_header.h — what the header of one part says, and the boundary that a content-type names.
 *
 * Private to http. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "http/multipart.h"

#define MULTIPART_BOUNDARY_MAX 70

/* Finds the parameter `name` behind the first ';' of a header's value; quotes are removed. *out_present tells
 * whether there is one. INVALID_ARGUMENT for parameters that are malformed or repeat. */
MUST_CHECK enum status multipart_parameter(struct arena *arena, struct str value, struct str name,
                                           struct str *out_text, bool *out_present,
                                           struct error *error);
/* The boundary of a request's content-type. */
MUST_CHECK enum status multipart_boundary(struct arena *arena, struct str content_type,
                                          struct str *out_boundary, struct error *error);
/* Reads the header of a part: lines that end with CR LF each, without the empty one. */
MUST_CHECK enum status multipart_read_header(struct arena *arena, struct str lines,
                                             struct http_part *out_part, struct error *error);
