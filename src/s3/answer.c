/*
 * answer.c — what the service answered, as an error or as facts about an object.
 *
 * An error's XML is read with bounds; a body that is none (a proxy's page, the empty one of HEAD) leaves the
 * HTTP status to speak. What the service says is cut, and freed of control characters, before it becomes
 * part of a message.
 *
 * Runs on: any thread. Owns: nothing. Source: Amazon S3 API, "Error responses".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "s3/s3_private.h"

#include "base/checked.h"
#include "s3/xml.h"

#include <stdio.h>
#include <string.h>

#define SAID_SIZE 320
#define KEY_SHOWN_BYTES 200

struct said {
    char code[S3_CODE_SIZE];
    char message[SAID_SIZE];
    char region[S3_CODE_SIZE];
};

static void keep(char *out, size_t size, struct str value)
{
    size_t length = size_min(value.len, size - 1);
    while (length > 0 && length < value.len && ((unsigned char)value.ptr[length] & 0xc0) == 0x80)
        length--;
    for (size_t i = 0; i < length; i++)
        out[i] = (unsigned char)value.ptr[i] < 0x20 ? ' ' : value.ptr[i];
    out[length] = '\0';
}

static enum status on_element(void *context, struct str path, struct str value, struct error *error)
{
    struct said *said = context;
    if (str_equal(path, STR("Error/Code")))
        keep(said->code, sizeof(said->code), value);
    else if (str_equal(path, STR("Error/Message")))
        keep(said->message, sizeof(said->message), value);
    else if (str_equal(path, STR("Error/Region")))
        keep(said->region, sizeof(said->region), value);
    return STATUS_OK;
}

static void read_answer(const struct fetch_response *response, struct said *said)
{
    memset(said, 0, sizeof(*said));
    struct error ignored = ERROR_NONE;
    if (xml_read(buf_str(&response->body), on_element, said, &ignored) != STATUS_OK)
        memset(said, 0, sizeof(*said));
    struct str region = fetch_response_header(response, STR("x-amz-bucket-region"));
    if (region.len > 0)
        keep(said->region, sizeof(said->region), region);
}

/* --- which error it is ---------------------------------------------------------------------------- */

static enum status status_of_code(const char *code)
{
    static const struct {
        const char *code;
        enum status status;
    } rows[] = {
        {"InvalidAccessKeyId", STATUS_UNAUTHENTICATED},
        {"XAdminUserNotFound", STATUS_UNAUTHENTICATED}, /* versitygw's word for it */
        {"SignatureDoesNotMatch", STATUS_UNAUTHENTICATED},
        {"ExpiredToken", STATUS_UNAUTHENTICATED},
        {"InvalidToken", STATUS_UNAUTHENTICATED},
        {"RequestTimeTooSkewed", STATUS_UNAUTHENTICATED},
        {"AuthorizationHeaderMalformed", STATUS_UNAUTHENTICATED},
        {"RequestTimeout", STATUS_UNAVAILABLE},
        {"SlowDown", STATUS_UNAVAILABLE},
        {"ServiceUnavailable", STATUS_UNAVAILABLE},
        {"InternalError", STATUS_UNAVAILABLE},
        {"NoSuchBucket", STATUS_NOT_FOUND},
        {"NoSuchKey", STATUS_NOT_FOUND},
        {"NoSuchUpload", STATUS_NOT_FOUND},
        {"ConditionalRequestConflict", STATUS_FAILED_PRECONDITION},
        {"EntityTooLarge", STATUS_RESOURCE_EXHAUSTED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(code, rows[i].code) == 0)
            return rows[i].status;
    }
    return STATUS_OK;
}

