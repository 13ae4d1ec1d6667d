/*
 * result_plan.c — the columns of a result: its schema, and how each of them is copied.
 *
 * A result that has a column of type TIME_ZONE gives instants in milliseconds; every dictionary is the
 * list of zones.
 *
 * Runs where statements are prepared, on a worker; owns the arena of the plan.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/plan_maker.h"
#include "engine/duckdb/type_facts.h"

static enum arrow_unit instant_unit(const struct time_zones *zones,
                                    const struct engine_result_options *options,
                                    const struct result_column *columns, size_t count)
{
    if (options->timestamp_unit)
        return (enum arrow_unit)(options->timestamp_unit - 1);
    for (size_t i = 0; i < count; i++)
        if (duckdb_get_type_id(columns[i].type) == DUCKDB_TYPE_ENUM &&
            time_zones_match(zones, columns[i].type))
            return ARROW_MILLISECOND;
    return ARROW_MICROSECOND;
}

static size_t count_dictionaries(const struct arrow_field *fields, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += fields[i].is_dictionary;
        found += count_dictionaries(fields[i].children, fields[i].child_count);
    }
    return found;
}

/* Every dictionary of a result is the list of zones. */
static void seal_schema(struct result_plan *plan, const struct time_zones *zones)
{
    struct arrow_schema *schema = plan->schema;
    size_t count = count_dictionaries(schema->fields, schema->field_count);
    struct arrow_batch **dictionaries = ARENA_NEW_ARRAY(&plan->arena, struct arrow_batch *, count);
    for (size_t i = 0; i < count; i++)
        dictionaries[i] = arrow_batch_ref(zones->dictionary);
    arrow_schema_seal(schema, count ? dictionaries : NULL);
}

static void require_columns(struct arrow_schema *schema, uint64_t required)
{
    for (size_t i = 0; i < schema->field_count && i < 64; i++) {
        struct arrow_field *field = &schema->fields[i];
        field->nullable = !(required >> i & 1);
        if (field->type == ARROW_LIST)
            field->children[0].nullable = false;
    }
}

static void describe(struct arrow_schema *schema, enum engine_description description,
                     const struct result_column *columns)
{
    for (size_t i = 0; i < schema->field_count && description != ENGINE_DESCRIBES_NOTHING; i++) {
        type_describe(schema, &schema->fields[i], columns[i].type);
        if (description == ENGINE_DESCRIBES_RESULTS)
            type_describe_result(schema, &schema->fields[i]);
    }
}

void result_plan_init(struct result_plan *plan)
{
    *plan = (struct result_plan){0};
    arena_init(&plan->arena);
}

void result_plan_finish(struct result_plan *plan)
{
    arrow_schema_unref(plan->schema);
    arena_finish(&plan->arena);
    *plan = (struct result_plan){0};
}

enum status result_plan_make(struct result_plan *plan, const struct time_zones *zones,
                             const struct engine_result_options *options,
                             const struct result_column *columns, size_t count, struct error *error)
{
    if (count > ARROW_FIELDS_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the result has %zu columns; %d are the limit", count, ARROW_FIELDS_MAX);
    struct plan_maker maker = {
        .plan = plan,
        .zones = zones,
        .instant_unit = instant_unit(zones, options, columns, count),
        .dictionaries = options->dictionaries,
        .error = error,
    };
    plan->schema = arrow_schema_create(count);
    plan->columns = ARENA_NEW_ARRAY(&plan->arena, struct column_plan, count);
    plan->column_count = count;
    for (size_t i = 0; i < count; i++) {
        maker.column = columns[i].name;
        TRY(plan_make_field(&maker, columns[i].name, columns[i].type, &plan->columns[i],
                            &plan->schema->fields[i]));
    }
    describe(plan->schema, options->description, columns);
    if (options->required_columns)
        require_columns(plan->schema, options->required_columns);
    seal_schema(plan, zones);
    return STATUS_OK;
}
