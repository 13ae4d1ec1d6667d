/*
 * error.c — from DuckDB's error text to a SQLSTATE, and with it status and code, and a position.
 *
 * The text begins with the kind ("Catalog Error: ..."), also where the C API reports a kind that is
 * too general, as in the middle of a stream; so the text is what is looked up, in one table from top to
 * bottom. "LINE n: <excerpt>" with a caret below gives the position. DuckDB's wording is kept, with its
 * hints at similar names. What the statement's text adds is in error_name.c.
 *
 * Any thread; owns nothing. Source: DuckDB 1.5 exception types. SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>

#include "base/error_codes.h"
#include "base/memory.h"
#include "engine/duckdb/state.h"
#include "engine/error_place.h"

#define SQLSTATE_CONFLICT "40001"
/* By then most transactions are over. */
#define CONFLICT_RETRY_MS 20

struct error_row {
    const char *kind; /* how the text begins */
    const char *part; /* what it also contains; NULL: anything */
    const char *sqlstate;
    const char *code; /* NULL: the one that the table has first for the SQLSTATE */
};

/* clang-format off */
static const struct error_row error_rows[] = {
    {"Parser Error", "Max expression depth", "42000", NULL},
    {"Parser Error", NULL, "42601", NULL},
    {"Syntax Error", "Escape string", "22025", NULL},
    {"Syntax Error", NULL, "42601", NULL},
    {"Catalog Error", "write-write conflict", "40001", NULL},
    {"Catalog Error", "Column with name", "42701", NULL}, /* already exists */
    {"Catalog Error", "because schema \"", "3F000", NULL},
    {"Catalog Error", "Table with name \"", "42P07", NULL}, /* in quotes: already exists */
    {"Catalog Error", "View with name \"", "42P07", NULL},
    {"Catalog Error", "Schema with name \"", "42P06", NULL},
    {"Catalog Error", "already exists", "42710", NULL},
    {"Catalog Error", "Table with name", "42P01", NULL},
    {"Catalog Error", "View with name", "42P01", NULL},
    {"Catalog Error", "Schema with name", "3F000", NULL},
    {"Catalog Error", "Catalog \"", "3D000", NULL},
    {"Catalog Error", "Catalog with name", "3D000", NULL},
    {"Catalog Error", "schema named \"", "3F000", NULL},
    {"Catalog Error", "Function with name", "42883", NULL},
    {"Catalog Error", "is not an ", "42809", NULL},
    {"Catalog Error", "trying to drop type", "42809", NULL},
    {"Catalog Error", "Could not drop", "2BP01", NULL},
    {"Catalog Error", "with name", "42704", NULL},
    {"Catalog Error", "unrecognized configuration", "42704", NULL},
    {"Catalog Error", NULL, "42000", NULL},
    {"Binder Error", "Catalog \"", "3D000", NULL},
    {"Binder Error", "schema named", "3F000", NULL},
    {"Binder Error", "Ambiguous reference", "42702", NULL},
    {"Binder Error", "Referenced table \"", "42P01", "INVALID_SQL"}, /* an alias, no table */
    {"Binder Error", "Referenced column", "42703", NULL},
    {"Binder Error", "Referenced update column", "42703", NULL},
    {"Binder Error", "not have a column", "42703", NULL},
    {"Binder Error", "does not exist on", "42703", NULL}, /* .. left side of join */
    {"Binder Error", "list not found", "42703", NULL}, /* EXCLUDE, REPLACE, RENAME */
    {"Binder Error", "No matching columns", "42703", NULL},
    {"Binder Error", "Could not find key", "42703", NULL},
    {"Binder Error", "No function matches", "42883", NULL},
    {"Binder Error", "Could not choose a best candidate", "42883", NULL},
    {"Binder Error", "does not support the supplied arguments", "42883", NULL},
    {"Binder Error", "must appear in the GROUP BY", "42803", NULL},
    {"Binder Error", "cannot contain aggregates", "42803", NULL},
    {"Binder Error", "cannot contain window", "42P20", NULL},
    {"Binder Error", "Failed to create foreign key", "42830", NULL},
    {"Binder Error", "Cannot compare", "42804", NULL},
    {"Binder Error", "Cannot combine types", "42804", NULL},
    {"Binder Error", "Cannot deduce", "42804", NULL},
    {"Binder Error", "annot be negative", "22023", "INVALID_SQL"},
    {"Binder Error", "Subquery returns", "21000", NULL},
    {"Binder Error", "values were supplied", "42601", "INVALID_SQL"},
    {"Binder Error", "same number of result columns", "42601", "INVALID_SQL"},
    {"Binder Error", NULL, "42000", NULL},
    {"Constraint Error", "Duplicate key", "23505", NULL},
    {"Constraint Error", "PRIMARY KEY or UNIQUE", "23505", NULL},
    {"Constraint Error", "duplicate key", "23505", NULL},
    {"Constraint Error", "NOT NULL constraint", "23502", NULL},
    {"Constraint Error", "CHECK constraint", "23514", NULL},
    {"Constraint Error", "foreign key", "23503", NULL},
    {"Constraint Error", NULL, "23000", NULL},
    {"TransactionContext Error", "PRIMARY KEY or UNIQUE", "23505", NULL},
    {"TransactionContext Error", "onflict", "40001", NULL},
    {"TransactionContext Error", "altered", "40001", NULL},
    {"TransactionContext Error", "within a transaction", "25001", NULL},
    {"TransactionContext Error", "no transaction is active", "25P01", NULL},
    {"TransactionContext Error", "transaction is aborted", "25P02", NULL},
    {"TransactionContext Error", NULL, "25000", NULL},
    {"Transaction", "onflict", "40001", NULL},
    {"Permission Error", NULL, "42501", "STATEMENT_NOT_ALLOWED"},
    {"INTERRUPT Error", NULL, "57014", NULL},
    {"Out of Memory Error", NULL, "53200", NULL},
    {"IO Error", "No space left", "53100", NULL},
    {"IO Error", "No files found", "58P01", NULL},
    {"IO Error", "No such file", "58P01", NULL},
    {"IO Error", "Could not set lock", "57P03", NULL},
    {"IO Error", NULL, "58030", NULL},
    {"Serialization Error", NULL, "58030", NULL},
    {"Not implemented Error", "Unknown TimeZone", "22009", NULL},
    {"Not implemented Error", NULL, "0A000", NULL},
    {"Dependency Error", NULL, "2BP01", NULL},
    {"Connection Error", NULL, "57P03", NULL},
    {"FATAL Error", NULL, "57P03", NULL},
    {"INTERNAL Error", NULL, "XX000", NULL},
    {"Conversion Error", "Unimplemented type for cast", "42846", NULL},
    {"Conversion Error", "Malformed JSON", "22032", NULL},
    {"Conversion Error", "format", "22007", NULL}, /* invalid .. field format */
    {"Conversion Error", "field value out of range", "22008", NULL},
    {"Conversion Error", "Date out of range", "22008", NULL},
    {"Conversion Error", "seconds out of range", "22008", NULL},
    {"Conversion Error", "out of range", "22003", NULL},
    {"Conversion Error", NULL, "22P02", NULL},
    {"Out of Range Error", NULL, "22003", NULL},
    {"Decimal Error", NULL, "22003", NULL},
    {"Divide by Zero Error", NULL, "22012", NULL},
    {"Mismatch Type Error", NULL, "42804", NULL},
    {"Invalid type Error", NULL, "42804", NULL},
    {"Sequence Error", "reached m", "2200H", NULL}, /* .. maximum, minimum value */
    {"Sequence Error", NULL, "55000", NULL},
    {"Parameter Not Resolved Error", NULL, "07001", NULL},
    {"Invalid Input Error", "is read-only", "25006", NULL},
    {"Invalid Input Error", "read-only mode", "25006", NULL},
    {"Invalid Input Error", "configuration has been locked", "42501", "STATEMENT_NOT_ALLOWED"},
    {"Invalid Input Error", "More than one row returned", "21000", NULL},
    {"Invalid Input Error", "Malformed JSON", "22032", NULL},
    {"Invalid Input Error", "according to format specifier", "22007", NULL},
    {"Invalid Input Error", "missing )", "2201B", NULL},
    {"Invalid Input Error", "missing ]", "2201B", NULL},
    {"Invalid Input Error", "no argument for repetition", "2201B", NULL},
    {"Invalid Input Error", NULL, "22023", "INVALID_SQL"},
    /* What else a statement says or its data hold. */
    {"", NULL, "42000", NULL},
};
/* clang-format on */

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
    return position <= sql.len ? (int64_t)position : -1;
}

