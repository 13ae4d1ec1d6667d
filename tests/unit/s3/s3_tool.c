/*
 * s3_tool.c — one operation on a bucket from the command line, for tests/integration/test_s3.py and the
 * bench.
 *
 * usage: s3_tool put KEY FILE|- [new] | get KEY [OFFSET SIZE] | find KEY | list [PREFIX [PAGE_SIZE]] |
 *        delete KEY | presign METHOD KEY SECONDS [NAME] | check
 * The bucket comes from S3_BUCKET, S3_REGION, S3_ENDPOINT, S3_ACCESS_KEY, S3_SECRET_KEY, S3_SESSION_TOKEN,
 * S3_ADDRESSING; bounds from S3_PART_BYTES, S3_CONNECT_MS, S3_STALL_MS, S3_ATTEMPTS, S3_RETRY_MS; S3_PROXY,
 * S3_CA_FILE. An error is printed as "STATUS: message"; the exit code is 1 then.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "s3/s3.h"

#include "base/memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct str variable(const char *name)
{
    return str_of(getenv(name));
}

static uint64_t number(const char *name)
{
    uint64_t value = 0;
    struct str text = variable(name);
    if (text.len > 0 && !str_to_u64(text, &value))
        fprintf(stderr, "%s is no number\n", name);
    return value;
}

static void show(struct str key, const struct s3_object *object)
{
    printf("%.*s\t%" PRIu64 "\t%" PRId64 "\t%s\n", STR_ARGS(key), object->size_bytes,
           object->modified_us, object->etag);
}

static enum status show_listed(void *context, struct str key, const struct s3_object *object,
                               struct error *error)
{
    show(key, object);
    return STATUS_OK;
}

static enum status print(void *context, struct str bytes, struct error *error)
{
    return fwrite(bytes.ptr, 1, bytes.len, stdout) == bytes.len
               ? STATUS_OK
               : error_set(error, STATUS_CANCELLED, "standard output is closed");
}

static enum status read_input(void *context, uint8_t *bytes, size_t size, size_t *out_size,
                              struct error *error)
{
    ssize_t got = read(STDIN_FILENO, bytes, size);
    *out_size = got > 0 ? (size_t)got : 0;
    return got >= 0 ? STATUS_OK : error_set(error, STATUS_INTERNAL, "cannot read the input");
}

static enum status put_input(struct s3 *s3, struct str key, const struct s3_put_options *options,
                             struct s3_object *object, struct error *error)
{
    struct fetch_source source = {.size = FETCH_SIZE_UNKNOWN, .read = read_input};
    return s3_put(s3, key, &source, options, object, error);
}

static enum status put_file(struct s3 *s3, struct str key, const char *path,
                            const struct s3_put_options *options, struct s3_object *object,
                            struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(error, STATUS_NOT_FOUND, "cannot open %s", path);
    enum status status = s3_put_file(s3, key, fd, options, object, error);
    close(fd);
    return status;
}

static enum status run_put(struct s3 *s3, char **arguments, size_t count, struct error *error)
{
    struct s3_put_options options = {.must_be_new = count > 3 && strcmp(arguments[3], "new") == 0};
    struct str key = str_of(arguments[1]);
    struct s3_object object;
    if (strcmp(arguments[2], "-") == 0)
        TRY(put_input(s3, key, &options, &object, error));
    else
        TRY(put_file(s3, key, arguments[2], &options, &object, error));
    show(key, &object);
    return STATUS_OK;
}

static enum status run_get(struct s3 *s3, char **arguments, size_t count, struct error *error)
{
    struct s3_get_options options = {.offset = 0};
    if (count > 3 && (!str_to_u64(str_of(arguments[2]), &options.offset) ||
                      !str_to_u64(str_of(arguments[3]), &options.size)))
        return error_set(error, STATUS_INVALID_ARGUMENT, "get KEY OFFSET SIZE");
    struct s3_sink sink = {.write = print};
    return s3_get(s3, str_of(arguments[1]), &options, &sink, NULL, error);
}

static enum status run_find(struct s3 *s3, char **arguments, size_t count, struct error *error)
{
    struct s3_object object;
    TRY(s3_head(s3, str_of(arguments[1]), NULL, &object, error));
    show(str_of(arguments[1]), &object);
    return STATUS_OK;
}

static enum status run_list(struct s3 *s3, char **arguments, size_t count, struct error *error)
{
    struct s3_list_options options = {.prefix = count > 1 ? str_of(arguments[1]) : STR_EMPTY};
    uint64_t page = 0;
    if (count > 2 && str_to_u64(str_of(arguments[2]), &page))
        options.page_size = (unsigned)page;
    return s3_list(s3, &options, show_listed, NULL, error);
}

static enum status run_delete(struct s3 *s3, char **arguments, size_t count, struct error *error)
{
    return s3_delete(s3, str_of(arguments[1]), NULL, error);
}

static enum status run_presign(struct s3 *s3, char **arguments, size_t count, struct error *error)
{
    uint64_t seconds = 0;
    if (count < 4 || !str_to_u64(str_of(arguments[3]), &seconds))
        return error_set(error, STATUS_INVALID_ARGUMENT, "presign METHOD KEY SECONDS [NAME]");
    CLEANUP(buf_finish) struct buf url;
    buf_init(&url, FETCH_URL_BYTES_MAX);
    TRY(s3_presign(s3, arguments[1], str_of(arguments[2]), (uint32_t)seconds,
                   count > 4 ? str_of(arguments[4]) : STR_EMPTY, &url, error));
    printf("%s\n", url.ptr);
    return STATUS_OK;
}

static enum status run_check(struct s3 *s3, char **arguments, size_t count, struct error *error)
{
    return s3_check_bucket(s3, NULL, error);
}

static const struct {
    const char *name;
    size_t arguments_min; /* with the name */
    enum status (*run)(struct s3 *s3, char **arguments, size_t count, struct error *error);
} commands[] = {
    {"put", 3, run_put},     {"get", 2, run_get},       {"find", 2, run_find},
    {"list", 1, run_list},   {"delete", 2, run_delete}, {"presign", 4, run_presign},
    {"check", 1, run_check},
};

