/*
 * local_files.c — GET /v1/files: the files below allowed-paths that SQL can read as tables, page by page.
 *
 * Folders are walked to a bounded depth, links are not followed, and what begins with a dot is passed over.
 * A page begins behind the path that its token is. Runs on a worker. Owns the list while it is made.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/catalog.h"

#include "base/memory.h"
#include "rest/dataset.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#define LIMIT_MAX 1000
#define DEPTH_MAX 8
#define FILES_MAX 100000

struct files_wishes {
    struct str prefix;
    int64_t limit;
    struct str page_token;
};
static const struct rest_field wish_fields[] = {
    {.name = "prefix",
     .type = REST_TEXT,
     REST_INTO(struct files_wishes, prefix),
     .help = "Paths that begin so"},
    {.name = "limit",
     .type = REST_INTEGER,
     REST_INTO(struct files_wishes, limit),
     .min = 1,
     .max = LIMIT_MAX,
     .fallback = "100",
     .help = "On one page"},
    {.name = "page_token",
     .type = REST_TEXT,
     REST_INTO(struct files_wishes, page_token),
     .help = "next_page_token of the page before"},
};
const struct rest_object rest_local_files_parameters = {NULL, REST_FIELDS(wish_fields)};

static const struct rest_field file_fields[] = {
    {.name = "path", .type = REST_TEXT, .required = true, .help = "As SQL takes it, in quotes"},
    {.name = "format", .type = REST_TEXT, .required = true},
    {.name = "size_bytes", .type = REST_INTEGER, .required = true},
    {.name = "modified_at", .type = REST_TIME, .required = true, .nullable = true},
};
static const struct rest_object file_object = {"LocalFile", REST_FIELDS(file_fields)};
static const struct rest_field page_fields[] = {
    {.name = "files", .type = REST_LIST, .required = true, .object = &file_object},
    {.name = "next_page_token", .type = REST_TEXT, .required = true, .nullable = true},
};
static const struct rest_object page_object = {"LocalFileList", REST_FIELDS(page_fields)};
const struct rest_reply_form rest_local_files_replies[] = {
    {.http_status = 200, .object = &page_object, .help = "A page of files"},
    {0},
};

static const struct {
    const char *ending;
    const char *format;
} endings[] = {
    {".parquet", "parquet"}, {".csv", "csv"},      {".csv.gz", "csv"},    {".tsv", "csv"},
    {".json", "json"},       {".jsonl", "ndjson"}, {".ndjson", "ndjson"},
};

struct found {
    struct str path;
    const char *format;
    int64_t size;
    int64_t modified_us;
};

struct walk {
    struct arena *arena;
    const struct files_wishes *wishes;
    struct found *items;
    size_t count;
    size_t capacity;
};

static const char *format_of(struct str path)
{
    for (size_t i = 0; i < ARRAY_COUNT(endings); i++) {
        if (str_ends_with(path, str_of(endings[i].ending)))
            return endings[i].format;
    }
    return NULL;
}

static void add(struct walk *walk, struct str path, const struct stat *facts)
{
    const char *format = format_of(path);
    if (!format || !str_starts_with(path, walk->wishes->prefix) ||
        str_compare(path, walk->wishes->page_token) <= 0 || walk->count == FILES_MAX)
        return;
    if (walk->count == walk->capacity) {
        walk->capacity = walk->capacity > 0 ? 2 * walk->capacity : 64;
        walk->items = memory_resize(walk->items, walk->capacity, sizeof(*walk->items));
    }
    walk->items[walk->count++] = (struct found){
        .path = path,
        .format = format,
        .size = facts->st_size,
        .modified_us = (int64_t)facts->st_mtim.tv_sec * 1000000 + facts->st_mtim.tv_nsec / 1000,
    };
}

/* What cannot be read is not there for SQL either. */
static void look_at(struct walk *walk, struct str path, unsigned depth);

static void look_into(struct walk *walk, struct str path, unsigned depth)
{
    DIR *folder = opendir(path.ptr);
    if (!folder)
        return;
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL && walk->count < FILES_MAX) {
        if (entry->d_name[0] != '.')
            look_at(walk, arena_printf(walk->arena, "%s/%s", path.ptr, entry->d_name), depth);
    }
    (void)closedir(folder);
}

static void look_at(struct walk *walk, struct str path, unsigned depth)
{
    struct stat facts;
    if (lstat(path.ptr, &facts) != 0)
        return;
    if (S_ISREG(facts.st_mode) && str_is_utf8(path))
        add(walk, path, &facts);
    else if (S_ISDIR(facts.st_mode) && depth < DEPTH_MAX)
        look_into(walk, path, depth + 1);
}

static int compare_found(const void *a, const void *b)
{
    return str_compare(((const struct found *)a)->path, ((const struct found *)b)->path);
}

static void write_page(struct json_writer *json, const struct walk *walk, size_t limit)
{
    size_t count = walk->count < limit ? walk->count : limit;
    json_write_begin_object(json);
    json_write_key(json, "files");
    json_write_begin_array(json);
    for (size_t i = 0; i < count; i++) {
        const struct found *file = &walk->items[i];
        json_write_begin_object(json);
        json_write_key(json, "path");
        json_write_text(json, file->path);
        json_write_key(json, "format");
        json_write_text(json, str_of(file->format));
        json_write_key(json, "size_bytes");
        json_write_integer(json, file->size);
        json_write_time_or_null(json, "modified_at", file->modified_us);
        json_write_end_object(json);
    }
    json_write_end_array(json);
    json_write_key(json, "next_page_token");
    if (count < walk->count)
        json_write_text(json, walk->items[count - 1].path);
    else
        json_write_null(json);
    json_write_end_object(json);
}

enum status rest_local_files(struct rest_exchange *exchange, struct error *error)
{
    const struct rest_options *options = &exchange->rest->options;
    struct files_wishes wishes = {0};
    struct json_writer json;
    TRY(rest_request_read(exchange, &wishes, NULL, error));
    struct walk walk = {.arena = &exchange->arena, .wishes = &wishes};
    for (size_t i = 0; i < options->allowed_path_count; i++) {
        struct str path = options->allowed_paths[i];
        while (path.len > 1 && str_ends_with(path, STR("/")))
            path.len--;
        look_at(&walk, arena_copy(&exchange->arena, path), 0);
    }
    if (walk.count > 0)
        qsort(walk.items, walk.count, sizeof(*walk.items), compare_found);
    json_writer_init(&json, &exchange->reply.text);
    write_page(&json, &walk, (size_t)wishes.limit);
    free(walk.items);
    return STATUS_OK;
}
