/*
 * flags.c — split a command line into flags and arguments, one at a time.
 *
 * Whether a flag takes a value is known to the caller only, who asks for it with flags_value.
 *
 * Runs on: the thread that starts the process. Owns: nothing.
 * Not done here: what flags exist (load_flags.c, cli).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "settings/flags.h"

#include <ctype.h>

/* SQL may begin with a comment, "-- like this"; no flag has white space in its name. */
static bool is_sentence(struct str word)
{
    for (size_t i = 0; i < word.len && word.ptr[i] != '='; i++) {
        if (isspace((unsigned char)word.ptr[i]))
            return true;
    }
    return false;
}

bool flags_next(struct flags *flags, struct flag *out_flag)
{
    if (flags->at >= flags->count)
        return false;
    struct str word = str_of(flags->arguments[flags->at++]);
    if (!flags->ended && str_equal(word, STR("--"))) {
        flags->ended = true;
        return flags_next(flags, out_flag);
    }
    *out_flag = (struct flag){.text = word};
    if (flags->ended || word.len < 2 || word.ptr[0] != '-' || is_sentence(word))
        return true;
    ptrdiff_t equals = str_find(word, '=');
    if (equals >= 0) {
        out_flag->value = str_slice(word, (size_t)equals + 1, word.len);
        out_flag->has_value = true;
        out_flag->text = str_slice(word, 0, (size_t)equals);
    }
    size_t hyphens = word.ptr[1] == '-' ? 2 : 1;
    out_flag->name = str_slice(out_flag->text, hyphens, out_flag->text.len);
    return true;
}

enum status flags_value(struct flags *flags, struct flag *flag, struct error *error)
{
    if (flag->has_value)
        return STATUS_OK;
    if (flags->at >= flags->count)
        return error_set(error, STATUS_INVALID_ARGUMENT, "flag %.*s needs a value",
                         STR_ARGS(flag->text));
    flag->value = str_of(flags->arguments[flags->at++]);
    flag->has_value = true;
    return STATUS_OK;
}
