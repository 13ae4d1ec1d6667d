/*
 * files.c — /files/registry, its counts and types, /files/discovery: what there is in a bucket.
 *
 * The registry can be read whether or not a bucket is configured: it keeps what the last scan found.
 * Runs on workers: the registry is a file. Owns nothing. Contracts section 3.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/files.h"

#include "base/clock.h"
#include "base/memory.h"
#include "discovery/discovery.h"

#define LIMIT_DEFAULT "100"

/* --- GET /files/registry ------------------------------------------------------------------------ */

struct files_parameters {
    struct str path;
    struct str file_type;
    int64_t limit;
    int64_t offset;
};

static const struct rest_field parameter_fields[] = {
    {.name = "path",
     .type = REST_TEXT,
     REST_INTO(struct files_parameters, path),
     .max = META_FILE_PATTERN_BYTES_MAX,
     .help = "Pattern for paths, with the shell's wildcards: s3://bucket/folder/*.parquet"},
    {.name = "file_type",
     .type = REST_TEXT,
     REST_INTO(struct files_parameters, file_type),
     .max = 64,
     .help = "Extension, such as parquet"},
    {.name = "limit",
     .type = REST_INTEGER,
     REST_INTO(struct files_parameters, limit),
     .fallback = LIMIT_DEFAULT,
     .min = 1,
     .max = META_FILES_MAX,
     .help = "Files at most"},
    {.name = "offset",
     .type = REST_INTEGER,
     REST_INTO(struct files_parameters, offset),
     .fallback = "0",
     .min = 0,
     .max = INT64_MAX,
     .help = "Files to pass over"},
};
const struct rest_object rest_files_parameters = {NULL, REST_FIELDS(parameter_fields)};

static const struct rest_field file_fields[] = {
    {.name = "path", .type = REST_TEXT, .required = true, .help = "s3://bucket/key"},
    {.name = "size_bytes", .type = REST_INTEGER, .required = true},
    {.name = "last_modified", .type = REST_TIME, .required = true, .nullable = true},
    {.name = "registered_at", .type = REST_TIME, .required = true},
    {.name = "file_type", .type = REST_TEXT, .required = true},
};
static const struct rest_object file_object = {.name = "RegisteredFile", REST_FIELDS(file_fields)};
static const struct rest_field files_fields[] = {
    {.name = "files", .type = REST_LIST, .required = true, .object = &file_object},
    {.name = "total",
     .type = REST_INTEGER,
     .required = true,
     .help = "Files that the filter has, on all pages"},
    {.name = "limit", .type = REST_INTEGER, .required = true},
    {.name = "offset", .type = REST_INTEGER, .required = true},
};
static const struct rest_object files_object = {.name = "RegisteredFiles",
                                                REST_FIELDS(files_fields)};
const struct rest_reply_form rest_files_replies[] = {
    {.http_status = 200, .help = "a page of files, by path", .object = &files_object},
    {0},
};

static void write_file(struct json_writer *json, const struct meta_file *file)
{
    json_write_begin_object(json);
    json_write_key(json, "path");
    json_write_text(json, file->path);
    json_write_unsigned_member(json, "size_bytes", file->size_bytes);
    json_write_time_or_null(json, "last_modified", file->modified_us);
    json_write_time_or_null(json, "registered_at", file->registered_us);
    json_write_key(json, "file_type");
    json_write_text(json, file->type);
    json_write_end_object(json);
}

enum status rest_files_list(struct rest_exchange *exchange, struct error *error)
{
    struct files_parameters parameters = {.limit = 0};
    TRY(rest_request_read(exchange, &parameters, NULL, error));
    struct meta_file_filter filter = {
        .pattern = parameters.path,
        .type = parameters.file_type,
        .limit = (size_t)parameters.limit,
        .offset = (uint64_t)parameters.offset,
    };
    struct meta_file *files;
    size_t count;
    uint64_t total;
    struct meta *meta = discovery_meta(exchange->rest->options.discovery);
    TRY(meta_files_list(meta, &filter, &exchange->arena, &files, &count, &total, error));
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "files");
    json_write_begin_array(&json);
    for (size_t i = 0; i < count; i++)
        write_file(&json, &files[i]);
    json_write_end_array(&json);
    json_write_unsigned_member(&json, "total", total);
    json_write_unsigned_member(&json, "limit", filter.limit);
    json_write_unsigned_member(&json, "offset", filter.offset);
    json_write_end_object(&json);
    return STATUS_OK;
}

/* --- GET /files/registry/count, /files/registry/types ------------------------------------------- */

static const struct rest_field count_fields[] = {
    {.name = "total", .type = REST_INTEGER, .required = true},
    {.name = "by_type",
     .type = REST_OBJECT,
     .required = true,
     .help = "Files by extension; unknown: they have none"},
};
static const struct rest_object count_object = {.name = "RegisteredFileCount",
                                                REST_FIELDS(count_fields)};
const struct rest_reply_form rest_files_count_replies[] = {
    {.http_status = 200, .help = "how many files there are", .object = &count_object},
    {0},
};

static enum status count_files(struct rest_exchange *exchange, struct meta_file_type **out_types,
                               size_t *out_count, uint64_t *out_total, struct error *error)
{
    struct meta *meta = discovery_meta(exchange->rest->options.discovery);
    return meta_files_count(meta, &exchange->arena, out_types, out_count, out_total, error);
}

