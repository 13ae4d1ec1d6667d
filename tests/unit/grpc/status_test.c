/*
 * The end of a call in writing: percent-encoding, trailers, their size.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "proto/wire.h"

static int set_up(void **state)
{
    static struct arena arena;
    arena_init(&arena);
    *state = &arena;
    return 0;
}

static int tear_down(void **state)
{
    arena_finish(*state);
    return 0;
}

static struct str encode(struct str message)
{
    static char text[STATUS_MESSAGE_SIZE];
    return str_make(text, status_encode_message(message, text, sizeof(text)));
}

static void test_special_message(void **state)
{
    struct str message = STR("\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP "
                             "\xf0\x9f\x98\x88\t\n");
    struct str text = encode(message);
    assert_true(str_equal(text, STR("%09%0Atest with whitespace%0D%0Aand Unicode BMP %E2%98%BA and "
                                    "non-BMP %F0%9F%98%88%09%0A")));
    assert_true(str_equal(status_decode_message(*state, text), message));
}

static void test_percent_and_limits_of_ascii(void **state)
{
    assert_true(str_equal(encode(STR("100% ~\x7f ")), STR("100%25 ~%7F ")));
    assert_int_equal(encode(STR_EMPTY).len, 0);
}

static void test_invalid_utf8_is_replaced(void **state)
{
    assert_true(str_equal(encode(STR("a\xff"
                                     "b")),
                          STR("a%EF%BF%BDb")));
    assert_true(str_equal(encode(STR("\xc3")), STR("%EF%BF%BD")));
    assert_true(str_equal(encode(STR("\xed\xa0\x80")),
                          STR("%EF%BF%BD%EF%BF%BD%EF%BF%BD"))); /* a surrogate */
}

static void test_cut_on_a_character(void **state)
{
    char out[10];
    assert_int_equal(status_encode_message(STR("a\xe2\x98\xba"), out, 9), 1);
    assert_int_equal(status_encode_message(STR("a\xe2\x98\xba"), out, 10), 10);
    assert_int_equal(status_encode_message(STR("abc"), out, 2), 2);
}

static void test_decode_broken_escapes(void **state)
{
    assert_true(str_equal(status_decode_message(*state, STR("%zz%4%")), STR("%zz%4%")));
    assert_true(
        str_equal(status_decode_message(*state, STR("%41%e2%98%ba")), STR("A\xe2\x98\xba")));
    assert_int_equal(status_decode_message(*state, STR_EMPTY).len, 0);
}

static struct str trailer(const struct status_trailers *trailers, const char *name)
{
    struct http_headers headers = {.items = trailers->items, .count = trailers->count};
    for (size_t i = 0; i < headers.count; i++) {
        if (str_equal(headers.items[i].name, str_of(name)))
            return headers.items[i].value;
    }
    return STR_EMPTY;
}

static void test_trailers_of_success(void **state)
{
    struct metadata metadata = {.count = 0};
    assert_true(metadata_add(&metadata, *state, STR("x-own"), STR("1")));
    struct status_trailers trailers;
    status_write_trailers(&trailers, STATUS_OK, NULL, &metadata);
    assert_int_equal(trailers.count, 2);
    assert_true(str_equal(trailer(&trailers, "grpc-status"), STR("0")));
    assert_true(str_equal(trailer(&trailers, "x-own"), STR("1")));
}

static void test_trailers_of_every_code(void **state)
{
    struct metadata metadata = {.count = 0};
    for (int code = 1; code < STATUS_COUNT; code++) {
        struct error error = ERROR_NONE;
        error_set(&error, (enum status)code, "it is %d", code);
        struct status_trailers trailers;
        status_write_trailers(&trailers, (enum status)code, &error, &metadata);
        uint64_t written;
        assert_true(str_to_u64(trailer(&trailers, "grpc-status"), &written));
        assert_int_equal(written, code);
        assert_int_equal(trailers.count, 5);
        assert_true(trailer(&trailers, "grpc-status-details-bin").len > 0);
        assert_true(trailer(&trailers, "volley-error-code").len > 0);
        assert_int_equal(trailer(&trailers, "volley-sqlstate").len, 5);
    }
}

