/*
 * websocket_test.c — WebSocket conversations frame by frame: what is allowed, what ends them and with
 * which code. Each is played whole and byte by byte over HTTP/1.1, and over HTTP/2.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "frames.h"
#include "peer.h"
#include "websocket_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* --- frames ------------------------------------------------------------------------------------ */

struct conversation {
    const char *sent;     /* script of the client */
    const char *received; /* script of the server */
    const char *events;   /* what the door is told, after the request */
};

#define FAULT(code) "closed " code

static const struct conversation conversations[] = {
    /* Messages of each length encoding. */
    {"T:hello|X:1000 bye", "T:hello|X:1000", "text 5; closed 1000 bye"},
    {"T:|X:", "T:|X:", "text 0; closed 1005"},
    {"B:|X:1000", "B:|X:1000", "binary 0; closed 1000"},
    {"T*125:x|X:1000", "T*125:x|X:1000", "text 125; closed 1000"},
    {"T*126:x|X:1000", "T*126:x|X:1000", "text 126; closed 1000"},
    {"B*127:y|X:1000", "B*127:y|X:1000", "binary 127; closed 1000"},
    {"B*65535:y|X:1000", "B*65535:y|X:1000", "binary 65535; closed 1000"},
    {"T*65536:x|X:1000", "T*65536:x|X:1000", "text 65536; closed 1000"},
    {"T:one|T:two|B:three|X:1000", "T:one|T:two|B:three|X:1000",
     "text 3; text 3; binary 5; closed 1000"},
    /* A large message leaves in fragments. */
    {"T:big|X:1000", "t*65536:b|C*34464:b|X:1000", "text 3; closed 1000"},
    /* PING and PONG. */
    {"P:|X:1000", "O:|X:1000", "closed 1000"},
    {"P:payload|X:1000", "O:payload|X:1000", "closed 1000"},
    {"P:%00%ff%fe|X:1000", "O:%00%ff%fe|X:1000", "closed 1000"},
    {"P*125:p|X:1000", "O*125:p|X:1000", "closed 1000"},
    {"P:1|P:2|P:3|P:4|P:5|P:6|P:7|P:8|P:9|P:10|X:1000",
     "O:1|O:2|O:3|O:4|O:5|O:6|O:7|O:8|O:9|O:10|X:1000", "closed 1000"},
    {"O:unsolicited|T:a|X:1000", "T:a|X:1000", "text 1; closed 1000"},
    {"P*126:p", "X:1002", FAULT("1002 the frame's head is not valid")},
    {"p:fragment|C:ed", "X:1002", FAULT("1002 the frame's head is not valid")},
    {"o:fragment", "X:1002", FAULT("1002 the frame's head is not valid")},
    /* Reserved bits and opcodes. */
    {"1T:x", "X:1002", FAULT("1002 a reserved bit is set and no extension was agreed on")},
    {"2B:x", "X:1002", FAULT("1002 a reserved bit is set and no extension was agreed on")},
    {"4P:x", "X:1002", FAULT("1002 a reserved bit is set and no extension was agreed on")},
    {"7X:1000", "X:1002", FAULT("1002 a reserved bit is set and no extension was agreed on")},
    {"T:a|4T:b|P:x", "T:a|X:1002",
     "text 1; closed 1002 a reserved bit is set and no extension was agreed on"},
    {"=838000000000", "X:1002", FAULT("1002 the frame's opcode is not known")},
    {"=878000000000", "X:1002", FAULT("1002 the frame's opcode is not known")},
    {"=8b8000000000", "X:1002", FAULT("1002 the frame's opcode is not known")},
    {"=8f8000000000", "X:1002", FAULT("1002 the frame's opcode is not known")},
    /* Masks. */
    {"!T:hello", "X:1002", FAULT("1002 a client's frames must be masked")},
    {"!P:", "X:1002", FAULT("1002 a client's frames must be masked")},
    {"T:a|!X:1000", "T:a|X:1002", "text 1; closed 1002 a client's frames must be masked"},
    /* Lengths that are longer than needed or have the top bit. */
    {"=81fe00051234567800", "X:1002", FAULT("1002 the frame's head is not valid")},
    {"=81ff00000000000000051234567800", "X:1002", FAULT("1002 the frame's head is not valid")},
    {"=81ff80000000000000001234567800", "X:1002", FAULT("1002 the frame's head is not valid")},
    /* Fragments. */
    {"t:he|C:llo|X:1000", "T:hello|X:1000", "text 5; closed 1000"},
    {"t:|c:|C:|X:1000", "T:|X:1000", "text 0; closed 1000"},
    {"b:1|c:2|c:3|c:4|C:5|X:1000", "B:12345|X:1000", "binary 5; closed 1000"},
    {"t:he|P:between|C:llo|X:1000", "O:between|T:hello|X:1000", "text 5; closed 1000"},
    {"t:a|P:1|c:b|P:2|c:c|O:|C:d|X:1000", "O:1|O:2|T:abcd|X:1000", "text 4; closed 1000"},
    {"t:he|X:1000", "X:1000", "closed 1000"},
    {"C:continues", "X:1002", FAULT("1002 a continuation continues nothing")},
    {"c:continues|C:x", "X:1002", FAULT("1002 a continuation continues nothing")},
    {"T:a|C:b", "T:a|X:1002", "text 1; closed 1002 a continuation continues nothing"},
    {"t:a|C:b|c:c", "T:ab|X:1002", "text 2; closed 1002 a continuation continues nothing"},
    {"t:a|T:b", "X:1002", FAULT("1002 a message began inside another")},
    {"t:a|b:b|C:c", "X:1002", FAULT("1002 a message began inside another")},
    /* UTF-8, split where it hurts. */
    {"T:%ce%ba%e1%bd%b9%f0%9f%98%80|X:1000", "T:%ce%ba%e1%bd%b9%f0%9f%98%80|X:1000",
     "text 9; closed 1000"},
    {"t:%ce|c:%ba%e1|c:%bd|c:%b9%f0%9f|c:%98|C:%80|X:1000", "T:%ce%ba%e1%bd%b9%f0%9f%98%80|X:1000",
     "text 9; closed 1000"},
    {"t:%f4|c:%8f|c:%bf|C:%bf|X:1000", "T:%f4%8f%bf%bf|X:1000", "text 4; closed 1000"},
    {"T:%ef%bf%bf|X:1000", "T:%ef%bf%bf|X:1000", "text 3; closed 1000"},
    {"T:a%80", "X:1007", FAULT("1007 the text is not UTF-8")},
    {"T:%c0%af", "X:1007", FAULT("1007 the text is not UTF-8")},
    {"T:%ed%a0%80", "X:1007", FAULT("1007 the text is not UTF-8")},
    {"T:%f4%90%80%80", "X:1007", FAULT("1007 the text is not UTF-8")},
    {"T:%f8%88%80%80%80", "X:1007", FAULT("1007 the text is not UTF-8")},
    {"T:%ce", "X:1007", FAULT("1007 the text is not UTF-8")},
    {"t:%ce|C:", "X:1007", FAULT("1007 the text is not UTF-8")},
    {"t:%ce|C:a", "X:1007", FAULT("1007 the text is not UTF-8")},
    /* Refused before the message is complete. */
    {"t:%f4%90|P:x", "X:1007", FAULT("1007 the text is not UTF-8")},
    {"t:%ed|c:%a0|P:x", "X:1007", FAULT("1007 the text is not UTF-8")},
    {"t:good|c:%ff|P:x", "X:1007", FAULT("1007 the text is not UTF-8")},
    {"B:%ff%fe|X:1000", "B:%ff%fe|X:1000", "binary 2; closed 1000"},
    {"b:%ce|C:a|X:1000", "B:%cea|X:1000", "binary 2; closed 1000"},
    /* Closing. */
    {"X:|T:late|P:late", "X:", "closed 1005"},
    {"X:1000|X:1000", "X:1000", "closed 1000"},
    {"X:1001 away", "X:1001", "closed 1001 away"},
    {"X:1003", "X:1003", "closed 1003"},
    {"X:1007", "X:1007", "closed 1007"},
    {"X:1011", "X:1011", "closed 1011"},
    {"X:1014", "X:1014", "closed 1014"},
    {"X:3000", "X:3000", "closed 3000"},
    {"X:4999", "X:4999", "closed 4999"},
    {"X:0", "X:1002", FAULT("1002 the Close has no valid code")},
    {"X:999", "X:1002", FAULT("1002 the Close has no valid code")},
    {"X:1004", "X:1002", FAULT("1002 the Close has no valid code")},
    {"X:1005", "X:1002", FAULT("1002 the Close has no valid code")},
    {"X:1006", "X:1002", FAULT("1002 the Close has no valid code")},
    {"X:1015", "X:1002", FAULT("1002 the Close has no valid code")},
    {"X:2999", "X:1002", FAULT("1002 the Close has no valid code")},
    {"X:5000", "X:1002", FAULT("1002 the Close has no valid code")},
    {"X:65535", "X:1002", FAULT("1002 the Close has no valid code")},
    {"=8881000000000a", "X:1002", FAULT("1002 the Close has no valid code")},
    {"X:1000 %ff", "X:1007", FAULT("1007 the Close's reason is not UTF-8")},
    {"X:1000 %ce", "X:1007", FAULT("1007 the Close's reason is not UTF-8")},
    {"=88fe007e", "X:1002", FAULT("1002 the frame's head is not valid")},
    {"T:bye|T:late|P:late|X:1000", "X:1000", "text 3; closed 1000"},
    {"T:bye|t:half|X:1000 fine", "X:1000", "text 3; closed 1000 fine"},
    {"T:bye|b:half|P:|C:rest|X:1000", "X:1000", "text 3; closed 1000"},
};

