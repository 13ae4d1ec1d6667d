/*
 * http1_refusals_test.c — HTTP/1.x input that must be refused: smuggling forms, broken chunks, what is
 * not HTTP at all. SPDX-License-Identifier: Apache-2.0
 */
#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct refusal {
    const char *input;
    const char *status_line;
};

/* Each must be answered with the status and a sentence and the connection closed, without the request
 * behind it being seen. */
static const struct refusal refusals[] = {
    {"GET /text HTTP/1.1\r\nHost : a\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\tc\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\n Host: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\nHost: a\n\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a\r\nX: b\r\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a\r\nX\x01: b\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a\r\nX: \x02\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a\r\nno-colon\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a, b\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a/b\r\n\r\n", "HTTP/1.1 400"},
    {"GET  /text HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET /te xt HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text\tHTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1 \r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/2.0\r\nHost: a\r\n\r\n", "HTTP/1.1 505"},
    {"GET /text HTTP/1.2\r\nHost: a\r\n\r\n", "HTTP/1.1 505"},
    {"GET /text HTTP/11\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text\r\n\r\n", "HTTP/1.1 400"},
    {"GET text HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET ftp://a/text HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET http:///text HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET http://b@a/text HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET http://a,b/text HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET http://a/text HTTP/1.1\r\n\r\n", "HTTP/1.1 400"},
    {"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 501"},
    {"FOO /text HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 501"},
    {"GETX /text HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 501"},
    {"G(T /text HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/0.9\r\nHost: a\r\n\r\n", "HTTP/1.1 505"},
    {"GET /text http/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET /\x0b HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET\x0b/text HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a b\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: b@a\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a\r\nX\t: b\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a\r\nX\x0b: b\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a\r\nX\xa0: b\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a\r\n X: folded at once\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a\r\nX: b\x7f\r\n\r\n", "HTTP/1.1 400"},
    {"get /text HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"\r\n\r\nGET /text HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
     "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
     "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
     "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\nabc", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\nabc", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
     "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
     "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 3;\r\n\r\nabc", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 3 3\r\n\r\nabc", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: \"3\"\r\n\r\nabc", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 3\x0b\r\n\r\nabc", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 1e2\r\n\r\nabc", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length\x0b: 3\r\n\r\nabc", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nX: b\rContent-Length: 3\r\n\r\nabc", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n 3\r\n\r\nabc", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n", "HTTP/1.1 501"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\x0b\r\n\r\n", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0b"
     "chunked\r\n\r\n",
     "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", "HTTP/1.1 501"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n", "HTTP/1.1 501"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked,\r\n\r\n", "HTTP/1.1 501"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,chunked\r\n\r\n", "HTTP/1.1 501"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
     "HTTP/1.1 501"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \r\n\r\n", "HTTP/1.1 501"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\x85\r\n\r\n", "HTTP/1.1 501"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
     "Transfer-Encoding: identity\r\n\r\n",
     "HTTP/1.1 501"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer_Encoding\x01: chunked\r\n\r\n", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 400"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "HTTP/1.1 501"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", "HTTP/1.1 501"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
     "HTTP/1.1 501"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", "HTTP/1.1 501"},
    {"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
     "Transfer-Encoding: chunked\r\n\r\n",
     "HTTP/1.1 400"},
    {"POST /text HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 400"},
    {"GET /text HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", "HTTP/1.1 417"},
    {"PRI * HTTP/2.0\r\n", "HTTP/1.1 400"},
};

/* JSON with a sentence in it. */
static bool is_problem(const char *text)
{
    const char *detail = strstr(text, "\"detail\":\"");
    return strstr(text, "\r\ncontent-type: application/problem+json\r\n") && detail &&
           strlen(detail) > 20 && strstr(text, "\"code\":\"") && strstr(text, "\"status\":");
}

static void refuses_ambiguous_and_foreign_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < ARRAY_COUNT(refusals); i++) {
        struct peer peer;
        peer_open(&peer, NULL, false);
        peer_send_text(&peer, refusals[i].input);
        peer_send_text(&peer, "GET /wait HTTP/1.1\r\nHost: smuggled\r\n\r\n");
        const char *text = peer_take_text(&peer);
        if (strncmp(text, refusals[i].status_line, strlen(refusals[i].status_line)) != 0)
            fail_msg("case %zu: %s -> %s", i, refusals[i].input, text);
        if (!is_problem(text))
            fail_msg("case %zu: %s is not told why: %s", i, refusals[i].input, text);
        if (peer_is_open(&peer))
            fail_msg("case %zu stays open: %s", i, refusals[i].input);
        PEER_EXPECT_EVENTS(&peer, "");
        peer_close(&peer);
    }
}

