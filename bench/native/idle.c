/*
 * idle.c — opens many HTTP/2 connections, makes one call on each, and leaves them idle.
 *
 * usage: idle PORT CONNECTIONS [tls]
 *
 * The call is grpc.health.v1.Health/Check: a connection that has served a client keeps what a fresh
 * one has not allocated yet. Prints "ready" when all are open and waits for the end of its input.
 * With `tls` each is TLS with ALPN h2; certificates are not verified. A few threads, one connection
 * after the other on each; every failure ends the program with a message.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 4
#define FRAME_HEAD 9
#define FRAME_MAX (1 << 14)
#define FLAG_ACK 0x1
#define FLAG_END_STREAM 0x1
#define FLAG_END_HEADERS 0x4

enum frame_type { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, GOAWAY = 7 };

struct share {
    int port;
    int count;
    SSL_CTX *tls;
    pthread_t thread;
};

struct connection {
    int fd;
    SSL *tls;
};

static void stop(const char *what)
{
    perror(what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static void write_all(struct connection *connection, const unsigned char *bytes, size_t size)
{
    ssize_t written = connection->tls ? SSL_write(connection->tls, bytes, (int)size)
                                      : write(connection->fd, bytes, size);
    if (written != (ssize_t)size)
        stop("write");
}

static void read_all(struct connection *connection, unsigned char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t got = connection->tls ? SSL_read(connection->tls, bytes, (int)size)
                                      : read(connection->fd, bytes, size);
        if (got <= 0)
            stop("read");
        bytes += got;
        size -= (size_t)got;
    }
}

static size_t put_frame(unsigned char *out, size_t size, enum frame_type type, int flags,
                        int stream)
{
    memmove(out + FRAME_HEAD, out, size);
    const unsigned char head[FRAME_HEAD] = {
        0,
        (unsigned char)(size >> 8),
        (unsigned char)size,
        (unsigned char)type,
        (unsigned char)flags,
        0,
        0,
        0,
        (unsigned char)stream,
    };
    memcpy(out, head, sizeof(head));
    return FRAME_HEAD + size;
}

/* HPACK without Huffman coding or the dynamic table (RFC 7541 section 6.2.2). */
static size_t put_head(unsigned char *out, int is_tls)
{
    static const char path[] = "/grpc.health.v1.Health/Check";
    static const char rest[] = "\x01\x09localhost"
                               "\x0f\x10\x10"
                               "application/grpc"
                               "\x00\x02te\x08trailers";
    size_t at = 0;
    out[at++] = 0x83; /* :method POST */
    out[at++] = is_tls ? 0x87 : 0x86;
    out[at++] = 0x04; /* :path */
    out[at++] = sizeof(path) - 1;
    memcpy(out + at, path, sizeof(path) - 1);
    at += sizeof(path) - 1;
    memcpy(out + at, rest, sizeof(rest) - 1);
    return at + sizeof(rest) - 1;
}

static void send_call(struct connection *connection)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    unsigned char out[512];
    size_t at = sizeof(preface) - 1;
    memcpy(out, preface, at);
    at += put_frame(out + at, 0, SETTINGS, 0, 0);
    at += put_frame(out + at, put_head(out + at, connection->tls != NULL), HEADERS,
                    FLAG_END_HEADERS, 1);
    memset(out + at, 0, 5); /* an empty gRPC message */
    at += put_frame(out + at, 5, DATA, FLAG_END_STREAM, 1);
    write_all(connection, out, at);
}

/* Until the trailers of the call; what is written here is the answer to SETTINGS. */
static void receive_answer(struct connection *connection)
{
    unsigned char head[FRAME_HEAD];
    unsigned char body[FRAME_MAX];
    for (;;) {
        read_all(connection, head, sizeof(head));
        size_t size = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        if (size > sizeof(body) || head[3] == GOAWAY || head[3] == RST_STREAM)
            stop("the call was refused");
        read_all(connection, body, size);
        if (head[3] == SETTINGS && (head[4] & FLAG_ACK) == 0) {
            unsigned char ack[FRAME_HEAD];
            write_all(connection, ack, put_frame(ack, 0, SETTINGS, FLAG_ACK, 0));
        }
        if (head[3] == HEADERS && (head[4] & FLAG_END_STREAM))
            return;
    }
}

static void open_one(const struct share *share)
{
    static const unsigned char alpn[] = "\x02h2";
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)share->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct connection connection = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    int on = 1;
    if (connection.fd < 0 ||
        connect(connection.fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        stop("connect");
    (void)setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (share->tls) {
        connection.tls = SSL_new(share->tls);
        if (!connection.tls || !SSL_set_fd(connection.tls, connection.fd) ||
            SSL_set_alpn_protos(connection.tls, alpn, sizeof(alpn) - 1) != 0 ||
            SSL_connect(connection.tls) != 1)
            stop("TLS handshake");
    }
    send_call(&connection);
    receive_answer(&connection);
}

static void *run(void *argument)
{
    const struct share *share = argument;
    for (int i = 0; i < share->count; i++)
        open_one(share);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: idle PORT CONNECTIONS [tls]\n");
        return 2;
    }
    int port = (int)strtol(argv[1], NULL, 10);
    int count = (int)strtol(argv[2], NULL, 10);
    SSL_CTX *tls = NULL;
    if (argc > 3) {
        tls = SSL_CTX_new(TLS_client_method());
        if (!tls)
            stop("TLS");
        (void)SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    }
    struct share shares[THREADS];
    for (int i = 0; i < THREADS; i++) {
        shares[i] = (struct share){
            .port = port, .count = count / THREADS + (i < count % THREADS), .tls = tls};
        if (pthread_create(&shares[i].thread, NULL, run, &shares[i]) != 0)
            stop("pthread_create");
    }
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(shares[i].thread, NULL);
    printf("ready\n");
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0;
}
