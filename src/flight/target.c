/*
 * target.c — reads descriptors and tickets.
 *
 * Runs on: any thread. Owns: nothing; texts are the arena's or the message's.
 * Leaves out: looking anything up (dataset.c), signed tickets (ticket.c).
 * Source: Flight.proto, "FlightDescriptor"; contracts section 6. SPDX-License-Identifier: Apache-2.0
 */
#include "flight/target.h"

#include "base/memory.h"
#include "base/random.h"
#include "engine/gate.h"
#include "flight/flight_private.h"
#include "proto/flight.h"
#include "store/name.h"

#include <ctype.h>

/* SQL inside JSON may be escaped to twice its size and more. */
#define JSON_BYTES_MAX ((size_t)21 << 20)

static const struct target_part whole = {.limit = UINT64_MAX};

/* --- names ---------------------------------------------------------------------------------- */

static enum status set_id(struct target *target, struct str id, struct error *error)
{
    target->id = id;
    return dataset_id_check(id, error);
}

enum status target_of_name(struct str text, struct target *out_target, struct error *error)
{
    struct str batch = STR("batch/");
    *out_target = (struct target){.kind = TARGET_DATASET, .part = whole};
    if (text.len == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the name is empty; give a batch id or a dataset's path");
    if (str_starts_with(text, batch) && str_find(str_slice(text, batch.len, text.len), '/') < 0)
        return set_id(out_target, str_slice(text, batch.len, text.len), error);
    out_target->name = text;
    return STATUS_OK;
}

/* ["batch", id] is a batch, whatever its id; everything else a path. */
static enum status read_path(struct arena *arena, const struct str *elements, size_t count,
                             struct target *target, struct error *error)
{
    target->kind = TARGET_DATASET;
    if (count == 2 && str_equal(elements[0], STR("batch")))
        return set_id(target, elements[1], error);
    return dataset_path_join(arena, elements, count, &target->path, error);
}

/* Statements that a client may send as a text of one word; any other such text is a name. */
static bool is_one_word_statement(struct str text)
{
    static const char *const statements[] = {"abort", "analyze",  "begin",  "checkpoint", "commit",
                                             "end",   "rollback", "vacuum", "describe",   "show"};
    for (size_t i = 0; i < ARRAY_COUNT(statements); i++) {
        if (str_equal_nocase(text, str_of(statements[i])))
            return true;
    }
    return false;
}

static bool looks_like_name(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        bool fits = isalnum(byte) || byte >= 0x80 || (byte != '\0' && strchr("._-/%:@+~#$", byte));
        if (!fits)
            return false;
    }
    return !is_one_word_statement(text);
}

/* --- JSON ----------------------------------------------------------------------------------- */

static enum status copy_texts(struct arena *arena, const struct json_value *array, const char *key,
                              const struct str **out_texts, size_t *out_count, struct error *error)
{
    size_t count = json_value_count(array);
    struct str *texts = ARENA_NEW_ARRAY(arena, struct str, count);
    for (size_t i = 0; i < count; i++) {
        struct str text;
        if (!json_value_text(json_value_at(array, i), &text))
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "field '%s' must be a list of strings; element %zu is none", key, i);
        texts[i] = arena_copy(arena, text);
    }
    *out_texts = texts;
    *out_count = count;
    return STATUS_OK;
}

enum status target_read_json_path(struct arena *arena, const struct json_value *object,
                                  struct target *out_target, struct error *error)
{
    const struct json_value *path = json_member(object, "path");
    struct str name;
    *out_target = (struct target){.part = whole};
    if (json_value_is_array(path)) {
        const struct str *elements;
        size_t count;
        TRY(copy_texts(arena, path, "path", &elements, &count, error));
        return read_path(arena, elements, count, out_target, error);
    }
    if (json_value_text(path, &name))
        return target_of_name(arena_copy(arena, name), out_target, error);
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "field 'path' is required: a list of strings or a string");
}

static enum status read_json_columns(struct arena *arena, const struct json_value *object,
                                     struct target_part *part, struct error *error)
{
    const struct json_value *columns = json_member(object, "columns");
    if (!columns)
        return STATUS_OK;
    if (!json_value_is_array(columns) || json_value_count(columns) == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "field 'columns' must be a list of at least one column's name");
    return copy_texts(arena, columns, "columns", &part->columns, &part->column_count, error);
}

static enum status read_json_rows(const struct json_value *object, const char *key,
                                  uint64_t *in_out_rows, struct error *error)
{
    int64_t rows = 0;
    bool present = false;
    TRY(json_member_integer(object, key, false, &rows, &present, error));
    if (!present)
        return STATUS_OK;
    if (rows < 0)
        return error_set(error, STATUS_INVALID_ARGUMENT, "field '%s' is a number of rows, not %lld",
                         key, (long long)rows);
    *in_out_rows = (uint64_t)rows;
    return STATUS_OK;
}