static const char *const broken_chunks[] = {
    "\n3\r\nabc\r\n0\r\n\r\n",
    "3\nabc\r\n0\r\n\r\n",
    "3\r\nabc\n0\r\n\r\n",
    "3\r\nabcd\r\n0\r\n\r\n",
    "3\r\nabc0\r\n\r\n",
    "g\r\nabc\r\n0\r\n\r\n",
    "-3\r\nabc\r\n0\r\n\r\n",
    "0x3\r\nabc\r\n0\r\n\r\n",
    " 3\r\nabc\r\n0\r\n\r\n",
    "3 \r\nabc\r\n0\r\n\r\n",
    "\r\n3\r\nabc\r\n0\r\n\r\n",
    ";x\r\nabc\r\n0\r\n\r\n",
    "3\rabc\r\n0\r\n\r\n",
    "3\r\r\nabc\r\n0\r\n\r\n",
    "3;a\nb\r\nabc\r\n0\r\n\r\n",
    "3\r\nabc\r\n0\n\r\n",
    "3\r\nabc\r\n0\r\n\n",
    "3\r\nabc\r\n0\r\nX: y\n\r\n",
    "ffffffffffffffffff\r\nabc",
    "10000000000000003\r\nabc\r\n0\r\n\r\n",
    "3;\x01\r\nabc\r\n0\r\n\r\n",
    "3;a\x0b\r\nabc\r\n0\r\n\r\n",
    "3;a=\"\x7f\"\r\nabc\r\n0\r\n\r\n",
    "3\x0b\r\nabc\r\n0\r\n\r\n",
    "3\t\r\nabc\r\n0\r\n\r\n",
    "3,\r\nabc\r\n0\r\n\r\n",
    "+3\r\nabc\r\n0\r\n\r\n",
    "\r\n\r\n",
    "3\r\nabc\r\n\r\n0\r\n\r\n",
    "3;\ra\r\nabc\r\n0\r\n\r\n",
    "3\r\nabc\r\n0\r\nX : y\r\n\r\n",
    "3\r\nabc\r\n0\r\n folded\r\n\r\n",
    "3\r\nabc\r\n0\r\nX: y\r\n folded\r\n\r\n",
    "3\r\nabc\r\n0\r\nX: \x01\r\n\r\n",
    "3\r\nabc\r\n0\r\nno-colon\r\n\r\n",
    "3\r\nabc\r\n0\r\nX: y\rZ: y\r\n\r\n",
};

static void refuses_broken_chunks(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(broken_chunks); i++) {
        struct peer peer;
        peer_open(&peer, NULL, false);
        peer_send_text(&peer,
                       "POST /wait HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        peer_send_text(&peer, broken_chunks[i]);
        peer_send_text(&peer, "GET /text HTTP/1.1\r\nHost: smuggled\r\n\r\n");
        if (peer_is_open(&peer))
            fail_msg("case %zu was taken: %s", i, broken_chunks[i]);
        if (!is_problem(peer_take_text(&peer)))
            fail_msg("case %zu is not told why: %s", i, broken_chunks[i]);
        buf_append_byte(&peer.events, 0);
        const char *events = (const char *)peer.events.ptr;
        if (!strstr(events, "close disconnected") || strstr(events, "/text"))
            fail_msg("case %zu: %s -> %s", i, broken_chunks[i], events);
        peer_close(&peer);
    }
}

