/*
 * script_server.c — the server of script_server.h: plain sockets on a thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "script_server.h"

#include "event/thread.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_BYTES_MAX ((size_t)32 << 20)
#define AWAIT_STEPS 5000

/* False when the server is to stop. */
static bool wait_readable(struct script_server *server, int fd)
{
    struct pollfd watched[] = {{.fd = fd, .events = POLLIN},
                               {.fd = server->stop[0], .events = POLLIN}};
    while (poll(watched, 2, -1) < 0)
        ;
    return watched[1].revents == 0;
}

/* Bytes of the body behind the head; SIZE_MAX: chunked. */
static size_t body_size(struct str head)
{
    uint64_t size = 0;
    while (head.len > 0) {
        struct str value = str_split(&head, '\n');
        struct str name = str_split(&value, ':');
        if (str_equal_nocase(name, STR("transfer-encoding")))
            return SIZE_MAX;
        if (str_equal_nocase(name, STR("content-length")) && str_to_u64(str_trim(value), &size))
            return (size_t)size;
    }
    return 0;
}

static bool is_whole(struct str request)
{
    ptrdiff_t end = str_find_str(request, STR("\r\n\r\n"));
    if (end < 0)
        return false;
    size_t size = body_size(str_slice(request, 0, (size_t)end));
    size_t body = request.len - (size_t)end - 4;
    return size == SIZE_MAX ? str_ends_with(request, STR("\r\n0\r\n\r\n")) : body >= size;
}

static bool read_request(struct script_server *server, int fd, struct buf *out)
{
    bool has_continued = false;
    while (!is_whole(buf_str(out))) {
        char bytes[65536];
        if (!wait_readable(server, fd))
            return false;
        ssize_t size = recv(fd, bytes, sizeof(bytes), 0);
        if (size <= 0)
            return false;
        buf_append(out, bytes, (size_t)size);
        if (!has_continued && str_find_str(buf_str(out), STR("100-continue")) >= 0 &&
            str_find_str(buf_str(out), STR("\r\n\r\n")) >= 0) {
            has_continued = true;
            (void)!send(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL);
        }
    }
    return true;
}

static int take_connection(struct script_server *server)
{
    if (!wait_readable(server, server->listener))
        return -1;
    int fd = accept(server->listener, NULL, NULL);
    atomic_fetch_add(&server->connections, 1);
    return fd;
}

static void answer(struct script_server *server, const struct script_step *step, int fd)
{
    if (!step->answer) {
        (void)wait_readable(server, server->stop[0]);
        return;
    }
    size_t size = step->size > 0 ? step->size : strlen(step->answer);
    for (size_t sent = 0; sent < size;) {
        ssize_t count = send(fd, step->answer + sent, size - sent, MSG_NOSIGNAL);
        if (count <= 0)
            return;
        sent += (size_t)count;
    }
}

/* A connection that the client has closed meanwhile is replaced by the next one. */
static void serve(void *argument)
{
    struct script_server *server = argument;
    int fd = -1;
    for (size_t step = 0; step < server->step_count;) {
        if (fd < 0 && (fd = take_connection(server)) < 0)
            return;
        struct buf *request = &server->requests[step];
        buf_clear(request);
        bool is_read = read_request(server, fd, request);
        if (is_read) {
            atomic_fetch_add(&server->requests_seen, 1);
            answer(server, &server->steps[step], fd);
        }
        if (!is_read || server->steps[step].closes || !server->steps[step].answer) {
            close(fd);
            fd = -1;
        }
        step += is_read ? 1 : 0;
    }
    if (fd >= 0)
        close(fd);
}

void script_server_start(struct script_server *server, const struct script_step *steps,
                         size_t count)
{
    *server = (struct script_server){.steps = steps, .step_count = count};
    assert(count <= SCRIPT_STEPS_MAX);
    for (size_t i = 0; i < count; i++)
        buf_init(&server->requests[i], REQUEST_BYTES_MAX);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_open = server->listener >= 0 && pipe(server->stop) == 0 &&
                   bind(server->listener, (struct sockaddr *)&address, size) == 0 &&
                   listen(server->listener, 16) == 0 &&
                   getsockname(server->listener, (struct sockaddr *)&address, &size) == 0;
    assert(is_open);
    (void)snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u",
                   ntohs(address.sin_port));
    struct error error = ERROR_NONE;
    enum status status = thread_start("script", 0, serve, server, &server->thread, &error);
    assert(status == STATUS_OK);
}

void script_server_stop(struct script_server *server)
{
    ssize_t written = write(server->stop[1], "x", 1);
    assert(written == 1);
    thread_join(server->thread);
    close(server->listener);
    close(server->stop[0]);
    close(server->stop[1]);
    for (size_t i = 0; i < server->step_count; i++)
        buf_finish(&server->requests[i]);
}

void script_server_await(struct script_server *server, size_t requests)
{
    for (int i = 0; i < AWAIT_STEPS && atomic_load(&server->requests_seen) < requests; i++)
        usleep(1000);
    assert(atomic_load(&server->requests_seen) >= requests);
}

struct str script_server_request(const struct script_server *server, size_t index)
{
    assert(index < atomic_load(&server->requests_seen));
    return buf_str(&server->requests[index]);
}

bool script_server_saw(const struct script_server *server, size_t index, const char *text)
{
    return str_find_str(script_server_request(server, index), str_of(text)) >= 0;
}
