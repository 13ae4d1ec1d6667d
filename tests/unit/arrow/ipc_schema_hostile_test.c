/*
 * ipc_schema_hostile_test.c — Schema messages that our own writer would never make.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arrow/flat_writer.h"
#include "arrow/ipc.h"
#include "arrow/ipc_format.h"
#include "base/memory.h"
#include "raw_schema.h"
#include "sample.h"

#define REFUSED STATUS_INVALID_ARGUMENT
#define FIELD(...) decode_field((struct raw_field){.name = "x", __VA_ARGS__})

static void messages_are_checked(void **state)
{
    struct raw_schema schema = schema_of(&byte_field, 1);
    assert_int_equal(raw_schema_decode(&schema), STATUS_OK);
    schema.version = IPC_VERSION_V4;
    assert_int_equal(raw_schema_decode(&schema), STATUS_OK);
    static const int64_t versions[] = {0, 1, 2, 5, -1};
    for (size_t i = 0; i < ARRAY_COUNT(versions); i++) {
        schema.version = versions[i];
        assert_int_equal(raw_schema_decode(&schema), STATUS_UNIMPLEMENTED);
    }
    schema.version = IPC_VERSION_V5;
    static const uint8_t kinds[] = {0, IPC_KIND_TENSOR, 5, 255};
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        schema.kind = kinds[i];
        assert_int_equal(raw_schema_decode(&schema), STATUS_UNIMPLEMENTED);
    }
    schema.kind = IPC_KIND_SCHEMA;
    schema.no_fields = true;
    assert_int_equal(raw_schema_decode(&schema), REFUSED);
    schema.no_fields = false;
    schema.no_header = true;
    assert_int_equal(raw_schema_decode(&schema), REFUSED);
}

static void big_endian_is_refused(void **state)
{
    struct raw_schema schema = schema_of(&byte_field, 1);
    struct error error = ERROR_NONE;
    schema.endianness = 1;
    assert_int_equal(raw_schema_explain(&schema, &error), STATUS_UNIMPLEMENTED);
    assert_string_equal(error.message,
                        "Arrow schema: its data is big-endian; only little-endian is taken");
}

static void types_are_checked(void **state)
{
    assert_int_equal(FIELD(.kind = ARROW_UTF8), STATUS_OK);
    assert_int_equal(FIELD(.kind = ARROW_UTF8, .no_children = true), STATUS_OK);
    assert_int_equal(FIELD(.kind = 0), REFUSED);
    assert_int_equal(FIELD(.kind = 27), REFUSED);
    assert_int_equal(FIELD(.kind = 255), REFUSED);
    assert_int_equal(FIELD(.kind = ARROW_UTF8, .no_type = true), REFUSED);
    assert_int_equal(FIELD(.kind = ARROW_BINARY_VIEW), STATUS_OK);
    assert_int_equal(FIELD(.kind = ARROW_UTF8_VIEW), STATUS_OK);
}

static void parameters_are_checked(void **state)
{
    /* Absent parameters have their defaults: Int 0 bits, Time ms in 32, Timestamp s. */
    assert_int_equal(FIELD(.kind = ARROW_INT), REFUSED);
    assert_int_equal(FIELD(.kind = ARROW_INT, .scalar_sizes = {4}, .scalars = {7}), REFUSED);
    assert_int_equal(FIELD(.kind = ARROW_INT, .scalar_sizes = {4}, .scalars = {128}), REFUSED);
    assert_int_equal(FIELD(.kind = ARROW_FLOAT), STATUS_OK);
    assert_int_equal(FIELD(.kind = ARROW_FLOAT, .scalar_sizes = {2}, .scalars = {3}), REFUSED);
    assert_int_equal(FIELD(.kind = ARROW_TIME), STATUS_OK);
    assert_int_equal(FIELD(.kind = ARROW_TIME, .scalar_sizes = {2, 4}, .scalars = {3, 32}),
                     REFUSED);
    assert_int_equal(FIELD(.kind = ARROW_TIME, .scalar_sizes = {2, 4}, .scalars = {4, 64}),
                     REFUSED);
    assert_int_equal(FIELD(.kind = ARROW_TIMESTAMP, .scalar_sizes = {2}, .scalars = {-1}), REFUSED);
    assert_int_equal(FIELD(.kind = ARROW_DATE, .scalar_sizes = {2}, .scalars = {2}), REFUSED);
    assert_int_equal(FIELD(.kind = ARROW_DURATION, .scalar_sizes = {2}, .scalars = {4}), REFUSED);
    assert_int_equal(FIELD(.kind = ARROW_INTERVAL, .scalar_sizes = {2}, .scalars = {3}), REFUSED);
    assert_int_equal(FIELD(.kind = ARROW_FIXED_BINARY, .scalar_sizes = {4}, .scalars = {-1}),
                     REFUSED);
    assert_int_equal(FIELD(.kind = ARROW_FIXED_LIST, .scalar_sizes = {4}, .scalars = {-1},
                           .children = &byte_field, .child_count = 1),
                     REFUSED);
}

