/*
 * peers_test.c — connections per client address. SPDX-License-Identifier: Apache-2.0
 */
#include "http/peers.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <netinet/in.h>

static struct http_socket_address address_of(const char *text)
{
    struct http_socket_address address = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address.storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address.storage;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        address.storage.ss_family = AF_INET;
        address.size = sizeof(*v4);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
        address.storage.ss_family = AF_INET6;
        address.size = sizeof(*v6);
    }
    return address;
}

static bool take(struct http_peers *peers, const char *text, struct http_peer **out_peer)
{
    struct http_socket_address address = address_of(text);
    return http_peers_take(peers, &address, out_peer);
}

static void counts_each_address(void **state)
{
    struct http_peers *peers = http_peers_create(2);
    struct http_peer *first = NULL;
    struct http_peer *second = NULL;
    struct http_peer *third = NULL;
    struct http_peer *other = NULL;
    assert_true(take(peers, "10.0.0.1", &first));
    assert_true(take(peers, "10.0.0.1", &second));
    assert_false(take(peers, "10.0.0.1", &third));
    assert_null(third);
    assert_true(take(peers, "10.0.0.2", &other));
    http_peers_give(peers, first);
    assert_true(take(peers, "10.0.0.1", &third));
    http_peers_give(peers, second);
    http_peers_give(peers, third);
    http_peers_give(peers, other);
    assert_true(take(peers, "10.0.0.1", &first));
    http_peers_give(peers, first);
    http_peers_destroy(peers);
}

static void one_machine_is_one_address(void **state)
{
    static const struct {
        const char *first;
        const char *second;
        bool is_same;
    } cases[] = {
        {"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true},
        {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
        {"::ffff:10.0.0.1", "10.0.0.1", true},
        {"::ffff:10.0.0.1", "::ffff:10.0.0.2", false},
        {"10.0.0.1", "10.0.1.0", false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct http_peers *peers = http_peers_create(1);
        struct http_peer *first = NULL;
        struct http_peer *second = NULL;
        assert_true(take(peers, cases[i].first, &first));
        assert_int_equal(take(peers, cases[i].second, &second), !cases[i].is_same);
        http_peers_give(peers, first);
        http_peers_give(peers, second);
        http_peers_destroy(peers);
    }
}

static void this_machine_is_not_counted(void **state)
{
    static const char *const own[] = {"127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"};
    struct http_peers *peers = http_peers_create(1);
    for (size_t i = 0; i < 2 * ARRAY_COUNT(own); i++) {
        struct http_peer *peer = NULL;
        assert_true(take(peers, own[i / 2], &peer));
        assert_null(peer);
        http_peers_give(peers, peer);
    }
    struct http_socket_address local = {.storage.ss_family = AF_UNIX};
    struct http_peer *peer = NULL;
    assert_true(http_peers_take(peers, &local, &peer));
    assert_null(peer);
    http_peers_destroy(peers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_each_address),
        cmocka_unit_test(one_machine_is_one_address),
        cmocka_unit_test(this_machine_is_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
