/*
 * http1_head_test.c — the raw head: its end, found in any pieces, and its rules.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/http1_head.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void finds_the_end_however_the_bytes_come(void **state)
{
    (void)state;
    struct str text = STR("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nrest");
    size_t end = text.len - 4;
    for (size_t step = 1; step < text.len; step++) {
        size_t scanned = 0;
        size_t size = 0;
        for (size_t len = step; len < end; len += step)
            assert_int_equal(http1_head_find(str_slice(text, 0, len), &scanned, &size),
                             HTTP1_HEAD_PARTIAL);
        assert_int_equal(http1_head_find(text, &scanned, &size), HTTP1_HEAD_COMPLETE);
        assert_int_equal(size, end);
    }
}

static void refuses_early_what_cannot_become_a_head(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "\n",        "get",      " GET",     "GET / HTTP/1.1\n",
        "GET /\r\n", "\r\n\r\n", "\x16\x03", "SSH-2.0-x\r\n",
    };
    for (size_t i = 0; i < ARRAY_COUNT(broken); i++) {
        size_t scanned = 0;
        size_t size = 0;
        assert_int_equal(http1_head_find(str_of(broken[i]), &scanned, &size), HTTP1_HEAD_BROKEN);
    }
}

static void accepts_ordinary_heads(void **state)
{
    (void)state;
    static const char *const good[] = {
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nhOsT:a:80\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /a?b=%20 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: tab\there \xc3\xa9 \t \r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX!#$%&'*+-.^_`|~9: y\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_COUNT(good); i++)
        assert_int_equal(http1_head_check(str_of(good[i])).status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_end_however_the_bytes_come),
        cmocka_unit_test(refuses_early_what_cannot_become_a_head),
        cmocka_unit_test(accepts_ordinary_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