static void play(const struct conversation *conversation, size_t step)
{
    struct peer peer;
    char events[256];
    peer_open(&peer, NULL, false);
    script_open(&peer);
    script_send(&peer, conversation->sent, step);
    script_expect(&peer, conversation->received, conversation->sent);
    snprintf(events, sizeof(events), "%s; close done", conversation->events);
    PEER_EXPECT_EVENTS(&peer, events);
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

static void keeps_to_the_protocol(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(conversations); i++)
        play(&conversations[i], SIZE_MAX / 2);
}

static void keeps_to_the_protocol_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(conversations); i++) {
        if (!strstr(conversations[i].sent, "6553"))
            play(&conversations[i], 1);
    }
}

/* --- over HTTP/2 ------------------------------------------------------------------------------- */

static void add_connect(struct frames *frames, uint32_t stream, const char *version)
{
    struct buf block;
    buf_init(&block, 4096);
    frames_put_field(&block, ":method", "CONNECT");
    frames_put_field(&block, ":protocol", "websocket");
    frames_put_field(&block, ":scheme", "http");
    frames_put_field(&block, ":path", "/ws");
    frames_put_field(&block, ":authority", "test");
    frames_put_field(&block, "sec-websocket-version", version);
    frames_add(frames, FRAME_HEADERS, END_HEADERS, stream, block.ptr, block.len);
    buf_finish(&block);
}

