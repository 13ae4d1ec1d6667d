/*
 * ipc_decode_type.h — the types of Schema.fbs as the decoder takes them.
 *
 * Private to the module. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/flat_reader.h"
#include "arrow/schema.h"

#define IPC_ANY_CHILDREN SIZE_MAX

struct ipc_type_row {
    const char *name; /* NULL: no such type */
    size_t child_count;
    /* Reads the parameters of a field whose children are read already; what has to be allocated comes
     * from the arena. NULL: none. The timezone is left in the message, for the caller to copy. */
    enum status (*parse)(struct arena *arena, const struct flat_table *table,
                         struct arrow_field *field, struct error *error);
};

/* The row of a type, or NULL: no such type. */
const struct ipc_type_row *ipc_type_find(int64_t kind);

/* The Int table of a field or of the indices of its dictionary. */
MUST_CHECK enum status ipc_parse_integer_type(const struct flat_table *table,
                                              int32_t *out_bit_width, bool *out_is_signed,
                                              const struct arrow_field *field, struct error *error);

/* INVALID_ARGUMENT "... field 'x' <fault>". */
enum status ipc_field_fault(const struct arrow_field *field, struct error *error,
                            const char *fault);