static void refuses_heads_over_a_limit(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.header_bytes_max = 2048;
    limits.header_count_max = 10;
    struct peer peer;
    peer_open(&peer, &limits, false);
    peer_send_text(&peer, "GET /text HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 10; i++)
        peer_send_text(&peer, "X: y\r\n");
    peer_send_text(&peer, "\r\n");
    const char *text = peer_take_text(&peer);
    assert_int_equal(strncmp(text, "HTTP/1.1 431", 12), 0);
    assert_non_null(strstr(text, "a request may have 10 headers, of 2048 bytes together"));
    assert_false(peer_is_open(&peer));
    assert_int_equal(peer_strikes(&peer, "header_count"), 1);
    peer_close(&peer);

    peer_open(&peer, &limits, false);
    peer_send_text(&peer, "GET /text HTTP/1.1\r\nHost: a\r\nX: ");
    for (int i = 0; i < 3000 && peer_is_open(&peer); i++)
        peer_send_text(&peer, "y");
    text = peer_take_text(&peer);
    assert_int_equal(strncmp(text, "HTTP/1.1 431", 12), 0);
    assert_non_null(strstr(text, "headers have more than 2048 bytes"));
    assert_false(peer_is_open(&peer));
    assert_int_equal(peer_strikes(&peer, "header_bytes"), 1);
    assert_true(peer_serves_neighbour(&peer));
    PEER_EXPECT_EVENTS(&peer, "");
    peer_close(&peer);

    peer_open(&peer, &limits, false);
    peer_send_text(&peer, "GET /");
    for (int i = 0; i < 3000 && peer_is_open(&peer); i++)
        peer_send_text(&peer, "y");
    text = peer_take_text(&peer);
    assert_int_equal(strncmp(text, "HTTP/1.1 414 URI Too Long", 25), 0);
    assert_non_null(strstr(text, "the request line has more than 2048 bytes"));
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

static void refuses_nul_bytes(void **state)
{
    (void)state;
    static const char text[] = "GET /te?t HTTP/1.1\r\nHo?t: a\r\nX: a?b\r\n\r\n";
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        char bytes[sizeof(text)];
        if (text[i] != '?')
            continue;
        memcpy(bytes, text, sizeof(text));
        for (size_t at = 0; at < sizeof(text) - 1; at++)
            bytes[at] = bytes[at] == '?' ? 's' : bytes[at];
        bytes[i] = '\0';
        struct peer peer;
        peer_open(&peer, NULL, false);
        peer_send(&peer, bytes, sizeof(text) - 1);
        assert_int_equal(strncmp(peer_take_text(&peer), "HTTP/1.1 400", 12), 0);
        PEER_EXPECT_EVENTS(&peer, "");
        assert_false(peer_is_open(&peer));
        peer_close(&peer);
    }
}

static void refuses_chunk_framing_without_content(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "POST /wait HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "1\r\nx\r\n0\r\n");
    for (int i = 0; i < 4000 && peer_is_open(&peer); i++)
        peer_send_text(&peer, "Trailer: value\r\n");
    assert_false(peer_is_open(&peer));
    PEER_EXPECT_EVENTS(&peer, "request POST /wait; body 1; close disconnected");
    peer_close(&peer);
}

/* Who speaks something else would take our answer for a part of it. */
static void closes_on_what_is_not_http_without_an_answer(void **state)
{
    (void)state;
    static const char *const others[] = {
        "\x16\x03\x01\x02",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\x80\x01\x02",
        "EHLO example.org\r\n",
        "INVALID CONNECTION PREFACE\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        struct peer peer;
        peer_open(&peer, NULL, false);
        peer_send_text(&peer, others[i]);
        assert_false(peer_is_open(&peer));
        PEER_EXPECT_TEXT(&peer, "");
        peer_close(&peer);
    }
}

static void does_not_let_a_handler_write_headers_of_the_client_s_making(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
    const struct http_header header = {STR("location"), STR("/a\r\nset-cookie: b")};
    http_respond(peer.last, 302, &header, 1, true);
    peer_run(&peer);
    PEER_EXPECT_TEXT(&peer, "HTTP/1.1 302 Found\r\nlocation: /a  set-cookie: b\r\n"
                            "content-length: 0\r\n\r\n");
    peer_close(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_ambiguous_and_foreign_heads),
        cmocka_unit_test(refuses_nul_bytes),
        cmocka_unit_test(refuses_broken_chunks),
        cmocka_unit_test(refuses_heads_over_a_limit),
        cmocka_unit_test(refuses_chunk_framing_without_content),
        cmocka_unit_test(closes_on_what_is_not_http_without_an_answer),
        cmocka_unit_test(does_not_let_a_handler_write_headers_of_the_client_s_making),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