static void decimals_are_checked(void **state)
{
    static const struct {
        int64_t precision;
        int64_t scale;
        int64_t bit_width;
        enum status status;
    } rows[] = {{38, 38, 128, STATUS_OK},     {76, 0, 256, STATUS_OK}, {9, -76, 32, STATUS_OK},
                {0, 0, 128, REFUSED},         {39, 0, 128, REFUSED},   {77, 0, 256, REFUSED},
                {10, 0, 32, REFUSED},         {19, 0, 64, REFUSED},    {10, 77, 128, REFUSED},
                {10, -77, 128, REFUSED},      {10, 0, 100, REFUSED},   {-1, 0, 128, REFUSED},
                {10, INT32_MIN, 128, REFUSED}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_int_equal(FIELD(.kind = ARROW_DECIMAL, .scalar_sizes = {4, 4, 4},
                               .scalars = {rows[i].precision, rows[i].scale, rows[i].bit_width}),
                         rows[i].status);
    }
}

static void children_are_counted(void **state)
{
    const struct raw_field two[] = {byte_field, byte_field};
    static const uint8_t lists[] = {ARROW_LIST, ARROW_LARGE_LIST, ARROW_FIXED_LIST, ARROW_LIST_VIEW,
                                    ARROW_LARGE_LIST_VIEW};
    for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
        assert_int_equal(FIELD(.kind = lists[i], .children = two, .child_count = 1), STATUS_OK);
        assert_int_equal(FIELD(.kind = lists[i], .children = two, .child_count = 2), REFUSED);
        assert_int_equal(FIELD(.kind = lists[i]), REFUSED);
        assert_int_equal(FIELD(.kind = lists[i], .no_children = true), REFUSED);
    }
    assert_int_equal(FIELD(.kind = ARROW_UTF8, .children = two, .child_count = 1), REFUSED);
    assert_int_equal(FIELD(.kind = ARROW_UTF8_VIEW, .children = two, .child_count = 1), REFUSED);
    assert_int_equal(FIELD(.kind = ARROW_STRUCT), STATUS_OK);
    const struct raw_field one = {
        .name = "e", .kind = ARROW_STRUCT, .children = two, .child_count = 1};
    const struct raw_field pair = {
        .name = "e", .kind = ARROW_STRUCT, .children = two, .child_count = 2};
    assert_int_equal(FIELD(.kind = ARROW_MAP, .children = two, .child_count = 1), REFUSED);
    assert_int_equal(FIELD(.kind = ARROW_MAP, .children = &one, .child_count = 1), REFUSED);
    assert_int_equal(FIELD(.kind = ARROW_MAP, .children = &pair, .child_count = 1), STATUS_OK);
    assert_int_equal(FIELD(.kind = ARROW_MAP), REFUSED);
}

