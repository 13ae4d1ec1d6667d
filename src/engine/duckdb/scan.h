/*
 * scan.h — Arrow columns into DuckDB vectors: what each Arrow type becomes, and the copying of rows.
 *
 * The other direction of copy.h. Fixed-width values and bitmaps are copied, texts are pointed to: the
 * batch has to live as long as the vectors are used. What DuckDB has no type for is converted:
 *
 *      half float                          FLOAT
 *      decimal of up to 38 digits          DECIMAL
 *      other decimals                      VARCHAR: every digit stays
 *      date64                              DATE
 *      time in s, ms, us; in ns            TIME; TIME_NS
 *      timestamp with a zone               TIMESTAMPTZ, in us
 *      duration, all intervals             INTERVAL, in us
 *      fixed_size_binary                   BLOB
 *      arrow.uuid, arrow.json, arrow.bool8 UUID, JSON, BOOLEAN
 *      dictionaries, run-end encoding      their values
 *      fixed_size_list, up to 100,000      ARRAY, else LIST
 *      struct or union without fields      nothing: a column with one cannot be read
 *
 * Private to engine/duckdb. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <duckdb.h>

#include "arrow/column.h"
#include "base/arena.h"
#include "base/error.h"

struct scan_plan;
struct scan_part;
struct scan_filler;

/* False with filler->error set. `part` has rows. */
typedef bool scan_fill(struct scan_filler *filler, const struct scan_plan *plan,
                       const struct scan_part *part);

/* How the column of one field is filled. */
struct scan_plan {
    const struct arrow_field *field; /* the caller's */
    duckdb_logical_type type;
    scan_fill *fill;
    size_t width;       /* bytes of a value in the vector; 0: no fixed width */
    int64_t multiplier; /* of conversions between units */
    int64_t divisor;
    int64_t value_max; /* times of day; the decimal's largest number is decimal_max */
    unsigned __int128 decimal_max;
    struct scan_plan *children;
    size_t child_count;
    struct scan_plan *values; /* of a dictionary or of runs */
    struct str refusal;       /* why the column cannot be read; NULL: it can */
};

/* Rows of a column, and where they go. */
struct scan_part {
    const struct arrow_column *column;
    int64_t first;
    size_t count;
    duckdb_vector vector;
    size_t at; /* row of the vector */
};

/* The values of a dictionary as a vector, kept from one chunk to the next. */
struct scan_dictionary {
    const struct scan_plan *plan;
    struct arrow_batch *batch; /* the values; a reference */
    duckdb_vector vector;      /* the values, and a NULL behind them */
};

/* One thread that fills vectors. */
struct scan_filler {
    struct error error;              /* of the fill that answered false */
    const struct arrow_batch *batch; /* of the columns */
    struct scan_dictionary *dictionaries;
    size_t dictionary_count;
};
void scan_filler_init(struct scan_filler *filler);
void scan_filler_finish(struct scan_filler *filler);

/* The plans of all fields of a schema, in the arena; they own DuckDB types until scan_plans_finish. A column
 * that DuckDB cannot hold has a refusal, which names it and its type, and must not be filled. */
struct scan_plan *scan_plans_make(struct arena *arena, const struct arrow_schema *schema);
void scan_plans_finish(struct scan_plan *plans, size_t count);
/* The engine's type of the column. */
static inline duckdb_logical_type scan_plan_type(const struct scan_plan *plan)
{
    while (plan->values)
        plan = plan->values;
    return plan->type;
}
/* The fields' names for the engine, in the arena: none twice, whatever the case of its letters, and none
 * empty. */
const char **scan_names(struct arena *arena, const struct arrow_field *fields, size_t count);
/* True when what is filled points into the batch. */
bool scan_plan_points(const struct scan_plan *plan);

/* Fills a vector of an output chunk from its beginning. */
MUST_CHECK bool scan_fill_column(struct scan_filler *filler, const struct scan_plan *plan,
                                 const struct scan_part *part);

/* --- between scan*.c ---------------------------------------------------------------------------- */

static inline bool scan_fill_part(struct scan_filler *filler, const struct scan_plan *plan,
                                  const struct scan_part *part)
{
    return part->count == 0 || plan->fill(filler, plan, part);
}

/* scan_fixed.c */
void scan_fill_validity(const struct scan_part *part);
/* "column 'x': <what>"; false. */
bool scan_refuse(struct scan_filler *filler, const struct scan_plan *plan, const char *what);
scan_fill scan_fill_null, scan_fill_fixed, scan_fill_bool, scan_fill_bool8, scan_fill_half,
    scan_fill_date64, scan_fill_time32, scan_fill_time64, scan_fill_scaled_up,
    scan_fill_scaled_down, scan_fill_decimal, scan_fill_duration_up, scan_fill_duration_down,
    scan_fill_months, scan_fill_days, scan_fill_month_day_nano, scan_fill_uuid;

/* scan_text.c */
scan_fill scan_fill_text, scan_fill_large_text, scan_fill_text_view, scan_fill_fixed_binary,
    scan_fill_decimal_text;

/* scan_nested.c */
scan_fill scan_fill_list, scan_fill_map, scan_fill_list_view, scan_fill_array, scan_fill_struct,
    scan_fill_union, scan_fill_dictionary, scan_fill_runs;
