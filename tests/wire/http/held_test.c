/*
 * held_test.c — how much of their requests' bodies handlers may keep, and who is refused beyond it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

struct scene {
    struct peer peer;
    struct frames frames;
};

static void scene_open(struct scene *scene)
{
    struct http_limits limits = http_limits_default;
    limits.received_bytes_max = MIB;
    peer_open(&scene->peer, &limits, false);
    frames_init(&scene->frames);
    frames_add_preface(&scene->frames);
}

static void scene_close(struct scene *scene)
{
    frames_finish(&scene->frames);
    peer_close(&scene->peer);
}

static struct http_request *begin(struct scene *scene, uint32_t id)
{
    frames_add_request(&scene->frames, id, "POST", "/wait", NULL, false);
    frames_send(&scene->frames, &scene->peer);
    return scene->peer.last;
}

static size_t all(const struct scene *scene)
{
    return atomic_load(&scene->peer.server->held_bytes);
}

static void refuses_who_holds_more_when_all_is_used_up(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    struct http_request *first = begin(&scene, 1);
    struct http_request *second = begin(&scene, 3);
    assert_true(http_hold(first, MIB / 2));
    assert_true(http_hold(second, MIB / 2));
    assert_int_equal(all(&scene), MIB);
    assert_int_equal(peer_strikes(&scene.peer, "received_bytes"), 0);
    assert_false(http_hold(second, MIB / 2 + 32 * KIB));
    assert_int_equal(peer_strikes(&scene.peer, "received_bytes"), 1);
    /* Whoever gives back is not refused, and what is given back is there for others. */
    assert_true(http_hold(first, MIB / 2 - 1));
    http_release(second);
    assert_true(http_hold(first, MIB - KIB));
    scene_close(&scene);
}

/* A connection with next to nothing is served beside one that took all. */
static void lets_small_requests_pass(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    struct http_request *large = begin(&scene, 1);
    assert_false(http_hold(large, 2 * MIB));
    struct http_connection *other = NULL;
    assert_true(http_server_take_connection(scene.peer.server));
    assert_int_equal(http_connection_create(&scene.peer.server->loops[0], &scene.peer.door, -1,
                                            false, "127.0.0.1:2", &other, NULL),
                     STATUS_OK);
    static const char text[] = "POST /wait HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n";
    http_wire_input(&other->wire, (const uint8_t *)text, strlen(text));
    struct http_request *small = scene.peer.last;
    assert_ptr_not_equal(small, large);
    assert_true(http_hold(small, 63 * KIB));
    assert_false(http_hold(small, 64 * KIB));
    http_connection_destroy(other);
    scene_close(&scene);
}

static void forgets_what_requests_held_that_are_over(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    assert_true(http_hold(begin(&scene, 1), MIB / 4));
    assert_true(http_hold(begin(&scene, 3), KIB));
    assert_true(http_hold(begin(&scene, 5), MIB / 2));
    frames_add_u32(&scene.frames, FRAME_RST_STREAM, 5, 8);
    frames_send(&scene.frames, &scene.peer);
    assert_in_range(all(&scene), MIB / 4, MIB / 4 + 16 * KIB);
    http_connection_destroy(scene.peer.connection);
    assert_int_equal(all(&scene), 0);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_who_holds_more_when_all_is_used_up),
        cmocka_unit_test(lets_small_requests_pass),
        cmocka_unit_test(forgets_what_requests_held_that_are_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
