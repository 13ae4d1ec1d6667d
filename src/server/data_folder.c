/*
 * data_folder.c — opening `data-dir`.
 *
 * `lock` is held with an advisory lock for the life of the process and carries its pid for the message
 * that a second server gets; the kernel releases it whatever way the process ends. `format` holds the
 * version of the folder's layout. `ticket.key` (mode 0600) signs tickets, so that they outlive a
 * restart. `temporary/` belongs to the engine and is emptied at start; what else is in it is made by
 * whoever needs it.
 *
 * Threads: the composition root's. SPDX-License-Identifier: Apache-2.0
 */
#include "server/data_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/random.h"

#define FORMAT_VERSION 1
#define PATH_BYTES_MAX 4096

struct data_folder {
    char *path;      /* NULL: none */
    char *temporary; /* NULL: none */
    int lock_fd;
    uint8_t ticket_key[TICKET_KEY_BYTES];
};

static enum status refuse(struct error *error, int saved_errno, const char *what, const char *path)
{
    error_set_errno(error, saved_errno, "cannot %s %s (setting data-dir; `none` for no folder)",
                    what, path);
    return error->status;
}

/* mkdir -p. */
static enum status make_folders(const char *path, struct error *error)
{
    char partial[PATH_BYTES_MAX];
    size_t size = strlen(path);
    if (size >= sizeof(partial))
        return error_set(error, STATUS_INVALID_ARGUMENT, "data-dir has more than %d bytes",
                         PATH_BYTES_MAX - 1);
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(partial, path, i);
        partial[i] = '\0';
        if (mkdir(partial, 0700) < 0 && errno != EEXIST)
            return refuse(error, errno, "make", partial);
    }
    return STATUS_OK;
}

static char *join(const struct data_folder *folder, const char *name)
{
    CLEANUP(buf_finish) struct buf path;
    buf_init(&path, PATH_BYTES_MAX);
    buf_printf(&path, "%s/%s", folder->path, name);
    return buf_steal(&path);
}

static enum status take_lock(struct data_folder *folder, struct error *error)
{
    char *path = join(folder, "lock");
    folder->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int saved_errno = errno;
    free(path);
    if (folder->lock_fd < 0)
        return refuse(error, saved_errno, "write to", folder->path);
    char pid[24] = "";
    if (flock(folder->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        ssize_t got = pread(folder->lock_fd, pid, sizeof(pid) - 1, 0);
        pid[got > 0 ? got : 0] = '\0';
        return error_set(
            error, STATUS_UNAVAILABLE,
            "another server (pid %.*s) runs on %s; choose another folder with data-dir",
            (int)strcspn(pid, "\n"), pid, folder->path);
    }
    int size = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(folder->lock_fd, 0) < 0 || pwrite(folder->lock_fd, pid, (size_t)size, 0) != size)
        return refuse(error, errno, "write to", folder->path);
    return STATUS_OK;
}

/* Reads a small file whole; -1 with errno when it cannot be read. */
static ssize_t read_file(const char *path, void *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t got = read(fd, out, size);
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return got;
}

/* Writes a file by way of another name, so that it is there whole or not at all. */
static enum status write_file(const char *path, const void *bytes, size_t size, struct error *error)
{
    char partial[PATH_BYTES_MAX + 16];
    snprintf(partial, sizeof(partial), "%s.new", path);
    int fd = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return refuse(error, errno, "write", partial);
    bool written = write(fd, bytes, size) == (ssize_t)size && fsync(fd) == 0;
    int saved_errno = errno;
    close(fd);
    if (!written)
        return refuse(error, saved_errno, "write", partial);
    if (rename(partial, path) < 0)
        return refuse(error, errno, "write", path);
    return STATUS_OK;
}

static enum status check_format(struct data_folder *folder, struct error *error)
{
    CLEANUP(buf_finish) struct buf path;
    buf_init(&path, PATH_BYTES_MAX);
    buf_printf(&path, "%s/format", folder->path);
    const char *name = (const char *)path.ptr;
    char text[24];
    ssize_t size = read_file(name, text, sizeof(text));
    if (size < 0 && errno == ENOENT) {
        int length = snprintf(text, sizeof(text), "%d\n", FORMAT_VERSION);
        return write_file(name, text, (size_t)length, error);
    }
    uint64_t version;
    if (size < 0 || !str_to_u64(str_trim(str_make(text, (size_t)size)), &version))
        return error_set(error, STATUS_DATA_LOSS,
                         "%s is not a format version; is %s a data folder?", name, folder->path);
    if (version > FORMAT_VERSION)
        return error_set(
            error, STATUS_FAILED_PRECONDITION,
            "%s was written by a newer version of Volley (format %llu, this one knows %d)",
            folder->path, (unsigned long long)version, FORMAT_VERSION);
    return STATUS_OK;
}

static enum status load_ticket_key(struct data_folder *folder, struct error *error)
{
    CLEANUP(buf_finish) struct buf path;
    buf_init(&path, PATH_BYTES_MAX);
    buf_printf(&path, "%s/ticket.key", folder->path);
    const char *name = (const char *)path.ptr;
    ssize_t size = read_file(name, folder->ticket_key, TICKET_KEY_BYTES);
    if (size == TICKET_KEY_BYTES)
        return STATUS_OK;
    if (size < 0 && errno != ENOENT)
        return refuse(error, errno, "read", name);
    random_bytes(folder->ticket_key, TICKET_KEY_BYTES);
    return write_file(name, folder->ticket_key, TICKET_KEY_BYTES, error);
}

/* Removes what an earlier process left in the folder for temporary files. */
static enum status empty_temporary(struct data_folder *folder, struct error *error)
{
    folder->temporary = join(folder, "temporary");
    TRY(make_folders(folder->temporary, error));
    DIR *entries = opendir(folder->temporary);
    if (!entries)
        return refuse(error, errno, "read", folder->temporary);
    struct dirent *entry;
    while ((entry = readdir(entries))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(entries), entry->d_name, 0);
    }
    closedir(entries);
    return STATUS_OK;
}

enum status data_folder_open(struct str path, struct data_folder **out_folder, struct error *error)
{
    CLEANUP(data_folder_close) struct data_folder *folder = NEW(struct data_folder);
    folder->lock_fd = -1;
    if (path.len > 0) {
        folder->path = str_copy(path);
        TRY(make_folders(folder->path, error));
        TRY(take_lock(folder, error));
        TRY(check_format(folder, error));
        TRY(load_ticket_key(folder, error));
        TRY(empty_temporary(folder, error));
    } else {
        random_bytes(folder->ticket_key, TICKET_KEY_BYTES);
    }
    *out_folder = STEAL(folder);
    return STATUS_OK;
}

void data_folder_close(struct data_folder *folder)
{
    if (!folder)
        return;
    if (folder->lock_fd >= 0)
        close(folder->lock_fd);
    free(folder->temporary);
    free(folder->path);
    free(folder);
}

struct str data_folder_ticket_key(const struct data_folder *folder)
{
    return str_make(folder->ticket_key, TICKET_KEY_BYTES);
}

struct str data_folder_temporary(const struct data_folder *folder)
{
    return str_of(folder->temporary);
}

enum status data_folder_make(const struct data_folder *folder, const char *name, char **out_path,
                             struct error *error)
{
    *out_path = NULL;
    if (!folder->path)
        return STATUS_OK;
    *out_path = join(folder, name);
    enum status status = make_folders(*out_path, error);
    if (status != STATUS_OK)
        free(STEAL(*out_path));
    return status;
}
