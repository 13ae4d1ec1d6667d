/*
 * body_file.c — appends batches to a file and maps them back.
 *
 * A batch takes its place by one atomic addition and is written there by pwritev, so that writers do
 * not wait for each other. The budget is charged before a byte is written, and the file system is asked
 * how much it has left, since others fill it too. In a temporary file a place is whole pages, which are
 * punched out when nothing refers to them any more.
 *
 * Runs on: any thread but I/O loops. Owns: the descriptor and its charge. Leaves out: when to spill
 * (spill.c), what makes a file durable (journal.c), mapping (body_mapping.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/body_file.h"

#include "arrow/ipc.h"
#include "base/checked.h"
#include "base/memory.h"
#include "store/checksum.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#define IOVECS_MAX 256
#define FILE_MODE 0600
/* Of a place in a temporary file: what every file system here can punch out. */
#define PLACE_BYTES ((size_t)4096)

/* --- opening ----------------------------------------------------------------------------------- */

static void budget_count(const struct disk_budget *budget, double change)
{
    if (budget->metric)
        metric_add(budget->metric, change);
}

static void budget_give(struct disk_budget *budget, size_t bytes)
{
    atomic_fetch_sub(&budget->bytes, bytes);
    budget_count(budget, -(double)bytes);
}

static struct body_file *create(int fd, struct disk_budget *budget, size_t size)
{
    struct body_file *file = NEW(struct body_file);
    atomic_init(&file->references, 1);
    file->fd = fd;
    file->budget = budget;
    atomic_init(&file->size, size);
    atomic_init(&file->charged, size);
    atomic_fetch_add(&budget->bytes, size);
    budget_count(budget, (double)size);
    lock_init(&file->locked.lock);
    return file;
}

enum status body_file_open_temporary(const char *folder, struct disk_budget *budget,
                                     struct body_file **out_file, struct error *error)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return error_set_errno(error, errno, "cannot make a file in '%s' for batches", folder);
    *out_file = create(fd, budget, 0);
    (*out_file)->is_temporary = true;
    return STATUS_OK;
}

enum status body_file_open(const char *path, bool is_new, struct disk_budget *budget,
                           struct body_file **out_file, struct error *error)
{
    int flags = O_RDWR | O_CLOEXEC | (is_new ? O_CREAT | O_EXCL : 0);
    int fd = open(path, flags, FILE_MODE);
    if (fd < 0)
        return error_set_errno(error, errno, "cannot open '%s'", path);
    struct stat facts;
    if (fstat(fd, &facts) != 0) {
        int saved_errno = errno;
        (void)close(fd);
        return error_set_errno(error, saved_errno, "cannot read '%s'", path);
    }
    *out_file = create(fd, budget, (size_t)facts.st_size);
    return STATUS_OK;
}

struct body_file *body_file_ref(struct body_file *file)
{
    atomic_fetch_add_explicit(&file->references, 1, memory_order_relaxed);
    return file;
}

void body_file_unref(struct body_file *file)
{
    if (!file || atomic_fetch_sub_explicit(&file->references, 1, memory_order_acq_rel) > 1)
        return;
    body_file_rest(file);
    body_window_unref(file->locked.window);
    budget_give(file->budget, atomic_load(&file->charged));
    lock_finish(&file->locked.lock);
    free(file);
}

void body_file_rest(struct body_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    file->fd = -1;
}

enum status body_file_wake(struct body_file *file, const char *path, struct error *error)
{
    if (file->fd < 0)
        file->fd = open(path, O_RDWR | O_CLOEXEC);
    return file->fd < 0 ? error_set_errno(error, errno, "cannot open '%s'", path) : STATUS_OK;
}

static void discharge(struct body_file *file, size_t bytes)
{
    atomic_fetch_sub(&file->charged, bytes);
    budget_give(file->budget, bytes);
}

/* Where even this fails, the next batch is written over what was to be cut. */
static void shorten(struct body_file *file, uint64_t size)
{
    int result = ftruncate(file->fd, (off_t)size);
    (void)result;
}

void body_file_cut(struct body_file *file, uint64_t size)
{
    uint64_t present = atomic_exchange(&file->size, size);
    discharge(file, present > size ? (size_t)(present - size) : 0);
    shorten(file, size);
}

struct body_mark body_file_mark(struct body_file *file)
{
    return (struct body_mark){.size = atomic_load(&file->size),
                              .charged = atomic_load(&file->charged)};
}

void body_file_restore(struct body_file *file, const struct body_mark *mark)
{
    size_t charged = atomic_load(&file->charged);
    atomic_store(&file->size, mark->size);
    discharge(file, charged > mark->charged ? charged - mark->charged : 0);
    shorten(file, mark->size);
}

/* --- room -------------------------------------------------------------------------------------- */

static enum status refuse(struct error *error, const char *what)
{
    return error_set_code(error, STATUS_RESOURCE_EXHAUSTED, "STORAGE_FULL",
                          "%s; drop datasets, let them expire sooner, or give more by --spill-disk "
                          "and --spill-dir",
                          what);
}

