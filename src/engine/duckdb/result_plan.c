/*
 * result_plan.c — the columns of a result: its schema, and how each of them is copied.
 *
 * A result that has a column of type TIME_ZONE gives instants in milliseconds. Where columns of text leave as
 * dictionaries, they are copied as text and encoded batch by batch.
 *
 * Runs where statements are prepared, on a worker; owns the arena of the plan.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/plan_maker.h"

#include "base/memory.h"
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

/* --- dictionaries ------------------------------------------------------------------------------- */

void plan_add_dictionary(struct plan_maker *maker, struct arrow_batch *values)
{
    if (maker->dictionary_count == maker->dictionary_capacity) {
        maker->dictionary_capacity = maker->dictionary_capacity * 2 + 4;
        maker->dictionaries = memory_resize(maker->dictionaries, maker->dictionary_capacity,
                                            sizeof(*maker->dictionaries));
    }
    maker->dictionaries[maker->dictionary_count++] = values;
}

static void plan_maker_finish(struct plan_maker *maker)
{
    for (size_t i = 0; i < maker->dictionary_count; i++)
        arrow_batch_unref(maker->dictionaries[i]);
    free(maker->dictionaries);
}
CLEANUP_IN_PLACE(struct plan_maker, plan_maker_finish)

/* Text without a meaning of its own (JSON has one). */
static bool is_plain_text(const struct arrow_field *field)
{
    for (size_t i = 0; i < field->metadata_count; i++) {
        if (str_equal(field->metadata[i].key, STR("ARROW:extension:name")))
            return false;
    }
    return field->type == ARROW_UTF8 && !field->is_dictionary;
}

static bool has_plain_text(const struct arrow_schema *schema)
{
    for (size_t i = 0; i < schema->field_count; i++) {
        if (is_plain_text(&schema->fields[i]))
            return true;
    }
    return false;
}

/* The same schema with text columns as dictionaries that are still empty. */
static struct arrow_schema *encode_text(const struct arrow_schema *built)
{
    struct arrow_schema *schema = arrow_schema_create(built->field_count);
    struct arrow_batch **dictionaries =
        NEW_ARRAY(struct arrow_batch *, built->dictionary_count + built->field_count);
    size_t count = 0;
    for (size_t i = 0; i < built->field_count; i++) {
        struct arrow_field *field = &schema->fields[i];
        arrow_field_copy(schema, field, &built->fields[i]);
        count += arrow_field_dictionaries(built, &built->fields[i], dictionaries + count);
        if (!is_plain_text(field))
            continue;
        field->is_dictionary = true;
        field->dictionary_bit_width = 32;
        dictionaries[count++] = dictionary_of_texts(NULL, 0);
    }
    arrow_schema_seal(schema, dictionaries);
    free(dictionaries);
    return schema;
}

static void seal_schema(struct plan_maker *maker)
{
    struct result_plan *plan = maker->plan;
    arrow_schema_seal(plan->built, maker->dictionaries);
    maker->dictionary_count = 0; /* they are the schema's now */
    bool is_encoded =
        maker->dictionary_kind == ENGINE_DICTIONARIES_ON && has_plain_text(plan->built);
    plan->schema = is_encoded ? encode_text(plan->built) : arrow_schema_ref(plan->built);
}

/* --- what is announced -------------------------------------------------------------------------- */

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
    arrow_schema_unref(plan->built);
    arena_finish(&plan->arena);
    *plan = (struct result_plan){0};
}

enum status result_plan_make(struct result_plan *plan, const struct time_zones *zones,
                             const struct engine_result_options *options,
                             const struct result_column *columns, size_t count, struct error *error)
{
    if (count > ARROW_FIELDS_MAX)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "the result has %zu columns; %d are the limit", count,
                              ARROW_FIELDS_MAX);
    CLEANUP(plan_maker_finish)
    struct plan_maker maker = {
        .plan = plan,
        .zones = zones,
        .instant_unit = instant_unit(zones, options, columns, count),
        .dictionary_kind = options->dictionaries,
        .views = options->views,
        .error = error,
    };
    plan->built = arrow_schema_create(count);
    plan->columns = ARENA_NEW_ARRAY(&plan->arena, struct column_plan, count);
    plan->column_count = count;
    for (size_t i = 0; i < count; i++) {
        maker.column = columns[i].name;
        TRY(plan_make_field(&maker, columns[i].name, columns[i].type, &plan->columns[i],
                            &plan->built->fields[i]));
    }
    describe(plan->built, options->description, columns);
    if (options->required_columns)
        require_columns(plan->built, options->required_columns);
    seal_schema(&maker);
    return STATUS_OK;
}
