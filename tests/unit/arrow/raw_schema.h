/*
 * raw_schema.h — Schema messages as they are told, also those that our own writer would never make.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/ipc.h"
#include "arrow/ipc_format.h"

#define RAW_SCALARS_MAX 3

/* A field as it is written: nothing is implied. */
struct raw_field {
    const char *name;
    size_t name_size; /* 0: its length */
    uint8_t kind;
    bool no_type;
    uint8_t scalar_sizes[RAW_SCALARS_MAX];
    int64_t scalars[RAW_SCALARS_MAX];
    const struct raw_field *children;
    size_t child_count;
    bool no_children;
    const int32_t *type_ids;
    size_t type_id_count;
    size_t pair_count; /* of metadata, all one table */
    struct str pair_value;
    bool is_dictionary;
    int64_t dictionary_id;
};

struct raw_schema {
    int64_t version;
    uint8_t kind;
    int64_t endianness;
    bool no_fields;
    bool no_header;
    const struct raw_field *fields;
    size_t field_count;
};

/* What the decoder says to it. */
enum status raw_schema_decode(const struct raw_schema *schema);
enum status raw_schema_explain(const struct raw_schema *schema, struct error *error);

static inline struct raw_schema schema_of(const struct raw_field *fields, size_t count)
{
    return (struct raw_schema){
        .version = IPC_VERSION_V5, .kind = IPC_KIND_SCHEMA, .fields = fields, .field_count = count};
}

static inline enum status decode_field(struct raw_field field)
{
    struct raw_schema schema = schema_of(&field, 1);
    return raw_schema_decode(&schema);
}

/* An int8 column. */
static const struct raw_field byte_field = {
    .name = "b", .kind = ARROW_INT, .scalar_sizes = {4, 1}, .scalars = {8, 1}};
