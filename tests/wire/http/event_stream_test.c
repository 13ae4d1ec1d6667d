/*
 * event_stream_test.c — Server-Sent Events as bytes. SPDX-License-Identifier: Apache-2.0
 */
#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define EVENT_STREAM                                                                               \
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\n"            \
    "x-accel-buffering: no\r\n"

/* What a chunked response holds. */
static const char *take_chunks(struct peer *peer)
{
    static char content[65536];
    const char *text = strstr(peer_take_text(peer), "\r\n\r\n");
    size_t len = 0;
    assert_non_null(text);
    text += 4;
    for (;;) {
        char *end;
        size_t size = strtoul(text, &end, 16);
        if (end == text || size == 0)
            break;
        assert_true(len + size < sizeof(content));
        memcpy(content + len, end + 2, size);
        len += size;
        text = end + 2 + size + 2;
    }
    content[len] = '\0';
    return content;
}

static void streams_events(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "GET /events?2 HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 41\r\n\r\n");
    assert_int_equal(strncmp((char *)peer.sent.ptr, EVENT_STREAM, strlen(EVENT_STREAM)), 0);
    assert_string_equal(take_chunks(&peer),
                        ":\n\n"
                        "id: 42\nevent: count\ndata: event 42\ndata: second line\n\n"
                        "id: 43\nevent: count\ndata: event 43\ndata: second line\n\n");
    PEER_EXPECT_EVENTS(&peer, "request GET /events?2; stream closed 0; close done");
    assert_true(peer_is_open(&peer));
    peer_close(&peer);
}

static void splits_data_at_each_kind_of_line_break(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer.conversations.event_stream.retry_ms = 2500;
    peer_send_text(&peer, "GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    buf_clear(&peer.sent);
    peer_send_text(&peer, "");
    event_stream_send(peer.conversations.last_stream, STR_EMPTY, STR_EMPTY,
                      STR("a\r\nb\rc\n\nd: e\n"));
    event_stream_send(peer.conversations.last_stream, STR_EMPTY, STR("empty"), STR_EMPTY);
    peer_run(&peer);
    buf_append_byte(&peer.sent, 0);
    assert_non_null(strstr((char *)peer.sent.ptr, "data: a\ndata: b\ndata: c\ndata: \n"
                                                  "data: d: e\ndata: \n\n"
                                                  "event: empty\ndata: \n\n"));
    peer_close(&peer);
}

static void keeps_an_event_stream_alive_with_comments(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer.conversations.event_stream.keep_alive_ms = 2;
    peer.conversations.event_stream.retry_ms = 2500;
    peer_send_text(&peer, "GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    buf_append_byte(&peer.sent, 0);
    assert_non_null(strstr((char *)peer.sent.ptr, "retry: 2500\n\n"));
    buf_clear(&peer.sent);
    while (peer.sent.len < 3 * 8)
        loop_run_once(peer.loop, -1);
    assert_int_equal(memcmp(peer.sent.ptr, "3\r\n:\n\n\r\n3\r\n:\n\n\r\n", 16), 0);
    peer_close(&peer);
}

static void waits_for_a_reader_of_events(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer.take_max = 0;
    peer_send_text(&peer, "GET /events?200000 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(peer.last->bytes_sent < ((size_t)6 << 20));
    peer_take(&peer, SIZE_MAX);
    PEER_EXPECT_EVENTS(&peer, "request GET /events?200000; stream closed 0; close done");
    peer_close(&peer);
}

static void ends_event_streams_when_the_server_drains(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    buf_clear(&peer.events);
    peer_drain(&peer);
    PEER_EXPECT_EVENTS(&peer, "stream closed 0; close done");
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

static void answers_head_without_a_stream(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "HEAD /events HTTP/1.1\r\nHost: a\r\n\r\n");
    PEER_EXPECT_TEXT(&peer, EVENT_STREAM "transfer-encoding: chunked\r\n\r\n");
    PEER_EXPECT_EVENTS(&peer, "request HEAD /events; stream closed 0; close done");
    assert_true(peer_is_open(&peer));
    peer_close(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_events),
        cmocka_unit_test(splits_data_at_each_kind_of_line_break),
        cmocka_unit_test(keeps_an_event_stream_alive_with_comments),
        cmocka_unit_test(waits_for_a_reader_of_events),
        cmocka_unit_test(ends_event_streams_when_the_server_drains),
        cmocka_unit_test(answers_head_without_a_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
