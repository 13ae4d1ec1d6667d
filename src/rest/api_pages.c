/*
 * api_pages.c — /docs and /redoc: the API to read and to try, made of files of the installation.
 *
 * The two pages are compiled in; what they load (Swagger UI, ReDoc) lies beside the program: in `share` where
 * it was built, in ../share/volley/api where it was installed. Only the names of the table are served.
 *
 * The pages run on the loop, their files on a worker, which opens them. Owns nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/page.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name;
    const char *media_type;
} files[] = {
    {"swagger-ui-bundle.js", "text/javascript; charset=utf-8"},
    {"swagger-ui.css", "text/css; charset=utf-8"},
    {"redoc.standalone.js", "text/javascript; charset=utf-8"},
};

/* From the folder of the program. */
static const char *const places[] = {"../share/volley/api", "share"};

enum status rest_docs_check(const struct rest_exchange *exchange, struct error *error)
{
    if (exchange->rest->options.has_docs)
        return STATUS_OK;
    return error_set(error, STATUS_NOT_FOUND,
                     "this server does not show its documentation (setting docs)");
}

enum status rest_docs(struct rest_exchange *exchange, struct error *error)
{
    TRY(rest_docs_check(exchange, error));
    rest_page_reply(exchange, rest_page_find("docs.html"));
    return STATUS_OK;
}

enum status rest_redoc(struct rest_exchange *exchange, struct error *error)
{
    TRY(rest_docs_check(exchange, error));
    rest_page_reply(exchange, rest_page_find("redoc.html"));
    return STATUS_OK;
}

/* -1: it is in none of the places. */
static int open_file(const char *name)
{
    char program[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (size <= 0)
        return -1;
    program[size] = '\0';
    const char *folder = dirname(program);
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        char path[PATH_MAX + 128];
        (void)snprintf(path, sizeof(path), "%s/%s/%s", folder, places[i], name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
            return fd;
    }
    return -1;
}

static enum status reply_file(struct rest_exchange *exchange, int fd, struct error *error)
{
    struct rest_reply *reply = &exchange->reply;
    struct stat facts;
    if (fstat(fd, &facts) < 0) {
        int number = errno;
        close(fd);
        return error_set_errno(error, number, "cannot read a page of the documentation");
    }
    reply->source = http_source_file(fd, (uint64_t)facts.st_size);
    reply->compressible = true;
    reply->modified_seconds = facts.st_mtime;
    reply->etag = arena_printf(&exchange->arena, "%llx-%llx", (unsigned long long)facts.st_size,
                               (unsigned long long)facts.st_mtime);
    rest_add_header(exchange, STR("cache-control"), STR("no-cache"));
    rest_add_header(exchange, STR("x-content-type-options"), STR("nosniff"));
    return STATUS_OK;
}

enum status rest_docs_file(struct rest_exchange *exchange, struct error *error)
{
    TRY(rest_docs_check(exchange, error));
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        if (!str_equal(exchange->parameter, str_of(files[i].name)))
            continue;
        int fd = open_file(files[i].name);
        if (fd < 0)
            return error_set(error, STATUS_NOT_FOUND,
                             "%s is missing in this installation: it belongs in "
                             "../share/volley/api beside the folder of the program",
                             files[i].name);
        exchange->reply.content_type = files[i].media_type;
        return reply_file(exchange, fd, error);
    }
    return error_set(error, STATUS_NOT_FOUND, "there is nothing at /docs/%.*s",
                     STR_ARGS(str_slice(exchange->parameter, 0, 64)));
}
