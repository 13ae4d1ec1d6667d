/*
 * client_hostile_test.c — the client against servers that say what no server should.
 *
 * The server is a thread that takes one connection, sends what the test says and closes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/client.h"

#include "base/buf.h"
#include "base/memory.h"
#include "event/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct scene {
    int listener;
    struct buf answer;
    struct thread *thread;
    char address[32];
};

static void serve(void *argument)
{
    struct scene *scene = argument;
    char request[4096];
    int fd = accept(scene->listener, NULL, NULL);
    if (fd < 0)
        return;
    (void)!read(fd, request, sizeof(request));
    size_t sent = 0;
    while (sent < scene->answer.len) {
        ssize_t size = send(fd, scene->answer.ptr + sent, scene->answer.len - sent, MSG_NOSIGNAL);
        if (size < 0)
            break;
        sent += (size_t)size;
    }
    close(fd);
}

static void scene_open(struct scene *scene)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    scene->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(scene->listener >= 0);
    assert_int_equal(bind(scene->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(scene->listener, 1), 0);
    assert_int_equal(getsockname(scene->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(scene->address, sizeof(scene->address), "127.0.0.1:%u", ntohs(address.sin_port));
    buf_init(&scene->answer, (size_t)16 << 20);
}

static void scene_close(struct scene *scene)
{
    thread_join(scene->thread);
    close(scene->listener);
    buf_finish(&scene->answer);
}

/* The answer to one GET; the status of what the client made of it. */
static enum status ask(struct scene *scene, struct error *error)
{
    assert_int_equal(thread_start("server", 0, serve, scene, &scene->thread, NULL), STATUS_OK);
    const struct http_client_options options = {.address = str_of(scene->address), .http1 = true};
    CLEANUP(http_client_close) struct http_client *client = NULL;
    assert_int_equal(http_client_connect(&options, &client, NULL), STATUS_OK);
    CLEANUP(http_client_finish) struct http_client_request *request = NULL;
    assert_int_equal(
        http_client_start(client, STR("GET"), STR("/"), NULL, 0, true, CLOCK_NEVER, &request, NULL),
        STATUS_OK);
    unsigned status = 0;
    const struct http_headers *headers = NULL;
    TRY(http_client_head(request, &status, &headers, error));
    CLEANUP(slices_finish) struct slices bytes;
    slices_init(&bytes);
    bool end = false;
    while (!end)
        TRY(http_client_read(request, &bytes, &end, error));
    return STATUS_OK;
}

static void add_fields(struct buf *answer, size_t count, size_t value_bytes)
{
    for (size_t i = 0; i < count; i++) {
        buf_printf(answer, "x-%zu: ", i);
        for (size_t k = 0; k < value_bytes; k++)
            buf_append_byte(answer, 'v');
        buf_append_text(answer, "\r\n");
    }
}

static void refuses_headers_without_end(void **state)
{
    (void)state;
    struct scene scene;
    struct error error = ERROR_NONE;
    scene_open(&scene);
    buf_append_text(&scene.answer, "HTTP/1.1 200 OK\r\n");
    add_fields(&scene.answer, 200, 10000);
    assert_int_equal(ask(&scene, &error), STATUS_RESOURCE_EXHAUSTED);
    scene_close(&scene);
}

static void refuses_trailers_without_end(void **state)
{
    (void)state;
    struct scene scene;
    struct error error = ERROR_NONE;
    scene_open(&scene);
    buf_append_text(&scene.answer,
                    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n");
    add_fields(&scene.answer, 200, 10000);
    assert_int_equal(ask(&scene, &error), STATUS_RESOURCE_EXHAUSTED);
    scene_close(&scene);
}

static void refuses_one_field_without_end(void **state)
{
    (void)state;
    struct scene scene;
    struct error error = ERROR_NONE;
    scene_open(&scene);
    buf_append_text(&scene.answer, "HTTP/1.1 200 OK\r\n");
    add_fields(&scene.answer, 1, (size_t)2 << 20);
    assert_int_equal(ask(&scene, &error), STATUS_UNAVAILABLE);
    scene_close(&scene);
}

static void refuses_what_is_no_response(void **state)
{
    (void)state;
    static const char *const answers[] = {"", "SSH-2.0-OpenSSH_9.2\r\n",
                                          "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
                                          "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"};
    for (size_t i = 0; i < ARRAY_COUNT(answers); i++) {
        struct scene scene;
        struct error error = ERROR_NONE;
        scene_open(&scene);
        buf_append_text(&scene.answer, answers[i]);
        assert_int_equal(ask(&scene, &error), STATUS_UNAVAILABLE);
        scene_close(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_headers_without_end),
        cmocka_unit_test(refuses_trailers_without_end),
        cmocka_unit_test(refuses_one_field_without_end),
        cmocka_unit_test(refuses_what_is_no_response),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
