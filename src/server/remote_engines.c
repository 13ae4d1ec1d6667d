/*
 * remote_engines.c — ClickHouse as the settings want it.
 *
 * A host is what turns it on. The password may stand in a file, so that it is in no list of processes and in
 * no environment.
 *
 * Runs on: the composition root. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "server/remote_engines.h"

#include <errno.h>
#include <stdio.h>

#define PASSWORD_BYTES_MAX ((size_t)4096)

/* Without the end of its line. */
static enum status read_password(struct str path, struct buf *out, struct error *error)
{
    FILE *file = fopen(path.ptr, "re");
    if (!file)
        return error_set_errno(error, errno, "clickhouse-password-file '%.*s' cannot be read",
                               STR_ARGS(path));
    uint8_t *bytes = buf_extend(out, PASSWORD_BYTES_MAX);
    size_t size = fread(bytes, 1, PASSWORD_BYTES_MAX, file);
    bool is_whole = feof(file) != 0;
    (void)fclose(file);
    if (!is_whole)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "clickhouse-password-file '%.*s' must be a file of less than %zu bytes",
                         STR_ARGS(path), PASSWORD_BYTES_MAX);
    out->len = size;
    while (out->len > 0 && (out->ptr[out->len - 1] == '\n' || out->ptr[out->len - 1] == '\r'))
        out->len--;
    return STATUS_OK;
}

enum status remote_engines_open(const struct settings *settings, size_t batch_bytes_max,
                                struct log *log, struct metrics *metrics,
                                struct clickhouse **out_clickhouse, struct error *error)
{
    CLEANUP(buf_finish) struct buf password;
    buf_init(&password, PASSWORD_BYTES_MAX);
    if (settings->clickhouse_host.len == 0)
        return STATUS_OK;
    if (settings->clickhouse_password_file.len > 0)
        TRY(read_password(settings->clickhouse_password_file, &password, error));
    else
        buf_append_str(&password, settings->clickhouse_password);
    return clickhouse_create(
        &(struct clickhouse_options){
            .host = settings->clickhouse_host,
            .port = (unsigned)settings->clickhouse_port,
            .user = settings->clickhouse_user,
            .password = buf_str(&password),
            .database = settings->clickhouse_database,
            .read_only = settings->read_only,
            .uses_tls = settings->clickhouse_tls,
            .ca_file = settings->clickhouse_ca_file,
            .runs_max = (size_t)settings->query_slots,
            .batch_bytes_max = batch_bytes_max,
            .log = log,
            .metrics = metrics,
        },
        out_clickhouse, error);
}
