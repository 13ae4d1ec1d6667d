/*
 * supervisor.c — tells the supervisor that started this process (systemd) how it is.
 *
 * One datagram to the Unix socket that $NOTIFY_SOCKET names: a path, or after '@' a name of Linux's abstract
 * ones. Follows sd_notify(3), whose library is not needed for that.
 *
 * Runs on: the main thread; sending does not wait. Owns: nothing beyond a call.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "server/supervisor.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static enum status read_address(const char *text, struct sockaddr_un *address, socklen_t *size,
                                struct error *error)
{
    size_t len = strlen(text);
    if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof(address->sun_path))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "NOTIFY_SOCKET is '%.64s', neither a path nor @NAME", text);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, text, len);
    if (text[0] == '@')
        address->sun_path[0] = '\0';
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return STATUS_OK;
}

enum status supervisor_tell(const char *state, struct error *error)
{
    const char *text = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    socklen_t size = 0;
    if (!text || text[0] == '\0')
        return STATUS_OK;
    TRY(read_address(text, &address, &size, error));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set_errno(error, errno, "cannot tell the supervisor %s", state);
    ssize_t sent =
        sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, size);
    int failure = errno;
    close(fd);
    if (sent < 0)
        return error_set(error, STATUS_UNAVAILABLE, "cannot tell the supervisor %s at %s: %s",
                         state, text, strerror(failure));
    return STATUS_OK;
}
