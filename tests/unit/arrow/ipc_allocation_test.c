/*
 * ipc_allocation_test.c — what messages make the decoder allocate: no more than they hold, or a limit says.
 *
 * The linker sends the allocator's functions through here (--wrap), which count what is live and the most
 * that ever was. SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <malloc.h>

#include "arrow/flat_writer.h"
#include "arrow/ipc.h"
#include "arrow/ipc_format.h"
#include "base/memory.h"
#include "column_case.h"
#include "sample.h"

#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * 1024)

/* --- the allocator ------------------------------------------------------------------------------ */

static size_t live_bytes;
static size_t most_bytes;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *memory);

static void *count(void *memory)
{
    live_bytes += malloc_usable_size(memory);
    most_bytes = live_bytes > most_bytes ? live_bytes : most_bytes;
    return memory;
}

void *__wrap_malloc(size_t size)
{
    return count(__real_malloc(size));
}

void *__wrap_calloc(size_t count_, size_t size)
{
    return count(__real_calloc(count_, size));
}

void *__wrap_realloc(void *memory, size_t size)
{
    size_t before = malloc_usable_size(memory);
    void *moved = __real_realloc(memory, size);
    live_bytes -= before;
    return count(moved);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return count(__real_aligned_alloc(alignment, size));
}

void __wrap_free(void *memory)
{
    live_bytes -= malloc_usable_size(memory);
    __real_free(memory);
}

/* --- measuring ---------------------------------------------------------------------------------- */

/* What decoding a schema and, unless it is empty, a message takes at most. */
static size_t measure(struct slice schema, struct slice message, struct slice body,
                      enum status *out_status)
{
    size_t before = live_bytes;
    most_bytes = live_bytes;
    struct ipc_decoder *decoder = ipc_decoder_create(&ipc_limits_default);
    struct arrow_batch *batch = NULL;
    enum status status = ipc_decode(decoder, schema, SLICE_EMPTY, &batch, NULL);
    if (status == STATUS_OK && message.len > 0)
        status = ipc_decode(decoder, message, body, &batch, NULL);
    arrow_batch_unref(batch);
    ipc_decoder_destroy(decoder);
    assert_int_equal(live_bytes, before);
    if (out_status)
        *out_status = status;
    return most_bytes - before;
}

static void lengths_that_are_announced_take_nothing(void **state)
{
    static const uint8_t metadata_comes[] = "\xFF\xFF\xFF\xFF\x00\x00\x40\x00";
    size_t before = live_bytes;
    most_bytes = live_bytes;
    struct ipc_stream_reader *reader = ipc_stream_reader_create(&ipc_limits_default);
    ipc_stream_reader_feed(reader, metadata_comes, 8);
    enum ipc_stream_step step;
    struct arrow_batch *batch;
    assert_int_equal(ipc_stream_reader_next(reader, &step, &batch, NULL), STATUS_OK);
    assert_int_equal(step, IPC_STREAM_MORE);
    assert_true(most_bytes - before < 16 * KIB);
    ipc_stream_reader_destroy(reader);
}

static void bodies_that_are_announced_take_nothing(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UTF8, NULL);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 20, 1);
    CLEANUP(case_close) struct column_case it = case_open(batch);
    case_patch(it.header, 24, INT64_C(256) << 20);
    CLEANUP(slices_finish) struct slices stream;
    slices_init(&stream);
    ipc_append_encapsulated(&stream, schema->message);
    ipc_append_encapsulated(&stream, slice_make(it.header->data, it.header->size, it.header));
    CLEANUP(slice_finish) struct slice joined = slices_join(&stream);
    size_t before = live_bytes;
    most_bytes = live_bytes;
    struct ipc_stream_reader *reader = ipc_stream_reader_create(&ipc_limits_default);
    ipc_stream_reader_feed(reader, joined.ptr, joined.len);
    enum ipc_stream_step step;
    struct arrow_batch *none;
    assert_int_equal(ipc_stream_reader_next(reader, &step, &none, NULL), STATUS_OK);
    assert_int_equal(step, IPC_STREAM_MORE);
    assert_true(most_bytes - before < 16 * KIB + 4 * joined.len);
    ipc_stream_reader_destroy(reader);
}

/* Any number anywhere in a header: rows, nodes, buffers, counts. */
static void lying_headers_take_nothing(void **state)
{
    static const int64_t lies[] = {
        1 << 20, 1 << 24, INT64_C(1) << 31, INT64_C(1) << 40, INT64_C(1) << 62, INT64_MAX, -1};
    for (size_t field = 0; field < sample_field_count(); field++) {
        CLEANUP(arrow_schema_unref)
        struct arrow_schema *schema = sample_schema_create_part(field, 1);
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = sample_batch_create(schema, 20, 1);
        CLEANUP(case_close) struct column_case it = case_open(batch);
        struct slice header = slice_make(it.header->data, it.header->size, it.header);
        struct slice body = slice_make(it.body->data, it.body->size, it.body);
        size_t bound = 64 * KIB + 8 * (header.len + body.len + schema->message.len);
        for (size_t at = CASE_ROWS_AT; at + 8 <= header.len; at += 8) {
            int64_t kept;
            memcpy(&kept, it.header->data + at, sizeof(kept));
            for (size_t i = 0; i < ARRAY_COUNT(lies); i++) {
                case_patch(it.header, at, lies[i]);
                assert_true(measure(schema->message, header, body, NULL) <= bound);
            }
            case_patch(it.header, at, kept);
        }
    }
}

