/*
 * result.h — results in the formats of `volley sql`: one row of functions per format.
 *
 * Results stream: begin, batch by batch, end; no format holds more than one batch (tables: and the rows
 * that their column widths are taken from).
 *
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/output.h"

struct result_format;

struct result {
    const struct result_format *format;
    struct output *output;
    struct arrow_schema *schema;         /* a reference */
    bool footer;                         /* tables: tell the number of rows */
    bool shows_types;                    /* tables: the columns' types below their names */
    bool is_coloured;                    /* tables: marks for a terminal */
    const struct server_options *server; /* Parquet: who makes it; NULL: nobody can */
    struct interrupt *interrupt;         /* ends what waits for it; may be NULL */
    uint64_t rows;
    uint64_t rows_hidden; /* tables: further ones that are only counted */
    void *state;          /* the format's */
};

struct result_format {
    const char *name;
    bool for_people; /* messages such as "INSERT 3" stand among the results */
    bool binary;
    enum status (*begin)(struct result *result, struct error *error);
    enum status (*batch)(struct result *result, const struct arrow_batch *batch,
                         struct error *error);
    enum status (*end)(struct result *result, struct error *error);
    /* Takes up what an earlier run wrote and did not end, instead of begin: how many of the bytes are whole
     * and how many rows they hold. May be NULL. */
    enum status (*resume)(struct result *result, struct str written, uint64_t *out_bytes,
                          uint64_t *out_rows, struct error *error);
    void (*close)(struct result *result); /* frees the state; may be NULL */
};

/* The names of all formats, NULL at the end; result_format_at takes the index. */
extern const char *const result_format_names[];
enum {
    RESULT_TABLE,
    RESULT_CSV,
    RESULT_TSV,
    RESULT_JSON,
    RESULT_NDJSON,
    RESULT_ARROW,
    RESULT_ARROW_FILE,
    RESULT_PARQUET,
    RESULT_MARKDOWN,
    RESULT_FORMAT_COUNT
};
const struct result_format *result_format_at(unsigned index);
/* By how the file's name ends; `otherwise` when that tells nothing. */
unsigned result_format_of_file(struct str name, unsigned otherwise);

/* `format`, or for tables of EXPLAIN one that prints the plan as it is. */
const struct result_format *result_format_for(const struct result_format *format,
                                              const struct arrow_schema *schema);

/* Starts a result: takes a reference to the schema. Clears all but shows_types to interrupt. On
 * failure nothing has to be closed. */
MUST_CHECK enum status result_begin(struct result *result, const struct result_format *format,
                                    struct output *output, struct arrow_schema *schema, bool footer,
                                    struct error *error);
/* Goes on behind `written` bytes of an earlier run instead of beginning: *out_bytes of them stay, with
 * *out_rows rows. INVALID_ARGUMENT when they are none of this format and schema. */
MUST_CHECK enum status result_resume(struct result *result, const struct result_format *format,
                                     struct output *output, struct arrow_schema *schema,
                                     struct str written, uint64_t *out_bytes, uint64_t *out_rows,
                                     struct error *error);
MUST_CHECK enum status result_batch(struct result *result, const struct arrow_batch *batch,
                                    struct error *error);
MUST_CHECK enum status result_end(struct result *result, struct error *error);
void result_close(struct result *result);
CLEANUP_IN_PLACE(struct result, result_close)

/* The formats, by their files. */
extern const struct result_format result_table, result_markdown, result_expanded, result_arrow,
    result_arrow_file, result_parquet;
/* "(3 rows)", "(1,000 rows, 40 shown)": what tables end with, where they do. */
void result_write_footer(struct result *result);