enum status rest_files_count(struct rest_exchange *exchange, struct error *error)
{
    struct meta_file_type *types;
    size_t count;
    uint64_t total;
    TRY(count_files(exchange, &types, &count, &total, error));
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_unsigned_member(&json, "total", total);
    json_write_key(&json, "by_type");
    json_write_begin_object(&json);
    for (size_t i = 0; i < count; i++)
        json_write_unsigned_member(&json, arena_copy(&exchange->arena, types[i].type).ptr,
                                   types[i].files);
    json_write_end_object(&json);
    json_write_end_object(&json);
    return STATUS_OK;
}

enum status rest_files_types(struct rest_exchange *exchange, struct error *error)
{
    struct meta_file_type *types;
    size_t count;
    uint64_t total;
    TRY(count_files(exchange, &types, &count, &total, error));
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_array(&json);
    for (size_t i = 0; i < count; i++)
        json_write_text(&json, types[i].type);
    json_write_end_array(&json);
    return STATUS_OK;
}

/* --- /files/discovery --------------------------------------------------------------------------- */

static const struct rest_field scan_fields[] = {
    {.name = "status", .type = REST_TEXT, .required = true, .help = "scan_started"},
    {.name = "message", .type = REST_TEXT, .required = true},
};
static const struct rest_object scan_object = {.name = "ScanStarted", REST_FIELDS(scan_fields)};
const struct rest_reply_form rest_files_scan_replies[] = {
    {.http_status = 202, .help = "a scan begins, or runs already", .object = &scan_object},
    {.http_status = 409, .help = "no bucket is configured"},
    {0},
};

enum status rest_files_scan(struct rest_exchange *exchange, struct error *error)
{
    TRY(discovery_scan(exchange->rest->options.discovery, error));
    exchange->reply.http_status = 202;
    buf_append_str(&exchange->reply.text,
                   STR("{\"status\":\"scan_started\","
                       "\"message\":\"Background scan started successfully\"}"));
    return STATUS_OK;
}

static const struct rest_field status_fields[] = {
    {.name = "status",
     .type = REST_TEXT,
     .required = true,
     .help = "running with a bucket, else stopped"},
    {.name = "bucket", .type = REST_TEXT, .required = true, .nullable = true},
    {.name = "endpoint", .type = REST_TEXT, .required = true, .nullable = true},
    {.name = "scan_interval_seconds", .type = REST_NUMBER, .required = true},
    {.name = "database", .type = REST_TEXT, .required = true, .help = "The registry's file"},
    {.name = "last_updated",
     .type = REST_TIME,
     .required = true,
     .nullable = true,
     .help = "The end of the last scan that succeeded"},
    {.name = "last_updated_human", .type = REST_TEXT, .required = true, .help = "That, or Never"},
    {.name = "timezone", .type = REST_TEXT, .required = true},
    {.name = "scanning", .type = REST_BOOL, .required = true},
    {.name = "files",
     .type = REST_INTEGER,
     .required = true,
     .nullable = true,
     .help = "That the last scan found"},
    {.name = "error",
     .type = REST_TEXT,
     .required = true,
     .nullable = true,
     .help = "Why the last scan failed"},
};
static const struct rest_object status_object = {.name = "DiscoveryStatus",
                                                 REST_FIELDS(status_fields)};
const struct rest_reply_form rest_files_status_replies[] = {
    {.http_status = 200, .help = "what is scanned, and when it was", .object = &status_object},
    {0},
};

/* "2026-11-21 17:00:00 UTC" */
static struct str human_time(struct arena *arena, int64_t time_us)
{
    char text[CLOCK_TEXT_SIZE];
    if (time_us == 0)
        return STR("Never");
    clock_format(time_us, text);
    return arena_printf(arena, "%.10s %.8s UTC", text, text + 11);
}

static void write_status(struct rest_exchange *exchange, const struct discovery_facts *facts,
                         struct str database, struct json_writer *json)
{
    json_write_begin_object(json);
    json_write_text_or_null(json, "status", facts->is_configured ? STR("running") : STR("stopped"));
    json_write_text_or_null(json, "bucket", facts->bucket);
    json_write_text_or_null(json, "endpoint", facts->endpoint);
    json_write_key(json, "scan_interval_seconds");
    json_write_double(json, (double)facts->interval_ms / 1000);
    json_write_text_or_null(json, "database", database.len > 0 ? database : STR(":memory:"));
    json_write_time_or_null(json, "last_updated", facts->scanned_us);
    json_write_text_or_null(json, "last_updated_human",
                            human_time(&exchange->arena, facts->scanned_us));
    json_write_text_or_null(json, "timezone", STR("UTC"));
    json_write_key(json, "scanning");
    json_write_bool(json, facts->is_scanning);
    json_write_key(json, "files");
    if (facts->scanned_us != 0)
        json_write_unsigned(json, facts->files);
    else
        json_write_null(json);
    json_write_text_or_null(json, "error", str_of(facts->failure));
    json_write_end_object(json);
}

enum status rest_files_status(struct rest_exchange *exchange, struct error *error)
{
    struct discovery *discovery = exchange->rest->options.discovery;
    struct discovery_facts facts;
    struct meta_facts registry;
    discovery_facts(discovery, &facts);
    meta_facts(discovery_meta(discovery), &registry);
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    write_status(exchange, &facts, registry.path, &json);
    return STATUS_OK;
}
