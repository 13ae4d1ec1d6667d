/*
 * error.c — from DuckDB's error text to a status, a code of the contract and a position.
 *
 * The text begins with the kind ("Catalog Error: ..."), also where the C API reports a kind that is
 * too general, as in the middle of a stream; so the text is what is looked up, in one table from top to
 * bottom. "LINE n: <excerpt>" with a caret below gives the position. DuckDB's wording is kept, with its
 * hints at similar names.
 *
 * Any thread; owns nothing. Source: DuckDB 1.5 exception types. SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <stdio.h>

#include "base/memory.h"
#include "engine/duckdb/state.h"

struct error_row {
    const char *kind; /* how the text begins */
    const char *part; /* what it also contains; NULL: anything */
    enum status status;
    const char *code;
};

static const struct error_row error_rows[] = {
    {"Parser Error", NULL, STATUS_INVALID_ARGUMENT, "QUERY_SYNTAX_ERROR"},
    {"Syntax Error", NULL, STATUS_INVALID_ARGUMENT, "QUERY_SYNTAX_ERROR"},
    {"Catalog Error", "already exists", STATUS_ALREADY_EXISTS, "INVALID_SQL"},
    {"Catalog Error", "Table with name", STATUS_NOT_FOUND, "TABLE_NOT_FOUND"},
    {"Catalog Error", "View with name", STATUS_NOT_FOUND, "TABLE_NOT_FOUND"},
    {"Catalog Error", "Schema with name", STATUS_NOT_FOUND, "TABLE_NOT_FOUND"},
    {"Catalog Error", "Catalog \"", STATUS_NOT_FOUND, "TABLE_NOT_FOUND"},
    {"Catalog Error", "write-write conflict", STATUS_ABORTED, NULL},
    {"Catalog Error", NULL, STATUS_INVALID_ARGUMENT, "INVALID_SQL"},
    {"Binder Error", "Catalog \"", STATUS_NOT_FOUND, "TABLE_NOT_FOUND"},
    {"Binder Error", "schema named", STATUS_NOT_FOUND, "TABLE_NOT_FOUND"},
    {"Binder Error", NULL, STATUS_INVALID_ARGUMENT, "INVALID_SQL"},
    {"Constraint Error", "Duplicate key", STATUS_ALREADY_EXISTS, "DATA_VALIDATION_FAILED"},
    {"Constraint Error", "PRIMARY KEY or UNIQUE", STATUS_ALREADY_EXISTS, "DATA_VALIDATION_FAILED"},
    {"Constraint Error", NULL, STATUS_FAILED_PRECONDITION, "DATA_VALIDATION_FAILED"},
    {"TransactionContext Error", "PRIMARY KEY or UNIQUE", STATUS_ALREADY_EXISTS,
     "DATA_VALIDATION_FAILED"},
    {"TransactionContext Error", "onflict", STATUS_ABORTED, NULL},
    {"TransactionContext Error", "altered", STATUS_ABORTED, NULL},
    {"TransactionContext Error", NULL, STATUS_FAILED_PRECONDITION, "INVALID_SQL"},
    {"Transaction", "onflict", STATUS_ABORTED, NULL},
    {"Permission Error", NULL, STATUS_PERMISSION_DENIED, "STATEMENT_NOT_ALLOWED"},
    {"INTERRUPT Error", NULL, STATUS_CANCELLED, "QUERY_CANCELLED"},
    {"Out of Memory Error", NULL, STATUS_RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED"},
    {"IO Error", "No space left", STATUS_RESOURCE_EXHAUSTED, "STORAGE_FULL"},
    {"IO Error", "No files found", STATUS_NOT_FOUND, "NOT_FOUND"},
    {"IO Error", "No such file", STATUS_NOT_FOUND, "NOT_FOUND"},
    {"IO Error", "Could not set lock", STATUS_FAILED_PRECONDITION, "ENGINE_UNAVAILABLE"},
    {"IO Error", NULL, STATUS_INTERNAL, "DATABASE_ERROR"},
    {"Serialization Error", NULL, STATUS_INTERNAL, "DATABASE_ERROR"},
    {"Not implemented Error", NULL, STATUS_UNIMPLEMENTED, "INVALID_SQL"},
    {"Dependency Error", NULL, STATUS_FAILED_PRECONDITION, "INVALID_SQL"},
    {"Connection Error", NULL, STATUS_UNAVAILABLE, "ENGINE_UNAVAILABLE"},
    {"FATAL Error", NULL, STATUS_UNAVAILABLE, "ENGINE_UNAVAILABLE"},
    {"INTERNAL Error", NULL, STATUS_INTERNAL, "INTERNAL"},
    {"Invalid Input Error", "is read-only", STATUS_PERMISSION_DENIED, "STATEMENT_NOT_ALLOWED"},
    {"Invalid Input Error", "read-only mode", STATUS_PERMISSION_DENIED, "STATEMENT_NOT_ALLOWED"},
    {"Invalid Input Error", "configuration has been locked", STATUS_PERMISSION_DENIED,
     "STATEMENT_NOT_ALLOWED"},
    /* Conversion, Out of Range, Invalid Input, Mismatch Type, Invalid Type, Decimal, Divide by Zero,
     * Sequence, Parameter, Missing Extension, ... are what the statement says or the data hold. */
    {"", NULL, STATUS_INVALID_ARGUMENT, "INVALID_SQL"},
};

static const struct error_row *error_row_find(struct str text)
{
    for (size_t i = 0; i < ARRAY_COUNT(error_rows) - 1; i++) {
        const struct error_row *row = &error_rows[i];
        if (str_starts_with(text, str_of(row->kind)) &&
            (!row->part || str_find_str(text, str_of(row->part)) >= 0))
            return row;
    }
    return &error_rows[ARRAY_COUNT(error_rows) - 1];
}

/* --- position ----------------------------------------------------------------------------------- */

/* "LINE 2: ... excerpt ...\n      ^" taken apart. */
struct error_place {
    struct str before;  /* the text up to it */
    struct str excerpt; /* of the line, without its dots */
    unsigned line;
    size_t column; /* bytes into the excerpt */
};

static struct str take_line(struct str *text)
{
    return str_split(text, '\n');
}

static bool place_find(struct str text, struct error_place *place)
{
    ptrdiff_t at = str_find_str(text, STR("\nLINE "));
    if (at < 0)
        return false;
    place->before = str_trim(str_slice(text, 0, (size_t)at));
    struct str rest = str_slice(text, (size_t)at + 1, text.len);
    struct str line = take_line(&rest);
    struct str caret_line = take_line(&rest);
    ptrdiff_t caret = str_find(caret_line, '^');
    ptrdiff_t colon = str_find(line, ':');
    uint64_t number;
    if (caret < 0 || colon < 0 || !str_to_u64(str_slice(line, 5, (size_t)colon), &number))
        return false;
    place->line = (unsigned)number;
    size_t prefix = (size_t)colon + 2;
    place->excerpt = str_slice(line, prefix, line.len);
    place->column = (size_t)caret > prefix ? (size_t)caret - prefix : 0;
    if (str_starts_with(place->excerpt, STR("..."))) {
        place->excerpt = str_slice(place->excerpt, 3, place->excerpt.len);
        place->column = place->column > 3 ? place->column - 3 : 0;
    }
    if (str_ends_with(place->excerpt, STR("...")))
        place->excerpt.len -= 3;
    return true;
}

/* The caret is placed by characters, not bytes. */
static size_t characters_size(struct str text, size_t characters)
{
    size_t size = 0;
    while (size < text.len && characters) {
        size++;
        while (size < text.len && ((unsigned char)text.ptr[size] & 0xc0) == 0x80)
            size++;
        characters--;
    }
    return size;
}

static int64_t place_position(const struct error_place *place, struct str sql, unsigned line_shift)
{
    struct str rest = sql;
    if (place->line <= line_shift)
        return -1;
    for (unsigned line = line_shift + 1; line < place->line; line++)
        take_line(&rest);
    size_t line_start = sql.len - rest.len;
    struct str line = take_line(&rest);
    ptrdiff_t found = str_find_str(line, place->excerpt);
    if (found < 0)
        return -1;
    size_t position = line_start + (size_t)found + characters_size(place->excerpt, place->column);
    return position < sql.len ? (int64_t)position : -1;
}

/* --- text --------------------------------------------------------------------------------------- */

/* What a reader of a stream gets for an error of another thread names the true one only inside. */
static struct str inner_error(struct str text)
{
    struct str wrapper =
        STR("Attempting to execute an unsuccessful or closed pending query result");
    ptrdiff_t at = str_find_str(text, wrapper);
    if (at < 0)
        return text;
    struct str rest = str_trim(str_slice(text, (size_t)at + wrapper.len, text.len));
    if (!str_starts_with(rest, STR("Error: ")))
        return text;
    return str_slice(rest, 7, rest.len);
}

static bool looks_like_zone(struct str value)
{
    bool is_number = value.len > 0;
    for (size_t i = 0; i < value.len; i++)
        is_number = is_number && isdigit((unsigned char)value.ptr[i]);
    return !is_number;
}

/* TIME_ZONE is an ENUM, and all that the engine says of a text that is none of its values is that it is
 * no UINT16. */
static bool is_zone_error(struct str text, struct str sql, struct str *out_value)
{
    struct str begin = STR("Conversion Error: Could not convert string '");
    struct str end = STR("' to UINT16");
    ptrdiff_t close = str_find_str(text, end);
    if (!str_starts_with(text, begin) || close < (ptrdiff_t)begin.len)
        return false;
    *out_value = str_slice(text, begin.len, (size_t)close);
    (void)sql;
    return looks_like_zone(*out_value);
}

static const char *advice(const struct error_row *row)
{
    if (!str_equal(str_of(row->kind), STR("Permission Error")))
        return "";
    return "\nonly files named on the command line or in the setting allowed-paths can be read";
}

static void set_message(struct error *error, const struct error_row *row, struct str text,
                        const struct error_place *place, unsigned line_shift)
{
    struct str before = place ? place->before : text;
    if (!place || place->line <= line_shift) {
        error_set_code(error, row->status, row->code, "%.*s%s", STR_ARGS(before), advice(row));
        return;
    }
    ptrdiff_t at = str_find_str(text, STR("\nLINE "));
    struct str rest = str_slice(text, (size_t)at + 1, text.len);
    char old_prefix[24];
    char prefix[24];
    int old_size = snprintf(old_prefix, sizeof(old_prefix), "LINE %u: ", place->line);
    int size = snprintf(prefix, sizeof(prefix), "LINE %u: ", place->line - line_shift);
    struct str excerpt = take_line(&rest);
    struct str caret = take_line(&rest);
    error_set_code(error, row->status, row->code, "%.*s%s\n\n%s%.*s\n%.*s", STR_ARGS(before),
                   advice(row), prefix, STR_ARGS(str_slice(excerpt, (size_t)old_size, excerpt.len)),
                   STR_ARGS(str_slice(caret, (size_t)(old_size - size), caret.len)));
}

enum status duckdb_error(struct engine *engine, const char *message, struct str sql,
                         unsigned line_shift, struct error *error)
{
    struct str text = inner_error(str_of(message ? message : "the engine gave no reason"));
    const struct error_row *row = error_row_find(text);
    if (str_starts_with(text, STR("FATAL Error")) ||
        str_find_str(text, STR("database has been invalidated")) >= 0) {
        atomic_store(&engine->is_broken, true);
        row = error_row_find(STR("FATAL Error"));
    }
    struct error_place place;
    bool has_place = place_find(text, &place);
    struct str zone;
    if (is_zone_error(text, sql, &zone))
        error_set_code(error, row->status, row->code,
                       "Could not convert '%.*s' to UINT16; if it is meant as a TIME_ZONE: an IANA "
                       "name such as 'Europe/Berlin' is needed, no offset or abbreviation",
                       STR_ARGS(zone));
    else
        set_message(error, row, text, has_place ? &place : NULL, line_shift);
    if (error && has_place)
        error->position = place_position(&place, sql, line_shift);
    return row->status;
}
