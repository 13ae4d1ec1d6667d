/*
 * openapi.h — the OpenAPI document while it is written: what openapi.c and openapi_schema.c share.
 * Private to rest. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "rest/fields.h"

#define OPENAPI_SCHEMAS_MAX 160

/* Where an object stands: a request may leave out what it need not have, or send null for it; that of a
 * strict route takes no other members. */
enum openapi_place { OPENAPI_REPLY, OPENAPI_REQUEST, OPENAPI_STRICT_REQUEST };

struct openapi {
    struct json_writer json;
    /* Named ones that were referred to. */
    struct {
        const struct rest_object *object;
        enum openapi_place place;
    } schemas[OPENAPI_SCHEMAS_MAX];
    size_t schema_count;
};

void openapi_write_member(struct json_writer *json, const char *key, const char *text);
/* A reference to a named object, or the object itself. */
void openapi_write_schema(struct openapi *document, const struct rest_object *object,
                          enum openapi_place place);
void openapi_write_field(struct openapi *document, const struct rest_field *field,
                         enum openapi_place place);
/* An object with a member for each named one that was referred to, also by others of them. */
void openapi_write_schemas(struct openapi *document);
