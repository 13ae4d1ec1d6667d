/*
 * schema.h — Arrow fields and schemas: immutable, refcounted, encoded once.
 *
 * A schema owns its fields, their texts, the values of its dictionary columns and its encoded IPC
 * Schema message, so that the announced schema and the streamed schema are one object.
 *
 * Threads: immutable after arrow_schema_seal; references are atomic.
 * Source: Arrow format/Schema.fbs, Columnar.rst. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/str.h"

/* The values are those of the Type union in Schema.fbs. */
enum arrow_type {
    ARROW_NULL = 1,
    ARROW_INT = 2,   /* bit_width 8..64, is_signed */
    ARROW_FLOAT = 3, /* bit_width 16, 32, 64 */
    ARROW_BINARY = 4,
    ARROW_UTF8 = 5,
    ARROW_BOOL = 6,
    ARROW_DECIMAL = 7,    /* precision, scale, bit_width 32 to 256 */
    ARROW_DATE = 8,       /* unit ARROW_DAY (32 bits) or ARROW_MILLISECOND (64) */
    ARROW_TIME = 9,       /* unit, bit_width 32 or 64 */
    ARROW_TIMESTAMP = 10, /* unit, timezone (empty: none) */
    ARROW_INTERVAL = 11,  /* interval_unit */
    ARROW_LIST = 12,      /* one child */
    ARROW_STRUCT = 13,
    ARROW_UNION = 14,        /* is_dense, type_ids (one per child) */
    ARROW_FIXED_BINARY = 15, /* byte_width */
    ARROW_FIXED_LIST = 16,   /* list_size, one child */
    ARROW_MAP = 17,          /* one child: struct of key (not null) and value; keys_sorted */
    ARROW_DURATION = 18,     /* unit */
    ARROW_LARGE_BINARY = 19,
    ARROW_LARGE_UTF8 = 20,
    ARROW_LARGE_LIST = 21,
    ARROW_RUN_END_ENCODED = 22, /* two children: run ends (int16, int32 or int64), values */
    ARROW_BINARY_VIEW = 23,     /* like text, it has one buffer of bytes here (ipc_decode_view.c) */
    ARROW_UTF8_VIEW = 24,
    ARROW_LIST_VIEW = 25,       /* one child */
    ARROW_LARGE_LIST_VIEW = 26, /* one child */
};
#define ARROW_TYPE_COUNT 27

enum arrow_unit {
    ARROW_SECOND = 0,
    ARROW_MILLISECOND = 1,
    ARROW_MICROSECOND = 2,
    ARROW_NANOSECOND = 3,
    ARROW_DAY = 4, /* of ARROW_DATE only */
};

enum arrow_interval_unit { ARROW_YEAR_MONTH = 0, ARROW_DAY_TIME = 1, ARROW_MONTH_DAY_NANO = 2 };

struct arrow_key_value {
    struct str key;
    struct str value;
};

struct arrow_field {
    struct str name;
    enum arrow_type type; /* of a dictionary column: the type of its values */
    bool nullable;
    bool is_signed;
    bool is_dense;
    bool is_dictionary; /* the column holds indices of dictionary_bit_width bits */
    bool dictionary_is_unsigned;
    bool dictionary_is_ordered;
    bool keys_sorted; /* of a map */
    int32_t bit_width;
    int32_t precision;
    int32_t scale;
    int32_t byte_width;
    int32_t list_size;
    enum arrow_unit unit;
    enum arrow_interval_unit interval_unit;
    struct str timezone;
    const int32_t *type_ids;      /* child_count of them */
    struct arrow_field *children; /* of a dictionary column: of its values, not of the column */
    size_t child_count;
    int32_t dictionary_bit_width;           /* 8 to 64 */
    int64_t dictionary_id;                  /* on the wire: dictionary_index */
    size_t dictionary_index;                /* place in schema->dictionaries */
    const struct arrow_key_value *metadata; /* extension name and metadata, Flight SQL's keys */
    size_t metadata_count;
};

struct arrow_batch;

