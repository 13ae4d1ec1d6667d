/*
 * Generated messages in and out: round trips, Any, and what unpacking refuses.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "proto/flight.h"
#include "proto/flight_sql.h"

struct fixture {
    struct arena arena;
    struct error error;
};

static int set_up(void **state)
{
    struct fixture *fixture = NEW(struct fixture);
    arena_init(&fixture->arena);
    fixture->error = ERROR_NONE;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    arena_finish(&fixture->arena);
    free(fixture);
    return 0;
}

static void test_flight_info_round_trip(void **state)
{
    struct fixture *fixture = *state;
    Flight__Ticket ticket = FLIGHT__TICKET__INIT;
    ticket.ticket = proto_binary(STR("t\0cket"));
    Google__Timestamp expires = GOOGLE__TIMESTAMP__INIT;
    expires.seconds = 1790000000;
    expires.nanos = 5;
    Flight__FlightEndpoint endpoint = FLIGHT__FLIGHT_ENDPOINT__INIT;
    endpoint.ticket = &ticket;
    endpoint.expiration_time = &expires;
    Flight__FlightEndpoint *endpoints[] = {&endpoint, &endpoint};
    Flight__FlightInfo info = FLIGHT__FLIGHT_INFO__INIT;
    info.schema = proto_binary(STR("schema"));
    info.n_endpoint = 2;
    info.endpoint = endpoints;
    info.total_records = -1;
    info.total_bytes = INT64_MAX;
    info.ordered = true;

    CLEANUP(slice_finish) struct slice packed = proto_pack(&info);
    Flight__FlightInfo *copy;
    assert_int_equal(proto_unpack(&fixture->arena, &flight__flight_info__descriptor, packed, &copy,
                                  &fixture->error),
                     STATUS_OK);
    assert_true(str_equal(proto_bytes(copy->schema), STR("schema")));
    assert_int_equal(copy->n_endpoint, 2);
    assert_true(str_equal(proto_bytes(copy->endpoint[1]->ticket->ticket), STR("t\0cket")));
    assert_int_equal(copy->endpoint[0]->expiration_time->seconds, 1790000000);
    assert_int_equal(copy->total_records, -1);
    assert_true(copy->total_bytes == INT64_MAX);
    assert_true(copy->ordered);
    assert_null(copy->flight_descriptor);
}

static void test_known_bytes(void **state)
{
    struct fixture *fixture = *state;
    /* What Google's implementation writes for GetTables{catalog: "", table_types: ["TABLE"],
     * include_schema: true}: an optional field that is present and empty stays present. */
    static const char bytes[] = "\x0a\x00\x22\x05TABLE\x28\x01";
    struct slice packed = slice_make(bytes, sizeof(bytes) - 1, NULL);
    Sql__CommandGetTables *command;
    assert_int_equal(proto_unpack(&fixture->arena, &sql__command_get_tables__descriptor, packed,
                                  &command, &fixture->error),
                     STATUS_OK);
    assert_non_null(command->catalog);
    assert_string_equal(command->catalog, "");
    assert_null(command->db_schema_filter_pattern);
    assert_string_equal(command->table_types[0], "TABLE");
    assert_true(command->include_schema);
    CLEANUP(slice_finish) struct slice again = proto_pack(command);
    assert_int_equal(again.len, packed.len);
    assert_memory_equal(again.ptr, packed.ptr, packed.len);
}

static void test_packed_and_unpacked_numbers(void **state)
{
    struct fixture *fixture = *state;
    static const char packed[] = "\x0a\x03\x00\xf4\x03";
    static const char unpacked[] = "\x08\x00\x08\xf4\x03";
    struct slice forms[] = {slice_make(packed, sizeof(packed) - 1, NULL),
                            slice_make(unpacked, sizeof(unpacked) - 1, NULL)};
    for (size_t i = 0; i < ARRAY_COUNT(forms); i++) {
        Sql__CommandGetSqlInfo *command;
        assert_int_equal(proto_unpack(&fixture->arena, &sql__command_get_sql_info__descriptor,
                                      forms[i], &command, &fixture->error),
                         STATUS_OK);
        assert_int_equal(command->n_info, 2);
        assert_int_equal(command->info[1], SQL__SQL_INFO__SQL_DDL_CATALOG);
    }
}

static void test_session_options_map(void **state)
{
    struct fixture *fixture = *state;
    Flight__SessionOptionValue value = FLIGHT__SESSION_OPTION_VALUE__INIT;
    value.option_value_case = FLIGHT__SESSION_OPTION_VALUE__OPTION_VALUE_INT64_VALUE;
    value.int64_value = -2;
    Flight__SetSessionOptionsRequest__SessionOptionsEntry entry =
        FLIGHT__SET_SESSION_OPTIONS_REQUEST__SESSION_OPTIONS_ENTRY__INIT;
    entry.key = (char *)"timeout";
    entry.value = &value;
    Flight__SetSessionOptionsRequest__SessionOptionsEntry *entries[] = {&entry};
    Flight__SetSessionOptionsRequest request = FLIGHT__SET_SESSION_OPTIONS_REQUEST__INIT;
    request.n_session_options = 1;
    request.session_options = entries;
    CLEANUP(slice_finish) struct slice packed = proto_pack(&request);
    Flight__SetSessionOptionsRequest *copy;
    assert_int_equal(proto_unpack(&fixture->arena, &flight__set_session_options_request__descriptor,
                                  packed, &copy, &fixture->error),
                     STATUS_OK);
    assert_string_equal(copy->session_options[0]->key, "timeout");
    assert_int_equal(copy->session_options[0]->value->int64_value, -2);
}

