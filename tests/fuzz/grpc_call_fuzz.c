/*
 * Any order of events and any request bytes through a call in any form; every call must be closed
 * exactly once and answered at most once (fake_http.c asserts the order of what it writes).
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>

#include "../unit/grpc/fake_http.h"
#include "base/checked.h"
#include "base/memory.h"
#include "grpc/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What is left of the input: it decides what the methods answer. */
struct script {
    struct str rest;
    int opened;
    int closed;
};

static uint8_t take(struct script *script)
{
    if (script->rest.len == 0)
        return 0;
    uint8_t byte = (uint8_t)script->rest.ptr[0];
    script->rest = str_slice(script->rest, 1, script->rest.len);
    return byte;
}

/* One in eight fails. */
static enum status answer(struct grpc_call *call, struct error *error)
{
    uint8_t byte = take(call->service);
    return byte % 8 == 7 ? error_set(error, STATUS_ABORTED, "%u", byte) : STATUS_OK;
}

static enum status script_open(struct grpc_call *call, struct error *error)
{
    ((struct script *)call->service)->opened++;
    return answer(call, error);
}

static enum status script_receive(struct grpc_call *call, struct slice message, struct error *error)
{
    assert(message.len <= 1000);
    return answer(call, error);
}

static enum status script_next(struct grpc_call *call, struct slices *out, enum grpc_step *out_step,
                               struct error *error)
{
    static const uint8_t body[256];
    uint8_t byte = take(call->service);
    slices_append(out, slice_make(body, byte, NULL));
    *out_step = (enum grpc_step)(byte % 3);
    return answer(call, error);
}

static void script_close(struct grpc_call *call)
{
    ((struct script *)call->service)->closed++;
}

#define METHOD(path_text, shape_value)                                                             \
    {                                                                                              \
        .path = (path_text), .shape = (shape_value), .open = script_open,                          \
        .receive = script_receive, .half_close = answer, .next = script_next,                      \
        .close = script_close,                                                                     \
    }

static const struct grpc_method methods[] = {
    METHOD("/t.S/Unary", GRPC_UNARY),
    METHOD("/t.S/Download", GRPC_DOWNLOAD),
    METHOD("/t.S/Upload", GRPC_UPLOAD),
    METHOD("/t.S/Exchange", GRPC_EXCHANGE),
};

/* What is called, and how it travels. */
static const char *const paths[] = {
    "/t.S/Unary",
    "/t.S/Download",
    "/t.S/Upload",
    "/t.S/Exchange",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
};
static const char *const content_types[] = {"application/grpc", "application/grpc+proto",
                                            "application/grpc-web", "application/grpc-web-text"};
static const char *const encodings[] = {"identity", "gzip", "deflate", "snappy"};

static struct fake_request *make_request(struct script *script, struct loop *loop)
{
    uint8_t byte = take(script);
    struct fake_request *fake = fake_request_create(loop, paths[take(script) % ARRAY_COUNT(paths)]);
    fake_request_header(fake, "content-type", content_types[byte % 4]);
    fake_request_header(fake, "grpc-encoding", encodings[byte / 4 % 4]);
    if (byte & 16)
        fake_request_header(fake, "grpc-accept-encoding", "gzip,deflate");
    fake->draining = byte & 32;
    return fake;
}

static void step(struct script *script, struct fake_request *fake)
{
    uint8_t byte = take(script);
    if (byte % 4 < 2 && !fake->request.body_ended) {
        struct str piece = str_slice(script->rest, 0, size_min(byte >> 2, script->rest.len));
        script->rest = str_slice(script->rest, piece.len, script->rest.len);
        if (piece.len > 0)
            fake_request_body(fake, piece.ptr, piece.len);
    } else if (byte % 4 == 2) {
        fake_request_read(fake);
        loop_run_once(fake->request.loop, 0);
    } else if (!fake->request.body_ended) {
        fake_request_end(fake);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct script script = {.rest = str_make(bytes, size)};
    struct grpc_service_table table = {
        .methods = methods, .method_count = ARRAY_COUNT(methods), .service = &script};
    struct grpc_options options = {
        .tables = &table, .table_count = 1, .receive_message_bytes_max = 1000};
    CLEANUP(loop_destroy) struct loop *loop = NULL;
    if (loop_create(&loop, NULL) != STATUS_OK)
        return 0;
    CLEANUP(grpc_handler_destroy) struct grpc_handler *handler = grpc_handler_create(&options);
    struct fake_request *fake = make_request(&script, loop);
    fake_request_open(fake, grpc_handler_http(handler));
    while (script.rest.len > 0)
        step(&script, fake);
    assert(fake->consumed_bytes <= fake->request.bytes_received);
    fake_request_close(fake, HTTP_CLOSE_CANCELLED);
    assert(script.opened <= 1 && script.closed == script.opened);
    return 0;
}
