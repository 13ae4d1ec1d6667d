/*
 * proto.c — generated protobuf messages in and out of slices.
 *
 * Unpacking walks over the bytes twice: first to check what protobuf-c does not (text that is not
 * UTF-8 or holds a zero byte, which its `char *` would cut in silence), then through protobuf-c with
 * an allocator on the caller's arena that refuses beyond a budget.
 *
 * Runs on any thread and owns nothing. Sole user of protobuf-c's functions.
 *
 * Source: protobuf-c 1.4.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/proto.h"

#include <string.h>

#include "proto/wire.h"

/* A message's structs take a multiple of its bytes (an empty nested message: 2 bytes in, some 100 out);
 * what real messages need stays far below this. */
#define MEMORY_PER_BYTE 8
#define MEMORY_BASE_BYTES ((size_t)1 << 20)
/* Our types nest 4 deep. */
#define DEPTH_MAX 16

#define ANY_PREFIX "type.googleapis.com/"
enum { ANY_TYPE_URL = 1, ANY_VALUE = 2 };

struct budget {
    struct arena *arena;
    size_t left_bytes;
};

static void *budget_alloc(void *allocator_data, size_t size)
{
    struct budget *budget = allocator_data;
    if (size > budget->left_bytes)
        return NULL;
    budget->left_bytes -= size;
    return arena_new(budget->arena, size);
}

static void budget_free(void *allocator_data, void *memory)
{
}

static enum status check_fields(const ProtobufCMessageDescriptor *type, struct str bytes,
                                unsigned depth, struct error *error);

static enum status malformed(const ProtobufCMessageDescriptor *type, struct error *error)
{
    return error_set(error, STATUS_INVALID_ARGUMENT, "malformed %s message", type->name);
}

static enum status check_text(const ProtobufCMessageDescriptor *type, const char *field_name,
                              struct str text, struct error *error)
{
    if (text.len > 0 && memchr(text.ptr, 0, text.len))
        return error_set(error, STATUS_INVALID_ARGUMENT, "%s.%s holds a zero byte", type->name,
                         field_name);
    if (!str_is_utf8(text))
        return error_set(error, STATUS_INVALID_ARGUMENT, "%s.%s is not valid UTF-8", type->name,
                         field_name);
    return STATUS_OK;
}

static enum status check_field(const ProtobufCMessageDescriptor *type,
                               const struct wire_field *field, unsigned depth, struct error *error)
{
    const ProtobufCFieldDescriptor *known =
        protobuf_c_message_descriptor_get_field(type, field->number);
    if (!known || field->type != WIRE_BYTES)
        return STATUS_OK;
    if (known->type == PROTOBUF_C_TYPE_STRING)
        return check_text(type, known->name, field->bytes, error);
    if (known->type == PROTOBUF_C_TYPE_MESSAGE)
        return check_fields(known->descriptor, field->bytes, depth + 1, error);
    return STATUS_OK;
}

static enum status check_fields(const ProtobufCMessageDescriptor *type, struct str bytes,
                                unsigned depth, struct error *error)
{
    if (depth > DEPTH_MAX)
        return malformed(type, error);
    struct wire_reader reader = wire_reader_make(bytes);
    struct wire_field field;
    while (wire_next(&reader, &field))
        TRY(check_field(type, &field, depth, error));
    return reader.malformed ? malformed(type, error) : STATUS_OK;
}

enum status proto_unpack(struct arena *arena, const ProtobufCMessageDescriptor *type,
                         struct slice bytes, void *out_message, struct error *error)
{
    if (bytes.len > PROTO_MESSAGE_BYTES_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "%s message of %zu bytes; the limit is %zu bytes", type->name, bytes.len,
                         PROTO_MESSAGE_BYTES_MAX);
    TRY(check_fields(type, slice_str(bytes), 0, error));
    struct budget budget = {
        .arena = arena,
        .left_bytes = MEMORY_BASE_BYTES + bytes.len * MEMORY_PER_BYTE,
    };
    ProtobufCAllocator allocator = {
        .alloc = budget_alloc,
        .free = budget_free,
        .allocator_data = &budget,
    };
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, bytes.len, bytes.ptr);
    if (!message)
        return malformed(type, error);
    memcpy(out_message, &message, sizeof(message));
    return STATUS_OK;
}

