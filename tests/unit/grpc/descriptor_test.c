/*
 * Descriptors: every kind of symbol is found in its file, imports are there, nothing else is.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/descriptor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static void test_symbols(void **state)
{
    static const struct {
        const char *symbol;
        const char *file; /* NULL: none */
    } cases[] = {
        {"arrow.flight.protocol.FlightService", "Flight.proto"},
        {"arrow.flight.protocol.FlightService.DoGet", "Flight.proto"},
        {"arrow.flight.protocol.FlightDescriptor", "Flight.proto"},
        {"arrow.flight.protocol.FlightDescriptor.DescriptorType", "Flight.proto"},
        {"arrow.flight.protocol.FlightDescriptor.CMD", "Flight.proto"},
        {"arrow.flight.protocol.FlightDescriptor.cmd", "Flight.proto"},
        {"arrow.flight.protocol.sql.CommandGetTables", "FlightSql.proto"},
        {"arrow.flight.protocol.sql.SqlInfo", "FlightSql.proto"},
        {"arrow.flight.protocol.sql.FLIGHT_SQL_SERVER_NAME", "FlightSql.proto"},
        {"google.protobuf.Any", "google/protobuf/any.proto"},
        {"google.protobuf.Timestamp.nanos", "google/protobuf/timestamp.proto"},
        {"google.rpc.Status", "google/rpc/status.proto"},
        {"grpc.health.v1.Health", "grpc/health/v1/health.proto"},
        {"grpc.health.v1.HealthListResponse.StatusesEntry.key", "grpc/health/v1/health.proto"},
        {"grpc.reflection.v1.ServerReflection", "grpc/reflection/v1/reflection.proto"},
        {"grpc.reflection.v1.ServerReflectionRequest.message_request",
         "grpc/reflection/v1/reflection.proto"},
        {"grpc.reflection.v1alpha.ServerReflection", "grpc/reflection/v1alpha/reflection.proto"},
        {"", NULL},
        {".", NULL},
        {"arrow.flight.protocol", NULL},
        {"arrow.flight.protocol.", NULL},
        {"arrow.flight.protocol.FlightServic", NULL},
        {"arrow.flight.protocol.FlightService.", NULL},
        {"arrow.flight.protocol.FlightService.DoGet.x", NULL},
        {"arrow.flight.protocol.sql", NULL},
        {"arrow.flight.protocol.CMD", NULL},
        {"FlightService", NULL},
        {"Arrow.flight.protocol.FlightService", NULL},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const struct proto_file *file = descriptor_file_of(str_of(cases[i].symbol));
        if ((file != NULL) != (cases[i].file != NULL))
            fail_msg("%s: %s", cases[i].symbol, file ? file->name.ptr : "none");
        if (file)
            assert_string_equal(file->name.ptr, cases[i].file);
    }
}

static void test_files_and_their_imports(void **state)
{
    assert_null(descriptor_file_named(STR("protobuf-c/protobuf-c.proto")));
    assert_null(descriptor_file_named(STR("")));
    size_t imports = 0;
    for (size_t i = 0; i < proto_file_count; i++) {
        assert_ptr_equal(descriptor_file_named(proto_files[i].name), &proto_files[i]);
        struct wire_reader reader = wire_reader_make(proto_files[i].bytes);
        struct str name;
        for (; descriptor_next_import(&reader, &name); imports++)
            assert_non_null(descriptor_file_named(name));
        assert_false(reader.malformed);
    }
    assert_true(imports >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_symbols),
        cmocka_unit_test(test_files_and_their_imports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
