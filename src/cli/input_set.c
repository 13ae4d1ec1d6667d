/*
 * input_set.c — what several inputs are together.
 *
 * Runs on: the main thread. Owns: the inputs that stay open. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/input_set.h"

#include "base/memory.h"

#include <stdlib.h>
#include <sys/stat.h>

static bool is_pipe(const char *name)
{
    struct stat facts;
    return stat(name, &facts) == 0 && !S_ISREG(facts.st_mode);
}

static enum status look_at(struct input_set *set, size_t index, struct error *error)
{
    CLEANUP(input_close) struct input *input = NULL;
    TRY(input_open(set->names[index], &set->options, &input, error));
    bool is_repeatable = input_is_repeatable(input);
    set->total_bytes += input_size(input);
    set->is_arrow = set->is_arrow && input_format(input) == INPUT_ARROW;
    set->is_repeatable = set->is_repeatable && is_repeatable;
    if (!is_repeatable)
        set->kept[index] = STEAL(input);
    return STATUS_OK;
}

enum status input_set_open(struct input_set *set, const char *const *names, size_t count,
                           const struct input_options *options, struct error *error)
{
    *set = (struct input_set){.names = names,
                              .count = count,
                              .options = *options,
                              .kept = NEW_ARRAY(struct input *, count + 1),
                              .is_arrow = true,
                              .is_repeatable = true};
    for (size_t i = 0; i < count; i++)
        TRY(look_at(set, i, error));
    if (!set->is_repeatable)
        set->total_bytes = 0;
    return STATUS_OK;
}

void input_set_close(struct input_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        input_close(set->kept[i]);
    free(set->kept);
    *set = (struct input_set){0};
}

enum status input_set_take(struct input_set *set, size_t index, struct input **out_input,
                           struct error *error)
{
    *out_input = STEAL(set->kept[index]);
    if (*out_input)
        return STATUS_OK;
    if (is_pipe(set->names[index]) ||
        (!set->is_repeatable && str_equal(str_of(set->names[index]), STR("-"))))
        return error_set(error, STATUS_FAILED_PRECONDITION, "%s cannot be read again",
                         set->names[index]);
    return input_open(set->names[index], &set->options, out_input, error);
}
