/*
 * xml.h — reads the small XML texts of S3, strictly and within bounds.
 *
 * Elements, attributes (passed over), the five entities and character references; no DTD, no CDATA, no
 * processing instruction but the declaration. Private to s3. Threads: any.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#define XML_DEPTH_MAX 8
#define XML_VALUE_BYTES_MAX ((size_t)8 << 10) /* the text of one element */

/* Calls `on_element` at the end of each element with its path ("Error/Code") and its own text; both are valid
 * during the call. INVALID_ARGUMENT for anything that is not such a text. */
MUST_CHECK enum status xml_read(struct str text,
                                enum status (*on_element)(void *context, struct str path,
                                                          struct str value, struct error *error),
                                void *context, struct error *error);
