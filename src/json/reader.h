/*
 * reader.h — a parsed JSON text with limits; getters whose errors name the field.
 *
 * Duplicate keys are refused. Texts returned live as long as the document. Threads: one at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"

struct json_document;
struct json_value; /* of a document */

#define JSON_DEPTH_MAX 64
#define JSON_VALUES_MAX 131072

/* Parses a text of at most `text_size_max` bytes nested at most JSON_DEPTH_MAX deep. INVALID_ARGUMENT with
 * line and column, or RESOURCE_EXHAUSTED. */
MUST_CHECK enum status json_parse(struct str text, size_t text_size_max,
                                  struct json_document **out_document, struct error *error);
void json_document_destroy(struct json_document *document);
CLEANUP_FUNCTION(struct json_document *, json_document_destroy)
const struct json_value *json_root(const struct json_document *document);

bool json_value_is_object(const struct json_value *value);
bool json_value_is_array(const struct json_value *value);

/* The member of an object, or NULL when absent (or `object` is no object). */
const struct json_value *json_member(const struct json_value *object, const char *key);
/* Typed members. `required`: an absent (or null) one is INVALID_ARGUMENT "field 'sql' is required";
 * else *out is left as it was and *out_present (may be NULL) tells. Wrong type: INVALID_ARGUMENT
 * "field 'sql' must be a string". */
MUST_CHECK enum status json_member_text(const struct json_value *object, const char *key,
                                        bool required, struct str *out, bool *out_present,
                                        struct error *error);
MUST_CHECK enum status json_member_integer(const struct json_value *object, const char *key,
                                           bool required, int64_t *out, bool *out_present,
                                           struct error *error);
/* Whole numbers too. */
MUST_CHECK enum status json_member_double(const struct json_value *object, const char *key,
                                          bool required, double *out, bool *out_present,
                                          struct error *error);
MUST_CHECK enum status json_member_bool(const struct json_value *object, const char *key,
                                        bool required, bool *out, bool *out_present,
                                        struct error *error);
/* Array elements; json_value_count is 0 for anything else. */
size_t json_value_count(const struct json_value *array);
const struct json_value *json_value_at(const struct json_value *array, size_t index);
/* The text of a string value; false for anything else. */
bool json_value_text(const struct json_value *value, struct str *out);
/* The same for numbers (whole ones are numbers too) and truth values. */
bool json_value_integer(const struct json_value *value, int64_t *out);
bool json_value_number(const struct json_value *value, double *out);
bool json_value_bool(const struct json_value *value, bool *out);
/* The value as compact JSON text, on the heap: free() releases it. */
char *json_value_print(const struct json_value *value);
bool json_value_is_null(const struct json_value *value);
/* Calls `visit` with the name of each member of an object. */
void json_visit_members(const struct json_value *object, void (*visit)(void *context, struct str),
                        void *context);
/* INVALID_ARGUMENT "unknown field 'x'; known fields are sql, format" for a key that `known` (NULL-ended)
 * does not list. */
MUST_CHECK enum status json_check_keys(const struct json_value *object, const char *const known[],
                                       struct error *error);
