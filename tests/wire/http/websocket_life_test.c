/*
 * websocket_life_test.c — WebSockets from the opening handshake to the end: limits of size, number and
 * time, back-pressure, leaving. SPDX-License-Identifier: Apache-2.0
 */
#include "peer.h"
#include "websocket_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* --- opening ----------------------------------------------------------------------------------- */

struct refusal {
    const char *headers;
    const char *status_line;
};

static const struct refusal refusals[] = {
    {"GET /ws HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 426 Upgrade Required"},
    {"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
     "HTTP/1.1 426"},
    {"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
     "HTTP/1.1 426"},
    {"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
     "HTTP/1.1 426"},
    {"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
     "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
     "HTTP/1.1 426"},
    {"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
     "Sec-WebSocket-Version: 13\r\n\r\n",
     "HTTP/1.1 400"},
    {"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2hvcnQ=\r\n\r\n",
     "HTTP/1.1 400"},
    {"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
     "HTTP/1.1 400"},
    {"POST /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
     "Content-Length: 0\r\n\r\n",
     "HTTP/1.1 426"},
};

static void refuses_what_is_no_handshake(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(refusals); i++) {
        struct peer peer;
        peer_open(&peer, NULL, false);
        peer_send_text(&peer, refusals[i].headers);
        const char *text = peer_take_text(&peer);
        if (strncmp(text, refusals[i].status_line, strlen(refusals[i].status_line)) != 0)
            fail_msg("%s -> %s", refusals[i].headers, text);
        if (strstr(refusals[i].status_line, "426")) {
            assert_non_null(strstr(text, "\r\nsec-websocket-version: 13\r\n"));
            assert_non_null(strstr(text, "\r\nupgrade: websocket\r\n"));
        }
        /* An ordinary answer: the connection lives on. */
        peer_send_text(&peer, "GET /text HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_non_null(strstr(peer_take_text(&peer), "hello"));
        peer_close(&peer);
    }
}

static void agrees_on_a_subprotocol(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, SCRIPT_OPENING "Sec-WebSocket-Protocol: chat, echo.v1\r\n"
                                         "Sec-WebSocket-Protocol: echo.v2\r\n\r\n");
    assert_non_null(strstr(peer_take_text(&peer), "\r\nsec-websocket-protocol: echo.v2\r\n"));
    assert_true(str_equal(websocket_protocol(peer.conversations.last), STR("echo.v2")));
    peer_close(&peer);
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, SCRIPT_OPENING "Sec-WebSocket-Protocol: chat\r\n\r\n");
    PEER_EXPECT_TEXT(&peer, SCRIPT_OPENED);
    assert_int_equal(websocket_protocol(peer.conversations.last).len, 0);
    peer_close(&peer);
}

static void takes_frames_that_came_with_the_head(void **state)
{
    (void)state;
    struct peer peer;
    struct buf bytes;
    buf_init(&bytes, 65536);
    buf_append_text(&bytes, SCRIPT_OPENING "\r\n");
    script_write("T:early|X:1000", &bytes);
    peer_open(&peer, NULL, false);
    peer_send(&peer, bytes.ptr, bytes.len);
    PEER_EXPECT_EVENTS(&peer, "request GET /ws; text 5; closed 1000; close done");
    assert_false(peer_is_open(&peer));
    buf_finish(&bytes);
    peer_close(&peer);
}

/* --- limits ------------------------------------------------------------------------------------ */

/* Of all connections together: a message in the making counts for what requests hold. */
static void ends_a_message_that_memory_is_too_short_for(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.received_bytes_max = 1000;
    struct peer peer;
    peer_open(&peer, &limits, false);
    peer.conversations.websocket.message_bytes_max = (size_t)1 << 20;
    script_open(&peer);
    script_send(&peer, "b*60000:x", 10000);
    assert_int_equal(peer_strikes(&peer, "received_bytes"), 0);
    script_send(&peer, "c*10000:x", 10000);
    script_expect(&peer, "X:1013", NULL);
    assert_int_equal(peer_strikes(&peer, "received_bytes"), 1);
    assert_true(peer_serves_neighbour(&peer));
    peer_close(&peer);
}

static void ends_a_message_that_is_too_large(void **state)
{
    (void)state;
    static const char *const scripts[] = {"B*1001:x", "b*600:x|c*400:y|C:z",
                                          "=82ff000000ffffffffff1234567800"};
    for (size_t i = 0; i < ARRAY_COUNT(scripts); i++) {
        struct peer peer;
        peer_open(&peer, NULL, false);
        peer.conversations.websocket.message_bytes_max = 1000;
        script_open(&peer);
        script_send(&peer, "B*1000:x", SIZE_MAX / 2);
        buf_clear(&peer.sent);
        script_send(&peer, scripts[i], SIZE_MAX / 2);
        script_expect(&peer, "X:1009", scripts[i]);
        PEER_EXPECT_EVENTS(&peer, "binary 1000; closed 1009 the message is too large; close done");
        assert_int_equal(peer_strikes(&peer, "websocket_bytes"), 1);
        peer_close(&peer);
    }
}

static void ends_floods_of_frames_without_a_message(void **state)
{
    (void)state;
    static const char *const frames[] = {"P:", "O:x", "c:"};
    for (size_t i = 0; i < ARRAY_COUNT(frames); i++) {
        struct peer peer;
        peer_open(&peer, NULL, false);
        script_open(&peer);
        script_send(&peer, "t:a", SIZE_MAX / 2);
        size_t sent = 0;
        for (; sent < 10000 && peer_is_open(&peer); sent++)
            script_send(&peer, frames[i], SIZE_MAX / 2);
        assert_in_range(sent, 90, 200);
        PEER_EXPECT_EVENTS(&peer, "closed 1008 too many frames without a message; close done");
        assert_false(peer_is_open(&peer));
        assert_int_equal(peer_strikes(&peer, "websocket_pings"), 1);
        assert_true(peer_serves_neighbour(&peer));
        peer_close(&peer);
    }
}

