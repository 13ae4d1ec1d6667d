/*
 * source_yaml.c — settings from a YAML file.
 *
 * The parser's events are read by descent: a mapping inside a mapping makes dotted names
 * ("flight.address"), which a table maps to settings; all other keys are settings' names, with hyphens or
 * underscores. Lists are sequences, or scalars with commas. An empty value counts as not set. Everything
 * else is refused with its line: unknown keys, keys given twice, anchors' references (a small file could
 * unfold to a large one), depth.
 *
 * Runs on: the thread that starts the process. Owns: the parser until the file is read.
 * Spec: YAML 1.1 as libyaml reads it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/nearest.h"
#include "settings/source.h"

#include <yaml.h>

#define DEPTH_MAX 8

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the one being looked at */
    struct offers *offers;
    struct str path;
    struct error *error;
};

static size_t line_of(const struct reader *reader)
{
    return reader->event.start_mark.line + 1;
}

static enum status next_event(struct reader *reader)
{
    yaml_event_delete(&reader->event);
    if (!yaml_parser_parse(&reader->parser, &reader->event)) {
        const yaml_parser_t *parser = &reader->parser;
        size_t line = parser->problem_mark.line + 1;
        return error_set(reader->error, STATUS_INVALID_ARGUMENT, "%.*s:%zu: not valid YAML: %s",
                         STR_ARGS(reader->path), line,
                         parser->problem ? parser->problem : "unreadable");
    }
    if (reader->event.type == YAML_ALIAS_EVENT)
        return error_set(reader->error, STATUS_INVALID_ARGUMENT,
                         "%.*s:%zu: references to anchors are not supported",
                         STR_ARGS(reader->path), line_of(reader));
    return STATUS_OK;
}

static struct str scalar_of(const struct reader *reader)
{
    return str_make(reader->event.data.scalar.value, reader->event.data.scalar.length);
}

static bool is_null(const struct reader *reader)
{
    struct str text = scalar_of(reader);
    return reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text.len == 0 || str_equal(text, STR("~")) || str_equal_nocase(text, STR("null")));
}

/* *out_form: what of the setting the key gives. */
static const struct setting *find_key(struct str key, enum setting_form *out_form)
{
    *out_form = SETTING_WHOLE;
    for (size_t i = 0; i < settings_yaml_key_count; i++) {
        if (!str_equal(str_of(settings_yaml_keys[i].key), key))
            continue;
        *out_form = settings_yaml_keys[i].form;
        return setting_find(str_of(settings_yaml_keys[i].setting));
    }
    const struct setting *setting = setting_find(key);
    return setting && str_equal(str_of(setting->name), STR("config")) ? NULL : setting;
}

static bool is_section(struct str key)
{
    for (size_t i = 0; i < settings_yaml_key_count; i++) {
        struct str known = str_of(settings_yaml_keys[i].key);
        if (known.len > key.len && str_starts_with(known, key) && known.ptr[key.len] == '.')
            return true;
    }
    return false;
}

static bool is_foreign(struct str key)
{
    for (const char *const *name = settings_yaml_foreign; *name; name++) {
        if (str_equal(key, str_of(*name)))
            return true;
    }
    return false;
}

static enum status refuse_key(struct reader *reader, struct str key, size_t line)
{
    struct nearest nearest;
    nearest_init(&nearest, key);
    for (size_t i = 0; i < settings_table_count; i++)
        nearest_offer(&nearest, str_of(settings_table[i].name));
    for (size_t i = 0; i < settings_yaml_key_count; i++)
        nearest_offer(&nearest, str_of(settings_yaml_keys[i].key));
    if (nearest.best.len == 0)
        return error_set(reader->error, STATUS_INVALID_ARGUMENT, "%.*s:%zu: unknown key '%.*s'",
                         STR_ARGS(reader->path), line, STR_ARGS(key));
    return error_set(reader->error, STATUS_INVALID_ARGUMENT,
                     "%.*s:%zu: unknown key '%.*s'; did you mean '%.*s'?", STR_ARGS(reader->path),
                     line, STR_ARGS(key), STR_ARGS(nearest.best));
}

static void offer_scalar(struct reader *reader, const struct setting *setting,
                         enum setting_form form, bool split)
{
    struct offers *offers = reader->offers;
    struct offer_value value = {
        .text = scalar_of(reader),
        .origin = arena_printf(offers->arena, "%.*s:%zu", STR_ARGS(reader->path), line_of(reader)),
        .split = split,
    };
    offers_add(offers, setting, form, SOURCE_FILE, SOURCE_APPEND, value);
}

static enum status read_sequence(struct reader *reader, const struct setting *setting)
{
    if (!setting->list)
        return error_set(reader->error, STATUS_INVALID_ARGUMENT, "%.*s:%zu: %s takes one value",
                         STR_ARGS(reader->path), line_of(reader), setting->name);
    for (;;) {
        TRY(next_event(reader));
        if (reader->event.type == YAML_SEQUENCE_END_EVENT)
            return STATUS_OK;
        if (reader->event.type != YAML_SCALAR_EVENT)
            return error_set(reader->error, STATUS_INVALID_ARGUMENT,
                             "%.*s:%zu: items of %s are single values", STR_ARGS(reader->path),
                             line_of(reader), setting->name);
        offer_scalar(reader, setting, SETTING_WHOLE, false);
    }
}