static enum s3_addressing addressing(void)
{
    struct str wanted = variable("S3_ADDRESSING");
    if (str_equal(wanted, STR("virtual")))
        return S3_VIRTUAL_HOST;
    return str_equal(wanted, STR("path")) ? S3_PATH : S3_AUTO;
}

static enum status run(char **arguments, size_t count, struct error *error)
{
    struct fetch_pool_options pool_options = {
        .connect_timeout_ms = (uint32_t)number("S3_CONNECT_MS"),
        .stall_timeout_ms = (uint32_t)number("S3_STALL_MS"),
        .attempts_max = (uint32_t)number("S3_ATTEMPTS"),
        .retry_delay_ms = (uint32_t)number("S3_RETRY_MS"),
        .proxy = getenv("S3_PROXY"),
        .ca_file = getenv("S3_CA_FILE"),
    };
    CLEANUP(fetch_pool_destroy) struct fetch_pool *fetch = NULL;
    TRY(fetch_pool_create(&pool_options, &fetch, error));
    struct str region = variable("S3_REGION");
    struct s3_options options = {
        .fetch = fetch,
        .bucket = variable("S3_BUCKET"),
        .region = region.len > 0 ? region : STR("us-east-1"),
        .endpoint = variable("S3_ENDPOINT"),
        .addressing = addressing(),
        .credentials = {variable("S3_ACCESS_KEY"), variable("S3_SECRET_KEY"),
                        variable("S3_SESSION_TOKEN")},
        .part_bytes = (size_t)number("S3_PART_BYTES"),
    };
    CLEANUP(s3_destroy) struct s3 *s3 = NULL;
    TRY(s3_create(&options, &s3, error));
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        if (strcmp(arguments[0], commands[i].name) == 0 && count >= commands[i].arguments_min)
            return commands[i].run(s3, arguments, count, error);
    }
    return error_set(error, STATUS_INVALID_ARGUMENT, "see the head of s3_tool.c");
}

int main(int count, char **arguments)
{
    struct error error = ERROR_NONE;
    if (count < 2) {
        fprintf(stderr, "see the head of s3_tool.c\n");
        return 2;
    }
    if (run(arguments + 1, (size_t)count - 1, &error) == STATUS_OK)
        return 0;
    fprintf(stderr, "%s: %s\n", status_name(error.status), error.message);
    return 1;
}
