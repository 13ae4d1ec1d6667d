/*
 * source.h — where values come from: each source offers texts, the first that has one wins.
 *
 * Sources are read in order of precedence. An offer for a row that an earlier source has filled is
 * dropped; within one source the reader says whether later offers append, replace or are dropped.
 *
 * Threads: one at a time. Owns: nothing; copies live in the arena.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "settings/table.h"

/* In order of precedence. */
enum source_kind { SOURCE_FLAG, SOURCE_ENVIRONMENT, SOURCE_DOTENV, SOURCE_FILE, SOURCE_DEFAULT };
enum source_repeat { SOURCE_FIRST, SOURCE_LAST, SOURCE_APPEND };

struct offer_value {
    struct str text;
    struct str origin;
    bool split; /* of a list: items are separated by commas */
};

struct offer {
    enum source_kind source;
    struct offer_value *values;
    size_t count; /* 0: nothing offered yet */
    size_t capacity;
};

struct text_list {
    struct str *items;
    size_t count;
    size_t capacity;
};

struct offers {
    struct arena *arena;
    struct offer (*slots)[SETTING_FORM_COUNT]; /* one per row of the table and form */
    struct text_list warnings;
    struct text_list files;
};

void offers_init(struct offers *offers, struct arena *arena);
struct offer *offers_slot(struct offers *offers, const struct setting *setting,
                          enum setting_form form);
void offers_add(struct offers *offers, const struct setting *setting, enum setting_form form,
                enum source_kind source, enum source_repeat repeat, struct offer_value value);
/* Appends a copy. */
void text_list_add(struct text_list *list, struct arena *arena, struct str text);

/* The sources; each offers what it has. */
MUST_CHECK enum status source_read_flags(struct offers *offers, char *const *arguments,
                                         size_t count, struct error *error);
void source_read_environment(struct offers *offers, char *const *environment);
/* A missing file is passed over; a broken line becomes a warning. */
MUST_CHECK enum status source_read_dotenv(struct offers *offers, const char *path,
                                          struct error *error);
MUST_CHECK enum status source_read_yaml(struct offers *offers, struct str path, struct str origin,
                                        struct error *error);

/* The file's bytes in the arena; at most SOURCE_FILE_BYTES_MAX, larger is refused. */
#define SOURCE_FILE_BYTES_MAX ((size_t)1 << 20)
MUST_CHECK enum status source_read_file(struct arena *arena, const char *path, struct str *out_text,
                                        struct error *error);