/* Puts the content of the stream's DATA in the place of all frames that the peer sent. */
static void keep_data(struct peer *peer, uint32_t stream)
{
    struct buf content;
    struct frame frame;
    buf_init(&content, peer->sent.size_max);
    for (size_t offset = 0; frame_next(peer, &offset, &frame);) {
        if (frame.type == FRAME_DATA && frame.stream == stream)
            buf_append(&content, frame.payload, frame.size);
    }
    buf_clear(&peer->sent);
    buf_append_str(&peer->sent, buf_str(&content));
    buf_finish(&content);
}

static void send_data(struct frames *frames, struct peer *peer, uint32_t stream, struct str bytes,
                      bool end)
{
    while (bytes.len > 0 || end) {
        struct str part = str_slice(bytes, 0, 16384);
        bytes = str_slice(bytes, part.len, bytes.len);
        frames_add(frames, FRAME_DATA, end && bytes.len == 0 ? END_STREAM : 0, stream, part.ptr,
                   part.len);
        frames_send(frames, peer);
        if (bytes.len == 0)
            break;
    }
}

static void play_over_http2(const struct conversation *conversation)
{
    struct peer peer;
    struct frames frames;
    struct buf bytes;
    char events[256];
    frames_init(&frames);
    buf_init(&bytes, (size_t)64 << 20);
    peer_open(&peer, NULL, false);
    frames_add_preface(&frames);
    frames_add_u32(&frames, FRAME_WINDOW_UPDATE, 0, 1 << 20);
    add_connect(&frames, 1, "13");
    frames_add_u32(&frames, FRAME_WINDOW_UPDATE, 1, 1 << 20);
    frames_send(&frames, &peer);
    PEER_EXPECT_EVENTS(&peer, "request CONNECT /ws");
    FRAMES_EXPECT(&peer, "HEADERS 1 200");
    script_write(conversation->sent, &bytes);
    send_data(&frames, &peer, 1, buf_str(&bytes), false);
    send_data(&frames, &peer, 1, STR_EMPTY, true);
    keep_data(&peer, 1);
    script_expect(&peer, conversation->received, conversation->sent);
    snprintf(events, sizeof(events), "%s; close done", conversation->events);
    PEER_EXPECT_EVENTS(&peer, events);
    /* Only the stream is over. */
    frames_add_request(&frames, 3, "GET", "/text", NULL, true);
    frames_send(&frames, &peer);
    FRAMES_EXPECT(&peer, "HEADERS 3 200; DATA 3 5 end");
    buf_finish(&bytes);
    frames_finish(&frames);
    peer_close(&peer);
}

