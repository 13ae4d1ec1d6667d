/*
 * parameter_match.c — which of the columns that a client binds belongs to which parameter.
 *
 * Of both there may be thousands, so that columns are looked up in a map.
 *
 * Any thread; no state. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/engine.h"

#include "base/map.h"

#include <ctype.h>

/* Columns by name, in small letters: the first one of a name. */
struct columns {
    struct arena arena;
    struct map by_name; /* to its field */
    const struct arrow_schema *schema;
};

static struct str small_letters(struct columns *columns, struct str name)
{
    char *text = ARENA_NEW_ARRAY(&columns->arena, char, name.len + 1);
    for (size_t i = 0; i < name.len; i++)
        text[i] = (char)tolower((unsigned char)name.ptr[i]);
    return str_make(text, name.len);
}

static void columns_init(struct columns *columns, const struct arrow_schema *schema)
{
    columns->schema = schema;
    arena_init(&columns->arena);
    map_init(&columns->by_name);
    for (size_t i = schema->field_count; i-- > 0;)
        (void)map_set(&columns->by_name, small_letters(columns, schema->fields[i].name),
                      &schema->fields[i]);
}

static void columns_finish(struct columns *columns)
{
    map_finish(&columns->by_name);
    arena_finish(&columns->arena);
}
CLEANUP_IN_PLACE(struct columns, columns_finish)

static ptrdiff_t column_named(struct columns *columns, struct str name)
{
    const struct arrow_field *field = map_get(&columns->by_name, small_letters(columns, name));
    return field ? field - columns->schema->fields : -1;
}

static bool is_number(struct str name)
{
    uint64_t number;
    return str_to_u64(name, &number);
}

static enum status check_count(const struct arrow_schema *parameters,
                               const struct arrow_schema *columns, struct error *error)
{
    size_t wanted = parameters ? parameters->field_count : 0;
    size_t given = columns->field_count;
    if (wanted == 0)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "the statement has no parameters that values could be bound to");
    if (given == wanted)
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                          "the statement has %zu parameters and %zu columns were bound: %zu %s",
                          wanted, given, given < wanted ? wanted - given : given - wanted,
                          given < wanted ? "are missing" : "are too many");
}

enum status engine_parameters_match(const struct arrow_schema *parameters,
                                    const struct arrow_schema *columns, size_t *out_columns,
                                    struct error *error)
{
    ptrdiff_t missing = -1;
    size_t named = 0;
    CLEANUP(columns_finish) struct columns names = {0};
    TRY(check_count(parameters, columns, error));
    columns_init(&names, columns);
    for (size_t i = 0; i < parameters->field_count; i++) {
        struct str name = parameters->fields[i].name;
        ptrdiff_t column = is_number(name) ? -1 : column_named(&names, name);
        out_columns[i] = column >= 0 ? (size_t)column : i;
        named += column >= 0;
        missing = column < 0 && missing < 0 ? (ptrdiff_t)i : missing;
    }
    if (named == 0 || missing < 0)
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                          "no column is named after parameter '%.*s', and others are named after "
                          "theirs: name all of them, or none",
                          STR_ARGS(parameters->fields[missing].name));
}
