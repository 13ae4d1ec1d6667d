/*
 * dataset_uses.c — finding the datasets that statements read, and knowing whether they still fit.
 *
 * A prepared statement is good for the columns that its datasets had; which rows they hold is looked up
 * when it runs. Any thread; a list belongs to its statement. SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "engine/duckdb/state.h"

void dataset_uses_add(struct dataset_uses *uses, struct str name, struct arrow_schema *schema)
{
    uses->items = memory_resize(uses->items, uses->count + 1, sizeof(*uses->items));
    uses->items[uses->count++] = (struct dataset_use){
        .name = str_copy(name),
        .schema = arrow_schema_ref(schema),
    };
}

void dataset_uses_clear(struct dataset_uses *uses)
{
    for (size_t i = 0; i < uses->count; i++) {
        free(uses->items[i].name);
        arrow_schema_unref(uses->items[i].schema);
    }
    free(uses->items);
    *uses = (struct dataset_uses){0};
}

static bool use_is_current(const struct dataset_use *use, struct engine *engine)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    if (store_find_name(engine->store, str_of(use->name), &dataset, NULL) != STATUS_OK)
        return false;
    const struct arrow_schema *schema = dataset_schema(dataset);
    return schema == use->schema || arrow_schema_equal(schema, use->schema);
}

bool dataset_uses_are_current(const struct dataset_uses *uses, struct engine *engine)
{
    for (size_t i = 0; i < uses->count; i++)
        if (!use_is_current(&uses->items[i], engine))
            return false;
    return true;
}

enum status dataset_find_readable(struct engine *engine, struct str name,
                                  struct dataset **out_dataset, struct error *error)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    struct dataset_facts facts;
    if (!engine->store || store_find_name(engine->store, name, &dataset, NULL) != STATUS_OK)
        return error_set_code(error, STATUS_NOT_FOUND, "NOT_FOUND",
                              "there is no dataset '%.*s': it expired, was dropped or never existed",
                              STR_ARGS(name));
    dataset_facts(dataset, &facts);
    if (facts.state != DATASET_COMPLETE)
        return error_set(error, STATUS_FAILED_PRECONDITION,
                         "dataset '%.*s' is %s: SQL reads complete ones only", STR_ARGS(name),
                         dataset_state_name(facts.state));
    *out_dataset = STEAL(dataset);
    return STATUS_OK;
}

bool dataset_path_exists(void *engine, struct str path)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    struct store *store = ((struct engine *)engine)->store;
    return store && store_find_name(store, path, &dataset, NULL) == STATUS_OK;
}
