/*
 * object.c — the small operations: is the bucket there, what is an object, delete it, a URL for it.
 *
 * Runs on: any thread that may block; s3_presign on any. Owns: nothing.
 * Source: Amazon S3 API, "Authenticating requests: using query parameters".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "s3/s3_private.h"

#include "base/memory.h"
#include "s3/sign.h"

#include <stdio.h>
#include <string.h>

#define SMALL_TIMEOUT_MS 30000
/* Somebody waits for the answer whom a worker of the server serves, and who can be served without it. */
#define HEAD_TIMEOUT_MS 5000

enum status s3_check_bucket(struct s3 *s3, struct fetch_cancel *cancel, struct error *error)
{
    struct s3_call call = {.s3 = s3,
                           .operation = "check",
                           .method = "HEAD",
                           .total_timeout_ms = SMALL_TIMEOUT_MS,
                           .cancel = cancel};
    CLEANUP(fetch_response_finish) struct fetch_response response;
    fetch_response_init(&response);
    return s3_call_run(&call, &response, error);
}

enum status s3_head(struct s3 *s3, struct str key, struct fetch_cancel *cancel,
                    struct s3_object *out_object, struct error *error)
{
    TRY(s3_check_key(key, error));
    struct s3_call call = {.s3 = s3,
                           .operation = "find",
                           .method = "HEAD",
                           .key = key,
                           .total_timeout_ms = HEAD_TIMEOUT_MS,
                           .cancel = cancel};
    CLEANUP(fetch_response_finish) struct fetch_response response;
    fetch_response_init(&response);
    TRY(s3_call_run(&call, &response, error));
    s3_answer_object(&response, out_object);
    return STATUS_OK;
}

enum status s3_delete(struct s3 *s3, struct str key, struct fetch_cancel *cancel,
                      struct error *error)
{
    TRY(s3_check_key(key, error));
    struct s3_call call = {.s3 = s3,
                           .operation = "delete",
                           .method = "DELETE",
                           .key = key,
                           .total_timeout_ms = SMALL_TIMEOUT_MS,
                           .cancel = cancel};
    CLEANUP(fetch_response_finish) struct fetch_response response;
    fetch_response_init(&response);
    struct error reason = ERROR_NONE;
    enum status status = s3_call_run(&call, &response, &reason);
    if (status == STATUS_NOT_FOUND && strstr(reason.message, "NoSuchKey"))
        return STATUS_OK;
    return status == STATUS_OK ? STATUS_OK : error_copy(error, &reason);
}

/* --- presigned URLs ------------------------------------------------------------------------------- */

/* Quotes and backslashes would end the name, other bytes go as RFC 8187 has it. */
static void write_disposition(struct str file_name, struct buf *out)
{
    buf_append_text(out, "attachment; filename*=UTF-8''");
    sign_encode(file_name, false, out);
}

struct presign {
    struct buf scope, disposition, path, query;
    char time[SIGN_TIME_SIZE];
    char seconds[12];
};

static void presign_init(struct presign *presign)
{
    buf_init(&presign->scope, FETCH_URL_BYTES_MAX);
    buf_init(&presign->disposition, FETCH_URL_BYTES_MAX);
    buf_init(&presign->path, FETCH_URL_BYTES_MAX);
    buf_init(&presign->query, FETCH_URL_BYTES_MAX);
}

static void presign_finish(struct presign *presign)
{
    buf_finish(&presign->scope);
    buf_finish(&presign->disposition);
    buf_finish(&presign->path);
    buf_finish(&presign->query);
}
CLEANUP_IN_PLACE(struct presign, presign_finish)

static void write_parameters(struct presign *presign, const struct sign_key *key,
                             struct str session_token, struct str file_name)
{
    buf_append_str(&presign->scope, key->access_key);
    buf_append_byte(&presign->scope, '/');
    sign_scope(key, presign->time, &presign->scope);
    struct fetch_header parameters[S3_PARAMETERS_MAX] = {
        {STR("X-Amz-Algorithm"), STR("AWS4-HMAC-SHA256")},
        {STR("X-Amz-Credential"), buf_str(&presign->scope)},
        {STR("X-Amz-Date"), str_of(presign->time)},
        {STR("X-Amz-Expires"), str_of(presign->seconds)},
        {STR("X-Amz-SignedHeaders"), STR("host")},
    };
    size_t count = 5;
    if (session_token.len > 0)
        parameters[count++] = (struct fetch_header){STR("X-Amz-Security-Token"), session_token};
    if (file_name.len > 0) {
        write_disposition(file_name, &presign->disposition);
        parameters[count++] = (struct fetch_header){STR("response-content-disposition"),
                                                    buf_str(&presign->disposition)};
    }
    sign_query(parameters, count, &presign->query);
}

static void write_signed_url(struct s3 *s3, const char *method, const struct sign_key *key,
                             const struct presign *presign, struct buf *out_url)
{
    struct str base = str_of(s3->base);
    size_t host = (size_t)str_find_str(base, STR("://")) + 3;
    struct fetch_header header = {STR("host"), str_slice(base, host, base.len)};
    struct sign_request request = {.method = method,
                                   .path = buf_str(&presign->path),
                                   .query = buf_str(&presign->query),
                                   .headers = &header,
                                   .header_count = 1,
                                   .payload_hash = SIGN_UNSIGNED_PAYLOAD};
    char signature[SIGN_HASH_SIZE];
    sign_signature(key, presign->time, &request, signature);
    buf_append_str(out_url, base);
    buf_append_str(out_url, buf_str(&presign->path));
    buf_append_byte(out_url, '?');
    buf_append_str(out_url, buf_str(&presign->query));
    buf_printf(out_url, "&X-Amz-Signature=%s", signature);
}

enum status s3_presign(struct s3 *s3, const char *method, struct str key, uint32_t seconds,
                       struct str file_name, struct buf *out_url, struct error *error)
{
    TRY(s3_check_key(key, error));
    if (seconds == 0 || seconds > S3_PRESIGN_SECONDS_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "a presigned URL is good for 1 to %d seconds", S3_PRESIGN_SECONDS_MAX);
    CLEANUP(buf_finish) struct buf secrets;
    buf_init(&secrets, S3_SECRETS_BYTES_MAX);
    struct s3_credentials credentials;
    TRY(s3_credentials_find(s3, &secrets, &credentials, error));
    struct sign_key sign_key = {.access_key = credentials.access_key,
                                .secret_key = credentials.secret_key,
                                .region = str_of(s3->region),
                                .service = STR("s3")};
    CLEANUP(presign_finish) struct presign presign;
    presign_init(&presign);
    sign_time(s3_now_us(s3), presign.time);
    (void)snprintf(presign.seconds, sizeof(presign.seconds), "%u", seconds);
    s3_write_path(s3, key, &presign.path);
    write_parameters(&presign, &sign_key, credentials.session_token, file_name);
    TRY(buf_check(&presign.query, "a presigned URL", error));
    write_signed_url(s3, method, &sign_key, &presign, out_url);
    return buf_check(out_url, "a presigned URL", error);
}