/* JSON of a descriptor or ticket to read by. */
static enum status read_json_part(struct arena *arena, const struct json_value *object,
                                  struct target *target, struct error *error)
{
    static const char *const known[] = {"sql", "path", "columns", "from", "limit", NULL};
    TRY(json_check_keys(object, known, error));
    bool has_path = json_member(object, "path") != NULL;
    bool has_sql = false;
    struct str sql;
    TRY(json_member_text(object, "sql", false, &sql, &has_sql, error));
    if (has_path == has_sql)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         has_path ? "give 'sql' or 'path', not both"
                                  : "field 'sql' or 'path' is required");
    if (has_path) {
        TRY(target_read_json_path(arena, object, target, error));
    } else {
        target->kind = TARGET_SQL;
        target->sql = arena_copy(arena, sql);
    }
    TRY(read_json_columns(arena, object, &target->part, error));
    TRY(read_json_rows(object, "from", &target->part.from, error));
    return read_json_rows(object, "limit", &target->part.limit, error);
}

/* JSON of a descriptor to put to. */
static enum status read_json_put(struct arena *arena, const struct json_value *object,
                                 struct target *target, struct error *error)
{
    static const char *const known[] = {"path", "mode", "durability", "ttl", NULL};
    TRY(json_check_keys(object, known, error));
    TRY(target_read_json_path(arena, object, target, error));
    return put_wishes_read(&target->wishes, object, error);
}

static enum status read_json(struct arena *arena, struct str text, enum target_use use,
                             struct target *target, struct error *error)
{
    CLEANUP(json_document_destroy) struct json_document *document = NULL;
    TRY(json_parse(text, JSON_BYTES_MAX, &document, error));
    const struct json_value *object = json_root(document);
    return use == TARGET_TO_PUT ? read_json_put(arena, object, target, error)
                                : read_json_part(arena, object, target, error);
}

/* --- commands ------------------------------------------------------------------------------- */

/* It begins as a message of Flight SQL does, and was not taken for one. */
static bool is_cut_message(struct str text)
{
    struct str prefix = STR("type.googleapis.com/");
    if (text.len < 2 || text.ptr[0] != '\n')
        return false;
    struct str url = str_slice(text, 2, text.len); /* behind its field and length */
    return str_starts_with(url, prefix) || str_starts_with(prefix, url);
}

enum status target_of_command(struct arena *arena, struct slice command, enum target_use use,
                              struct target *out_target, struct error *error)
{
    *out_target = (struct target){.part = whole};
    if (proto_any_is(command, STR(FLIGHT_SQL_PACKAGE))) {
        out_target->kind = TARGET_COMMAND;
        out_target->command = command;
        return STATUS_OK;
    }
    if (is_cut_message(slice_str(command)))
        return error_set(
            error, STATUS_INVALID_ARGUMENT,
            "this is a Flight SQL message that was altered or cut; send the bytes of the "
            "command or ticket unchanged");
    struct str text = str_trim(slice_str(command));
    if (text.len == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the command is empty; send a Flight SQL command, {\"sql\": ...}, "
                         "{\"path\": ...}, a dataset's name or SQL text");
    if (!str_is_utf8(text))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the command is neither a Flight SQL command nor UTF-8 text");
    if (text.ptr[0] == '{')
        return read_json(arena, text, use, out_target, error);
    if (str_equal(text, STR("store"))) {
        out_target->kind = TARGET_STORE;
        return STATUS_OK;
    }
    if (looks_like_name(text))
        return target_of_name(text, out_target, error);
    out_target->kind = TARGET_SQL;
    out_target->sql = text;
    return STATUS_OK;
}

enum status target_of_descriptor(struct arena *arena, struct slice message, enum target_use use,
                                 struct target *out_target, struct error *error)
{
    Flight__FlightDescriptor *descriptor;
    TRY(proto_unpack(arena, &flight__flight_descriptor__descriptor, message, &descriptor, error));
    if (descriptor->type == FLIGHT__FLIGHT_DESCRIPTOR__DESCRIPTOR_TYPE__CMD)
        return target_of_command(arena, slice_make(descriptor->cmd.data, descriptor->cmd.len, NULL),
                                 use, out_target, error);
    if (descriptor->type != FLIGHT__FLIGHT_DESCRIPTOR__DESCRIPTOR_TYPE__PATH)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the descriptor has no type; it must be CMD (a command) or PATH");
    *out_target = (struct target){.part = whole};
    struct str *elements = ARENA_NEW_ARRAY(arena, struct str, descriptor->n_path);
    for (size_t i = 0; i < descriptor->n_path; i++)
        elements[i] = str_of(descriptor->path[i]);
    return read_path(arena, elements, descriptor->n_path, out_target, error);
}