static void holds_back_a_peer_that_does_not_read(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.write_queue_bytes = 65536;
    limits.stream_window_bytes = 65536;
    struct peer peer;
    peer_open(&peer, &limits, false);
    script_open(&peer);
    peer.take_max = 0;
    size_t sent = 0;
    for (; sent < 1000 && peer.connection->wire.reading; sent++)
        script_send(&peer, "B*60000:x", SIZE_MAX / 2);
    /* The output, the queue, the window and what was on its way. */
    assert_in_range(sent, 10, 40);
    assert_true(peer.connection->wire.output.bytes < 2 * HTTP_OUTPUT_BYTES_MAX);
    buf_clear(&peer.events);
    peer_take(&peer, SIZE_MAX);
    assert_true(peer.connection->wire.reading);
    script_send(&peer, "X:1000", SIZE_MAX / 2);
    assert_false(peer_is_open(&peer));
    /* All were answered. */
    assert_true(peer.sent.len > sent * 60000);
    peer_close(&peer);
}

static void tells_when_there_is_room(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    script_open(&peer);
    peer.take_max = 0;
    script_send(&peer, "T:flood", SIZE_MAX / 2);
    uint64_t held = peer.last->bytes_sent;
    assert_in_range(held, http_limits_default.write_queue_bytes, (size_t)8 << 20);
    peer_take(&peer, (size_t)20 << 20);
    assert_true(peer.last->bytes_sent > held + ((size_t)15 << 20));
    peer_close(&peer);
}

/* --- time -------------------------------------------------------------------------------------- */

static void wait_until_gone(struct peer *peer)
{
    while (peer_is_open(peer))
        loop_run_once(peer->loop, -1);
}

static void pings_a_silent_peer_and_gives_it_up(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer.conversations.websocket.ping_interval_ms = 5;
    peer.conversations.websocket.pong_timeout_ms = 5;
    script_open(&peer);
    wait_until_gone(&peer);
    script_expect(&peer, "P:", "silence");
    PEER_EXPECT_EVENTS(&peer, "closed 1006 no PONG came in time; close cancelled");
    peer_close(&peer);
}

static void keeps_a_peer_that_answers_pings(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer.conversations.websocket.ping_interval_ms = 1;
    peer.conversations.websocket.pong_timeout_ms = 60000;
    script_open(&peer);
    for (int i = 0; i < 5; i++) {
        while (peer.sent.len == 0)
            loop_run_once(peer.loop, -1);
        script_expect(&peer, "P:", "PONG");
        script_send(&peer, "O:", SIZE_MAX / 2);
    }
    assert_true(peer_is_open(&peer));
    peer_close(&peer);
}

static void does_not_wait_for_ever_for_a_close(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer.conversations.websocket.close_timeout_ms = 5;
    script_open(&peer);
    websocket_close(peer.conversations.last, WEBSOCKET_NORMAL, STR("done"));
    wait_until_gone(&peer);
    script_expect(&peer, "X:1000", "no Close");
    PEER_EXPECT_EVENTS(&peer, "closed 1006 no Close came in time; close cancelled");
    peer_close(&peer);
}

/* --- ends -------------------------------------------------------------------------------------- */

static void notices_a_peer_that_leaves_without_a_close(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    script_open(&peer);
    script_send(&peer, "t:half", SIZE_MAX / 2);
    peer_send_end(&peer);
    PEER_EXPECT_EVENTS(&peer, "closed 1006 the connection ended without a Close; close done");
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

static void says_goodbye_when_the_server_drains(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    script_open(&peer);
    peer_drain(&peer);
    script_expect(&peer, "X:1001", "drain");
    assert_true(peer_is_open(&peer));
    script_send(&peer, "T:late|X:1001", SIZE_MAX / 2);
    PEER_EXPECT_EVENTS(&peer, "closed 1001; close done");
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

static void drops_what_is_sent_after_closing(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    script_open(&peer);
    struct websocket *websocket = peer.conversations.last;
    websocket_close(websocket, WEBSOCKET_TRY_LATER, STR("busy"));
    websocket_close(websocket, WEBSOCKET_NORMAL, STR_EMPTY);
    websocket_send_text(websocket, STR("late"));
    assert_int_equal(websocket_writable_bytes(websocket), 0);
    peer_run(&peer);
    script_expect(&peer, "X:1013", "close twice");
    peer_close(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_handshake),
        cmocka_unit_test(agrees_on_a_subprotocol),
        cmocka_unit_test(takes_frames_that_came_with_the_head),
        cmocka_unit_test(ends_a_message_that_memory_is_too_short_for),
        cmocka_unit_test(ends_a_message_that_is_too_large),
        cmocka_unit_test(ends_floods_of_frames_without_a_message),
        cmocka_unit_test(holds_back_a_peer_that_does_not_read),
        cmocka_unit_test(tells_when_there_is_room),
        cmocka_unit_test(pings_a_silent_peer_and_gives_it_up),
        cmocka_unit_test(keeps_a_peer_that_answers_pings),
        cmocka_unit_test(does_not_wait_for_ever_for_a_close),
        cmocka_unit_test(notices_a_peer_that_leaves_without_a_close),
        cmocka_unit_test(says_goodbye_when_the_server_drains),
        cmocka_unit_test(drops_what_is_sent_after_closing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
