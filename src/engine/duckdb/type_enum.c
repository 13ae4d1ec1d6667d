/*
 * type_enum.c — how a column of an ENUM leaves: TIME_ZONE as the dictionary that all share, others as
 * text, views or a dictionary of their labels.
 *
 * Runs where statements are prepared, on a worker; owns nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/plan_maker.h"

/* With the smallest signed index that takes all labels: others are not known everywhere. */
static void make_enum_dictionary(struct plan_maker *maker, struct column_plan *plan,
                                 struct arrow_field *field)
{
    size_t count = plan->label_count;
    field->is_dictionary = true;
    field->dictionary_bit_width = count <= INT8_MAX ? 8 : count <= INT16_MAX ? 16 : 32;
    plan->copy =
        (size_t)field->dictionary_bit_width == plan->width * 8 ? copy_fixed : copy_enum_index;
    plan_add_dictionary(maker, dictionary_of_texts(plan->labels, count));
}

static void make_enum_view(struct column_plan *plan, struct arrow_field *field)
{
    field->type = ARROW_UTF8_VIEW;
    plan->copy = copy_enum_view;
}

void plan_make_enum(struct plan_maker *maker, duckdb_logical_type type, struct column_plan *plan,
                    struct arrow_field *field)
{
    struct arena *arena = &maker->plan->arena;
    field->type = ARROW_UTF8;
    if (plan->width == 2 && maker->dictionary_kind != ENGINE_DICTIONARIES_OFF &&
        time_zones_match(maker->zones, type)) {
        field->is_dictionary = true;
        field->dictionary_bit_width = 16;
        plan->copy = copy_fixed;
        plan_add_dictionary(maker, arrow_batch_ref(maker->zones->dictionary));
        return;
    }
    plan->label_count = duckdb_enum_dictionary_size(type);
    struct str *labels = ARENA_NEW_ARRAY(arena, struct str, plan->label_count);
    for (size_t i = 0; i < plan->label_count; i++) {
        char *value = duckdb_enum_dictionary_value(type, i);
        labels[i] = arena_copy(arena, str_of(value));
        duckdb_free(value);
    }
    plan->labels = labels;
    if (maker->dictionary_kind == ENGINE_DICTIONARIES_ON)
        make_enum_dictionary(maker, plan, field);
    else if (maker->views)
        make_enum_view(plan, field);
    else
        plan->copy = copy_enum_text;
}
