/*
 * upload_file.c — bodies that the engine has to read: they are collected in files in the folder for such.
 *
 * A file is private to its upload and removed with it; the folder is emptied at start. It may grow as long as
 * the disk keeps its floor. CSV is RFC 4180 with a header line unless parameters say otherwise; an empty
 * field without quotes is NULL, as in what leaves.
 *
 * Runs on: a worker. Owns the files and the descriptor. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/upload.h"

#include "base/memory.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A part of the disk that stays free, in percent; asked for after each so many bytes. */
#define FREE_PERCENT_MIN 5
#define CHECK_BYTES (UINT64_C(16) << 20)
/* A document that holds all rows is one value for the engine. */
#define JSON_VALUE_BYTES_MAX (UINT64_C(256) << 20)

static struct upload_file *last_file(struct rest_upload *upload)
{
    return &upload->files[upload->file_count - 1];
}

/* The engine takes what it reads for a pattern, and what is allowed for a plain path. */
static bool is_pattern(struct str path)
{
    return str_find(path, '*') >= 0 || str_find(path, '?') >= 0 || str_find(path, '[') >= 0;
}

static enum status check_may_begin(const struct rest_upload *upload, struct error *error)
{
    struct str folder = upload->exchange->rest->options.upload_folder;
    if (folder.len == 0)
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "without a data folder (--data-dir none) rows are taken as Arrow only");
    if (is_pattern(folder))
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "the path of the data folder has one of the characters * ? [, with which "
                         "the engine cannot read files there: rows are taken as Arrow only until "
                         "--data-dir names another folder");
    if (upload->file_count > 0 && upload->file_format != upload->format)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "the files of one form must have one format");
    if (upload->file_count == UPLOAD_FILES_MAX)
        return error_set_code(error, STATUS_RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE",
                              "a form may have %d files", UPLOAD_FILES_MAX);
    return STATUS_OK;
}

enum status rest_upload_file_begin(struct rest_upload *upload, struct error *error)
{
    TRY(check_may_begin(upload, error));
    char id[RANDOM_UUID_SIZE];
    random_uuid(id);
    struct str path = arena_printf(&upload->exchange->arena, "%.*s/upload-%s",
                                   STR_ARGS(upload->exchange->rest->options.upload_folder), id);
    upload->fd = open(path.ptr, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (upload->fd < 0)
        return error_set_errno(error, errno, "cannot make a file for the upload");
    upload->file_format = upload->format;
    upload->files[upload->file_count++] = (struct upload_file){.path = str_copy(path)};
    return STATUS_OK;
}

enum status rest_check_room(int fd, uint64_t bytes, struct error *error)
{
    struct statvfs disk;
    if (fstatvfs(fd, &disk) != 0)
        return STATUS_OK;
    uint64_t blocks = bytes / disk.f_frsize;
    if (disk.f_bavail >= blocks &&
        (disk.f_bavail - blocks) / FREE_PERCENT_MIN * 100 >= disk.f_blocks)
        return STATUS_OK;
    return error_set_code(error, STATUS_RESOURCE_EXHAUSTED, "STORAGE_FULL",
                          "the disk of the data folder would have less than %d %% left",
                          FREE_PERCENT_MIN);
}

static void keep_begin(struct upload_file *file, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len && file->begin_bytes < UPLOAD_TEXT_BYTES; i++) {
        char byte = (char)bytes.ptr[i];
        if (file->begin_bytes > 0 || !strchr(" \t\r\n", byte))
            file->begin[file->begin_bytes++] = byte;
    }
}

enum status rest_upload_file_receive(struct rest_upload *upload, struct slice bytes,
                                     struct error *error)
{
    struct upload_file *file = last_file(upload);
    if (bytes.len == 0)
        return STATUS_OK;
    keep_begin(file, bytes);
    if (file->bytes / CHECK_BYTES != (file->bytes + bytes.len) / CHECK_BYTES)
        TRY(rest_check_room(upload->fd, 0, error));
    file->bytes += bytes.len;
    while (bytes.len > 0) {
        ssize_t written = write(upload->fd, bytes.ptr, bytes.len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return error_set_errno(error, written < 0 ? errno : ENOSPC,
                                   "cannot write the upload to the data folder");
        bytes.ptr += written;
        bytes.len -= (size_t)written;
    }
    return STATUS_OK;
}

static bool is_json(enum rest_format format)
{
    return format == REST_JSON || format == REST_NDJSON;
}

static enum status check_text(struct rest_upload *upload, struct error *error)
{
    const struct upload_file *file = last_file(upload);
    if (is_json(upload->file_format) && (file->begin_bytes == 0 || !strchr("[{", file->begin[0])))
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "DATA_VALIDATION_FAILED",
                              "the body is no rows: JSON rows are objects, one after the other or "
                              "in a list");
    return STATUS_OK;
}

enum status rest_upload_file_end(struct rest_upload *upload, struct error *error)
{
    int fd = upload->fd;
    upload->fd = -1;
    if (close(fd) != 0)
        return error_set_errno(error, errno, "cannot write the upload to the data folder");
    if (last_file(upload)->bytes == 0)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "DATA_VALIDATION_FAILED",
                              "the body is empty: it must hold rows, or at least their names");
    return check_text(upload, error);
}

void rest_upload_files_remove(struct rest_upload *upload)
{
    if (upload->fd >= 0)
        (void)close(upload->fd);
    for (size_t i = 0; i < upload->file_count; i++) {
        (void)unlink(upload->files[i].path);
        free(upload->files[i].path);
    }
    upload->file_count = 0;
    upload->fd = -1;
}

/* --- how the engine reads them ------------------------------------------------------------------ */

