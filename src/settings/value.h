/*
 * value.h — one value of a setting: read from text, stored in the struct, written as text.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "settings/table.h"

struct setting_value {
    struct str text; /* texts, paths, addresses: points into what was parsed */
    uint64_t number; /* integers, sizes, durations, choices; booleans as 0 and 1 */
};

/* Reads one value (of a list: one item); false when it is not what the row allows. */
bool setting_parse(const struct setting *setting, struct str text, const struct machine *machine,
                   struct setting_value *out_value);
/* Appends what the row allows, in words that follow "must be". */
void setting_write_allowed(const struct setting *setting, struct buf *out);
/* Puts a value into the row's field; the field is not a list. */
void setting_store(const struct setting *setting, struct settings *settings,
                   struct setting_value value);
/* Appends the field's value as text that setting_parse reads; nothing when it is not set. */
void setting_write(const struct setting *setting, const struct settings *settings, struct buf *out);
/* The row's list; the field is one. */
struct settings_list *setting_list(const struct setting *setting, struct settings *settings);