/* The parser counts characters and takes the number for one of bytes: what it was "at or near" stands
 * behind as many more bytes. */
static int64_t parser_position(struct str text, struct str sql, int64_t position)
{
    struct str mark = STR("at or near \"");
    ptrdiff_t at = str_find_str(text, mark);
    if (position < 0 || at < 0)
        return position;
    struct str near = str_slice(text, (size_t)at + mark.len, text.len);
    near = near.len > 0 ? str_slice(near, 0, near.len - 1) : near;
    size_t start = characters_size(sql, (size_t)position);
    if (str_starts_with(str_slice(sql, start, sql.len), near))
        return (int64_t)start;
    ptrdiff_t found = str_find_str(str_slice(sql, (size_t)position, sql.len), near);
    return found < 0 ? position : position + found;
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
static bool is_zone_error(struct str text, struct str *out_value)
{
    struct str begin = STR("Conversion Error: Could not convert string '");
    struct str end = STR("' to UINT16");
    ptrdiff_t close = str_find_str(text, end);
    if (!str_starts_with(text, begin) || close < (ptrdiff_t)begin.len)
        return false;
    *out_value = str_slice(text, begin.len, (size_t)close);
    return looks_like_zone(*out_value);
}

/* The engine's advice is a setting that sessions do not have. */
#define DEPTH_ERROR "Max expression depth"

static struct str without_advice(struct str text)
{
    ptrdiff_t at = str_find_str(text, STR(" Use \"SET max_expression_depth"));
    return at < 0 ? text : str_slice(text, 0, (size_t)at);
}

static const char *advice(const struct error_row *row, struct str text)
{
    static const struct {
        const char *sqlstate;
        const char *advice;
    } advices[] = {
        {SQLSTATE_CONFLICT, "\nanother transaction changed the same first: run this one again"},
        {"25P02", "\na statement of this transaction failed: send ROLLBACK, then run it again"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(advices); i++)
        if (strcmp(row->sqlstate, advices[i].sqlstate) == 0)
            return advices[i].advice;
    if (str_find_str(text, STR(DEPTH_ERROR)) >= 0)
        return "\na chain of operators has a level for each: put brackets around parts of it, or "
               "use a "
               "function of a list, such as list_sum([a, b, c])";
    if (!str_equal(str_of(row->kind), STR("Permission Error")))
        return "";
    if (str_find_str(text, STR("://")) >= 0)
        return "\nno statement reaches the network (rule 'files'): fetch the file, and name it on "
               "the "
               "command line or in the setting allowed-paths";
    return "\nonly files named on the command line or in the setting allowed-paths can be read "
           "(rule "
           "'files')";
}

static void set_message(struct error *error, const struct error_row *row, struct str text)
{
    const struct error_code *code = error_code_of_sqlstate(row->sqlstate);
    struct error known = {.status = code->status, .code = row->code, .sqlstate = row->sqlstate};
    if (row->code)
        code = error_code_of(&known);
    error_set_code(error, code->status, code->name, "%.*s%s", STR_ARGS(without_advice(text)),
                   advice(row, text));
    if (!error)
        return;
    error->sqlstate = row->sqlstate;
    if (strcmp(row->sqlstate, SQLSTATE_CONFLICT) == 0)
        error->retry_after_ms = CONFLICT_RETRY_MS;
}

/* The place is written again when the position in the client's text is known; one that is not found there
 * stays as the engine has it. */
static void set_place(struct error *error, struct str text, const struct error_place *place,
                      struct str sql, unsigned line_shift)
{
    error->position = place_position(place, sql, line_shift);
    if (str_starts_with(text, STR("Parser Error")))
        error->position = parser_position(place->before, sql, error->position);
    if (error->position >= 0 || line_shift > 0)
        return;
    error_place_insert(error, str_slice(text, place->before.len, text.len));
}

/* "syntax error at end of input" has no place or a wrong one: that is behind the last byte that is no
 * space. */
static void set_end_place(struct error *error, struct str text, struct str sql)
{
    if (str_ends_with(text, STR("at end of input")) && sql.len > 0)
        error->position = (int64_t)(str_trim(sql).ptr + str_trim(sql).len - sql.ptr);
}

/* Whether the engine takes no statement any more. A message tells nothing: it may quote what a client
 * wrote. */
static bool has_stopped(struct engine *engine)
{
    duckdb_connection connection = NULL;
    duckdb_result result;
    if (duckdb_connect(engine->database, &connection) != DuckDBSuccess)
        return true;
    bool has_failed = duckdb_query(connection, "SELECT 1", &result) != DuckDBSuccess &&
                      str_starts_with(str_of(duckdb_result_error(&result)), STR("FATAL Error"));
    duckdb_destroy_result(&result);
    duckdb_disconnect(&connection);
    return has_failed;
}

static bool tells_of_a_stop(struct str text)
{
    return str_starts_with(text, STR("FATAL Error")) ||
           str_find_str(text, STR("database has been invalidated")) >= 0;
}

enum status duckdb_error(struct engine *engine, const char *message, struct str sql,
                         unsigned line_shift, struct error *error)
{
    struct error unwanted;
    error = error ? error : &unwanted;
    struct str text = inner_error(str_of(message ? message : "the engine gave no reason"));
    const struct error_row *row = error_row_find(text);
    if (tells_of_a_stop(text) && has_stopped(engine)) {
        atomic_store(&engine->is_broken, true);
        row = error_row_find(STR("FATAL Error"));
    }
    struct error_place place;
    bool has_place = place_find(text, &place);
    struct str zone;
    set_message(error, row, has_place ? place.before : str_trim(text));
    if (is_zone_error(text, &zone))
        error_set_sqlstate(error, "22P02",
                           "Conversion Error: Could not convert '%.*s' to UINT16; if it is meant "
                           "as a TIME_ZONE: an IANA "
                           "name such as 'Europe/Berlin' is needed, no offset or abbreviation",
                           STR_ARGS(zone));
    if (has_place)
        set_place(error, text, &place, sql, line_shift);
    set_end_place(error, has_place ? place.before : text, sql);
    return error->status;
}
