/*
 * turns_test.c — a small answer beside many large ones: who has to wait for whom.
 *
 * The "sockets" of the large ones take their time for each call, as copying a megabyte does.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BULK_COUNT 64
#define PIPELINED 1000
#define SEND_NS (NANOSECONDS_PER_MILLISECOND / 10)
/* What fits into one round's turns and into the one that was under way, generously. */
#define SENDS_BEFORE_MAX 16

struct bulk {
    struct http_connection *connection;
    unsigned sends;
};

struct scene {
    struct peer peer;
    struct bulk bulks[BULK_COUNT];
    size_t count;
    unsigned sends;
};

/* The wire's owner leads to the peer, whose scene it is. */
static struct scene *scene_of(struct http_wire *wire)
{
    struct http_connection *connection = CONTAINER_OF(wire, struct http_connection, wire);
    struct peer *peer = connection->home->server->handlers[0]->context;
    return CONTAINER_OF(peer, struct scene, peer);
}

static ssize_t take_slowly(struct http_wire *wire, const struct iovec *iovecs, size_t count)
{
    struct scene *scene = scene_of(wire);
    uint64_t end_ns = clock_now_ns() + SEND_NS;
    while (clock_now_ns() < end_ns)
        continue;
    scene->sends++;
    for (size_t i = 0; i < scene->count; i++)
        scene->bulks[i].sends += &scene->bulks[i].connection->wire == wire;
    size_t taken = 0;
    for (size_t i = 0; i < count; i++)
        taken += iovecs[i].iov_len;
    return (ssize_t)taken;
}

static void scene_open_with(struct scene *scene, size_t count, const char *request)
{
    *scene = (struct scene){0};
    peer_open(&scene->peer, NULL, false);
    struct http_server *server = scene->peer.server;
    scene->count = count;
    for (size_t i = 0; i < count; i++) {
        struct bulk *bulk = &scene->bulks[i];
        assert_true(http_server_take_connection(server));
        assert_int_equal(http_connection_create(&server->loops[0], &scene->peer.door, -1, false,
                                                "127.0.0.1:3", &bulk->connection, NULL),
                         STATUS_OK);
        bulk->connection->wire.send = take_slowly;
        http_wire_input(&bulk->connection->wire, (const uint8_t *)request, strlen(request));
    }
}

static void scene_open(struct scene *scene)
{
    scene_open_with(scene, BULK_COUNT, "GET /big HTTP/1.1\r\nhost: a\r\n\r\n");
}

static void serves_a_small_answer_before_the_rest_of_large_ones(void **state)
{
    (void)state;
    static const char request[] = "GET /text HTTP/1.1\r\nhost: a\r\n\r\n";
    static struct scene scene;
    scene_open(&scene);
    for (unsigned round = 0; round < 20; round++) {
        unsigned before = scene.sends;
        http_wire_input(&scene.peer.connection->wire, (const uint8_t *)request, strlen(request));
        while (scene.peer.sent.len == 0)
            loop_run_once(scene.peer.loop, 0);
        assert_true(scene.sends - before <= SENDS_BEFORE_MAX);
        buf_clear(&scene.peer.sent);
    }
    peer_close(&scene.peer);
}

/* First come, first served: each gets its turn before another has its next. */
static void serves_large_answers_in_turn(void **state)
{
    (void)state;
    static struct scene scene;
    scene_open(&scene);
    while (scene.sends < 10 * BULK_COUNT)
        loop_run_once(scene.peer.loop, 0);
    unsigned least = UINT32_MAX;
    unsigned most = 0;
    for (size_t i = 0; i < BULK_COUNT; i++) {
        least = scene.bulks[i].sends < least ? scene.bulks[i].sends : least;
        most = scene.bulks[i].sends > most ? scene.bulks[i].sends : most;
    }
    assert_true(least > 0);
    assert_true(most - least <= SENDS_BEFORE_MAX);
    peer_close(&scene.peer);
}

/* What a client sends ahead keeps nobody waiting, small as each answer is. */
static void serves_others_beside_a_long_pipeline(void **state)
{
    (void)state;
    static const char request[] = "GET /text HTTP/1.1\r\nhost: a\r\n\r\n";
    static struct scene scene;
    struct buf pipeline;
    scene_open_with(&scene, 1, "GET /text HTTP/1.1\r\nhost: a\r\n\r\n");
    struct bulk *first = &scene.bulks[0];
    buf_init(&pipeline, (size_t)1 << 20);
    for (unsigned i = 0; i < PIPELINED; i++)
        buf_append_text(&pipeline, request);
    http_wire_input(&first->connection->wire, pipeline.ptr, pipeline.len);
    for (unsigned round = 0; round < 20; round++) {
        unsigned before = scene.sends;
        http_wire_input(&scene.peer.connection->wire, (const uint8_t *)request, strlen(request));
        while (scene.peer.sent.len == 0)
            loop_run_once(scene.peer.loop, 0);
        assert_true(scene.sends - before <= 2 * SENDS_BEFORE_MAX);
        buf_clear(&scene.peer.sent);
    }
    while (first->sends < PIPELINED + 1)
        loop_run_once(scene.peer.loop, 0);
    buf_finish(&pipeline);
    peer_close(&scene.peer);
}

/* On one connection: behind what is framed already, and nothing else. */
static void serves_a_small_answer_before_other_streams_large_ones(void **state)
{
    (void)state;
    struct peer peer;
    struct frames frames;
    peer_open(&peer, NULL, false);
    frames_init(&frames);
    frames_add_preface(&frames);
    frames_add_u32(&frames, FRAME_WINDOW_UPDATE, 0, 1 << 30);
    for (uint32_t id = 1; id < 2 * 16; id += 2) {
        frames_add_request(&frames, id, "GET", "/big", NULL, true);
        frames_add_u32(&frames, FRAME_WINDOW_UPDATE, id, 1 << 26);
    }
    /* Enough for each to be known as large. */
    const size_t taken = (size_t)4 << 20;
    peer.take_max = taken;
    frames_send(&frames, &peer);
    frames_add_request(&frames, 33, "GET", "/big", NULL, true);
    frames_add_request(&frames, 35, "GET", "/text", NULL, true);
    frames_send(&frames, &peer);
    size_t framed = peer.connection->wire.output.bytes;
    assert_true(framed > 0);
    peer_take(&peer, framed + ((size_t)1 << 20));
    size_t offset = 0;
    size_t end = 0;
    struct frame frame;
    while (end == 0 && frame_next(&peer, &offset, &frame)) {
        if (frame.type == FRAME_DATA && frame.stream == 35)
            end = offset;
    }
    assert_true(end > 0);
    /* One frame of another was begun, and stream 33 is taken for small until it has had its share. */
    assert_true(end <= taken + framed + 3 * ((size_t)64 << 10));
    frames_finish(&frames);
    peer_close(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_a_small_answer_before_the_rest_of_large_ones),
        cmocka_unit_test(serves_large_answers_in_turn),
        cmocka_unit_test(serves_others_beside_a_long_pipeline),
        cmocka_unit_test(serves_a_small_answer_before_other_streams_large_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
