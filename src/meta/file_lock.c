/*
 * file_lock.c — one server for each registry file.
 *
 * Two servers would each take up the other's running jobs. The lock is on a file beside the registry,
 * PATH-lock, because opening and closing the registry itself would drop SQLite's own locks; the kernel
 * releases it whatever way the process ends.
 *
 * Runs on: the thread that opens the registry. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "meta/meta_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"

static enum status refuse(struct error *error, int saved_errno, const char *path)
{
    (void)error_set_errno(error, saved_errno, "cannot write %s (setting registry-path)", path);
    return error->status;
}

static enum status refuse_second(int fd, const char *path, struct error *error)
{
    char pid[24] = "";
    ssize_t got = pread(fd, pid, sizeof(pid) - 1, 0);
    pid[got > 0 ? got : 0] = '\0';
    return error_set(error, STATUS_UNAVAILABLE,
                     "another server (pid %.*s) uses the registry %s; name another file with "
                     "registry-path",
                     (int)strcspn(pid, "\n"), pid, path);
}

enum status file_lock_take(const char *path, int *out_fd, struct error *error)
{
    CLEANUP(buf_finish) struct buf name;
    buf_init(&name, PATH_MAX);
    buf_printf(&name, "%s-lock", path);
    TRY(buf_check(&name, "registry-path", error));
    const char *lock_path = (const char *)name.ptr;
    int fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return refuse(error, errno, lock_path);
    char pid[24];
    int size = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    enum status status = STATUS_OK;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        status = refuse_second(fd, path, error);
    else if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)size, 0) != size)
        status = refuse(error, errno, lock_path);
    if (status != STATUS_OK) {
        close(fd);
        return status;
    }
    *out_fd = fd;
    return STATUS_OK;
}
