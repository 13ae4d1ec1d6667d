/*
 * target_file.c — the part, its lock, its last name.
 *
 * The lock on the part keeps two runs from writing it at once; it ends with the process. It is held until the
 * part has its last name, and who gets it looks whether the part is still what it opened.
 *
 * Runs on: the main thread. Owns: the descriptor and two names. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/target_file.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FNV_PRIME UINT64_C(0x100000001b3)
#define PART_SUFFIX_SIZE 24
#define LOCK_TRIES_MAX 100

uint64_t target_key_add(uint64_t key, struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        key = (key ^ (uint8_t)text.ptr[i]) * FNV_PRIME;
    return (key ^ UINT8_MAX) * FNV_PRIME;
}

/* FILE with its links followed, if it is there. */
static char *resolve(struct str path)
{
    char *given = str_copy(path);
    char *resolved = realpath(given, NULL);
    if (!resolved)
        return given;
    free(given);
    return resolved;
}

static enum status check_kind(const char *path, bool *out_regular, struct error *error)
{
    struct stat facts;
    *out_regular = true;
    if (stat(path, &facts) != 0)
        return STATUS_OK; /* to be made */
    if (S_ISDIR(facts.st_mode))
        return error_set(error, STATUS_INVALID_ARGUMENT, "%s is a folder; name a file in it", path);
    *out_regular = S_ISREG(facts.st_mode);
    return STATUS_OK;
}

/* False when the run that had the lock before has renamed or removed the file. */
static bool is_still_there(const struct target_file *file)
{
    struct stat opened;
    struct stat named;
    return fstat(file->fd, &opened) == 0 && lstat(file->part_path, &named) == 0 &&
           opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/* Others may write the folder and can guess the name: a link there is not followed. */
static enum status lock_part(struct target_file *file, struct error *error)
{
    file->fd = open(file->part_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file->fd < 0)
        return error_set_errno(error, errno, "cannot write %s", file->part_path);
    /* Where there are no locks, nobody is kept out. */
    if (flock(file->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return error_set(error, STATUS_FAILED_PRECONDITION, "another volley get is writing %s",
                         file->part_path);
    return STATUS_OK;
}

static enum status open_part(struct target_file *file, bool resume, struct error *error)
{
    for (int tries = 0; tries < LOCK_TRIES_MAX; tries++) {
        TRY(lock_part(file, error));
        if (is_still_there(file))
            return resume ? STATUS_OK : target_file_cut(file, 0, error);
        (void)close(file->fd);
        file->fd = -1;
    }
    return error_set(error, STATUS_FAILED_PRECONDITION, "other runs of volley get keep writing %s",
                     file->part_path);
}

enum status target_file_open(struct target_file *file, struct str path, uint64_t key, bool resume,
                             struct error *error)
{
    bool is_regular;
    *file = (struct target_file){.fd = -1, .path = resolve(path)};
    enum status status = check_kind(file->path, &is_regular, error);
    if (status == STATUS_OK && is_regular) {
        size_t size = strlen(file->path) + PART_SUFFIX_SIZE;
        file->part_path = NEW_ARRAY(char, size);
        (void)snprintf(file->part_path, size, "%s.%016llx.part", file->path,
                       (unsigned long long)key);
        status = open_part(file, resume, error);
    } else if (status == STATUS_OK) {
        file->fd = open(file->path, O_WRONLY | O_CLOEXEC);
        if (file->fd < 0)
            status = error_set_errno(error, errno, "cannot write %s", file->path);
    }
    if (status != STATUS_OK)
        target_file_close(file, true);
    return status;
}

static void unmap(struct buffer *buffer)
{
    (void)munmap(buffer->data, buffer->size);
    free(buffer);
}

enum status target_file_map(const struct target_file *file, struct slice *out_bytes,
                            struct error *error)
{
    struct stat facts;
    *out_bytes = SLICE_EMPTY;
    if (fstat(file->fd, &facts) != 0)
        return error_set_errno(error, errno, "cannot read %s", file->part_path);
    if (facts.st_size == 0)
        return STATUS_OK;
    size_t size = (size_t)facts.st_size;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, file->fd, 0);
    if (bytes == MAP_FAILED)
        return error_set_errno(error, errno, "cannot read %s", file->part_path);
    struct buffer *buffer = NEW(struct buffer);
    *buffer = (struct buffer){.references = 1, .data = bytes, .size = size, .release = unmap};
    *out_bytes = slice_make(bytes, size, buffer);
    return STATUS_OK;
}

enum status target_file_cut(struct target_file *file, uint64_t size, struct error *error)
{
    if (ftruncate(file->fd, (off_t)size) != 0 || lseek(file->fd, (off_t)size, SEEK_SET) < 0)
        return error_set_errno(error, errno, "cannot write %s", file->part_path);
    return STATUS_OK;
}

static enum status rename_part(const struct target_file *file, struct error *error)
{
    /* Some file systems tell only now that they had no room. */
    if (fsync(file->fd) != 0)
        return error_set_errno(error, errno, "cannot write %s", file->path);
    if (rename(file->part_path, file->path) != 0)
        return error_set_errno(error, errno, "cannot rename %s to %s", file->part_path, file->path);
    return STATUS_OK;
}

static enum status close_only(struct target_file *file, struct error *error)
{
    int fd = file->fd;
    file->fd = -1;
    return close(fd) == 0 ? STATUS_OK
                          : error_set_errno(error, errno, "cannot write %s", file->path);
}

enum status target_file_commit(struct target_file *file, struct error *error)
{
    enum status status = file->part_path ? rename_part(file, error) : close_only(file, error);
    target_file_close(file, status == STATUS_OK);
    return status;
}

void target_file_close(struct target_file *file, bool keep)
{
    if (file->part_path && !keep)
        (void)unlink(file->part_path);
    if (file->fd >= 0)
        (void)close(file->fd);
    free(file->part_path);
    free(file->path);
    *file = (struct target_file){.fd = -1};
}
