/*
 * address_test.c — address texts. SPDX-License-Identifier: Apache-2.0
 */
#include "http/address.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void parses_the_forms(void **state)
{
    (void)state;
    struct http_address address;
    assert_int_equal(http_address_parse(STR("127.0.0.1:50052"), &address, NULL), STATUS_OK);
    assert_string_equal(address.host, "127.0.0.1");
    assert_int_equal(address.port, 50052);
    assert_int_equal(http_address_parse(STR("[::1]:80"), &address, NULL), STATUS_OK);
    assert_string_equal(address.host, "::1");
    assert_int_equal(http_address_parse(STR("localhost:0"), &address, NULL), STATUS_OK);
    assert_false(address.is_unix);
    assert_int_equal(http_address_parse(STR("unix:/tmp/a:b.sock"), &address, NULL), STATUS_OK);
    assert_true(address.is_unix);
    assert_string_equal(address.path, "/tmp/a:b.sock");
}

static void parses_schemes_and_options(void **state)
{
    (void)state;
    struct http_address address;
    assert_int_equal(http_address_parse(STR("tcp://a:1"), &address, NULL), STATUS_OK);
    assert_int_equal(address.scheme, HTTP_SCHEME_TCP);
    assert_int_equal(http_address_parse(STR("a:1"), &address, NULL), STATUS_OK);
    assert_int_equal(address.scheme, HTTP_SCHEME_DEFAULT);
    assert_int_equal(
        http_address_parse(STR("tls://[::1]:7?client-auth=require&cert=/a&key=/b&ca=/c=d"),
                           &address, NULL),
        STATUS_OK);
    assert_int_equal(address.scheme, HTTP_SCHEME_TLS);
    assert_string_equal(address.host, "::1");
    assert_true(str_equal(address.options.client_auth, STR("require")));
    assert_true(str_equal(address.options.certificate_file, STR("/a")));
    assert_true(str_equal(address.options.key_file, STR("/b")));
    assert_true(str_equal(address.options.ca_file, STR("/c=d")));
    static const char *const broken[] = {"tls://a:1?x=1", "tls://a:1?cert=", "tls://a:1?cert",
                                         "tls://a:1?ca=1&ca=2", "tls://a:1?&ca=1"};
    for (size_t i = 0; i < ARRAY_COUNT(broken); i++) {
        struct error error = ERROR_NONE;
        assert_int_equal(http_address_parse(str_of(broken[i]), &address, &error),
                         STATUS_INVALID_ARGUMENT);
        assert_true(str_find_str(str_of(error.message), STR("client-auth=")) > 0);
    }
}

static void refuses_others_and_says_what_would_be_right(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "",        "127.0.0.1", ":80",           "host:",           "host:65536",
        "host:-1", "host:x",    "::1:80",        "[::1:80",         "unix:",
        "[]:80",   "host:8 0",  "tls://unix:/a", "tcp://tls://a:1", "tls://",
    };
    for (size_t i = 0; i < ARRAY_COUNT(broken); i++) {
        struct http_address address;
        struct error error = ERROR_NONE;
        assert_int_equal(http_address_parse(str_of(broken[i]), &address, &error),
                         STATUS_INVALID_ARGUMENT);
        assert_true(str_find_str(str_of(error.message), STR("host:port")) > 0);
    }
    char path[200] = "unix:/";
    memset(path + 6, 'x', sizeof(path) - 7);
    path[sizeof(path) - 1] = '\0';
    struct http_address address;
    struct error error = ERROR_NONE;
    assert_int_equal(http_address_parse(str_of(path), &address, &error), STATUS_INVALID_ARGUMENT);
    assert_true(str_find_str(str_of(error.message), STR("107 bytes")) > 0);
}

static void localhost_is_both_loopback_addresses(void **state)
{
    (void)state;
    struct http_address address;
    struct http_socket_address found[HTTP_ADDRESSES_MAX];
    size_t count = 0;
    char text[HTTP_ADDRESS_TEXT_SIZE];
    assert_int_equal(http_address_parse(STR("localhost:81"), &address, NULL), STATUS_OK);
    assert_int_equal(http_address_resolve(&address, found, &count, NULL), STATUS_OK);
    assert_int_equal(count, 2);
    http_socket_address_text(&found[0], text);
    assert_string_equal(text, "127.0.0.1:81");
    http_socket_address_text(&found[1], text);
    assert_string_equal(text, "[::1]:81");
    assert_true(http_socket_address_is_loopback(&found[0]));
    assert_true(http_socket_address_is_loopback(&found[1]));
}

static void knows_what_is_loopback(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_loopback;
    } cases[] = {
        {"127.5.6.7:1", true}, {"10.0.0.1:1", false},          {"[::2]:1", false},
        {"0.0.0.0:1", false},  {"[::ffff:127.0.0.1]:1", true}, {"[::ffff:1.2.3.4]:1", false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct http_address address;
        struct http_socket_address found[HTTP_ADDRESSES_MAX];
        size_t count = 0;
        assert_int_equal(http_address_parse(str_of(cases[i].text), &address, NULL), STATUS_OK);
        assert_int_equal(http_address_resolve(&address, found, &count, NULL), STATUS_OK);
        assert_int_equal(http_socket_address_is_loopback(&found[0]), cases[i].is_loopback);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_the_forms),
        cmocka_unit_test(parses_schemes_and_options),
        cmocka_unit_test(refuses_others_and_says_what_would_be_right),
        cmocka_unit_test(localhost_is_both_loopback_addresses),
        cmocka_unit_test(knows_what_is_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
