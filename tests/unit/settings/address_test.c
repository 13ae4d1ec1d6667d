/*
 * Listening addresses: forms, limits, and which of them only this machine can reach.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include "settings/address.h"

static void test_forms(void **state)
{
    static const struct {
        const char *text;
        const char *host; /* NULL: refused */
        const char *port;
        bool unix_socket;
        bool local;
    } cases[] = {
        {"127.0.0.1:50052", "127.0.0.1", "50052", false, true},
        {"127.9.9.9:0", "127.9.9.9", "0", false, true},
        {"localhost:8080", "localhost", "8080", false, true},
        {"LocalHost:1", "LocalHost", "1", false, true},
        {"tcp://localhost:1", "localhost", "1", false, true},
        {"[::1]:80", "::1", "80", false, true},
        {"[::]:80", "::", "80", false, false},
        {"[::ffff:127.0.0.1]:80", "::ffff:127.0.0.1", "80", false, false},
        {"0.0.0.0:65535", "0.0.0.0", "65535", false, false},
        {"10.0.0.1:1", "10.0.0.1", "1", false, false},
        {"127.0.0.1.example.org:1", "127.0.0.1.example.org", "1", false, false},
        {"127.1:1", "127.1", "1", false, false},
        {"unix:/run/volley.sock", "/run/volley.sock", "", true, true},
        {" localhost:1 ", "localhost", "1", false, true},
        {"", NULL, NULL, false, false},
        {"localhost", NULL, NULL, false, false},
        {":80", NULL, NULL, false, false},
        {"localhost:", NULL, NULL, false, false},
        {"localhost:65536", NULL, NULL, false, false},
        {"localhost:+1", NULL, NULL, false, false},
        {"localhost:000080", NULL, NULL, false, false},
        {"::1:80", NULL, NULL, false, false},
        {"[::1]", NULL, NULL, false, false},
        {"[::1]80", NULL, NULL, false, false},
        {"[localhost]:80", NULL, NULL, false, false},
        {"[", NULL, NULL, false, false},
        {"a b:80", NULL, NULL, false, false},
        {"unix:relative", NULL, NULL, false, false},
        {"unix:", NULL, NULL, false, false},
        {"tls://localhost:1", "localhost", "1", false, true},
        {"tls://[::1]:1?client-auth=require&ca=/a", "::1", "1", false, true},
        {"10.0.0.1:1?cert=/a.pem&key=/b.pem", "10.0.0.1", "1", false, false},
        {"tcp://10.0.0.1:1?client-auth=none", NULL, NULL, false, false},
        {"tls://10.0.0.1:1?", NULL, NULL, false, false},
        {"tls://10.0.0.1:1?cert=/a.pem", NULL, NULL, false, false},
        {"tls://10.0.0.1:1?client-auth=maybe", NULL, NULL, false, false},
        {"tls://10.0.0.1:1?ca=/a&ca=/b", NULL, NULL, false, false},
        {"tls://10.0.0.1:1?ca=", NULL, NULL, false, false},
        {"tls://10.0.0.1:1?what=1", NULL, NULL, false, false},
        {"tls://unix:/a", NULL, NULL, false, false},
        {"tls://tls://localhost:1", NULL, NULL, false, false},
        {"http://localhost:1", NULL, NULL, false, false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct str text = str_of(cases[i].text);
        struct address address = {0};
        bool valid = address_parse(text, &address);
        if (valid != (cases[i].host != NULL))
            fail_msg("'%s' %s", cases[i].text, valid ? "was taken" : "was refused");
        if (!valid)
            continue;
        assert_true(str_equal(address.host, str_of(cases[i].host)));
        assert_true(str_equal(address.port, str_of(cases[i].port)));
        assert_int_equal(address.unix_socket, cases[i].unix_socket);
        if (address_is_local(&address) != cases[i].local)
            fail_msg("'%s'", cases[i].text);
    }
}

static void test_long_path(void **state)
{
    char path[200] = "unix:/";
    memset(path + 6, 'x', sizeof(path) - 7);
    path[sizeof(path) - 1] = '\0';
    struct str text = str_of(path);
    struct address address;
    assert_false(address_parse(text, &address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_long_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
