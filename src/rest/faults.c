/*
 * faults.c — all that is wrong with a request: collected, told in one message and place by place.
 *
 * The words of `type` are those that clients of Python services compare (pydantic's).
 * Runs on the loop or a worker, one at a time. Owns nothing: texts are in the exchange's arena.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/fields.h"

#include "base/buf.h"
#include "base/checked.h"

void rest_fault_add(struct rest_faults *faults, const char *place, ptrdiff_t index,
                    const char *name, const char *type, const char *format, ...)
{
    if (faults->count++ >= REST_FAULTS_MAX)
        return;
    CLEANUP(buf_finish) struct buf message;
    buf_init(&message, ERROR_MESSAGE_MAX);
    va_list arguments;
    va_start(arguments, format);
    buf_vprintf(&message, format, arguments);
    va_end(arguments);
    faults->items[faults->count - 1] = (struct rest_fault){
        .place = place,
        .index = index,
        .name = name ? arena_copy(faults->arena, str_of(name)) : STR_EMPTY,
        .message = arena_copy(faults->arena, buf_str(&message)),
        .type = type,
    };
}

struct rest_faults *rest_exchange_faults(struct rest_exchange *exchange)
{
    if (!exchange->faults) {
        exchange->faults = ARENA_NEW(&exchange->arena, struct rest_faults);
        exchange->faults->arena = &exchange->arena;
    }
    return exchange->faults;
}

enum status rest_faults_check(const struct rest_faults *faults, struct error *error)
{
    if (faults->count == 0)
        return STATUS_OK;
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, (size_t)REST_FAULTS_MAX * (ERROR_MESSAGE_MAX + 2));
    for (size_t i = 0; i < size_min(faults->count, REST_FAULTS_MAX); i++) {
        buf_append_text(&text, i > 0 ? "; " : "");
        buf_append_str(&text, faults->items[i].message);
    }
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR", "%.*s",
                          STR_ARGS(buf_str(&text)));
}

static void write_fault(struct json_writer *json, const struct rest_fault *fault)
{
    json_write_begin_object(json);
    json_write_key(json, "loc");
    json_write_begin_array(json);
    json_write_text(json, str_of(fault->place));
    if (fault->index >= 0)
        json_write_integer(json, fault->index);
    if (fault->name.len > 0)
        json_write_text(json, fault->name);
    json_write_end_array(json);
    json_write_key(json, "msg");
    json_write_text(json, fault->message);
    json_write_key(json, "type");
    json_write_text(json, str_of(fault->type));
    json_write_end_object(json);
}

void rest_write_faults(struct json_writer *json, const struct rest_faults *faults)
{
    json_write_begin_array(json);
    for (size_t i = 0; i < size_min(faults->count, REST_FAULTS_MAX); i++)
        write_fault(json, &faults->items[i]);
    json_write_end_array(json);
}