/* --- compressed bodies -------------------------------------------------------------------------- */

#define BOMBS 100

static struct arrow_schema *create_bomb_schema(void)
{
    struct arrow_schema *schema = arrow_schema_create(BOMBS);
    for (size_t i = 0; i < BOMBS; i++) {
        arrow_field_init(schema, &schema->fields[i], STR("x"), ARROW_INT);
        schema->fields[i].bit_width = 8;
    }
    arrow_schema_seal(schema, NULL);
    return schema;
}

/* Columns of zeros, which compress as well as anything does. */
static struct arrow_batch *create_zeros(struct arrow_schema *schema, size_t size)
{
    struct arrow_node nodes[BOMBS];
    struct slice buffers[2 * BOMBS];
    CLEANUP(buffer_unref) struct buffer *zeros = buffer_create(size);
    memset(zeros->data, 0, size);
    for (size_t i = 0; i < BOMBS; i++) {
        nodes[i] = (struct arrow_node){(int64_t)size, 0};
        buffers[2 * i] = SLICE_EMPTY;
        buffers[2 * i + 1] = slice_make(zeros->data, size, buffer_ref(zeros));
    }
    return arrow_batch_create(schema, (int64_t)size, nodes, buffers);
}

static void check_bombs(enum ipc_compression compression, enum status expected)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = create_bomb_schema();
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = create_zeros(schema, MIB);
    CLEANUP(ipc_compressor_destroy)
    struct ipc_compressor *compressor = ipc_compressor_create(compression, 0);
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    CLEANUP(slices_finish) struct slices parts;
    slices_init(&parts);
    assert_int_equal(ipc_compress_batch(compressor, batch, &message, &parts, NULL), STATUS_OK);
    CLEANUP(slice_finish) struct slice body = slices_join(&parts);
    enum status status;
    size_t most = measure(schema->message, message, body, &status);
    assert_int_equal(status, expected);
    assert_true(most <= MIB + 1000 * body.len + 512 * KIB);
}

/* 100 buffers that each grow from a few bytes to 1 MiB. LZ4 cannot grow a thousand times. */
static void many_small_bombs_are_one(void **state)
{
    check_bombs(IPC_COMPRESSION_ZSTD, STATUS_RESOURCE_EXHAUSTED);
    check_bombs(IPC_COMPRESSION_LZ4, STATUS_OK);
}

/* --- schemas ------------------------------------------------------------------------------------ */

/* A schema whose fields are all one table, a dictionary column, referred to `count` times,
 * with `padding` bytes for each. */
static struct slice create_repeated(size_t count, size_t padding)
{
    static const uint8_t message_slots[] = {2, 1, 4, 8};
    static const uint8_t schema_slots[] = {2, 4};
    static const uint8_t field_slots[] = {0, 1, 1, 4, 4};
    static const uint8_t dictionary_slots[] = {8};
    CLEANUP(flat_writer_finish) struct flat_writer writer;
    flat_writer_init(&writer);
    size_t message = flat_writer_table(&writer, message_slots, 4);
    flat_writer_set(&writer, message, IPC_MESSAGE_VERSION, 2, IPC_VERSION_V5);
    flat_writer_set(&writer, message, IPC_MESSAGE_KIND, 1, IPC_KIND_SCHEMA);
    size_t schema = flat_writer_table(&writer, schema_slots, 2);
    flat_writer_point_table(&writer, message, IPC_MESSAGE_HEADER, schema);
    flat_writer_point(&writer, schema, IPC_SCHEMA_FIELDS);
    size_t first = flat_writer_references(&writer, count);
    size_t field = flat_writer_table(&writer, field_slots, sizeof(field_slots));
    for (size_t i = 0; i < count; i++)
        flat_writer_point_element(&writer, first, i, field);
    flat_writer_set(&writer, field, IPC_FIELD_TYPE_KIND, 1, ARROW_UTF8);
    size_t type = flat_writer_table(&writer, NULL, 0);
    flat_writer_point_table(&writer, field, IPC_FIELD_TYPE, type);
    size_t dictionary = flat_writer_table(&writer, dictionary_slots, 1);
    flat_writer_point_table(&writer, field, IPC_FIELD_DICTIONARY, dictionary);
    for (size_t i = 0; i < count * padding / 4; i++)
        buf_append(&writer.bytes, "\0\0\0", 4);
    return slice_copy(writer.bytes.ptr, writer.bytes.len);
}

static void schemas_are_not_much_larger_than_their_message(void **state)
{
    static const struct {
        size_t count;
        size_t padding;
        enum status status;
    } rows[] = {
        {ARROW_FIELDS_MAX, 8, STATUS_RESOURCE_EXHAUSTED},
        {ARROW_FIELDS_MAX, 60, STATUS_OK},
        {100000, 8, STATUS_RESOURCE_EXHAUSTED},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        enum status status;
        CLEANUP(slice_finish)
        struct slice schema = create_repeated(rows[i].count, rows[i].padding);
        size_t most = measure(schema, SLICE_EMPTY, SLICE_EMPTY, &status);
        assert_int_equal(status, rows[i].status);
        assert_true(most <= 64 * schema.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_that_are_announced_take_nothing),
        cmocka_unit_test(bodies_that_are_announced_take_nothing),
        cmocka_unit_test(lying_headers_take_nothing),
        cmocka_unit_test(many_small_bombs_are_one),
        cmocka_unit_test(schemas_are_not_much_larger_than_their_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