static void append_paths(const struct rest_upload *upload, struct buf *sql)
{
    buf_append_byte(sql, '[');
    for (size_t i = 0; i < upload->file_count; i++) {
        if (i > 0)
            buf_append_text(sql, ", ");
        engine_append_quoted(sql, str_of(upload->files[i].path), '\'');
    }
    /* A folder's name, such as day=1, makes no column. */
    buf_append_text(sql, "], hive_partitioning=false");
}

static struct str csv_delimiter(const struct rest_upload *upload)
{
    struct str delimiter = STR(",");
    (void)http_query_get(upload->exchange->input, STR("delimiter"), &delimiter);
    return delimiter;
}

struct str rest_upload_csv_header(const struct http_request *input)
{
    struct str type = http_headers_get(&input->headers, STR("content-type"));
    struct str header = str_find_str(type, STR("header=absent")) >= 0 ? STR("false") : STR("true");
    (void)http_query_get(input, STR("header"), &header);
    return header;
}

static enum status append_csv(struct rest_upload *upload, bool as_text, struct buf *sql,
                              struct error *error)
{
    struct rest_exchange *exchange = upload->exchange;
    struct str header = rest_upload_csv_header(exchange->input);
    struct str delimiter = csv_delimiter(upload);
    exchange->looked_at = "query.header";
    if (!str_equal(header, STR("true")) && !str_equal(header, STR("false")))
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "parameter header takes true or false, not '%.*s'",
                              STR_ARGS(str_slice(header, 0, 64)));
    exchange->looked_at = "query.delimiter";
    if (delimiter.len != 1 || strchr("\"\r\n", delimiter.ptr[0]))
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "parameter delimiter takes one character, such as ; or %%09");
    exchange->looked_at = NULL;
    buf_append_text(sql, "read_csv(");
    append_paths(upload, sql);
    buf_append_text(sql, ", delim=");
    engine_append_quoted(sql, delimiter, '\'');
    buf_printf(sql,
               ", header=%.*s, quote='\"', escape='\"', comment='', skip=0, nullstr='', "
               "allow_quoted_nulls=false, null_padding=false, sample_size=100000, all_varchar=%s)",
               STR_ARGS(header), as_text ? "true" : "false");
    return STATUS_OK;
}

/* The largest file may be one value. */
static uint64_t value_bytes_max(const struct rest_upload *upload)
{
    uint64_t bytes = UINT64_C(16) << 20;
    for (size_t i = 0; i < upload->file_count; i++) {
        if (upload->files[i].bytes >= bytes)
            bytes = upload->files[i].bytes + 1;
    }
    return bytes < JSON_VALUE_BYTES_MAX ? bytes : JSON_VALUE_BYTES_MAX;
}

/* What we answer as JSON ourselves: {"columns":[...],"data":[rows],"rows":n}. */
static bool is_result(const struct rest_upload *upload)
{
    struct str begin = str_make(upload->files[0].begin, upload->files[0].begin_bytes);
    return upload->file_format == REST_JSON && str_equal(begin, STR("{\"columns\":["));
}

static void append_json(struct rest_upload *upload, struct buf *sql)
{
    bool is_wrapped = is_result(upload);
    buf_append_text(sql, is_wrapped ? "(SELECT unnest(data, max_depth := 2) FROM read_json("
                                    : "read_json(");
    append_paths(upload, sql);
    buf_printf(sql, ", format='%s', maximum_object_size=%llu%s",
               upload->file_format == REST_JSON ? "auto" : "newline_delimited",
               (unsigned long long)value_bytes_max(upload), is_wrapped ? "))" : ")");
}

enum status rest_upload_files_reader(struct rest_upload *upload, bool as_text, struct buf *sql,
                                     struct error *error)
{
    switch (upload->file_format) {
    case REST_CSV:
        return append_csv(upload, as_text, sql, error);
    case REST_PARQUET:
        buf_append_text(sql, "read_parquet(");
        append_paths(upload, sql);
        buf_append_byte(sql, ')');
        return STATUS_OK;
    default:
        append_json(upload, sql);
        return STATUS_OK;
    }
}

/* --- errors ------------------------------------------------------------------------------------ */

static void cut_at(struct error *error, const char *mark)
{
    char *found = strstr(error->message, mark);
    if (found)
        *found = '\0';
}

static void replace_path(struct error *error, const char *path)
{
    static const char name[] = "the body";
    char *found;
    while ((found = strstr(error->message, path))) {
        size_t path_size = strlen(path);
        memcpy(found, name, sizeof(name) - 1);
        memmove(found + sizeof(name) - 1, found + path_size, strlen(found + path_size) + 1);
    }
}

/* What the engine suggests are its own options, which no client has. */
static void hide(const struct rest_upload *upload, struct error *error)
{
    if (upload->file_format == REST_CSV && strstr(error->message, "detect the CSV"))
        rest_upload_explain_csv(upload, csv_delimiter(upload).ptr[0], error);
    cut_at(error, "\nPossible fixes");
    cut_at(error, "\nPossible Solution");
    cut_at(error, "\n  file = ");
    cut_at(error, "\nTry increasing");
    cut_at(error, "\n\n");
    for (size_t i = 0; i < upload->file_count; i++)
        replace_path(error, upload->files[i].path);
    error->position = -1;
}

enum status rest_upload_engine_fault(const struct rest_upload *upload, enum status status,
                                     struct error *error)
{
    if (status == STATUS_OK)
        return status;
    if (status == STATUS_INVALID_ARGUMENT || status == STATUS_UNIMPLEMENTED) {
        error->status = STATUS_INVALID_ARGUMENT;
        error->code = "DATA_VALIDATION_FAILED";
    }
    hide(upload, error);
    return error->status;
}
