/*
 * parameter_match.c — which of the columns that a client binds belongs to which parameter.
 * Any thread; no state. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/engine.h"

static ptrdiff_t column_named(const struct arrow_schema *columns, struct str name)
{
    for (size_t i = 0; i < columns->field_count; i++)
        if (str_equal_nocase(columns->fields[i].name, name))
            return (ptrdiff_t)i;
    return -1;
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
    TRY(check_count(parameters, columns, error));
    for (size_t i = 0; i < parameters->field_count; i++) {
        struct str name = parameters->fields[i].name;
        ptrdiff_t column = is_number(name) ? -1 : column_named(columns, name);
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
