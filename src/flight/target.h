/*
 * target.h — what a descriptor or a ticket means.
 *
 * A PATH names a dataset: ["batch", id] by its id, anything else by its path. A CMD and a ticket are
 * one of: a Flight SQL command in an Any; `store`; JSON; a name (an id, or a path's canonical text);
 * SQL text. A text is taken for a name when it cannot be SQL: it has no blanks, quotes, brackets or
 * operators and is not one of the few statements of one word.
 *
 * Threads: any; no state. Source: contracts section 6. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "flight/wishes.h"

enum target_kind {
    TARGET_COMMAND, /* a Flight SQL command */
    TARGET_SQL,
    TARGET_DATASET,
    TARGET_STORE, /* a new dataset with an id of ours */
};

/* Which rows and columns of a dataset are wanted. */
struct target_part {
    const struct str *columns; /* names; NULL: all */
    size_t column_count;
    uint64_t from;  /* rows to leave out at the beginning */
    uint64_t limit; /* rows; UINT64_MAX: all that follow */
};

struct target {
    enum target_kind kind;
    struct slice command; /* of COMMAND: the Any, where it stood */
    struct str sql;       /* of SQL */
    struct str id;        /* of DATASET one of these three: */
    struct str path;      /* canonical */
    struct str name;      /* an id, or the canonical text of a path */
    struct target_part part;
    struct put_wishes wishes;
};

/* What the target is for decides which fields its JSON may have. */
enum target_use { TARGET_TO_READ, TARGET_TO_PUT };

/* Reads a FlightDescriptor message. Texts are in the arena or in the message. INVALID_ARGUMENT telling what
 * would be right. */
MUST_CHECK enum status target_of_descriptor(struct arena *arena, struct slice message,
                                            enum target_use use, struct target *out_target,
                                            struct error *error);
/* Reads the bytes of a CMD descriptor or of a ticket. */
MUST_CHECK enum status target_of_command(struct arena *arena, struct slice command,
                                         enum target_use use, struct target *out_target,
                                         struct error *error);
/* Reads the member "path" of an object: a list of elements, or a name. */
MUST_CHECK enum status target_read_json_path(struct arena *arena, const struct json_value *object,
                                             struct target *out_target, struct error *error);
/* Reads a name: an id, "batch/<id>", or the canonical text of a path. */
MUST_CHECK enum status target_of_name(struct str text, struct target *out_target,
                                      struct error *error);
