/*
 * announce.c — telling where the server listens.
 *
 * The addresses file appears whole: it is written under another name and renamed.
 * Threads: the composition root's. SPDX-License-Identifier: Apache-2.0
 */
#include "server/announce.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "json/writer.h"

#define FILE_BYTES_MAX ((size_t)64 << 10)

static const char *first_address(const struct bound_address *addresses, size_t count,
                                 const char *door)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(addresses[i].door, door) == 0)
            return addresses[i].text;
    }
    return "";
}

#define URL_SIZE 512

/* The URL of the first address of a door, with the scheme for plain bytes or for TLS. */
static const char *first_url(const struct bound_address *addresses, size_t count, const char *door,
                             const char *plain, const char *secure, char out[URL_SIZE])
{
    struct str text = str_of(first_address(addresses, count, door));
    bool is_secure = str_starts_with(text, STR("tls://"));
    struct str rest = is_secure ? str_slice(text, 6, text.len) : text;
    (void)snprintf(out, URL_SIZE, "%s%.*s", is_secure ? secure : plain, STR_ARGS(rest));
    return out;
}

static void print_commands(const struct settings *settings, const struct bound_address *addresses,
                           size_t count)
{
    char http_url[URL_SIZE];
    char flight_url[URL_SIZE];
    const char *http = first_url(addresses, count, "http", "http://", "https://", http_url);
    const char *flight =
        first_url(addresses, count, "flight", "grpc://", "grpc+tls://", flight_url);
    const char *table = settings->demo ? "flights" : "taxi";
    printf("\nTry it:\n"
           "  curl -d 'SELECT count(*) AS trips FROM %s' %s/v1/query\n"
           "  %s sql --server %s 'FROM %s LIMIT 5'\n"
           "  python3 -c \"import adbc_driver_flightsql.dbapi as d; "
           "c = d.connect('%s').cursor(); c.execute('FROM %s LIMIT 5'); "
           "print(c.fetch_arrow_table())\"\n\n",
           table, http, program_invocation_name, flight, table, flight, table);
}

static void write_door(struct json_writer *json, const char *door,
                       const struct bound_address *addresses, size_t count)
{
    json_write_key(json, door);
    json_write_begin_array(json);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(addresses[i].door, door) == 0)
            json_write_text(json, str_of(addresses[i].text));
    }
    json_write_end_array(json);
}

static enum status write_addresses_file(struct str path, const struct bound_address *addresses,
                                        size_t count, struct error *error)
{
    CLEANUP(buf_finish) struct buf text;
    CLEANUP(buf_finish) struct buf partial;
    buf_init(&text, FILE_BYTES_MAX);
    buf_init(&partial, FILE_BYTES_MAX);
    struct json_writer json;
    json_writer_init(&json, &text);
    json_write_begin_object(&json);
    write_door(&json, "flight", addresses, count);
    write_door(&json, "http", addresses, count);
    write_door(&json, "metrics", addresses, count);
    json_write_end_object(&json);
    buf_append_byte(&text, '\n');
    buf_printf(&partial, "%.*s.new", STR_ARGS(path));
    FILE *file = fopen((const char *)partial.ptr, "we");
    if (!file)
        return error_set_errno(error, errno, "cannot write %s (setting addresses-file)",
                               partial.ptr);
    bool written = fwrite(text.ptr, 1, text.len, file) == text.len;
    written = fclose(file) == 0 && written;
    if (!written || rename((const char *)partial.ptr, path.ptr) < 0)
        return error_set_errno(error, errno, "cannot write %.*s (setting addresses-file)",
                               STR_ARGS(path));
    return STATUS_OK;
}

enum status announce(const struct settings *settings, const struct bound_address *addresses,
                     size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        printf("listening %s %s\n", addresses[i].door, addresses[i].text);
    if (settings->demo || isatty(STDOUT_FILENO))
        print_commands(settings, addresses, count);
    fflush(stdout);
    if (settings->addresses_file.len == 0)
        return STATUS_OK;
    return write_addresses_file(settings->addresses_file, addresses, count, error);
}
