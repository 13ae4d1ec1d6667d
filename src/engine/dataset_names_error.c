/*
 * dataset_names_error.c — errors about a text in which names of datasets were replaced, told as errors about
 * the client's own text.
 *
 * A position is moved by what the replacements before it added; one within a replacement becomes the
 * beginning of the name. The engine's excerpt is made anew. Any thread; owns nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/dataset_names.h"

#include "engine/error_place.h"

static size_t source_position(const struct dataset_names *names, size_t position)
{
    size_t source = position;
    for (size_t i = 0; i < names->edit_count; i++) {
        const struct sql_edit *edit = &names->edits[i];
        if (position < edit->target)
            break;
        if (position < edit->target + edit->target_size)
            return edit->source;
        source = edit->source + edit->source_size + (position - edit->target - edit->target_size);
    }
    return source < names->source.len ? source : names->source.len;
}

void dataset_names_mend_error(const struct dataset_names *names, struct error *error)
{
    if (names->edit_count == 0 || error->position < 0)
        return;
    size_t position = source_position(names, (size_t)error->position);
    if (str_find_str(str_of(error->message), STR(ERROR_PLACE_MARK)) < 0)
        error->position = (int64_t)position;
    else
        error_place_set(error, names->source, position, STR_EMPTY);
}
