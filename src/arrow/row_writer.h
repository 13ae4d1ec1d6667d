/*
 * row_writer.h — batches as text: JSON, NDJSON, CSV and TSV, every type exact.
 *
 * int64, uint64 and decimals are JSON numbers with all digits; NaN and infinities null; binary base64;
 * times RFC 3339 (timestamps with a zone in UTC with Z); intervals ISO 8601; UUID as text; lists,
 * structs, maps, unions nested JSON (in CSV: their JSON text). CSV is RFC 4180 with a header line; NULL
 * is an empty field and the empty text is "", but NULL is "" too where it is the only field of its row,
 * since readers skip empty lines; NaN and infinities are nan, inf, -inf.
 * TSV is the text form of PostgreSQL's COPY with a header line: NULL is \N, and tab, line break, carriage
 * return and backslash in texts are \t, \n, \r and \\, so that a row is a line.
 * A name that comes again in a JSON object gets _1, _2, ...: the first of these that is free.
 * JSON is one object: {"columns":[{"name","type"}],"data":[{..},..],"rows":n}; a JSON array is its data
 * alone.
 *
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"
#include "base/buf.h"

enum row_format { ROW_JSON, ROW_NDJSON, ROW_CSV, ROW_TSV, ROW_JSON_ARRAY };

struct row_writer;

/* Takes a reference to the schema. `integers_as_text`: 64-bit integers and decimals become strings. */
struct row_writer *row_writer_create(enum row_format format, struct arrow_schema *schema,
                                     bool integers_as_text);
void row_writer_destroy(struct row_writer *writer);
CLEANUP_FUNCTION(struct row_writer *, row_writer_destroy)

/* The columns of a schema as JSON [{"name","type"}], by the names that its rows have. */
void row_writer_columns(const struct row_writer *writer, struct buf *out);
/* What stands before the first row. */
void row_writer_begin(struct row_writer *writer, struct buf *out);
/* Writes rows from *row on until the batch ends or `out` holds `size_target` bytes; *row is the next
 * row to write, batch->rows when done. Stops when `out` failed (buf_check tells): values ask for up to
 * 200 bytes more than they take, so that may be that much below its maximum. */
void row_writer_rows(struct row_writer *writer, const struct arrow_batch *batch, int64_t *row,
                     size_t size_target, struct buf *out);
/* What stands after the last row. */
void row_writer_end(struct row_writer *writer, struct buf *out);

/* One value as plain text for people (tables in a terminal); appends nothing for NULL. */
struct arrow_column;
void row_writer_value_text(const struct arrow_column *column, int64_t row, struct buf *out);
