/*
 * target_test.c — what descriptors and tickets mean.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "flight/target.h"
#include "proto/flight.h"
#include "proto/flight_sql.h"
#include "store/name.h"

#define ID "0b0e7a4e-6f0f-4b8e-9a3e-5a6d2f1c7e11"

struct fixture {
    struct arena arena;
    struct target target;
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

static enum status read_as(struct fixture *fixture, const char *text, enum target_use use)
{
    return target_of_command(&fixture->arena, slice_of_str(str_of(text)), use, &fixture->target,
                             &fixture->error);
}

static const struct target *read_text(struct fixture *fixture, const char *text)
{
    if (read_as(fixture, text, TARGET_TO_READ) != STATUS_OK)
        fail_msg("%s: %s", text, fixture->error.message);
    return &fixture->target;
}

static void assert_text(struct str text, const char *expected)
{
    if (!str_equal(text, str_of(expected)))
        fail_msg("'%.*s' instead of '%s'", STR_ARGS(text), expected);
}

static enum status read_path(struct fixture *fixture, size_t count, const char **elements)
{
    Flight__FlightDescriptor descriptor = FLIGHT__FLIGHT_DESCRIPTOR__INIT;
    descriptor.type = FLIGHT__FLIGHT_DESCRIPTOR__DESCRIPTOR_TYPE__PATH;
    descriptor.n_path = count;
    descriptor.path = (char **)elements;
    CLEANUP(slice_finish) struct slice message = proto_pack(&descriptor);
    return target_of_descriptor(&fixture->arena, message, TARGET_TO_READ, &fixture->target,
                                &fixture->error);
}

static void tells_names_from_sql(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {ID,
                                        "market_data",
                                        "market_data/AAPL",
                                        ID ".out",
                                        "a/b%2Fc/d",
                                        "donn\xc3\xa9"
                                        "es/\xc3\xa9t\xc3\xa9",
                                        "SELECT",
                                        "2026-11-21",
                                        "user@host:5",
                                        "beginning"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        const struct target *target = read_text(fixture, names[i]);
        assert_int_equal(target->kind, TARGET_DATASET);
        assert_text(target->name, names[i]);
        assert_true(target->part.limit == UINT64_MAX);
    }
    static const char *const statements[] = {
        "SELECT 1",   "FROM t",          "COMMIT", "begin", "SELECT(1)", "VACUUM;",
        "CHECKPOINT", "SELECT\n*FROM t", "'a'",    "\"t\"", "a=b"};
    for (size_t i = 0; i < ARRAY_COUNT(statements); i++) {
        const struct target *target = read_text(fixture, statements[i]);
        assert_int_equal(target->kind, TARGET_SQL);
        assert_text(target->sql, statements[i]);
    }
    assert_int_equal(read_text(fixture, " store\n")->kind, TARGET_STORE);
    assert_text(read_text(fixture, "batch/x.out")->id, "x.out");
    assert_text(read_text(fixture, "batch/x/y")->name, "batch/x/y");
}

static void tells_commands(void **state)
{
    struct fixture *fixture = *state;
    Sql__CommandStatementQuery query = SQL__COMMAND_STATEMENT_QUERY__INIT;
    query.query = (char *)"SELECT 1";
    CLEANUP(slice_finish) struct slice any = proto_any_pack(&query);
    assert_int_equal(
        target_of_command(&fixture->arena, any, TARGET_TO_READ, &fixture->target, &fixture->error),
        STATUS_OK);
    assert_int_equal(fixture->target.kind, TARGET_COMMAND);
    assert_ptr_equal(fixture->target.command.ptr, any.ptr);
}

static void reads_json_to_read(void **state)
{
    struct fixture *fixture = *state;
    const struct target *target = read_text(
        fixture, "{\"path\":[\"a\",\"b/c\"],\"columns\":[\"x\",\"y\"],\"from\":5,\"limit\":0}");
    assert_int_equal(target->kind, TARGET_DATASET);
    assert_text(target->path, "a/b%2Fc");
    assert_int_equal(target->part.column_count, 2);
    assert_text(target->part.columns[1], "y");
    assert_int_equal(target->part.from, 5);
    assert_int_equal(target->part.limit, 0);
    assert_text(read_text(fixture, "{\"path\":\"a/b\"}")->name, "a/b");
    assert_text(read_text(fixture, "{\"path\":[\"batch\",\"" ID "\"]}")->id, ID);
    target = read_text(fixture, "{\"sql\":\"SELECT 1\",\"limit\":3}");
    assert_int_equal(target->kind, TARGET_SQL);
    assert_text(target->sql, "SELECT 1");
    assert_int_equal(target->part.limit, 3);
}

static void reads_json_to_put(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        read_as(fixture, "{\"path\":\"a/b\",\"mode\":\"replace\",\"ttl\":\"1m\"}", TARGET_TO_PUT),
        STATUS_OK);
    assert_text(fixture->target.name, "a/b");
    assert_int_equal(fixture->target.wishes.mode, PUT_REPLACE);
    assert_int_equal(fixture->target.wishes.ttl_ms, 60000);
    assert_int_equal(read_as(fixture, "{\"path\":\"a\",\"from\":1}", TARGET_TO_PUT),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(read_as(fixture, "{\"sql\":\"SELECT 1\"}", TARGET_TO_PUT),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(read_as(fixture, "{\"path\":\"a\",\"mode\":\"append\"}", TARGET_TO_READ),
                     STATUS_INVALID_ARGUMENT);
}

static void refuses_what_means_nothing(void **state)
{
    struct fixture *fixture = *state;
    static const char *const texts[] = {
        "",
        "  \n",
        "\nB",
        "\nBt",
        "\nBtype.googleapis.com",
        "\nBtype.googleapis.com/arrow",
        "\xff\xfe",
        "{",
        "{}",
        "{\"path\":1}",
        "{\"path\":[]}",
        "{\"path\":[1]}",
        "{\"path\":\"\"}",
        "{\"path\":[\"\"]}",
        "{\"path\":\"a\",\"sql\":\"SELECT 1\"}",
        "{\"path\":\"a\",\"columns\":[]}",
        "{\"path\":\"a\",\"columns\":\"x\"}",
        "{\"path\":\"a\",\"columns\":[1]}",
        "{\"path\":\"a\",\"from\":-1}",
        "{\"path\":\"a\",\"limit\":1.5}",
        "{\"path\":\"a\",\"where\":\"x\"}",
        "batch/",
        "batch/.input-1",
        "batch/a:b",
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        if (read_as(fixture, texts[i], TARGET_TO_READ) != STATUS_INVALID_ARGUMENT)
            fail_msg("'%s' was taken", texts[i]);
    }
}

static void reads_paths(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(read_path(fixture, 2, (const char *[]){"a b", "c/d"}), STATUS_OK);
    assert_text(fixture->target.path, "a b/c%2Fd");
    assert_int_equal(read_path(fixture, 2, (const char *[]){"batch", "x.out"}), STATUS_OK);
    assert_text(fixture->target.id, "x.out");
    assert_int_equal(read_path(fixture, 3, (const char *[]){"batch", "x", "y"}), STATUS_OK);
    assert_text(fixture->target.path, "batch/x/y");

    assert_int_equal(read_path(fixture, 0, NULL), STATUS_INVALID_ARGUMENT);
    assert_string_equal(fixture->error.message, "Missing path");
    assert_int_equal(read_path(fixture, 1, (const char *[]){""}), STATUS_INVALID_ARGUMENT);
    assert_int_equal(read_path(fixture, 2, (const char *[]){"batch", ".x"}),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(read_path(fixture, 2, (const char *[]){"batch", "a b"}),
                     STATUS_INVALID_ARGUMENT);
}

static void knows_uuids(void **state)
{
    assert_true(dataset_id_is_uuid(STR(ID)));
    assert_false(dataset_id_is_uuid(STR(ID "0")));
    assert_false(dataset_id_is_uuid(STR("0b0e7a4e-6f0f-4b8e-9a3e-5a6d2f1c7e1")));
    assert_false(dataset_id_is_uuid(STR("0b0e7a4e-6f0f-4b8e-9a3e-5a6d2f1c7e1g")));
    assert_false(dataset_id_is_uuid(STR("0b0e7a4e06f0f-4b8e-9a3e-5a6d2f1c7e11")));
    assert_false(dataset_id_is_uuid(STR_EMPTY));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tells_names_from_sql),
        TEST(tells_commands),
        TEST(reads_json_to_read),
        TEST(reads_json_to_put),
        TEST(refuses_what_means_nothing),
        TEST(reads_paths),
        TEST(knows_uuids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
