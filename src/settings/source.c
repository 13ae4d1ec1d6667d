/*
 * source.c — collect what the sources offer, by precedence.
 *
 * Runs on: the thread that loads settings. Owns: nothing; everything lives in the arena.
 * Not done here: reading a value's text (value.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "settings/source.h"

#include "base/checked.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define CAPACITY_FIRST 4

void offers_init(struct offers *offers, struct arena *arena)
{
    *offers = (struct offers){.arena = arena};
    offers->slots = (struct offer(*)[SETTING_FORM_COUNT])arena_new(
        arena, settings_table_count * sizeof(*offers->slots));
}

struct offer *offers_slot(struct offers *offers, const struct setting *setting,
                          enum setting_form form)
{
    return &offers->slots[setting - settings_table][form];
}

static void append_value(struct arena *arena, struct offer *offer, struct offer_value value)
{
    if (offer->count == offer->capacity) {
        size_t capacity = size_max(CAPACITY_FIRST, offer->capacity * 2);
        struct offer_value *values = ARENA_NEW_ARRAY(arena, struct offer_value, capacity);
        if (offer->count > 0)
            memcpy(values, offer->values, offer->count * sizeof(*values));
        offer->values = values;
        offer->capacity = capacity;
    }
    offer->values[offer->count++] = (struct offer_value){
        .text = arena_copy(arena, value.text),
        .origin = arena_copy(arena, value.origin),
        .split = value.split,
    };
}

void offers_add(struct offers *offers, const struct setting *setting, enum setting_form form,
                enum source_kind source, enum source_repeat repeat, struct offer_value value)
{
    struct offer *offer = offers_slot(offers, setting, form);
    if (offer->count > 0) {
        if (offer->source != source || repeat == SOURCE_FIRST)
            return;
        if (repeat == SOURCE_LAST)
            offer->count = 0;
    }
    offer->source = source;
    append_value(offers->arena, offer, value);
}

void text_list_add(struct text_list *list, struct arena *arena, struct str text)
{
    if (list->count == list->capacity) {
        size_t capacity = size_max(CAPACITY_FIRST, list->capacity * 2);
        struct str *items = ARENA_NEW_ARRAY(arena, struct str, capacity);
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = arena_copy(arena, text);
}

static enum status read_open_file(FILE *file, struct arena *arena, const char *path,
                                  struct str *out_text, struct error *error)
{
    struct stat status;
    if (fstat(fileno(file), &status) != 0)
        return error_set_errno(error, errno, "%s", path);
    if (S_ISDIR(status.st_mode))
        return error_set(error, STATUS_INVALID_ARGUMENT, "%s is a folder", path);
    char *bytes = (char *)arena_new(arena, SOURCE_FILE_BYTES_MAX + 1);
    size_t size = fread(bytes, 1, SOURCE_FILE_BYTES_MAX + 1, file);
    if (ferror(file))
        return error_set_errno(error, errno, "%s", path);
    if (size > SOURCE_FILE_BYTES_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT, "%s is larger than 1 MiB", path);
    *out_text = str_make(bytes, size);
    return STATUS_OK;
}

enum status source_read_file(struct arena *arena, const char *path, struct str *out_text,
                             struct error *error)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return error_set_errno(error, errno, "%s", path);
    enum status status = read_open_file(file, arena, path, out_text, error);
    (void)fclose(file);
    return status;
}