static void test_trailers_with_advice(void **state)
{
    struct error error = ERROR_NONE;
    error_set_code(&error, STATUS_RESOURCE_EXHAUSTED, "QUEUE_FULL", "later");
    error.retry_after_ms = 1500;
    struct metadata metadata = {.count = 0};
    struct status_trailers trailers;
    status_write_trailers(&trailers, STATUS_RESOURCE_EXHAUSTED, &error, &metadata);
    assert_true(str_equal(trailer(&trailers, "grpc-retry-pushback-ms"), STR("1500")));
    assert_true(str_equal(trailer(&trailers, "volley-error-code"), STR("QUEUE_FULL")));
    assert_true(str_equal(trailer(&trailers, "volley-sqlstate"), STR("53300")));
    assert_true(str_equal(trailer(&trailers, "grpc-message"), STR("later")));
}

/* The bytes field `number` of a message; the `index`-th of them. */
static struct str bytes_field(struct str message, uint32_t number, int index)
{
    struct wire_reader reader = wire_reader_make(message);
    struct wire_field field;
    while (wire_next(&reader, &field)) {
        if (field.number == number && field.type == WIRE_BYTES && index-- == 0)
            return field.bytes;
    }
    assert_false(reader.malformed);
    return STR_EMPTY;
}

static uint64_t integer_field(struct str message, uint32_t number)
{
    struct wire_reader reader = wire_reader_make(message);
    struct wire_field field;
    while (wire_next(&reader, &field)) {
        if (field.number == number && field.type == WIRE_VARINT)
            return field.integer;
    }
    return 0;
}

static struct str details_of(struct arena *arena, const struct error *error)
{
    struct metadata metadata = {.count = 0};
    struct status_trailers trailers;
    status_write_trailers(&trailers, error->status, error, &metadata);
    struct str details;
    assert_true(metadata_decode(arena, trailer(&trailers, "grpc-status-details-bin"), &details));
    return details;
}

/* What ErrorInfo.metadata has under a key. */
static struct str entry_of(struct str info, const char *key)
{
    for (int i = 0;; i++) {
        struct str entry = bytes_field(info, 3, i);
        if (entry.len == 0 || str_equal(bytes_field(entry, 1, 0), str_of(key)))
            return entry.len == 0 ? STR_EMPTY : bytes_field(entry, 2, 0);
    }
}

static void test_details(void **state)
{
    struct error error = ERROR_NONE;
    error_set(&error, STATUS_NOT_FOUND, "no such \xe2\x98\xba");
    struct str details = details_of(*state, &error);
    assert_int_equal(integer_field(details, 1), 5);
    assert_true(str_equal(bytes_field(details, 2, 0), STR("no such \xe2\x98\xba")));
    struct str info = bytes_field(bytes_field(details, 3, 0), 2, 0);
    assert_true(str_equal(bytes_field(info, 1, 0), STR("NOT_FOUND")));
    assert_true(str_equal(entry_of(info, "sqlstate"), STR("42704")));
    assert_int_equal(entry_of(info, "position").len, 0);
    assert_int_equal(bytes_field(details, 3, 1).len, 0);

    error_set_code(&error, STATUS_RESOURCE_EXHAUSTED, "QUEUE_FULL", "later");
    error.retry_after_ms = 61500;
    error.position = 12;
    error.line = 2;
    error.column = 3;
    memcpy(error.nearest, "trades", 7);
    details = details_of(*state, &error);
    assert_int_equal(integer_field(details, 1), 8);
    info = bytes_field(details, 3, 0);
    assert_true(
        str_equal(bytes_field(info, 1, 0), STR("type.googleapis.com/google.rpc.ErrorInfo")));
    info = bytes_field(info, 2, 0);
    assert_true(str_equal(bytes_field(info, 1, 0), STR("QUEUE_FULL")));
    assert_true(str_equal(bytes_field(info, 2, 0), STR("volley")));
    assert_true(str_equal(entry_of(info, "sqlstate"), STR("53300")));
    assert_true(str_equal(entry_of(info, "position"), STR("12")));
    assert_true(str_equal(entry_of(info, "line"), STR("2")));
    assert_true(str_equal(entry_of(info, "column"), STR("3")));
    assert_true(str_equal(entry_of(info, "nearest"), STR("trades")));
    struct str retry = bytes_field(details, 3, 1);
    assert_true(
        str_equal(bytes_field(retry, 1, 0), STR("type.googleapis.com/google.rpc.RetryInfo")));
    struct str delay = bytes_field(bytes_field(retry, 2, 0), 1, 0);
    assert_int_equal(integer_field(delay, 1), 61);
    assert_int_equal(integer_field(delay, 2), 500000000);
}

