/*
 * error_codes.c — the one table of errors: code, status, HTTP status and SQLSTATE.
 *
 * Codes are few and coarse, because programs compare them; the SQLSTATE is the finer word. The first row of
 * a status is what an error without a code is, the first row of a code what one without a SQLSTATE is.
 *
 * Runs on: any thread. Owns: nothing. Not done here: what text of the engine is which row
 * (engine/duckdb/error.c). Spec: ISO/IEC 9075-2, subclause 24.1. SPDX-License-Identifier: Apache-2.0
 */
#include "base/error_codes.h"

#include "base/memory.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

/* clang-format off */
static const struct error_code rows[] = {
    {"VALIDATION_ERROR", STATUS_INVALID_ARGUMENT, 422, "22023"},
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "42000"},
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "42703"}, /* no such column */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "42702"}, /* ambiguous column */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "42883"}, /* no such function */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "42704"}, /* no such type, sequence, index, ... */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "42803"}, /* grouping */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "42P20"}, /* windows */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "42804"}, /* types that do not go together */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "42846"}, /* no such cast */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "42809"}, /* a view where a table is needed, ... */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "42830"}, /* a foreign key to what is no key */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "07001"}, /* parameters without values */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "21000"}, /* more rows or columns than one */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "22000"}, /* data, in another way */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "22003"}, /* a number out of range */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "22007"}, /* a text that is no date or time */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "22008"}, /* a date or time out of range */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "22009"}, /* no such time zone */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "22012"}, /* division by zero */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "22023"}, /* a value the function does not take */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "22025"}, /* an escape */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "22032"}, /* a text that is no JSON */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "22P02"}, /* a text that is no value of the type */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "2201B"}, /* a regular expression */
    {"INVALID_SQL", STATUS_INVALID_ARGUMENT, 400, "2200H"}, /* a sequence at its end */
    {"QUERY_SYNTAX_ERROR", STATUS_INVALID_ARGUMENT, 400, "42601"},
    {"UNKNOWN_ENGINE", STATUS_INVALID_ARGUMENT, 400, "22023"},
    {"NOT_ACCEPTABLE", STATUS_INVALID_ARGUMENT, 406, NULL},
    {"UNSUPPORTED_MEDIA_TYPE", STATUS_INVALID_ARGUMENT, 415, NULL},

    {"NOT_FOUND", STATUS_NOT_FOUND, 404, "42704"},
    {"NOT_FOUND", STATUS_NOT_FOUND, 404, "58P01"}, /* a file */
    {"TABLE_NOT_FOUND", STATUS_NOT_FOUND, 404, "42P01"},
    {"TABLE_NOT_FOUND", STATUS_NOT_FOUND, 404, "3F000"}, /* its schema */
    {"TABLE_NOT_FOUND", STATUS_NOT_FOUND, 404, "3D000"}, /* its catalog */
    {"JOB_NOT_FOUND", STATUS_NOT_FOUND, 404, "42704"},
    {"SCHEMA_NOT_FOUND", STATUS_NOT_FOUND, 404, "3F000"},
    {"RESULT_EXPIRED", STATUS_NOT_FOUND, 410, "24000"},

    {"ALREADY_EXISTS", STATUS_ALREADY_EXISTS, 409, "42710"},
    {"ALREADY_EXISTS", STATUS_ALREADY_EXISTS, 409, "42P07"}, /* a table or view */
    {"ALREADY_EXISTS", STATUS_ALREADY_EXISTS, 409, "42P06"}, /* a schema */
    {"ALREADY_EXISTS", STATUS_ALREADY_EXISTS, 409, "42701"}, /* a column */
    {"DATA_VALIDATION_FAILED", STATUS_ALREADY_EXISTS, 422, "23505"}, /* unique */

    {"FAILED_PRECONDITION", STATUS_FAILED_PRECONDITION, 409, "55000"},
    {"FAILED_PRECONDITION", STATUS_FAILED_PRECONDITION, 409, "25000"}, /* transactions */
    {"FAILED_PRECONDITION", STATUS_FAILED_PRECONDITION, 409, "25001"}, /* one is open */
    {"FAILED_PRECONDITION", STATUS_FAILED_PRECONDITION, 409, "25P01"}, /* none is open */
    {"FAILED_PRECONDITION", STATUS_FAILED_PRECONDITION, 409, "25P02"}, /* it failed before */
    {"FAILED_PRECONDITION", STATUS_FAILED_PRECONDITION, 409, "2BP01"}, /* others depend on it */
    {"DATA_VALIDATION_FAILED", STATUS_FAILED_PRECONDITION, 422, "23000"},
    {"DATA_VALIDATION_FAILED", STATUS_FAILED_PRECONDITION, 422, "23502"}, /* not null */
    {"DATA_VALIDATION_FAILED", STATUS_FAILED_PRECONDITION, 422, "23503"}, /* foreign key */
    {"DATA_VALIDATION_FAILED", STATUS_FAILED_PRECONDITION, 422, "23514"}, /* check */
    {"DATA_VALIDATION_FAILED", STATUS_INVALID_ARGUMENT, 422, "22000"},
    {"RESULT_NOT_READY", STATUS_FAILED_PRECONDITION, 409, "55000"},
    {"PRECONDITION_FAILED", STATUS_FAILED_PRECONDITION, 412, NULL},
    {"ABORTED", STATUS_ABORTED, 409, "40001"},
    {"SERVER_RESTARTED", STATUS_ABORTED, 500, "57P02"},

    {"PERMISSION_DENIED", STATUS_PERMISSION_DENIED, 403, "42501"},
    {"STATEMENT_NOT_ALLOWED", STATUS_PERMISSION_DENIED, 403, "42501"},
    {"STATEMENT_NOT_ALLOWED", STATUS_PERMISSION_DENIED, 403, "25006"}, /* read-only */
    {"UNAUTHENTICATED", STATUS_UNAUTHENTICATED, 401, "28000"},

    {"RESOURCE_EXHAUSTED", STATUS_RESOURCE_EXHAUSTED, 429, "53000"},
    {"RESOURCE_EXHAUSTED", STATUS_RESOURCE_EXHAUSTED, 429, "53200"}, /* the engine's memory */
    {"QUEUE_FULL", STATUS_RESOURCE_EXHAUSTED, 429, "53300"},
    {"STORAGE_FULL", STATUS_RESOURCE_EXHAUSTED, 507, "53100"},
    {"PAYLOAD_TOO_LARGE", STATUS_RESOURCE_EXHAUSTED, 413, "54000"},

    {"QUERY_CANCELLED", STATUS_CANCELLED, 409, "57014"},
    {"QUERY_TIMEOUT", STATUS_DEADLINE_EXCEEDED, 504, "57014"},
    {"OUT_OF_RANGE", STATUS_OUT_OF_RANGE, 400, "22003"},
    {"RANGE_NOT_SATISFIABLE", STATUS_OUT_OF_RANGE, 416, NULL},
    {"UNIMPLEMENTED", STATUS_UNIMPLEMENTED, 501, "0A000"},
    {"METHOD_NOT_ALLOWED", STATUS_UNIMPLEMENTED, 405, NULL},

    {"ENGINE_UNAVAILABLE", STATUS_UNAVAILABLE, 503, "57P03"},
    {"SHUTTING_DOWN", STATUS_UNAVAILABLE, 503, "57P01"},
    {"REGISTRY_UNAVAILABLE", STATUS_UNAVAILABLE, 503, "58030"},
    {"INTERNAL", STATUS_INTERNAL, 500, "XX000"},
    {"DATABASE_ERROR", STATUS_INTERNAL, 500, "58030"},
    {"INTERNAL", STATUS_UNKNOWN, 500, "XX000"},
    {"INTERNAL", STATUS_DATA_LOSS, 500, "XX001"},
    {"OK", STATUS_OK, 200, "00000"},
};
/* clang-format on */

