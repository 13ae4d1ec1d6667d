/*
 * conversations.c — see conversations.h. SPDX-License-Identifier: Apache-2.0
 */
#include "conversations.h"

#include "base/checked.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define BIG_BYTES 100000

static const struct str protocols[] = {STR("echo.v2"), STR("echo.v1")};

static void note(struct conversations *conversations, const char *format, ...) PRINTF_LIKE(2, 3);
static void note(struct conversations *conversations, const char *format, ...)
{
    if (!conversations->note)
        return;
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    conversations->note(conversations->context, text);
}

/* --- WebSocket --------------------------------------------------------------------------------- */

struct echo {
    struct conversations *conversations;
    bool floods;
};

static void send_letters(struct websocket *websocket, size_t size, char letter)
{
    struct buffer *block = buffer_create(size);
    memset(block->data, letter, size);
    struct slices message;
    slices_init(&message);
    slices_append(&message, slice_make(block->data, size, block));
    websocket_send(websocket, WEBSOCKET_TEXT, &message);
    slices_finish(&message);
}

static void flood(struct websocket *websocket)
{
    while (websocket_writable_bytes(websocket) > 0)
        send_letters(websocket, BIG_BYTES, 'f');
}

static void on_message(struct websocket *websocket, enum websocket_type type, struct str message)
{
    struct echo *echo = websocket_owner(websocket);
    note(echo->conversations, "%s %zu", type == WEBSOCKET_TEXT ? "text" : "binary", message.len);
    if (str_equal(message, STR("bye"))) {
        websocket_close(websocket, WEBSOCKET_NORMAL, STR("bye"));
    } else if (str_equal(message, STR("flood"))) {
        echo->floods = true;
        flood(websocket);
    } else if (str_equal(message, STR("big"))) {
        send_letters(websocket, BIG_BYTES, 'b');
    } else {
        struct slices answer;
        slices_init(&answer);
        slices_append_copy(&answer, message.ptr, message.len);
        websocket_send(websocket, type, &answer);
        slices_finish(&answer);
    }
}

static void on_writable(struct websocket *websocket)
{
    struct echo *echo = websocket_owner(websocket);
    if (echo->floods)
        flood(websocket);
}

static void on_websocket_close(struct websocket *websocket, unsigned code, struct str reason)
{
    struct echo *echo = websocket_owner(websocket);
    note(echo->conversations, "closed %u%s%.*s", code, reason.len ? " " : "", STR_ARGS(reason));
    if (echo->conversations->last == websocket)
        echo->conversations->last = NULL;
}

static void take_websocket(struct conversations *conversations, struct http_request *request)
{
    static const struct websocket_events events = {
        .on_message = on_message,
        .on_writable = on_writable,
        .on_close = on_websocket_close,
    };
    unsigned http_status = 0;
    struct error error = ERROR_NONE;
    if (websocket_check(request, &http_status, &error) != STATUS_OK) {
        websocket_refuse(request, http_status, str_of(error.message));
        return;
    }
    struct echo *echo = ARENA_NEW(request->arena, struct echo);
    echo->conversations = conversations;
    conversations->last =
        websocket_accept(request, &conversations->websocket, &events, echo, NULL, 0);
}

/* --- Server-Sent Events ------------------------------------------------------------------------ */

struct count {
    struct conversations *conversations;
    uint64_t next;
    uint64_t end;
    bool stays; /* after the last event */
};

static void send_events(struct event_stream *stream)
{
    struct count *count = event_stream_owner(stream);
    while (count->next < count->end && event_stream_writable_bytes(stream) > 0) {
        char id[24];
        char data[64];
        int id_len = snprintf(id, sizeof(id), "%" PRIu64, count->next);
        int len = snprintf(data, sizeof(data), "event %" PRIu64 "\nsecond line", count->next);
        event_stream_send(stream, str_make(id, (size_t)id_len), STR("count"),
                          str_make(data, (size_t)len));
        count->next++;
    }
    if (count->next == count->end && !count->stays)
        event_stream_end(stream);
}

static void on_stream_close(struct event_stream *stream, enum http_close why)
{
    struct count *count = event_stream_owner(stream);
    note(count->conversations, "stream closed %d", (int)why);
    if (count->conversations->last_stream == stream)
        count->conversations->last_stream = NULL;
}

static void take_event_stream(struct conversations *conversations, struct http_request *request)
{
    static const struct event_stream_events events = {
        .on_writable = send_events,
        .on_close = on_stream_close,
    };
    struct count *count = ARENA_NEW(request->arena, struct count);
    uint64_t last = 0;
    uint64_t wanted = 0;
    (void)str_to_u64(event_stream_last_id(request), &last);
    bool ends = str_to_u64(request->query, &wanted);
    *count = (struct count){conversations, last + 1, last + 1 + (ends ? wanted : 1), !ends};
    struct event_stream *stream =
        event_stream_begin(request, &conversations->event_stream, &events, count, NULL, 0);
    conversations->last_stream = stream;
    send_events(stream);
}

/* --- routes ------------------------------------------------------------------------------------ */

void conversations_init(struct conversations *conversations)
{
    *conversations = (struct conversations){
        .websocket = websocket_options_default,
        .event_stream = event_stream_options_default,
    };
    conversations->websocket.protocols = protocols;
    conversations->websocket.protocol_count = 2;
}

bool conversations_take(struct conversations *conversations, struct http_request *request)
{
    if (str_equal(request->path, STR("/ws")))
        take_websocket(conversations, request);
    else if (str_equal(request->path, STR("/events")))
        take_event_stream(conversations, request);
    else
        return false;
    return true;
}