static bool leaves_too_little(const struct body_file *file, size_t bytes)
{
    struct statvfs facts;
    if (fstatvfs(file->fd, &facts) != 0)
        return false;
    uint64_t free_bytes = (uint64_t)facts.f_bavail * facts.f_frsize;
    uint64_t all_bytes = (uint64_t)facts.f_blocks * facts.f_frsize;
    uint64_t kept_bytes = all_bytes / 100 * file->budget->free_percent_min;
    return free_bytes < kept_bytes || free_bytes - kept_bytes < bytes;
}

enum status body_file_charge(struct body_file *file, size_t bytes, struct error *error)
{
    struct disk_budget *budget = file->budget;
    size_t now = atomic_load(&budget->bytes);
    do {
        if (now > budget->bytes_max || bytes > budget->bytes_max - now)
            return refuse(error, "the disk space for datasets is used up");
    } while (!atomic_compare_exchange_weak(&budget->bytes, &now, now + bytes));
    budget_count(budget, (double)bytes);
    atomic_fetch_add(&file->charged, bytes);
    return STATUS_OK;
}

size_t body_file_place_bytes(const struct body_file *file, size_t bytes)
{
    return file->is_temporary ? align_up(bytes, PLACE_BYTES) : bytes;
}

/* Charges the budget and finds a place at the end. */
static enum status take_place(struct body_file *file, size_t bytes, uint64_t *out_offset,
                              struct error *error)
{
    size_t taken = body_file_place_bytes(file, bytes);
    TRY(body_file_charge(file, taken, error));
    if (leaves_too_little(file, taken)) {
        discharge(file, taken);
        return refuse(error, "the disk of the datasets is nearly full");
    }
    *out_offset = atomic_fetch_add(&file->size, taken);
    return STATUS_OK;
}

void body_file_give_place(struct body_file *file, uint64_t offset, size_t size)
{
    if (!file->is_temporary)
        return;
    /* Where this fails the bytes go with the file. */
    int result =
        fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size);
    (void)result;
    discharge(file, size);
}

/* --- writing ----------------------------------------------------------------------------------- */

static enum status write_failed(int saved_errno, struct error *error)
{
    if (saved_errno == ENOSPC || saved_errno == EDQUOT || saved_errno == EFBIG)
        return refuse(error, "the disk of the datasets is full");
    return error_set_errno(error, saved_errno, "cannot write a batch to disk");
}

/* Fills `iovecs` from the front of the message; returns how many. */
static int gather(const struct slices *message, struct iovec *iovecs)
{
    size_t count = size_min(message->count, IOVECS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct slice *slice = &message->items[message->first + i];
        iovecs[i] = (struct iovec){.iov_base = (void *)slice->ptr, .iov_len = slice->len};
    }
    return (int)count;
}

/* Writes everything, which is taken out of `message`. */
static enum status write_all(const struct body_file *file, uint64_t offset, struct slices *message,
                             struct error *error)
{
    struct iovec iovecs[IOVECS_MAX];
    while (message->bytes > 0) {
        ssize_t written = pwritev(file->fd, iovecs, gather(message, iovecs), (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return write_failed(written < 0 ? errno : ENOSPC, error);
        slices_consume(message, (size_t)written);
        offset += (uint64_t)written;
    }
    return STATUS_OK;
}

/* Finds a place for the message and writes it there; `message` is used up. */
static enum status append_message(struct body_file *file, struct slices *message,
                                  uint64_t *out_offset, struct error *error)
{
    size_t size = message->bytes;
    TRY(take_place(file, size, out_offset, error));
    enum status status = write_all(file, *out_offset, message, error);
    if (status != STATUS_OK)
        body_file_give_place(file, *out_offset, body_file_place_bytes(file, size));
    return status;
}

enum status body_file_append_messages(struct body_file *file, struct slices *messages,
                                      struct error *error)
{
    uint64_t offset = 0;
    return append_message(file, messages, &offset, error);
}

static uint32_t checksum_of(const struct slices *message)
{
    uint32_t checksum = 0;
    for (size_t i = 0; i < message->count; i++) {
        const struct slice *slice = &message->items[message->first + i];
        checksum = checksum_crc32c(checksum, slice->ptr, slice->len);
    }
    return checksum;
}

enum status body_file_append(struct body_file *file, const struct arrow_batch *batch,
                             struct body_place *out_place, struct error *error)
{
    CLEANUP(slices_finish) struct slices message;
    slices_init(&message);
    ipc_stream_batch(&message, batch);
    struct body_place place = {
        .metadata_bytes = (uint32_t)(message.bytes - batch->body_bytes),
        .checksum = checksum_of(&message),
        .body_bytes = batch->body_bytes,
        .rows = batch->rows,
    };
    TRY(append_message(file, &message, &place.offset, error));
    *out_place = place;
    return STATUS_OK;
}

enum status body_file_sync(const struct body_file *file, struct error *error)
{
    if (fdatasync(file->fd) != 0)
        return error_set_errno(error, errno, "cannot bring a dataset's file to disk");
    return STATUS_OK;
}