struct arrow_schema {
    atomic_int references;
    struct arena arena;
    struct arrow_field *fields;
    size_t field_count;
    const struct arrow_key_value *metadata;
    size_t metadata_count;
    /* Values of the dictionary columns, one batch of one column each, by dictionary_index. Dictionaries
     * within a dictionary's values come before it, and are those of its own schema. */
    struct arrow_batch **dictionaries;
    size_t dictionary_count;
    struct slice message; /* bare Message flatbuffer of the schema; set by arrow_schema_seal */
    size_t node_count;    /* FieldNodes of a record batch: all fields, flattened depth-first */
    size_t buffer_count;  /* Buffers of a record batch */
    size_t view_count;    /* of its columns, those of BINARY_VIEW and UTF8_VIEW */
};

/* Limits on schemas from outside (and asserted on our own). */
#define ARROW_FIELDS_MAX 10000
#define ARROW_DEPTH_MAX 64

/* The columns below a field in a batch: its children, but for a dictionary column. */
static inline size_t arrow_field_column_count(const struct arrow_field *field)
{
    return field->is_dictionary ? 0 : field->child_count;
}

/* An empty schema with `field_count` zeroed top-level fields, to be filled by its maker (texts and
 * children from schema->arena) and then sealed. One reference. */
struct arrow_schema *arrow_schema_create(size_t field_count);
/* Counts nodes and buffers, numbers the dictionaries and encodes the message; from here on the schema
 * is immutable. `dictionaries` (references are taken over) may be NULL when there are none. */
void arrow_schema_seal(struct arrow_schema *schema, struct arrow_batch **dictionaries);
/* The same schema with other values of its dictionary columns (dictionary_count of them, not NULL;
 * references are taken). */
struct arrow_schema *arrow_schema_with_dictionaries(const struct arrow_schema *schema,
                                                    struct arrow_batch *const *dictionaries);
/* The fields `columns` (distinct) of a schema, in that order, with its metadata and their
 * dictionaries. */
struct arrow_schema *arrow_schema_project(const struct arrow_schema *schema, const size_t *columns,
                                          size_t count);
struct arrow_schema *arrow_schema_ref(struct arrow_schema *schema);
void arrow_schema_unref(struct arrow_schema *schema);
CLEANUP_FUNCTION(struct arrow_schema *, arrow_schema_unref)

/* The place of the first top-level field of this name. INVALID_ARGUMENT tells the one that was meant. */
MUST_CHECK enum status arrow_schema_find(const struct arrow_schema *schema, struct str name,
                                         size_t *out_place, struct error *error);

/* Fills a field: name is copied into the schema's arena, nullable is true. */
void arrow_field_init(struct arrow_schema *schema, struct arrow_field *field, struct str name,
                      enum arrow_type type);
/* Adds a metadata pair to a field (copies). */
void arrow_field_add_metadata(struct arrow_schema *schema, struct arrow_field *field,
                              struct str key, struct str value);
/* A deep copy of `from` into the arena of `schema`. */
void arrow_field_copy(struct arrow_schema *schema, struct arrow_field *field,
                      const struct arrow_field *from);
/* References to the dictionaries of a field of `schema` and its children, in the order in which
 * arrow_schema_seal numbers them; returns how many. At most schema->dictionary_count. */
size_t arrow_field_dictionaries(const struct arrow_schema *schema, const struct arrow_field *field,
                                struct arrow_batch **out);
/* Allocates `count` zeroed children. */
void arrow_field_add_children(struct arrow_schema *schema, struct arrow_field *field, size_t count);

/* Equal types and children; of dictionary columns: of their values. */
bool arrow_field_values_equal(const struct arrow_field *a, const struct arrow_field *b);
/* Equal types, names, nullability and children; metadata is not compared. */
bool arrow_schema_equal(const struct arrow_schema *a, const struct arrow_schema *b);

/* Bytes per value of the fixed-width buffer of a column (dictionary: of its index); 0 when the type
 * has no such buffer (BOOL is 0 too: bits). */
size_t arrow_field_width(const struct arrow_field *field);
/* The type as pyarrow prints it: "int32", "string", "decimal128(10, 2)", "timestamp[us, tz=UTC]",
 * "list<item: int32>", "dictionary<values=string, indices=int16, ordered=0>". */
void arrow_field_type_text(const struct arrow_field *field, struct buf *out);