/* The event after a setting's key. */
static enum status read_setting(struct reader *reader, const struct setting *setting,
                                enum setting_form form, size_t line)
{
    const struct offer *offer = offers_slot(reader->offers, setting, form);
    if (offer->count > 0 && offer->source == SOURCE_FILE)
        return error_set(reader->error, STATUS_INVALID_ARGUMENT,
                         "%.*s:%zu: %s is given twice, first at %.*s", STR_ARGS(reader->path), line,
                         setting->name, STR_ARGS(offer->values[0].origin));
    TRY(next_event(reader));
    if (reader->event.type == YAML_SEQUENCE_START_EVENT && form == SETTING_WHOLE)
        return read_sequence(reader, setting);
    if (reader->event.type != YAML_SCALAR_EVENT)
        return error_set(reader->error, STATUS_INVALID_ARGUMENT,
                         "%.*s:%zu: %s takes a value, not a section", STR_ARGS(reader->path), line,
                         setting->name);
    if (!is_null(reader))
        offer_scalar(reader, setting, form, true);
    return STATUS_OK;
}

/* The node after a foreign key, whatever it is. */
static enum status skip_node(struct reader *reader)
{
    size_t depth = 0;
    do {
        TRY(next_event(reader));
        yaml_event_type_t type = reader->event.type;
        if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT)
            depth++;
        else if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT)
            depth--;
    } while (depth > 0);
    return STATUS_OK;
}

static enum status skip_foreign(struct reader *reader, struct str key, size_t line)
{
    struct arena *arena = reader->offers->arena;
    text_list_add(&reader->offers->warnings, arena,
                  arena_printf(arena, "%.*s:%zu: section '%.*s' is not Volley's and is passed over",
                               STR_ARGS(reader->path), line, STR_ARGS(key)));
    return skip_node(reader);
}

static enum status read_mapping(struct reader *reader, struct str prefix, size_t depth);

static enum status read_section(struct reader *reader, struct str key, size_t depth)
{
    TRY(next_event(reader));
    if (reader->event.type == YAML_SCALAR_EVENT && is_null(reader))
        return STATUS_OK;
    if (reader->event.type != YAML_MAPPING_START_EVENT)
        return error_set(reader->error, STATUS_INVALID_ARGUMENT,
                         "%.*s:%zu: '%.*s' is a section of keys", STR_ARGS(reader->path),
                         line_of(reader), STR_ARGS(key));
    return read_mapping(reader, key, depth + 1);
}

static enum status read_key(struct reader *reader, struct str prefix, size_t depth)
{
    size_t line = line_of(reader);
    if (reader->event.type != YAML_SCALAR_EVENT || depth > DEPTH_MAX)
        return error_set(reader->error, STATUS_INVALID_ARGUMENT,
                         "%.*s:%zu: keys are names of settings", STR_ARGS(reader->path), line);
    struct arena *arena = reader->offers->arena;
    struct str key = arena_copy(arena, scalar_of(reader));
    if (prefix.len > 0)
        key = arena_printf(arena, "%.*s.%.*s", STR_ARGS(prefix), STR_ARGS(key));
    enum setting_form form;
    const struct setting *setting = find_key(key, &form);
    if (setting)
        return read_setting(reader, setting, form, line);
    if (is_section(key))
        return read_section(reader, key, depth);
    if (is_foreign(key))
        return skip_foreign(reader, key, line);
    return refuse_key(reader, key, line);
}

/* After the mapping's start, up to its end. */
static enum status read_mapping(struct reader *reader, struct str prefix, size_t depth)
{
    for (;;) {
        TRY(next_event(reader));
        if (reader->event.type == YAML_MAPPING_END_EVENT)
            return STATUS_OK;
        TRY(read_key(reader, prefix, depth));
    }
}

static enum status read_stream(struct reader *reader)
{
    do {
        TRY(next_event(reader));
        if (reader->event.type == YAML_STREAM_END_EVENT)
            return STATUS_OK;
    } while (reader->event.type != YAML_MAPPING_START_EVENT &&
             reader->event.type != YAML_SEQUENCE_START_EVENT &&
             reader->event.type != YAML_SCALAR_EVENT);
    if (reader->event.type == YAML_SCALAR_EVENT && is_null(reader))
        return STATUS_OK;
    if (reader->event.type != YAML_MAPPING_START_EVENT)
        return error_set(reader->error, STATUS_INVALID_ARGUMENT,
                         "%.*s:%zu: expected lines of 'setting: value'", STR_ARGS(reader->path),
                         line_of(reader));
    TRY(read_mapping(reader, STR_EMPTY, 0));
    do {
        TRY(next_event(reader));
        if (reader->event.type == YAML_DOCUMENT_START_EVENT)
            return error_set(reader->error, STATUS_INVALID_ARGUMENT,
                             "%.*s:%zu: a second document is not read", STR_ARGS(reader->path),
                             line_of(reader));
    } while (reader->event.type != YAML_STREAM_END_EVENT);
    return STATUS_OK;
}

enum status source_read_yaml(struct offers *offers, struct str path, struct str origin,
                             struct error *error)
{
    struct str text;
    struct error cause = ERROR_NONE;
    if (source_read_file(offers->arena, path.ptr, &text, &cause) != STATUS_OK)
        return error_set(error, STATUS_INVALID_ARGUMENT, "config: %s (%.*s)", cause.message,
                         STR_ARGS(origin));
    struct reader reader = {.offers = offers, .path = path, .error = error};
    if (!yaml_parser_initialize(&reader.parser))
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "no memory for the YAML parser");
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text.ptr, text.len);
    enum status status = read_stream(&reader);
    yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
    return status;
}
