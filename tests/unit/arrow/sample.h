/*
 * sample.h — schemas and batches for tests: every type, random but valid content.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"

/* Values of each dictionary. */
#define SAMPLE_DICTIONARY_ROWS 11

/* Every type that is taken, nested ones and dictionaries included. */
struct arrow_schema *sample_schema_create(void);
/* The same without the types that the format can express and pyarrow cannot read (none today), with
 * at most `field_count` of the fields. */
struct arrow_schema *sample_schema_create_part(size_t first_field, size_t field_count);
size_t sample_field_count(void);

/* A batch of `rows` rows from a seed. Every second column has nulls. */
struct arrow_batch *sample_batch_create(struct arrow_schema *schema, int64_t rows, uint64_t seed);

/* Equal nodes and buffers. */
bool sample_batches_equal(const struct arrow_batch *a, const struct arrow_batch *b);

/* A schema of one field that `fill` sets up after arrow_field_init. */
struct arrow_schema *sample_schema_of(struct str name, enum arrow_type type,
                                      void (*fill)(struct arrow_schema *schema,
                                                   struct arrow_field *field));