/* Run ends of a kind and width, with a number of children. */
static enum status decode_runs(uint8_t kind, int64_t width, int64_t is_signed, size_t child_count,
                               bool is_dictionary)
{
    const struct raw_field children[] = {{.name = "run_ends",
                                          .kind = kind,
                                          .scalar_sizes = {4, 1},
                                          .scalars = {width, is_signed},
                                          .is_dictionary = is_dictionary},
                                         byte_field,
                                         byte_field};
    return FIELD(.kind = ARROW_RUN_END_ENCODED, .children = children, .child_count = child_count);
}

static void run_ends_are_integers(void **state)
{
    assert_int_equal(decode_runs(ARROW_INT, 16, 1, 2, false), STATUS_OK);
    assert_int_equal(decode_runs(ARROW_INT, 32, 1, 2, false), STATUS_OK);
    assert_int_equal(decode_runs(ARROW_INT, 64, 1, 2, false), STATUS_OK);
    assert_int_equal(decode_runs(ARROW_INT, 8, 1, 2, false), REFUSED);
    assert_int_equal(decode_runs(ARROW_INT, 32, 0, 2, false), REFUSED);
    assert_int_equal(decode_runs(ARROW_INT, 32, 1, 2, true), REFUSED);
    assert_int_equal(decode_runs(ARROW_DATE, 0, 0, 2, false), REFUSED);
    assert_int_equal(decode_runs(ARROW_INT, 32, 1, 0, false), REFUSED);
    assert_int_equal(decode_runs(ARROW_INT, 32, 1, 1, false), REFUSED);
    assert_int_equal(decode_runs(ARROW_INT, 32, 1, 3, false), REFUSED);
}

static void unions_are_checked(void **state)
{
    static struct raw_field many[128];
    for (size_t i = 0; i < ARRAY_COUNT(many); i++)
        many[i] = byte_field;
    static const int32_t good[] = {3, 0};
    static const int32_t same[] = {3, 3};
    static const int32_t far[] = {3, 128};
    static const int32_t negative[] = {-1, 0};
    assert_int_equal(FIELD(.kind = ARROW_UNION), STATUS_OK);
    assert_int_equal(FIELD(.kind = ARROW_UNION, .children = many, .child_count = 127), STATUS_OK);
    assert_int_equal(FIELD(.kind = ARROW_UNION, .children = many, .child_count = 128), REFUSED);
#define UNION(ids, count)                                                                          \
    FIELD(.kind = ARROW_UNION, .children = many, .child_count = 2, .type_ids = (ids),              \
          .type_id_count = (count))
    assert_int_equal(UNION(good, 2), STATUS_OK);
    assert_int_equal(UNION(good, 1), REFUSED);
    assert_int_equal(UNION(same, 2), REFUSED);
    assert_int_equal(UNION(far, 2), REFUSED);
    assert_int_equal(UNION(negative, 2), REFUSED);
    assert_int_equal(FIELD(.kind = ARROW_UNION, .scalars = {2}), REFUSED);
}

static void names_are_utf8(void **state)
{
    assert_int_equal(FIELD(.kind = ARROW_UTF8), STATUS_OK);
    assert_int_equal(decode_field((struct raw_field){.kind = ARROW_UTF8}), STATUS_OK);
    assert_int_equal(decode_field((struct raw_field){.name = "\xFF", .kind = ARROW_UTF8}), REFUSED);
    assert_int_equal(
        decode_field((struct raw_field){.name = "a\0b", .name_size = 3, .kind = ARROW_UTF8}),
        STATUS_OK);
}

