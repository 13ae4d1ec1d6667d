/*
 * details.c — the trailer grpc-status-details-bin: an error as google.rpc.Status.
 *
 * Libraries of several languages hand the details to their users as typed messages: the code of the
 * one table (base/error_codes.h) as ErrorInfo.reason; SQLSTATE, the place in the statement and the nearest
 * name as its metadata; the advice as RetryInfo.
 *
 * Runs on any thread and owns nothing. Written by hand: four small messages.
 *
 * Source: googleapis google/rpc/status.proto, error_details.proto.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/details.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/error_codes.h"
#include "proto/wire.h"

#define DOMAIN "volley"
#define TYPE_PREFIX "type.googleapis.com/google.rpc."
/* Of one detail; codes are constants of less than half of it. */
#define DETAIL_SIZE 512
#define CODE_LEN_MAX 64
#define ENTRY_SIZE (ERROR_NAME_MAX + 32)

/* Field numbers. */
enum { STATUS_CODE = 1, STATUS_MESSAGE = 2, STATUS_DETAILS = 3 };
enum { ANY_TYPE_URL = 1, ANY_VALUE = 2 };
enum { ERROR_INFO_REASON = 1, ERROR_INFO_DOMAIN = 2, ERROR_INFO_METADATA = 3 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum { RETRY_INFO_DELAY = 1 };
enum { DURATION_SECONDS = 1, DURATION_NANOSECONDS = 2 };

static uint8_t *write_bytes(uint8_t *at, uint32_t number, struct str bytes)
{
    at = wire_write_bytes_head(at, number, bytes.len);
    if (bytes.len > 0)
        memcpy(at, bytes.ptr, bytes.len);
    return at + bytes.len;
}

static uint8_t *write_integer(uint8_t *at, uint32_t number, uint64_t value)
{
    if (value == 0)
        return at;
    return wire_write_varint(wire_write_tag(at, number, WIRE_VARINT), value);
}

/* One of Status.details. */
static uint8_t *write_detail(uint8_t *at, struct str type_url, struct str value)
{
    uint8_t any[DETAIL_SIZE + 64];
    uint8_t *end = write_bytes(any, ANY_TYPE_URL, type_url);
    end = write_bytes(end, ANY_VALUE, value);
    assert((size_t)(end - any) <= sizeof(any));
    return write_bytes(at, STATUS_DETAILS, str_make(any, (size_t)(end - any)));
}

/* One entry of ErrorInfo.metadata. */
static uint8_t *write_entry(uint8_t *at, struct str key, struct str value)
{
    uint8_t entry[ENTRY_SIZE];
    uint8_t *end = write_bytes(entry, ENTRY_KEY, key);
    end = write_bytes(end, ENTRY_VALUE, value);
    assert((size_t)(end - entry) <= sizeof(entry));
    return write_bytes(at, ERROR_INFO_METADATA, str_make(entry, (size_t)(end - entry)));
}

static uint8_t *write_number_entry(uint8_t *at, struct str key, int64_t number)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRId64, number);
    return write_entry(at, key, str_make(digits, (size_t)len));
}

/* What SQL knows of the error. */
static uint8_t *write_place(uint8_t *at, const struct error *error)
{
    const char *sqlstate = error_sqlstate(error);
    if (sqlstate)
        at = write_entry(at, STR("sqlstate"), str_of(sqlstate));
    if (error->position >= 0)
        at = write_number_entry(at, STR("position"), error->position);
    if (error->line > 0) {
        at = write_number_entry(at, STR("line"), error->line);
        at = write_number_entry(at, STR("column"), error->column);
    }
    if (error->nearest[0] != '\0')
        at = write_entry(at, STR("nearest"), str_slice(str_of(error->nearest), 0, ERROR_NAME_MAX));
    return at;
}

static uint8_t *write_error_info(uint8_t *at, const struct error *error)
{
    uint8_t message[DETAIL_SIZE];
    uint8_t *end = write_bytes(message, ERROR_INFO_REASON,
                               str_slice(str_of(error_code_name(error)), 0, CODE_LEN_MAX));
    end = write_bytes(end, ERROR_INFO_DOMAIN, STR(DOMAIN));
    end = write_place(end, error);
    assert((size_t)(end - message) <= sizeof(message));
    return write_detail(at, STR(TYPE_PREFIX "ErrorInfo"),
                        str_make(message, (size_t)(end - message)));
}

static uint8_t *write_retry_info(uint8_t *at, uint32_t retry_after_ms)
{
    uint8_t delay[2 * WIRE_VARINT_SIZE_MAX + 2];
    uint8_t *end = write_integer(delay, DURATION_SECONDS, retry_after_ms / 1000);
    end = write_integer(end, DURATION_NANOSECONDS, (uint64_t)(retry_after_ms % 1000) * 1000000);
    uint8_t message[sizeof(delay) + 2];
    uint8_t *message_end =
        write_bytes(message, RETRY_INFO_DELAY, str_make(delay, (size_t)(end - delay)));
    return write_detail(at, STR(TYPE_PREFIX "RetryInfo"),
                        str_make(message, (size_t)(message_end - message)));
}

size_t details_encode(enum status status, const struct error *error, uint8_t out[DETAILS_SIZE])
{
    uint8_t *at = write_integer(out, STATUS_CODE, status);
    at = write_bytes(at, STATUS_MESSAGE, str_slice(str_of(error->message), 0, ERROR_MESSAGE_MAX));
    at = write_error_info(at, error);
    if (error->retry_after_ms > 0)
        at = write_retry_info(at, error->retry_after_ms);
    assert((size_t)(at - out) <= DETAILS_SIZE);
    return (size_t)(at - out);
}