static bool is_same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* How well a row tells what the error is: the larger, the better; 0: not at all. */
static unsigned row_match(const struct error_code *row, const struct error *error)
{
    bool code = is_same(row->name, error->code);
    bool state = is_same(row->sqlstate, error->sqlstate);
    bool status = row->status == error->status;
    if (error->code && !code)
        return status ? 1 : 0;
    return (code ? 8 : 0) + (state ? 4 : 0) + (status ? 2 : 0);
}

const struct error_code *error_code_of(const struct error *error)
{
    const struct error_code *best = error_code_of_sqlstate("XX000");
    unsigned best_match = 0;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        unsigned match = row_match(&rows[i], error);
        if (match > best_match) {
            best_match = match;
            best = &rows[i];
        }
    }
    return best;
}

const struct error_code *error_code_of_sqlstate(const char *sqlstate)
{
    size_t i = 0;
    while (i < ARRAY_COUNT(rows) && !is_same(rows[i].sqlstate, sqlstate))
        i++;
    assert(i < ARRAY_COUNT(rows));
    return &rows[i];
}

const struct error_code *error_codes(size_t *out_count)
{
    *out_count = ARRAY_COUNT(rows);
    return rows;
}

const char *error_code_name(const struct error *error)
{
    return error->code ? error->code : error_code_of(error)->name;
}

const char *error_sqlstate(const struct error *error)
{
    return error->sqlstate ? error->sqlstate : error_code_of(error)->sqlstate;
}