static enum status status_of_http(unsigned http_status)
{
    static const struct {
        unsigned http_status;
        enum status status;
    } rows[] = {
        {301, STATUS_FAILED_PRECONDITION},
        {307, STATUS_FAILED_PRECONDITION},
        {304, STATUS_FAILED_PRECONDITION},
        {400, STATUS_INVALID_ARGUMENT},
        {401, STATUS_UNAUTHENTICATED},
        {403, STATUS_PERMISSION_DENIED},
        {404, STATUS_NOT_FOUND},
        {408, STATUS_UNAVAILABLE},
        {409, STATUS_ABORTED},
        {412, STATUS_FAILED_PRECONDITION},
        {413, STATUS_RESOURCE_EXHAUSTED},
        {416, STATUS_OUT_OF_RANGE},
        {429, STATUS_UNAVAILABLE},
        {501, STATUS_UNIMPLEMENTED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (http_status == rows[i].http_status)
            return rows[i].status;
    }
    return http_status >= 500 ? STATUS_UNAVAILABLE : STATUS_INTERNAL;
}

static const char *words_of_http(unsigned http_status)
{
    switch (http_status) {
    case 403:
        return "the service refuses it";
    case 404:
        return "there is no such object or bucket";
    case 412:
        return "a condition does not hold";
    case 416:
        return "the object has no such bytes";
    default:
        return "the service did not say why";
    }
}

/* --- messages ------------------------------------------------------------------------------------- */

static void write_subject(const struct s3_call *call, char *out, size_t size)
{
    if (call->key.len > 0)
        (void)snprintf(out, size, "S3 cannot %s '%.*s' in the bucket '%s' at %s", call->operation,
                       (int)size_min(call->key.len, KEY_SHOWN_BYTES), call->key.ptr,
                       call->s3->bucket, call->s3->endpoint);
    else
        (void)snprintf(out, size, "S3 cannot %s the bucket '%s' at %s", call->operation,
                       call->s3->bucket, call->s3->endpoint);
}

#define SUBJECT_SIZE 640

enum status s3_error_wrap(const struct s3_call *call, const struct error *reason,
                          struct error *error)
{
    char subject[SUBJECT_SIZE];
    write_subject(call, subject, sizeof(subject));
    char message[ERROR_MESSAGE_MAX];
    (void)snprintf(message, sizeof(message), "%s", reason->message);
    return error_set_code(error, reason->status, reason->code, "%s: %s", subject, message);
}

enum status s3_answer_error(const struct s3_call *call, const struct fetch_response *response,
                            char code[S3_CODE_SIZE], struct error *error)
{
    struct said said;
    read_answer(response, &said);
    memcpy(code, said.code, S3_CODE_SIZE);
    char subject[SUBJECT_SIZE];
    write_subject(call, subject, sizeof(subject));
    enum status status = status_of_code(said.code);
    if (status == STATUS_OK)
        status = status_of_http(response->http_status);
    bool is_elsewhere = said.region[0] != '\0' && strcmp(said.region, call->s3->region) != 0 &&
                        status != STATUS_NOT_FOUND;
    const char *message = said.message[0] != '\0' ? said.message
                          : said.code[0] != '\0'  ? ""
                                                  : words_of_http(response->http_status);
    return error_set(error, status, "%s: %s%s%s (HTTP %u)%s%s%s", subject, said.code,
                     said.code[0] != '\0' && message[0] != '\0' ? ": " : "", message,
                     response->http_status, is_elsewhere ? "; the bucket is in the region '" : "",
                     is_elsewhere ? said.region : "", is_elsewhere ? "', set s3-region to it" : "");
}

void s3_answer_object(const struct fetch_response *response, struct s3_object *object)
{
    *object = (struct s3_object){.size_bytes = 0};
    struct str range = fetch_response_header(response, STR("content-range"));
    struct str size = fetch_response_header(response, STR("content-length"));
    if (range.len > 0) {
        (void)str_split(&range, '/');
        size = range;
    }
    if (!str_to_u64(size, &object->size_bytes))
        object->size_bytes = 0;
    int64_t seconds = 0;
    if (fetch_parse_date(fetch_response_header(response, STR("last-modified")), &seconds))
        object->modified_us = seconds * 1000000;
    struct str etag = fetch_response_header(response, STR("etag"));
    if (etag.len < sizeof(object->etag))
        keep(object->etag, sizeof(object->etag), etag);
}
