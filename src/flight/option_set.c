/*
 * option_set.c — a text for each option of the table, counted references.
 * Threads: any. Owns: the texts. SPDX-License-Identifier: Apache-2.0
 */
#include "flight/option_set.h"

#include "base/memory.h"
#include "flight/option_table.h"

#include <assert.h>
#include <stdatomic.h>

struct option_set {
    atomic_int references;
    char *values[OPTIONS_MAX]; /* NULL: not set */
};

struct option_set *option_set_with(const struct option_set *before, size_t option, struct str value)
{
    struct option_set *set = NEW(struct option_set);
    size_t count = 0;
    assert(option < option_count() && option_count() <= OPTIONS_MAX);
    atomic_init(&set->references, 1);
    for (size_t i = 0; i < option_count(); i++) {
        struct str text = i == option ? value : option_set_value(before, i);
        if (text.len == 0)
            continue;
        set->values[i] = str_copy(text);
        count++;
    }
    if (count > 0)
        return set;
    option_set_unref(set);
    return NULL;
}

struct option_set *option_set_ref(struct option_set *set)
{
    atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
    return set;
}

void option_set_unref(struct option_set *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < OPTIONS_MAX; i++)
        free(set->values[i]);
    free(set);
}

struct str option_set_value(const struct option_set *set, size_t option)
{
    return set && option < OPTIONS_MAX ? str_of(set->values[option]) : STR_EMPTY;
}