/* Taken as it is, and not repeated as a whole in what is said about it. */
static void long_names_are_cut_in_errors(void **state)
{
    const size_t size = (size_t)1 << 20;
    char *name = memory_new(size + 1);
    memset(name, 'n', size);
    struct raw_field field = {.name = name, .kind = ARROW_UTF8};
    assert_int_equal(decode_field(field), STATUS_OK);
    field.kind = ARROW_INT;
    struct raw_schema schema = schema_of(&field, 1);
    struct error error = ERROR_NONE;
    assert_int_equal(raw_schema_explain(&schema, &error), REFUSED);
    assert_true(strlen(error.message) < 200);
    assert_non_null(strstr(error.message, "bits wide"));
    free(name);
}

static void metadata_is_limited(void **state)
{
    assert_int_equal(FIELD(.kind = ARROW_UTF8, .pair_count = 3), STATUS_OK);
    assert_int_equal(FIELD(.kind = ARROW_UTF8, .pair_count = 10001), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(FIELD(.kind = ARROW_UTF8, .pair_count = 1000000), STATUS_RESOURCE_EXHAUSTED);
    /* All of them one table: text and tables may not be told over and over. */
    assert_int_not_equal(FIELD(.kind = ARROW_UTF8, .pair_count = 10000), STATUS_OK);
    /* What an extension says of itself is kept, not read. */
    char *deep = memory_new(10000);
    memset(deep, '[', 10000);
    assert_int_equal(
        FIELD(.kind = ARROW_UTF8, .pair_count = 1, .pair_value = str_make(deep, 10000)), STATUS_OK);
    free(deep);
}

static enum status decode_depth(size_t depth)
{
    static struct raw_field levels[400];
    assert_true(depth <= ARRAY_COUNT(levels));
    for (size_t i = 0; i < depth; i++) {
        levels[i] = (struct raw_field){.name = "l", .kind = ARROW_LIST, .child_count = 1};
        levels[i].children = &levels[i + 1];
    }
    levels[depth - 1] = byte_field;
    struct raw_schema schema = schema_of(levels, 1);
    return raw_schema_decode(&schema);
}

static void depth_is_limited(void **state)
{
    assert_int_equal(decode_depth(ARROW_DEPTH_MAX), STATUS_OK);
    assert_int_equal(decode_depth(ARROW_DEPTH_MAX + 1), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(decode_depth(400), STATUS_RESOURCE_EXHAUSTED);
}

static void fields_are_limited(void **state)
{
    struct raw_field *fields = NEW_ARRAY(struct raw_field, ARROW_FIELDS_MAX + 1);
    for (size_t i = 0; i <= ARROW_FIELDS_MAX; i++)
        fields[i] = byte_field;
    struct raw_schema schema = schema_of(fields, ARROW_FIELDS_MAX);
    assert_int_equal(raw_schema_decode(&schema), STATUS_OK);
    schema.field_count++;
    assert_int_equal(raw_schema_decode(&schema), STATUS_RESOURCE_EXHAUSTED);
    /* Half at the top, half in one struct, one too many in all. */
    const struct raw_field parts[] = {
        {.name = "a", .kind = ARROW_STRUCT, .children = fields, .child_count = 5000},
        {.name = "b", .kind = ARROW_STRUCT, .children = fields, .child_count = 4999}};
    schema = schema_of(parts, 2);
    assert_int_equal(raw_schema_decode(&schema), STATUS_RESOURCE_EXHAUSTED);
    free(fields);
}

/* One table that 10,000 references share, with 10,000 references of its own. */
static void shared_tables_do_not_multiply(void **state)
{
    static const uint8_t message_slots[] = {2, 1, 4, 8};
    static const uint8_t schema_slots[] = {2, 4};
    static const uint8_t field_slots[] = {4, 1, 1, 4, 0, 4};
    CLEANUP(flat_writer_finish) struct flat_writer writer;
    flat_writer_init(&writer);
    size_t message = flat_writer_table(&writer, message_slots, 4);
    flat_writer_set(&writer, message, IPC_MESSAGE_VERSION, 2, IPC_VERSION_V5);
    flat_writer_set(&writer, message, IPC_MESSAGE_KIND, 1, IPC_KIND_SCHEMA);
    size_t table = flat_writer_table(&writer, schema_slots, 2);
    flat_writer_point_table(&writer, message, IPC_MESSAGE_HEADER, table);
    size_t parent = table;
    size_t slot = IPC_SCHEMA_FIELDS;
    for (size_t level = 0; level < 60; level++) {
        flat_writer_point(&writer, parent, slot);
        size_t first = flat_writer_references(&writer, 10);
        size_t field = flat_writer_table(&writer, field_slots, sizeof(field_slots));
        for (size_t i = 0; i < 10; i++)
            flat_writer_point_element(&writer, first, i, field);
        flat_writer_set(&writer, field, IPC_FIELD_TYPE_KIND, 1, ARROW_STRUCT);
        flat_writer_point(&writer, field, IPC_FIELD_NAME);
        flat_writer_string(&writer, STR("a name"));
        flat_writer_point_table(&writer, field, IPC_FIELD_TYPE,
                                flat_writer_table(&writer, NULL, 0));
        parent = field;
        slot = IPC_FIELD_CHILDREN;
    }
    flat_writer_point(&writer, parent, slot);
    flat_writer_references(&writer, 0);
    CLEANUP(ipc_decoder_destroy)
    struct ipc_decoder *decoder = ipc_decoder_create(&ipc_limits_default);
    struct arrow_batch *batch = NULL;
    struct slice bytes = slice_make(writer.bytes.ptr, writer.bytes.len, NULL);
    assert_int_not_equal(ipc_decode(decoder, bytes, SLICE_EMPTY, &batch, NULL), STATUS_OK);
}

static void flipped_and_cut_schemas_do_no_harm(void **state)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    size_t size = schema->message.len;
    uint8_t *copy = memory_new(size);
    memcpy(copy, schema->message.ptr, size);
    size_t refused = 0;
    for (size_t i = 0; i < 2 * size; i++) {
        copy[i / 2] ^= i % 2 ? 0xFF : 0x04;
        CLEANUP(ipc_decoder_destroy)
        struct ipc_decoder *decoder = ipc_decoder_create(&ipc_limits_default);
        struct arrow_batch *batch = NULL;
        struct slice bytes = slice_make(copy, size, NULL);
        refused += ipc_decode(decoder, bytes, SLICE_EMPTY, &batch, NULL) != STATUS_OK;
        copy[i / 2] ^= i % 2 ? 0xFF : 0x04;
    }
    assert_true(refused > size / 4);
    free(copy);
    for (size_t cut = 0; cut < size; cut += 3) {
        copy = malloc(cut + 1);
        assert_non_null(copy);
        memcpy(copy, schema->message.ptr, cut);
        CLEANUP(ipc_decoder_destroy)
        struct ipc_decoder *decoder = ipc_decoder_create(&ipc_limits_default);
        struct arrow_batch *batch = NULL;
        struct slice bytes = slice_make(copy, cut, NULL);
        enum status status = ipc_decode(decoder, bytes, SLICE_EMPTY, &batch, NULL);
        assert_true(status != STATUS_OK || cut + 8 > size); /* only padding may be missing */
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_checked),
        cmocka_unit_test(big_endian_is_refused),
        cmocka_unit_test(types_are_checked),
        cmocka_unit_test(parameters_are_checked),
        cmocka_unit_test(decimals_are_checked),
        cmocka_unit_test(children_are_counted),
        cmocka_unit_test(run_ends_are_integers),
        cmocka_unit_test(unions_are_checked),
        cmocka_unit_test(names_are_utf8),
        cmocka_unit_test(long_names_are_cut_in_errors),
        cmocka_unit_test(metadata_is_limited),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(fields_are_limited),
        cmocka_unit_test(shared_tables_do_not_multiply),
        cmocka_unit_test(flipped_and_cut_schemas_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
