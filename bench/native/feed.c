/*
 * feed.c — a gRPC client of uploads that costs next to nothing: sends messages out of files, by reference.
 *
 * usage: feed PORT METHOD HEAD BODY TIMES [NAME=VALUE...]
 *
 * HEAD and BODY hold gRPC messages (length-prefixed). On one call of METHOD ("/service/Method") it sends
 * HEAD once and BODY TIMES times, half-closes and reads the answer to its end; NAME=VALUE are call
 * headers. DATA frames are as large as the server allows, up to 1 MiB, and go from the mapped files into
 * sendmsg. Prints one JSON object: seconds and CPU seconds from the first byte sent to the last received,
 * bytes sent and received. Ends with 1 unless the call's grpc-status is 0.
 *
 * One thread; owns a socket, an nghttp2 session and the two mappings.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FRAME_BYTES_MAX ((size_t)1 << 20)
#define QUEUE_BYTES_MAX ((size_t)1 << 20)
#define PIECES_MAX 128
#define FRAME_HEAD_BYTES 9
#define OWN_BYTES_MAX ((size_t)64 << 10)
#define WINDOW_BYTES (16 << 20)
#define RECEIVE_BYTES ((size_t)256 << 10)
#define HEADERS_MAX 24

struct bytes {
    const uint8_t *ptr;
    size_t size;
};

struct feed {
    int socket;
    nghttp2_session *session;
    struct bytes parts[2]; /* the head, the body */
    size_t part;
    size_t offset;         /* within the part, of what nghttp2 was promised next */
    size_t times_left;     /* of the body, with the one that is being sent */
    struct bytes promised; /* the next DATA frame's */
    struct iovec pieces[PIECES_MAX];
    size_t piece_count;
    size_t queued;
    uint8_t own[OWN_BYTES_MAX]; /* frame heads and small frames that wait in pieces */
    size_t own_used;
    size_t sent;
    size_t received;
    bool is_over;
    char grpc_status[16];
    char grpc_message[512];
};

static void fail(const char *what)
{
    fprintf(stderr, "feed: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct bytes map(const char *path)
{
    struct stat facts;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &facts) != 0)
        fail(path);
    if (facts.st_size == 0) {
        close(file);
        return (struct bytes){0};
    }
    void *address =
        mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
    if (address == MAP_FAILED)
        fail(path);
    close(file);
    return (struct bytes){address, (size_t)facts.st_size};
}