static void keeps_to_the_protocol_over_http2(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(conversations); i++)
        play_over_http2(&conversations[i]);
}

static void asks_for_its_version_over_http2(void **state)
{
    (void)state;
    struct peer peer;
    struct frames frames;
    frames_init(&frames);
    peer_open(&peer, NULL, false);
    frames_add_preface(&frames);
    add_connect(&frames, 1, "7");
    frames_send(&frames, &peer);
    assert_true(str_find_str(buf_str(&peer.sent), STR("Sec-WebSocket-Version must be 13")) > 0);
    PEER_EXPECT_EVENTS(&peer, "request CONNECT /ws; close done");
    frames_finish(&frames);
    peer_close(&peer);
}

static void closes_only_its_stream_when_the_peer_is_silent(void **state)
{
    (void)state;
    struct peer peer;
    struct frames frames;
    frames_init(&frames);
    peer_open(&peer, NULL, false);
    peer.conversations.websocket.close_timeout_ms = 5;
    frames_add_preface(&frames);
    add_connect(&frames, 1, "13");
    frames_send(&frames, &peer);
    websocket_close(peer.conversations.last, WEBSOCKET_NORMAL, STR("done"));
    while (peer.conversations.last)
        loop_run_once(peer.loop, -1);
    PEER_EXPECT_EVENTS(&peer,
                       "request CONNECT /ws; closed 1006 no Close came in time; close cancelled");
    assert_true(peer_is_open(&peer));
    frames_finish(&frames);
    peer_close(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_to_the_protocol),
        cmocka_unit_test(keeps_to_the_protocol_byte_by_byte),
        cmocka_unit_test(keeps_to_the_protocol_over_http2),
        cmocka_unit_test(asks_for_its_version_over_http2),
        cmocka_unit_test(closes_only_its_stream_when_the_peer_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
