/*
 * reflection.c — grpc.reflection.v1.ServerReflection and v1alpha, served by every handler: what services
 * there are, and the descriptions of their files.
 *
 * A stream of questions with one answer each. An answer with a file carries those it imports, too, but
 * for what the stream was given before. Whatever cannot be found is an answer, not the end of the
 * stream. There are no extensions in these files.
 *
 * Runs on the call's loop. Owns: the answer that waits to be sent.
 *
 * Source: grpc/doc/server-reflection.md; grpc/grpc-proto, grpc/reflection/v1/reflection.proto.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>

#include "base/memory.h"
#include "grpc/descriptor.h"
#include "grpc/handler.h"

/* A question: names, and room for fields that are not ours. */
#define QUESTION_BYTES_MAX 4096
#define FILES_MAX 64

/* Field numbers. */
enum {
    REQUEST_HOST = 1,
    REQUEST_FILE_NAME = 3,
    REQUEST_SYMBOL = 4,
    REQUEST_EXTENSION = 5,
    REQUEST_EXTENSION_NUMBERS = 6,
    REQUEST_SERVICES = 7,
};
enum {
    RESPONSE_HOST = 1,
    RESPONSE_REQUEST = 2,
    RESPONSE_FILES = 4,
    RESPONSE_SERVICES = 6,
    RESPONSE_ERROR = 7,
};
enum { FILES_FILE = 1, SERVICES_SERVICE = 1, SERVICE_NAME = 1 };
enum { ERROR_CODE = 1, ERROR_MESSAGE = 2 };

struct question {
    struct str message; /* all of it */
    struct str host;
    uint32_t kind; /* REQUEST_FILE_NAME and after; 0: none was asked */
    struct str text;
};

struct reflection_call {
    struct slices answer;
    bool has_answer;
    bool is_over;             /* no further question will come */
    bool was_sent[FILES_MAX]; /* of proto_files */
};

static enum status open_call(struct grpc_call *call, struct error *error)
{
    struct reflection_call *state = ARENA_NEW(call->arena, struct reflection_call);
    assert(proto_file_count <= FILES_MAX);
    slices_init(&state->answer);
    call->state = state;
    return STATUS_OK;
}

static enum status read_question(struct str message, struct question *out, struct error *error)
{
    *out = (struct question){.message = message};
    struct wire_reader reader = wire_reader_make(message);
    struct wire_field field;
    while (wire_next(&reader, &field)) {
        if (field.type != WIRE_BYTES)
            continue;
        if (field.number == REQUEST_HOST)
            out->host = field.bytes;
        if (field.number < REQUEST_FILE_NAME || field.number > REQUEST_SERVICES)
            continue;
        out->kind = field.number;
        out->text = field.bytes;
    }
    if (reader.malformed || out->kind == 0 || message.len > QUESTION_BYTES_MAX ||
        !str_is_utf8(out->text))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "malformed ServerReflectionRequest message");
    return STATUS_OK;
}

/* --- answers ------------------------------------------------------------------------------------ */

/* A field whose bytes are `inner`, which is left empty. */
static void append_message(struct slices *out, uint32_t number, struct slices *inner)
{
    uint8_t head[2 * WIRE_VARINT_SIZE_MAX];
    const uint8_t *end = wire_write_bytes_head(head, number, inner->bytes);
    slices_append_copy(out, head, (size_t)(end - head));
    slices_move(out, inner);
}

static void append_file(struct reflection_call *state, struct slices *files,
                        const struct proto_file *file)
{
    state->was_sent[file - proto_files] = true;
    uint8_t head[2 * WIRE_VARINT_SIZE_MAX];
    const uint8_t *end = wire_write_bytes_head(head, FILES_FILE, file->bytes.len);
    slices_append_copy(files, head, (size_t)(end - head));
    slices_append(files, slice_of_str(file->bytes));
    struct wire_reader reader = wire_reader_make(file->bytes);
    struct str name;
    while (descriptor_next_import(&reader, &name)) {
        const struct proto_file *import = descriptor_file_named(name);
        assert(import);
        if (!state->was_sent[import - proto_files])
            append_file(state, files, import);
    }
}