struct slice proto_pack(const void *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size == 0)
        return SLICE_EMPTY;
    struct buffer *buffer = buffer_create(size);
    protobuf_c_message_pack(message, buffer->data);
    return slice_make(buffer->data, size, buffer);
}

void proto_append(struct slices *out, const void *message)
{
    uint8_t small[512];
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size > sizeof(small)) {
        slices_append(out, proto_pack(message));
        return;
    }
    protobuf_c_message_pack(message, small);
    slices_append_copy(out, small, size);
}

/* The two fields of an Any. */
struct any_fields {
    struct str type_url;
    struct str value;
};

static bool any_read(struct slice bytes, struct any_fields *out)
{
    *out = (struct any_fields){.type_url = STR_EMPTY};
    struct wire_reader reader = wire_reader_make(slice_str(bytes));
    struct wire_field field;
    while (wire_next(&reader, &field)) {
        if (field.number > ANY_VALUE)
            continue;
        if (field.type != WIRE_BYTES)
            return false;
        *(field.number == ANY_TYPE_URL ? &out->type_url : &out->value) = field.bytes;
    }
    return !reader.malformed && out->type_url.len > 0;
}

/* Only what stands after the last slash names the type. */
static struct str type_name_of(struct str type_url)
{
    size_t from = type_url.len;
    while (from > 0 && type_url.ptr[from - 1] != '/')
        from--;
    return from == 0 ? STR_EMPTY : str_slice(type_url, from, type_url.len);
}

enum status proto_any_parse(struct slice bytes, struct str *out_type_name, struct slice *out_value,
                            struct error *error)
{
    struct any_fields fields;
    if (!any_read(bytes, &fields))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "malformed google.protobuf.Any message of %zu bytes", bytes.len);
    struct str name = type_name_of(fields.type_url);
    if (name.len == 0 || !str_is_utf8(name))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "google.protobuf.Any without a type name; expected a type_url such as "
                         "%sarrow.flight.protocol.sql.CommandStatementQuery",
                         ANY_PREFIX);
    *out_type_name = name;
    *out_value = slice_of_str(fields.value);
    return STATUS_OK;
}

bool proto_any_is(struct slice bytes, struct str prefix)
{
    struct any_fields fields;
    return any_read(bytes, &fields) && str_starts_with(type_name_of(fields.type_url), prefix);
}

struct slice proto_any_pack(const void *message)
{
    const ProtobufCMessage *base = message;
    const char *name = base->descriptor->name;
    size_t name_len = strlen(name);
    size_t url_len = sizeof(ANY_PREFIX) - 1 + name_len;
    size_t value_len = protobuf_c_message_get_packed_size(message);
    uint8_t url_head[2 * WIRE_VARINT_SIZE_MAX];
    uint8_t value_head[2 * WIRE_VARINT_SIZE_MAX];
    size_t url_head_len =
        (size_t)(wire_write_bytes_head(url_head, ANY_TYPE_URL, url_len) - url_head);
    size_t value_head_len =
        (size_t)(wire_write_bytes_head(value_head, ANY_VALUE, value_len) - value_head);

    struct buffer *buffer = buffer_create(url_head_len + url_len + value_head_len + value_len);
    uint8_t *at = mempcpy(buffer->data, url_head, url_head_len);
    at = mempcpy(at, ANY_PREFIX, sizeof(ANY_PREFIX) - 1);
    at = mempcpy(at, name, name_len);
    at = mempcpy(at, value_head, value_head_len);
    protobuf_c_message_pack(message, at);
    return slice_make(buffer->data, buffer->size, buffer);
}