static void assert_unpack_fails(struct fixture *fixture, const ProtobufCMessageDescriptor *type,
                                struct str bytes, const char *expected)
{
    void *message = NULL;
    assert_int_equal(
        proto_unpack(&fixture->arena, type, slice_of_str(bytes), &message, &fixture->error),
        STATUS_INVALID_ARGUMENT);
    assert_null(message);
    assert_non_null(strstr(fixture->error.message, expected));
}

static void test_unpack_refuses(void **state)
{
    struct fixture *fixture = *state;
    assert_unpack_fails(fixture, &flight__ticket__descriptor, STR("\x0a\x05xx"),
                        "malformed arrow.flight.protocol.Ticket message");
    assert_unpack_fails(fixture, &flight__ticket__descriptor, STR("\x08\x01"),
                        "arrow.flight.protocol.Ticket");
    assert_unpack_fails(fixture, &sql__command_statement_query__descriptor,
                        STR("\x0a\x03"
                            "a\0b"),
                        "CommandStatementQuery.query holds a zero byte");
    assert_unpack_fails(fixture, &sql__command_statement_query__descriptor, STR("\x0a\x02\xc3\x28"),
                        "CommandStatementQuery.query is not valid UTF-8");
    /* A fault inside a nested message is found and named. */
    assert_unpack_fails(fixture, &flight__flight_info__descriptor, STR("\x12\x03\x1a\x01\xff"),
                        "FlightDescriptor.path is not valid UTF-8");
}

static void test_unpack_bounds_memory(void **state)
{
    struct fixture *fixture = *state;
    /* A million empty endpoints in 2 MB would become some 100 MB of structs. */
    struct buffer *bytes = buffer_create((size_t)2 << 20);
    for (size_t i = 0; i < bytes->size; i += 2) {
        bytes->data[i] = 0x1a;
        bytes->data[i + 1] = 0;
    }
    CLEANUP(slice_finish) struct slice packed = slice_make(bytes->data, bytes->size, bytes);
    Flight__FlightInfo *info;
    assert_int_equal(proto_unpack(&fixture->arena, &flight__flight_info__descriptor, packed, &info,
                                  &fixture->error),
                     STATUS_INVALID_ARGUMENT);
}

static void test_unpack_bounds_size(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t byte = 0;
    Flight__Ticket *ticket;
    assert_int_equal(proto_unpack(&fixture->arena, &flight__ticket__descriptor,
                                  slice_make(&byte, PROTO_MESSAGE_BYTES_MAX + 1, NULL), &ticket,
                                  &fixture->error),
                     STATUS_INVALID_ARGUMENT);
}

static void test_any(void **state)
{
    struct fixture *fixture = *state;
    Sql__CommandStatementQuery command = SQL__COMMAND_STATEMENT_QUERY__INIT;
    command.query = (char *)"SELECT 1";
    CLEANUP(slice_finish) struct slice packed = proto_any_pack(&command);
    assert_true(proto_any_is(packed, STR("arrow.flight.protocol.sql.")));
    assert_false(proto_any_is(packed, STR("arrow.flight.protocol.sql.CommandGet")));
    struct str name;
    struct slice value;
    assert_int_equal(proto_any_parse(packed, &name, &value, &fixture->error), STATUS_OK);
    assert_true(str_equal(name, STR("arrow.flight.protocol.sql.CommandStatementQuery")));
    Sql__CommandStatementQuery *copy;
    assert_int_equal(proto_unpack(&fixture->arena, &sql__command_statement_query__descriptor, value,
                                  &copy, &fixture->error),
                     STATUS_OK);
    assert_string_equal(copy->query, "SELECT 1");
    assert_int_equal(copy->transaction_id_presence_case, 0);
    /* The generated Any reads it too. */
    Google__Any *any;
    assert_int_equal(
        proto_unpack(&fixture->arena, &google__any__descriptor, packed, &any, &fixture->error),
        STATUS_OK);
    assert_string_equal(any->type_url,
                        "type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery");
}

static void test_any_refuses(void **state)
{
    struct fixture *fixture = *state;
    static const struct str wrong[] = {
        {.ptr = "SELECT 1", .len = 8},          {.ptr = "", .len = 0},
        {.ptr = "\x0a\x04name", .len = 6},      /* no slash */
        {.ptr = "\x12\x01x", .len = 3},         /* no type_url */
        {.ptr = "\x0a\x03/\xff\xff", .len = 5}, /* not UTF-8 */
        {.ptr = "\x08\x01", .len = 2},          /* type_url as a number */
        {.ptr = "\x0a\x05t/name", .len = 8},    /* trailing bytes that are no field */
    };
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        struct str name;
        struct slice value;
        assert_int_equal(proto_any_parse(slice_of_str(wrong[i]), &name, &value, &fixture->error),
                         STATUS_INVALID_ARGUMENT);
        assert_false(proto_any_is(slice_of_str(wrong[i]), STR("arrow.")));
    }
}

static void test_append(void **state)
{
    CLEANUP(slices_finish) struct slices out;
    slices_init(&out);
    Flight__Empty nothing = FLIGHT__EMPTY__INIT;
    proto_append(&out, &nothing);
    assert_int_equal(out.bytes, 0);
    static char large[2000];
    memset(large, 'x', sizeof(large));
    Flight__Ticket ticket = FLIGHT__TICKET__INIT;
    ticket.ticket = proto_binary(str_make(large, 10));
    proto_append(&out, &ticket);
    assert_int_equal(out.bytes, 12);
    ticket.ticket = proto_binary(str_make(large, sizeof(large)));
    proto_append(&out, &ticket);
    assert_int_equal(out.bytes, 12 + 2003);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_flight_info_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_known_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_packed_and_unpacked_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_session_options_map, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unpack_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unpack_bounds_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unpack_bounds_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any_refuses, set_up, tear_down),
        cmocka_unit_test(test_append),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