static void answer_file(struct reflection_call *state, const struct proto_file *file)
{
    CLEANUP(slices_finish) struct slices files;
    slices_init(&files);
    append_file(state, &files, file);
    append_message(&state->answer, RESPONSE_FILES, &files);
}

static void answer_services(struct reflection_call *state, const struct grpc_handler *handler)
{
    CLEANUP(slices_finish) struct slices services;
    slices_init(&services);
    for (size_t i = 0; i < handler->service_count; i++) {
        CLEANUP(slices_finish) struct slices service;
        slices_init(&service);
        wire_append_bytes(&service, SERVICE_NAME, handler->service_names[i]);
        append_message(&services, SERVICES_SERVICE, &service);
    }
    append_message(&state->answer, RESPONSE_SERVICES, &services);
}

static void answer_not_found(struct reflection_call *state, const struct question *question)
{
    static const char *const kinds[] = {
        [REQUEST_FILE_NAME] = "file",
        [REQUEST_SYMBOL] = "symbol",
        [REQUEST_EXTENSION] = "extension",
        [REQUEST_EXTENSION_NUMBERS] = "extensible type",
    };
    /* The name of an extension is bytes of a message. */
    struct str name = question->kind == REQUEST_EXTENSION ? STR_EMPTY : question->text;
    struct error error = ERROR_NONE;
    enum status status = error_set(&error, STATUS_NOT_FOUND, "unknown %s \"%.*s\"",
                                   kinds[question->kind], STR_ARGS(str_slice(name, 0, 256)));
    CLEANUP(slices_finish) struct slices failure;
    slices_init(&failure);
    wire_append_varint(&failure, ERROR_CODE, status);
    wire_append_bytes(&failure, ERROR_MESSAGE, str_of(error.message));
    append_message(&state->answer, RESPONSE_ERROR, &failure);
}

static void answer(struct reflection_call *state, const struct grpc_handler *handler,
                   const struct question *question)
{
    if (question->host.len > 0)
        wire_append_bytes(&state->answer, RESPONSE_HOST, question->host);
    wire_append_bytes(&state->answer, RESPONSE_REQUEST, question->message);
    const struct proto_file *file = NULL;
    if (question->kind == REQUEST_FILE_NAME)
        file = descriptor_file_named(question->text);
    else if (question->kind == REQUEST_SYMBOL)
        file = descriptor_file_of(question->text);
    if (file)
        answer_file(state, file);
    else if (question->kind == REQUEST_SERVICES)
        answer_services(state, handler);
    else
        answer_not_found(state, question);
    state->has_answer = true;
}

/* --- the method --------------------------------------------------------------------------------- */

static enum status receive(struct grpc_call *call, struct slice message, struct error *error)
{
    struct question question;
    TRY(read_question(slice_str(message), &question, error));
    answer(call->state, call->service, &question);
    return STATUS_OK;
}

static enum status half_close(struct grpc_call *call, struct error *error)
{
    ((struct reflection_call *)call->state)->is_over = true;
    return STATUS_OK;
}

static void drain(struct grpc_call *call)
{
    ((struct reflection_call *)call->state)->is_over = true;
    grpc_call_wake(call);
}

static enum status next(struct grpc_call *call, struct slices *out, enum grpc_step *out_step,
                        struct error *error)
{
    struct reflection_call *state = call->state;
    *out_step = state->is_over ? GRPC_END : GRPC_WAIT;
    if (!state->has_answer)
        return STATUS_OK;
    state->has_answer = false;
    slices_move(out, &state->answer);
    *out_step = GRPC_MESSAGE;
    return STATUS_OK;
}

static void close_call(struct grpc_call *call)
{
    struct reflection_call *state = call->state;
    slices_finish(&state->answer);
}

#define METHOD(version)                                                                            \
    {                                                                                              \
        .path = "/grpc.reflection." version ".ServerReflection/ServerReflectionInfo",              \
        .shape = GRPC_EXCHANGE, .in_turn = true, .open = open_call, .receive = receive,            \
        .half_close = half_close, .next = next, .drain = drain, .close = close_call,               \
    }

const struct grpc_method reflection_methods[] = {METHOD("v1"), METHOD("v1alpha")};
const size_t reflection_method_count = ARRAY_COUNT(reflection_methods);