static int connect_to(const char *port)
{
    int one = 1;
    int socket_fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtol(port, NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (socket_fd < 0 || connect(socket_fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        fail("connect");
    setsockopt(socket_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return socket_fd;
}

/* --- what is sent --------------------------------------------------------------------------- */

static void queue_piece(struct feed *feed, const uint8_t *ptr, size_t size)
{
    feed->pieces[feed->piece_count++] = (struct iovec){(void *)ptr, size};
    feed->queued += size;
}

static void queue_copy(struct feed *feed, const uint8_t *ptr, size_t size)
{
    uint8_t *copy = feed->own + feed->own_used;
    memcpy(copy, ptr, size);
    feed->own_used += size;
    queue_piece(feed, copy, size);
}

static bool is_full(const struct feed *feed, size_t copied)
{
    return feed->piece_count + 2 > PIECES_MAX || feed->queued >= QUEUE_BYTES_MAX ||
           feed->own_used + copied > OWN_BYTES_MAX;
}

/* As much of the queue as the socket takes; true when all is gone. */
static bool flush(struct feed *feed)
{
    size_t first = 0;
    while (first < feed->piece_count) {
        struct msghdr message = {.msg_iov = feed->pieces + first,
                                 .msg_iovlen = feed->piece_count - first};
        ssize_t count = sendmsg(feed->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno != EAGAIN && errno != EINTR)
            fail("send");
        if (count < 0)
            break;
        feed->sent += (size_t)count;
        feed->queued -= (size_t)count;
        size_t left = (size_t)count;
        while (first < feed->piece_count && left >= feed->pieces[first].iov_len)
            left -= feed->pieces[first++].iov_len;
        if (left > 0) {
            feed->pieces[first].iov_base = (uint8_t *)feed->pieces[first].iov_base + left;
            feed->pieces[first].iov_len -= left;
        }
    }
    feed->piece_count -= first;
    memmove(feed->pieces, feed->pieces + first, feed->piece_count * sizeof(feed->pieces[0]));
    if (feed->piece_count == 0)
        feed->own_used = 0;
    return feed->piece_count == 0;
}

static ssize_t on_send(nghttp2_session *session, const uint8_t *ptr, size_t size, int flags,
                       void *user)
{
    struct feed *feed = user;
    (void)session;
    (void)flags;
    size_t taken = size < 16384 ? size : 16384;
    if (is_full(feed, taken))
        return NGHTTP2_ERR_WOULDBLOCK;
    queue_copy(feed, ptr, taken);
    return (ssize_t)taken;
}

static ssize_t choose_length(nghttp2_session *session, uint8_t type, int32_t stream,
                             int32_t connection_window, int32_t stream_window, uint32_t frame_max,
                             void *user)
{
    (void)session;
    (void)type;
    (void)stream;
    (void)user;
    ssize_t length = FRAME_BYTES_MAX;
    if (length > (ssize_t)frame_max)
        length = (ssize_t)frame_max;
    if (length > connection_window)
        length = connection_window;
    return length > stream_window ? stream_window : length;
}

/* Promises what comes next, within one part. */
static ssize_t on_read(nghttp2_session *session, int32_t stream, uint8_t *unused, size_t room,
                       uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct feed *feed = user;
    (void)session;
    (void)stream;
    (void)unused;
    (void)source;
    if (feed->offset == feed->parts[feed->part].size) {
        feed->times_left -= feed->part;
        feed->part = 1;
        feed->offset = 0;
    }
    const struct bytes *part = &feed->parts[feed->part];
    size_t left = part->size - feed->offset;
    size_t size = left < room ? left : room;
    feed->promised = (struct bytes){part->ptr + feed->offset, size};
    feed->offset += size;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (size == left && feed->times_left == feed->part)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)size;
}

static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                        size_t length, nghttp2_data_source *source, void *user)
{
    struct feed *feed = user;
    (void)session;
    (void)frame;
    (void)source;
    if (is_full(feed, FRAME_HEAD_BYTES))
        return NGHTTP2_ERR_WOULDBLOCK;
    queue_copy(feed, head, FRAME_HEAD_BYTES);
    if (length > 0)
        queue_piece(feed, feed->promised.ptr, length);
    return 0;
}

/* --- what comes back ------------------------------------------------------------------------ */

static void keep(char *out, size_t room, const uint8_t *value, size_t size)
{
    size_t kept = size < room - 1 ? size : room - 1;
    memcpy(out, value, kept);
    out[kept] = '\0';
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *user)
{
    struct feed *feed = user;
    (void)session;
    (void)frame;
    (void)flags;
    if (name_size == 11 && memcmp(name, "grpc-status", 11) == 0)
        keep(feed->grpc_status, sizeof(feed->grpc_status), value, value_size);
    if (name_size == 12 && memcmp(name, "grpc-message", 12) == 0)
        keep(feed->grpc_message, sizeof(feed->grpc_message), value, value_size);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *ptr,
                   size_t size, void *user)
{
    (void)session;
    (void)flags;
    (void)stream;
    (void)ptr;
    ((struct feed *)user)->received += size;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user)
{
    (void)session;
    (void)stream;
    (void)code;
    ((struct feed *)user)->is_over = true;
    return 0;
}

static void receive(struct feed *feed, uint8_t *buffer)
{
    ssize_t count = recv(feed->socket, buffer, RECEIVE_BYTES, MSG_DONTWAIT);
    if (count == 0) {
        fprintf(stderr, "feed: the server closed the connection\n");
        exit(1);
    }
    if (count < 0 && errno != EAGAIN && errno != EINTR)
        fail("receive");
    if (count > 0 && nghttp2_session_mem_recv(feed->session, buffer, (size_t)count) < 0)
        fail("what the server sent is not HTTP/2");
}

/* --- the call ------------------------------------------------------------------------------- */

static void open_session(struct feed *feed)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, choose_length);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_client_new(&feed->session, callbacks, feed);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_BYTES_MAX},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    };
    nghttp2_submit_settings(feed->session, NGHTTP2_FLAG_NONE, settings, 3);
    nghttp2_session_set_local_window_size(feed->session, NGHTTP2_FLAG_NONE, 0, WINDOW_BYTES);
}

