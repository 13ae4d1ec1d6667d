/*
 * raw.c — what a bare loopback send and a bare write cost: the floor below every server.
 *
 * usage: raw serve BYTES         prints its port, then sends BYTES to each connection, one at a time
 *        raw fetch PORT          reads a connection to its end and prints the bytes
 *        raw write FILE BYTES    writes BYTES to a new file; prints its seconds and CPU seconds as JSON
 *
 * Sends 1 MiB writes out of a buffer as large as the data (so that it comes from memory, as a server's
 * batches do) with the kernel's default socket buffers; reads into 1 MiB. One thread; owns its sockets.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE ((size_t)1 << 20)

static int fail(const char *what)
{
    perror(what);
    return 1;
}

static void send_all(int connection, const char *bytes, size_t size)
{
    size_t sent = 0;
    while (sent < size) {
        size_t piece = size - sent < PIECE ? size - sent : PIECE;
        ssize_t count = send(connection, bytes + sent, piece, MSG_NOSIGNAL);
        if (count <= 0)
            return;
        sent += (size_t)count;
    }
}

static int serve(size_t size)
{
    char *bytes = malloc(size);
    if (!bytes)
        return fail("malloc");
    memset(bytes, 7, size);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0 ||
        listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        return fail("listen");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection < 0)
            return fail("accept");
        send_all(connection, bytes, size);
        close(connection);
    }
}

static int fetch(int port)
{
    char *bytes = malloc(PIECE);
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (!bytes || connection < 0 ||
        connect(connection, (struct sockaddr *)&address, sizeof(address)) != 0)
        return fail("connect");
    size_t total = 0;
    ssize_t count;
    while ((count = recv(connection, bytes, PIECE, 0)) > 0)
        total += (size_t)count;
    printf("%zu\n", total);
    return 0;
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int write_file(const char *path, size_t size)
{
    char *bytes = malloc(size);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (!bytes || file < 0)
        return fail(path);
    memset(bytes, 7, size);
    double start = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t written = 0; written < size;) {
        size_t piece = size - written < PIECE ? size - written : PIECE;
        ssize_t count = write(file, bytes + written, piece);
        if (count <= 0)
            return fail("write");
        written += (size_t)count;
    }
    printf("{\"seconds\": %.6f, \"cpu\": %.6f}\n", seconds_of(CLOCK_MONOTONIC) - start,
           seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    close(file);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        return serve((size_t)strtoull(argv[2], NULL, 10));
    if (argc == 3 && strcmp(argv[1], "fetch") == 0)
        return fetch((int)strtol(argv[2], NULL, 10));
    if (argc == 4 && strcmp(argv[1], "write") == 0)
        return write_file(argv[2], (size_t)strtoull(argv[3], NULL, 10));
    fprintf(stderr, "usage: raw serve BYTES | raw fetch PORT | raw write FILE BYTES\n");
    return 2;
}