static void test_details_at_their_largest(void **state)
{
    struct error error = ERROR_NONE;
    char text[ERROR_MESSAGE_MAX];
    memset(text, 'x', sizeof(text));
    char code[200] = {0};
    memset(code, 'C', sizeof(code) - 1);
    error_set_code(&error, STATUS_RESOURCE_EXHAUSTED, code, "%.*s", (int)sizeof(text), text);
    error.retry_after_ms = UINT32_MAX;
    error.position = INT64_MAX;
    error.line = UINT32_MAX;
    error.column = UINT32_MAX;
    memset(error.nearest, 'n', sizeof(error.nearest) - 1);
    struct str details = details_of(*state, &error);
    assert_int_equal(bytes_field(details, 2, 0).len, ERROR_MESSAGE_MAX - 1);
    assert_true(bytes_field(details, 3, 1).len > 0);
}

/* The method's own trailers and the message come first; then the details, whole or not at all. */
static void test_details_give_way(void **state)
{
    struct error error = ERROR_NONE;
    error_set_code(&error, STATUS_INTERNAL, "CODE", "broken");
    struct metadata metadata = {.count = 0};
    char value[METADATA_BYTES_MAX - 200];
    memset(value, 'v', sizeof(value));
    assert_true(metadata_add(&metadata, *state, STR("x"), str_make(value, sizeof(value))));
    struct status_trailers trailers;
    status_write_trailers(&trailers, STATUS_INTERNAL, &error, &metadata);
    assert_int_equal(trailer(&trailers, "grpc-status-details-bin").len, 0);
    assert_true(str_equal(trailer(&trailers, "grpc-message"), STR("broken")));
    /* A method may have details of its own. */
    metadata = (struct metadata){.count = 0};
    assert_true(metadata_add(&metadata, *state, STR("grpc-status-details-bin"), STR("abc")));
    status_write_trailers(&trailers, STATUS_INTERNAL, &error, &metadata);
    assert_true(str_equal(trailer(&trailers, "grpc-status-details-bin"), STR("YWJj")));
    assert_int_equal(trailers.count, 5);
}

static void test_trailers_fit_small_clients(void **state)
{
    struct metadata metadata = {.count = 0};
    char value[300];
    memset(value, 'v', sizeof(value));
    while (metadata_add(&metadata, *state, STR("x"), str_make(value, sizeof(value))))
        ;
    struct error error = ERROR_NONE;
    char message[ERROR_MESSAGE_MAX + 10];
    memset(message, '\n', sizeof(message));
    error_set_code(&error, STATUS_INTERNAL, "CODE", "%.*s", (int)sizeof(message), message);
    error.retry_after_ms = UINT32_MAX;
    struct status_trailers trailers;
    status_write_trailers(&trailers, STATUS_INTERNAL, &error, &metadata);
    size_t bytes = 0;
    for (size_t i = 0; i < trailers.count; i++)
        bytes += trailers.items[i].name.len + trailers.items[i].value.len + 32;
    assert_true(bytes < 8192 - 1024);
    assert_true(str_equal(trailer(&trailers, "grpc-status"), STR("13")));
    assert_true(trailer(&trailers, "x").len > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_special_message, set_up, tear_down),
        cmocka_unit_test(test_percent_and_limits_of_ascii),
        cmocka_unit_test(test_invalid_utf8_is_replaced),
        cmocka_unit_test(test_cut_on_a_character),
        cmocka_unit_test_setup_teardown(test_decode_broken_escapes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trailers_of_success, set_up, tear_down),
        cmocka_unit_test(test_trailers_of_every_code),
        cmocka_unit_test(test_trailers_with_advice),
        cmocka_unit_test_setup_teardown(test_details, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_details_at_their_largest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_details_give_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trailers_fit_small_clients, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