static nghttp2_nv field(const char *name, size_t name_size, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, name_size, strlen(value),
                        NGHTTP2_NV_FLAG_NONE};
}

static void submit(struct feed *feed, const char *method, char **headers, int count)
{
    nghttp2_nv fields[HEADERS_MAX];
    size_t used = 0;
    const char *const fixed[][2] = {
        {":method", "POST"},         {":scheme", "http"}, {":path", method},
        {":authority", "localhost"}, {"te", "trailers"},  {"content-type", "application/grpc"},
    };
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        fields[used++] = field(fixed[i][0], strlen(fixed[i][0]), fixed[i][1]);
    for (int i = 0; i < count && used < HEADERS_MAX; i++) {
        const char *equals = strchr(headers[i], '=');
        if (equals)
            fields[used++] = field(headers[i], (size_t)(equals - headers[i]), equals + 1);
    }
    nghttp2_data_provider provider = {.read_callback = on_read};
    if (nghttp2_submit_request(feed->session, NULL, fields, used, &provider, NULL) < 0)
        fail("the request");
}

static void run(struct feed *feed)
{
    uint8_t *buffer = malloc(RECEIVE_BYTES);
    if (!buffer)
        fail("memory");
    while (!feed->is_over) {
        bool is_sent = flush(feed);
        if (is_sent) {
            if (nghttp2_session_send(feed->session) != 0)
                fail("what is to be sent");
            if (feed->piece_count > 0)
                is_sent = flush(feed);
        }
        bool has_more = is_sent && nghttp2_session_want_write(feed->session);
        struct pollfd wait = {.fd = feed->socket, .events = POLLIN};
        if (!is_sent)
            wait.events |= POLLOUT;
        if (poll(&wait, 1, has_more ? 0 : 60000) == 0 && !has_more) {
            fprintf(stderr, "feed: nothing happened for a minute\n");
            exit(1);
        }
        if (wait.revents & (POLLIN | POLLHUP | POLLERR))
            receive(feed, buffer);
    }
    free(buffer);
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: feed PORT METHOD HEAD BODY TIMES [NAME=VALUE...]\n");
        return 2;
    }
    static struct feed feed;
    feed.parts[0] = map(argv[3]);
    feed.parts[1] = map(argv[4]);
    feed.times_left = feed.parts[1].size > 0 ? (size_t)strtoull(argv[5], NULL, 10) : 0;
    feed.socket = connect_to(argv[1]);
    open_session(&feed);
    double start = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    submit(&feed, argv[2], argv + 6, argc - 6);
    run(&feed);
    double end = seconds_of(CLOCK_MONOTONIC);
    if (strcmp(feed.grpc_status, "0") != 0) {
        fprintf(stderr, "feed: grpc-status %s: %s\n", feed.grpc_status, feed.grpc_message);
        return 1;
    }
    printf("{\"seconds\": %.6f, \"client_cpu\": %.6f, \"sent\": %zu, \"received\": %zu}\n",
           end - start, seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu, feed.sent, feed.received);
    nghttp2_session_del(feed.session);
    return 0;
}
