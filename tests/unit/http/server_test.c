/*
 * server_test.c — requests and responses between a server and the client, both versions.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "server_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void downloads_over_both_versions_and_sockets(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    download(world.tcp, false);
    download(world.tcp, true);
    download(world.unix_address, false);
    download(world.unix_address, true);
    await_closed(&world, HTTP_CLOSE_DONE, 8);
    world_close(&world);
}

static void upload(const char *address, bool http1, const char *path, bool echoes)
{
    struct http_client *client = connect_to(address, http1);
    struct http_client_request *request = start(client, "POST", path, false);
    for (size_t sent = 0; sent < BIG_BYTES; sent += BLOCK_BYTES) {
        struct buffer *block = buffer_create(BLOCK_BYTES);
        for (size_t i = 0; i < BLOCK_BYTES; i++)
            block->data[i] = pattern(sent + i);
        struct slices slices;
        slices_init(&slices);
        slices_append(&slices, slice_make(block->data, BLOCK_BYTES, block));
        assert_int_equal(http_client_write(request, &slices, NULL), STATUS_OK);
        slices_finish(&slices);
    }
    assert_int_equal(http_client_end(request, NULL), STATUS_OK);
    char text[32];
    (void)snprintf(text, sizeof(text), "%zu", BIG_BYTES);
    if (echoes)
        assert_int_equal(read_pattern(request), BIG_BYTES);
    else
        expect_text(request, 200, text);
    http_client_finish(request);
    http_client_close(client);
}

static void uploads_over_both_versions_and_sockets(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    upload(world.tcp, false, "/count", false);
    upload(world.tcp, true, "/count", false);
    upload(world.unix_address, false, "/count", false);
    world_close(&world);
}

/* The client takes nothing until it has sent everything it is allowed to: no one may run ahead. */
static void echoes_more_than_all_queues_hold(void **state)
{
    (void)state;
    struct world world;
    struct http_limits limits = http_limits_default;
    limits.write_queue_bytes = BIG_BYTES; /* /echo does not heed it */
    world_open(&world, &limits);
    struct http_client *client = connect_to(world.tcp, false);
    struct http_client_request *request = start(client, "POST", "/echo", false);
    struct http_client_request *other = NULL;
    for (size_t sent = 0; sent < BIG_BYTES; sent += BLOCK_BYTES) {
        struct buffer *block = buffer_create(BLOCK_BYTES);
        for (size_t i = 0; i < BLOCK_BYTES; i++)
            block->data[i] = pattern(sent + i);
        struct slices slices;
        slices_init(&slices);
        slices_append(&slices, slice_make(block->data, BLOCK_BYTES, block));
        assert_int_equal(http_client_write(request, &slices, NULL), STATUS_OK);
        slices_finish(&slices);
        if (sent == BIG_BYTES / 2) {
            /* A stream that nobody reads does not hold up another. */
            other = start(client, "GET", "/nothing", true);
            expect_text(other, 404, "nothing here");
            http_client_finish(other);
        }
    }
    assert_int_equal(http_client_end(request, NULL), STATUS_OK);
    assert_int_equal(read_pattern(request), BIG_BYTES);
    http_client_finish(request);
    http_client_close(client);
    world_close(&world);
}

static void reads_several_requests_in_any_order(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, NULL);
    struct http_client *client = connect_to(world.tcp, false);
    struct http_client_request *requests[4];
    for (size_t i = 0; i < 4; i++)
        requests[i] = start(client, "GET", "/big", true);
    for (size_t i = 4; i-- > 0;) {
        assert_int_equal(read_pattern(requests[i]), BIG_BYTES);
        http_client_finish(requests[i]);
    }
    http_client_close(client);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(downloads_over_both_versions_and_sockets),
        cmocka_unit_test(uploads_over_both_versions_and_sockets),
        cmocka_unit_test(echoes_more_than_all_queues_hold),
        cmocka_unit_test(reads_several_requests_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
