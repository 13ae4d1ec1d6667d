/*
 * dataset_export.c — a dataset as Parquet: the engine writes a file, which is sent and gone.
 *
 * Its bytes may differ from one time to the next, so it is sent as a whole. The file is opened before the
 * engine writes it and has no name any more when it is sent. A few are there at a time: a slow reader
 * keeps its file on the disk. None is begun where the rows as they are would fill the disk beyond its floor.
 *
 * Runs on: a worker. Owns the file until it is a source. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/dataset.h"

#include "base/memory.h"
#include "base/random.h"
#include "rest/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files at a time. */
#define EXPORTS_MAX 16
#define RETRY_MS 1000

struct rest_export {
    struct rest *rest;
    char *path;
    int fd; /* -1: the source has it */
};

void rest_export_destroy(struct rest_export *export)
{
    if (!export)
        return;
    if (export->path)
        (void)unlink(export->path);
    if (export->fd >= 0)
        (void)close(export->fd);
    atomic_fetch_sub(&export->rest->exports, 1);
    free(export->path);
    free(export);
}

enum status rest_export_check(const struct rest_exchange *exchange, struct error *error)
{
    if (exchange->rest->options.upload_folder.len > 0)
        return STATUS_OK;
    return error_set(error, STATUS_UNIMPLEMENTED,
                     "without a data folder (--data-dir none) there is no Parquet; ask for "
                     "another format");
}

/* One of the places for files; it is given back with the exchange, when the file was sent. */
static enum status take_place(struct rest_exchange *exchange, struct error *error)
{
    struct rest *rest = exchange->rest;
    if (atomic_fetch_add(&rest->exports, 1) >= EXPORTS_MAX) {
        atomic_fetch_sub(&rest->exports, 1);
        error_set(
            error, STATUS_RESOURCE_EXHAUSTED,
            "%d datasets are being sent as Parquet, which is as many as may be at a time; try "
            "again later, or ask for another format",
            EXPORTS_MAX);
        error->retry_after_ms = RETRY_MS;
        return error->status;
    }
    exchange->export = NEW(struct rest_export);
    exchange->export->rest = rest;
    exchange->export->fd = -1;
    return STATUS_OK;
}

static enum status open_file(struct rest_exchange *exchange, struct error *error)
{
    struct str folder = exchange->rest->options.upload_folder;
    char id[RANDOM_UUID_SIZE];
    random_uuid(id);
    struct str path = arena_printf(&exchange->arena, "%.*s/export-%s", STR_ARGS(folder), id);
    int fd = open(path.ptr, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_errno(error, errno, "cannot make a file in the data folder");
    exchange->export->path = str_copy(path);
    exchange->export->fd = fd;
    return STATUS_OK;
}

static void write_statement(const struct rest_export *export, struct str id,
                            const struct arrow_schema *schema, const struct dataset_part *part,
                            uint64_t rows, struct buf *sql)
{
    buf_append_text(sql, "COPY (SELECT ");
    for (size_t i = 0; i < part->column_count; i++) {
        buf_append_text(sql, i > 0 ? ", " : "");
        engine_append_quoted(sql, schema->fields[part->columns[i]].name, '"');
    }
    buf_append_text(sql, part->columns ? " FROM batch(" : "* FROM batch(");
    engine_append_quoted(sql, id, '\'');
    buf_printf(sql, ") LIMIT %llu OFFSET %llu) TO ", (unsigned long long)rows,
               (unsigned long long)part->from);
    engine_append_quoted(sql, str_of(export->path), '\'');
    buf_append_text(sql, " (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)");
}

/* The query is over. */
static enum status take_file(struct rest_exchange *exchange, bool *out_is_done, struct error *error)
{
    struct rest_export *export = exchange->export;
    struct query *query = rest_run_query(exchange->run_of_own);
    struct stat facts;
    int64_t rows;
    TRY(query_outcome(query, &rows, error));
    if (fstat(export->fd, &facts) != 0)
        return error_set_errno(error, errno, "cannot read the file");
    TRY(rest_check_room(export->fd, 0, error));
    exchange->rows = rows;
    exchange->reply.source = http_source_file(export->fd, (uint64_t)facts.st_size);
    export->fd = -1;
    *out_is_done = true;
    return STATUS_OK;
}

/* About what so many rows take as they are; Parquet takes less. */
static uint64_t bytes_of(struct dataset *dataset, uint64_t rows)
{
    struct dataset_facts facts;
    dataset_facts(dataset, &facts);
    return facts.rows > 0 ? (uint64_t)((double)facts.bytes * (double)rows / (double)facts.rows) : 0;
}

enum status rest_export_begin(struct rest_exchange *exchange, struct dataset *dataset,
                              const struct dataset_part *part, uint64_t rows, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, REST_BODY_BYTES_MAX);
    TRY(take_place(exchange, error));
    TRY(open_file(exchange, error));
    TRY(rest_check_room(exchange->export->fd, bytes_of(dataset, rows), error));
    write_statement(exchange->export, dataset_id(dataset), dataset_schema(dataset), part, rows,
                    &sql);
    TRY(buf_check(&sql, "the statement", error));
    exchange->resume = take_file;
    struct str shown = arena_printf(&exchange->arena, "-- dataset '%.*s' as parquet",
                                    STR_ARGS(dataset_id(dataset)));
    enum status status = rest_run_prepare(exchange, buf_str(&sql), shown, false, error);
    if (status == STATUS_INVALID_ARGUMENT)
        error->code = "NOT_ACCEPTABLE";
    return status;
}
